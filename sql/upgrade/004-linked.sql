-- linked: indexes by it, and by status and it, have lists in the order of ids.
-- The column is computed when it is read, so the tables are not rewritten.
-- Reads and writes go on while the indexes are made.

ALTER TABLE ctt
	ADD COLUMN IF NOT EXISTS linked BOOLEAN
		GENERATED ALWAYS AS (ntt_id IS NOT NULL) VIRTUAL,
	ALGORITHM=INSTANT;

ALTER TABLE ctt
	ADD KEY IF NOT EXISTS ctt_linked (linked, id),
	ADD KEY IF NOT EXISTS ctt_status_linked (status, linked, id),
	ALGORITHM=INPLACE, LOCK=NONE;

ALTER TABLE ntt
	ADD COLUMN IF NOT EXISTS linked BOOLEAN
		GENERATED ALWAYS AS (ctt_count > 0) VIRTUAL,
	ALGORITHM=INSTANT;

ALTER TABLE ntt
	ADD KEY IF NOT EXISTS ntt_linked (linked, id),
	ADD KEY IF NOT EXISTS ntt_status_linked (status, linked, id),
	ALGORITHM=INPLACE, LOCK=NONE;
