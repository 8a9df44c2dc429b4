-- The last row of the audit trail when the chain began. Each later row has a
-- hash, unless somebody removed it. cttd's user cannot change this table.

CREATE TABLE IF NOT EXISTS audit_start (
	id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
	audit_id BIGINT UNSIGNED NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

INSERT IGNORE INTO audit_start(id, audit_id)
	SELECT 1, MIN(id) - 1 FROM audit_log WHERE hash IS NOT NULL
	HAVING MIN(id) IS NOT NULL;
