-- Owners of operations, keys and jobs (store/lease.h). An owner lives until its
-- lease expires; the process that goes by that name renews it.

CREATE TABLE IF NOT EXISTS lease (
	name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
		PRIMARY KEY,
	expires_at DATETIME(3) NOT NULL,
	KEY lease_expires (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
