-- open_ctt_id: the CTT of a job that is READY or RUNNING, unless it belongs to
-- no chain (look-again). Its index has the chains. A job that is taken changes
-- nothing in it, as it did in the index that this one replaces.

ALTER TABLE job
	ADD COLUMN IF NOT EXISTS open_ctt_id BIGINT UNSIGNED
		GENERATED ALWAYS AS (IF(state IN ('READY', 'RUNNING')
			AND type <> 'look-again', ctt_id, NULL)) VIRTUAL,
	ALGORITHM=INSTANT;

ALTER TABLE job
	ADD KEY IF NOT EXISTS job_open (open_ctt_id, id),
	DROP KEY IF EXISTS job_ctt,
	ALGORITHM=INPLACE, LOCK=NONE;
