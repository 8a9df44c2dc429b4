-- How far ctt-worker had looked when it last noted ends of the audit trail in
-- their file. It is written for its COMMIT: see AUDIT_NEWS in src/store/sql.c.

CREATE TABLE IF NOT EXISTS audit_mark (
	id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
	audit_id BIGINT UNSIGNED NOT NULL,
	marked_at DATETIME(3) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
