-- What a worker changes of a job when it takes one: no index of chains, and not
-- the length of the row (which would move it within its page, or split that).
--
-- open_ctt_id: the CTT of a job that is READY or RUNNING, unless it belongs to
-- no chain (look-again). Its index replaces job_ctt, which had the state.
--
-- job is rewritten: what writes jobs waits meanwhile.

ALTER TABLE job
	MODIFY COLUMN state ENUM('READY', 'RUNNING', 'DONE', 'DEAD') NOT NULL
		DEFAULT 'READY';

ALTER TABLE job
	ADD COLUMN IF NOT EXISTS open_ctt_id BIGINT UNSIGNED
		GENERATED ALWAYS AS (IF(state IN ('READY', 'RUNNING')
			AND type <> 'look-again', ctt_id, NULL)) VIRTUAL,
	ALGORITHM=INSTANT;

ALTER TABLE job
	ADD KEY IF NOT EXISTS job_open (open_ctt_id, id),
	DROP KEY IF EXISTS job_ctt,
	ALGORITHM=INPLACE, LOCK=NONE;
