-- Whose database this is (src/store/lease.h). mark: of the audit key of the
-- installation; NULL until a worker that has a key stores it. If the row is
-- missing, or the mark is another key's, this is a copy, and no partner is
-- called.

CREATE TABLE IF NOT EXISTS installation (
	id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
	mark CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

INSERT IGNORE INTO installation(id, mark) VALUES (1, NULL);
