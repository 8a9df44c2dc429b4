-- The tables of contract section 2. Every statement can run twice, so a
-- migration that stopped half way is repeated.

CREATE TABLE IF NOT EXISTS ctt (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	ticket_no VARCHAR(64) NOT NULL,
	title VARCHAR(255) NOT NULL DEFAULT '',
	status VARCHAR(32) NOT NULL DEFAULT 'Open',
	source VARCHAR(16) NOT NULL,
	external_sync BOOLEAN NOT NULL DEFAULT 1,
	segment_group VARCHAR(64) NOT NULL DEFAULT '',
	ntt_id BIGINT UNSIGNED NULL,
	ntt_ticket_no VARCHAR(64) NULL,
	resolved_at DATETIME(3) NULL,
	created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	UNIQUE KEY ctt_ticket_no (ticket_no),
	KEY ctt_ntt (ntt_id, id),
	KEY ctt_status (status, id),
	CONSTRAINT ctt_source CHECK (source IN ('TAAS', 'TMF'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS ntt (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	ticket_no VARCHAR(64) NOT NULL,
	title VARCHAR(255) NOT NULL DEFAULT '',
	status VARCHAR(32) NOT NULL DEFAULT 'Open',
	ctt_count INT UNSIGNED NOT NULL DEFAULT 0,
	created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	UNIQUE KEY ntt_ticket_no (ticket_no),
	KEY ntt_status (status, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS ctt_activity (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	ctt_id BIGINT UNSIGNED NOT NULL,
	type VARCHAR(64) NOT NULL,
	status VARCHAR(32) NOT NULL,
	cause_code VARCHAR(64) NULL,
	disposition VARCHAR(64) NULL,
	resolution_code VARCHAR(64) NULL,
	delay_reason VARCHAR(64) NULL,
	created_by VARCHAR(128) NOT NULL DEFAULT '',
	created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	operation_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
	KEY ctt_activity_ctt (ctt_id, id),
	KEY ctt_activity_operation (operation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS activity_note (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	ctt_id BIGINT UNSIGNED NOT NULL,
	activity_id BIGINT UNSIGNED NOT NULL,
	text TEXT NOT NULL,
	author VARCHAR(128) NOT NULL DEFAULT '',
	created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	KEY activity_note_ctt (ctt_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS work_order (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	ntt_id BIGINT UNSIGNED NOT NULL,
	order_no VARCHAR(64) NOT NULL,
	status VARCHAR(32) NOT NULL DEFAULT 'Open',
	KEY work_order_ntt (ntt_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS network_element (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	ctt_id BIGINT UNSIGNED NOT NULL,
	name VARCHAR(64) NOT NULL,
	access_type VARCHAR(32) NOT NULL,
	manufacturer VARCHAR(64) NULL,
	model VARCHAR(64) NULL,
	ip_address VARCHAR(45) NULL,
	bandwidth_mbps INT UNSIGNED NULL,
	port VARCHAR(32) NULL,
	updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	KEY network_element_ctt (ctt_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS corp_data_temp (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	ctt_id BIGINT UNSIGNED NOT NULL,
	network_element_id BIGINT UNSIGNED NOT NULL,
	manufacturer VARCHAR(64) NULL,
	model VARCHAR(64) NULL,
	ip_address VARCHAR(45) NULL,
	bandwidth_mbps INT UNSIGNED NULL,
	port VARCHAR(32) NULL,
	updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	UNIQUE KEY corp_data_temp_element (network_element_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS cpe_history (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	ctt_id BIGINT UNSIGNED NOT NULL,
	network_element_id BIGINT UNSIGNED NOT NULL,
	before_json JSON NOT NULL,
	after_json JSON NOT NULL,
	actor VARCHAR(128) NOT NULL,
	operation_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	KEY cpe_history_ctt (ctt_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS lov (
	type VARCHAR(32) NOT NULL,
	code VARCHAR(64) NOT NULL,
	label VARCHAR(128) NOT NULL,
	active BOOLEAN NOT NULL DEFAULT 1,
	PRIMARY KEY (type, code)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS audit_log (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	entity_type VARCHAR(8) NOT NULL,
	entity_id BIGINT UNSIGNED NOT NULL,
	action VARCHAR(16) NOT NULL,
	outcome VARCHAR(16) NOT NULL,
	actor VARCHAR(128) NOT NULL,
	request_id VARCHAR(64) NOT NULL DEFAULT '',
	operation_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
	detail JSON NULL,
	created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	KEY audit_log_entity (entity_type, entity_id, id),
	KEY audit_log_operation (operation_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- owner: the database session of the worker that delivers the job. refusals:
-- the number of attempts that the receiver refused. since: the start of
-- CTT_JOB_PATIENCE_S.
CREATE TABLE IF NOT EXISTS job (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	type VARCHAR(64) NOT NULL,
	payload JSON NOT NULL,
	dedupe_key VARCHAR(128) NOT NULL,
	state VARCHAR(16) NOT NULL DEFAULT 'READY',
	attempts INT UNSIGNED NOT NULL DEFAULT 0,
	run_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	last_error VARCHAR(255) NULL,
	created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	owner VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
	refusals INT UNSIGNED NOT NULL DEFAULT 0,
	since DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	UNIQUE KEY job_dedupe_key (dedupe_key),
	KEY job_state (state, run_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The journal. An open operation (RUNNING, SETTLING) reserves its CTT: the
-- unique key of open_ctt_id allows one open operation for each CTT. owner: the
-- database session of the process that works on the operation. intent: what
-- recovery needs of the request. seq: the order of one CTT's operations (the
-- ids do not have it, because many clocks make them).
CREATE TABLE IF NOT EXISTS operation (
	id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	kind VARCHAR(16) NOT NULL,
	state VARCHAR(16) NOT NULL,
	ctt_id BIGINT UNSIGNED NULL,
	ntt_id BIGINT UNSIGNED NULL,
	partner VARCHAR(8) NULL,
	actor VARCHAR(128) NOT NULL,
	request_id VARCHAR(64) NOT NULL DEFAULT '',
	error_code VARCHAR(64) NULL,
	created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	remark TEXT NULL,
	intent JSON NULL,
	steps JSON NOT NULL DEFAULT '[]',
	undoing BOOLEAN NOT NULL DEFAULT 0,
	tries INT UNSIGNED NOT NULL DEFAULT 0,
	next_try_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	last_error VARCHAR(255) NULL,
	owner VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
	idempotency_id BIGINT UNSIGNED NULL,
	item_index INT UNSIGNED NOT NULL DEFAULT 0,
	seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
	open_ctt_id BIGINT UNSIGNED GENERATED ALWAYS AS
		(IF(state IN ('RUNNING', 'SETTLING'), ctt_id, NULL)) STORED,
	UNIQUE KEY operation_open (open_ctt_id),
	UNIQUE KEY operation_seq (seq),
	KEY operation_ctt (ctt_id),
	KEY operation_request (request_id),
	KEY operation_idempotency (idempotency_id, item_index, seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Requests with an Idempotency-Key, kept for 24 h. status NULL: the request has
-- no answer yet; owner is the database session that serves it.
CREATE TABLE IF NOT EXISTS idempotency (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	actor VARCHAR(128) COLLATE utf8mb4_nopad_bin NOT NULL,
	path VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	idem_key VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	body_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	owner VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
	status SMALLINT UNSIGNED NULL,
	headers JSON NULL,
	reply LONGTEXT NULL,
	created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	UNIQUE KEY idempotency_key (actor, path, idem_key),
	KEY idempotency_age (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
