-- retention: up to when jobs (their operations) and refused operations were
-- removed; what is older may be missing.

CREATE TABLE IF NOT EXISTS retention (
	what VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
		PRIMARY KEY,
	removed_before DATETIME(3) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
