-- Indexes for lists. Each list finds its page in an index that ends in the
-- order of the page; InnoDB adds the id to each index by itself. Reads and
-- writes go on while the indexes are made.

ALTER TABLE ctt
	ADD KEY IF NOT EXISTS ctt_updated (updated_at),
	ADD KEY IF NOT EXISTS ctt_status_updated (status, updated_at),
	ALGORITHM=INPLACE, LOCK=NONE;

ALTER TABLE ntt
	ADD KEY IF NOT EXISTS ntt_updated (updated_at),
	ADD KEY IF NOT EXISTS ntt_status_updated (status, updated_at),
	ALGORITHM=INPLACE, LOCK=NONE;

-- The first two replace indexes without seq. operation_request also has the
-- state, so the operations of a request are counted from the index alone.
ALTER TABLE operation
	DROP KEY IF EXISTS operation_ctt,
	DROP KEY IF EXISTS operation_request,
	ADD KEY operation_ctt (ctt_id, seq),
	ADD KEY operation_request (request_id, seq, state),
	ADD KEY IF NOT EXISTS operation_ntt (ntt_id, seq),
	ADD KEY IF NOT EXISTS operation_state (state, seq),
	ALGORITHM=INPLACE, LOCK=NONE;

ALTER TABLE audit_log
	ADD KEY IF NOT EXISTS audit_log_actor (actor, created_at),
	ADD KEY IF NOT EXISTS audit_log_time (created_at),
	ALGORITHM=INPLACE, LOCK=NONE;
