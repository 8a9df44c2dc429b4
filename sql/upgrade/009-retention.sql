-- retention: older refused operations, and the jobs of older operations, may
-- have been removed.

CREATE TABLE IF NOT EXISTS retention (
	what VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
		PRIMARY KEY,
	removed_before DATETIME(3) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
