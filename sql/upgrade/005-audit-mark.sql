-- The last audit row that ctt-worker had read when it last appended to
-- CTT_AUDIT_HEADS_FILE. The row is written for the sake of its COMMIT: see
-- AUDIT_NEWS in src/store/sql/audit.sql.

CREATE TABLE IF NOT EXISTS audit_mark (
	id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
	audit_id BIGINT UNSIGNED NOT NULL,
	marked_at DATETIME(3) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
