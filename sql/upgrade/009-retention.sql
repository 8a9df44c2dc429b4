-- Refused operations are found by their age, without a look at the others; the
-- column is computed where it is read. retention: up to when jobs (their
-- operations) and refused operations were removed; what is older may be missing.

ALTER TABLE operation
	ADD COLUMN IF NOT EXISTS refused_at DATETIME(3)
		GENERATED ALWAYS AS (IF(state = 'REFUSED', created_at, NULL))
		VIRTUAL,
	ALGORITHM=INSTANT;

ALTER TABLE operation
	ADD KEY IF NOT EXISTS operation_refused (refused_at),
	ALGORITHM=INPLACE, LOCK=NONE;

CREATE TABLE IF NOT EXISTS retention (
	what VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
		PRIMARY KEY,
	removed_before DATETIME(3) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
