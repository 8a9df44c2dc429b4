-- audit_log.hash: see src/store/audit.h. NULL: the row was written without a
-- key. ctt.came_ntt_id: the NTT to which the CTT was linked when its row was
-- inserted. It tells this link from a later one that no operation made.

ALTER TABLE audit_log
	ADD COLUMN IF NOT EXISTS hash CHAR(64)
		CHARACTER SET ascii COLLATE ascii_bin NULL;

ALTER TABLE ctt
	ADD COLUMN IF NOT EXISTS came_ntt_id BIGINT UNSIGNED NULL
		DEFAULT (ntt_id);
