-- partner_ref: the ticket's id at its partner, where that is not its number.
-- Of an operation: partner_call, what its partner was told, so that recovery
-- repeats that whatever the tickets say by then; the history of the step at its
-- partner (contract section 9): doubted_at, when an attempt was last in doubt;
-- accepted, whether one was answered with a yes; refusals, how often recovery
-- was told that there is no such thing; bodies and body_hash, how many bodies
-- the call has had, and the latest. assumed: it was closed without proof.
-- mends: it makes the partner's ticket the same as ours, and changes nothing
-- here. ctt and ntt are written anew, for they have indexes of computed columns:
-- who changes tickets waits meanwhile.

ALTER TABLE ctt
	ADD COLUMN IF NOT EXISTS partner_ref VARCHAR(255) NULL,
	ALGORITHM=INPLACE, LOCK=SHARED;

ALTER TABLE ntt
	ADD COLUMN IF NOT EXISTS partner_ref VARCHAR(255) NULL,
	ALGORITHM=INPLACE, LOCK=SHARED;

ALTER TABLE ntt
	ADD KEY IF NOT EXISTS ntt_partner_ref (partner_ref),
	ALGORITHM=INPLACE, LOCK=NONE;

ALTER TABLE operation
	ADD COLUMN IF NOT EXISTS partner_call JSON NULL,
	ADD COLUMN IF NOT EXISTS doubted_at DATETIME(3) NULL,
	ADD COLUMN IF NOT EXISTS accepted BOOLEAN NOT NULL DEFAULT 0,
	ADD COLUMN IF NOT EXISTS refusals INT UNSIGNED NOT NULL DEFAULT 0,
	ADD COLUMN IF NOT EXISTS bodies INT UNSIGNED NOT NULL DEFAULT 0,
	ADD COLUMN IF NOT EXISTS body_hash BIGINT UNSIGNED NULL,
	ADD COLUMN IF NOT EXISTS assumed BOOLEAN NOT NULL DEFAULT 0,
	ADD COLUMN IF NOT EXISTS mends BOOLEAN NOT NULL DEFAULT 0,
	ALGORITHM=INSTANT;
