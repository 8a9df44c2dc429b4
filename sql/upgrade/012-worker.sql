-- A row for each ctt-worker: when it last said that it runs, until when it
-- counts as running if it says no more, and when a pass of it, or of one before
-- it, last did anything. Those of the dead are removed by the living.

CREATE TABLE IF NOT EXISTS worker (
	name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
		PRIMARY KEY,
	beat_at DATETIME(3) NOT NULL,
	alive_until DATETIME(3) NOT NULL,
	worked_at DATETIME(3) NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
