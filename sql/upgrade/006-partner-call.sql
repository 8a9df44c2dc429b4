-- partner_ref: the ticket's id at its partner, if that is not its number.
--
-- Of an operation: partner_call is the call to the partner; recovery repeats
-- it, whatever the tickets' rows say by then. The history of the step at the
-- partner (contract section 9): doubted_at, when an attempt was last in doubt;
-- accepted, whether an attempt was answered with a yes; refusals, how often the
-- partner answered recovery that there is no such thing; bodies, the number of
-- different bodies of the call, and body_hash, the hash of the latest. assumed:
-- the operation was closed without proof. mends: it makes the partner's ticket
-- match ours, and changes nothing here.
--
-- ctt and ntt are rewritten, because they have indexes of computed columns.
-- Changes of tickets wait meanwhile.

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
