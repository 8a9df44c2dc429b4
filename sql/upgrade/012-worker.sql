-- A row for each ctt-worker. beat_at: its last report. alive_until: the end of
-- the time for which it counts as running after that report. worked_at: when
-- this worker, or an earlier one, last did anything. Workers remove the rows of
-- workers that ended.

CREATE TABLE IF NOT EXISTS worker (
	name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
		PRIMARY KEY,
	beat_at DATETIME(3) NOT NULL,
	alive_until DATETIME(3) NOT NULL,
	worked_at DATETIME(3) NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
