-- Jobs of one CTT are delivered in the order in which they were written: ctt_id
-- is that of the payload, and finds the earlier ones that are not done.

ALTER TABLE job
	ADD COLUMN IF NOT EXISTS ctt_id BIGINT UNSIGNED
		GENERATED ALWAYS AS (JSON_VALUE(payload, '$.cttId')) VIRTUAL,
	ALGORITHM=INSTANT;

ALTER TABLE job
	ADD KEY IF NOT EXISTS job_ctt (ctt_id, state, id),
	ALGORITHM=INPLACE, LOCK=NONE;
