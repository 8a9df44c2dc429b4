-- Jobs of one CTT are delivered in the order in which they were written. ctt_id
-- is the CTT in the payload; its index finds the earlier jobs.

ALTER TABLE job
	ADD COLUMN IF NOT EXISTS ctt_id BIGINT UNSIGNED
		GENERATED ALWAYS AS (JSON_VALUE(payload, '$.cttId')) VIRTUAL,
	ALGORITHM=INSTANT;

ALTER TABLE job
	ADD KEY IF NOT EXISTS job_ctt (ctt_id, state, id),
	ALGORITHM=INPLACE, LOCK=NONE;
