-- Idempotency keys: web/once.c, saga/restore.c. SAVE (change.sql) claims a new
-- one.

-- An id needs more digits than a DOUBLE has.
@macro doc_id
CAST(JSON_VALUE(doc, '$.id') AS UNSIGNED)

@macro the_key(actor; path; key)
FROM idempotency i
WHERE i.actor = $actor AND i.path = $path AND i.idem_key = $key

@macro key_row(hash)
i.id, i.body_hash = $hash AS same_body, i.owner, i.status, i.headers, i.reply

@macro expired
created_at < UTC_TIMESTAMP(3) - INTERVAL 24 HOUR

-- -> the key, if there is a row of it. is_free: KEY_CLAIM may claim it.
@statement KEY_FIND(:actor :path :key :hash)
SELECT <claimed_key> i.$expired OR (i.status IS NULL AND $abandoned(i))
	AS is_free, 0 AS was_taken, $key_row(:hash)
$the_key(:actor; :path; :key);

-- {"id","actor","path","key","hash","owner"}: claims the key for the owner, if
-- it is new or its process is gone (taken) -> the key.
@statement KEY_CLAIM(:doc)
$takes_doc
DECLARE by_actor VARCHAR(128) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.actor');
DECLARE of_path, the_key VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin;
DECLARE hash, new_owner VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin;
DECLARE fresh, taken INT DEFAULT 0;
SET of_path = JSON_VALUE(doc, '$.path'), the_key = JSON_VALUE(doc, '$.key'),
	hash = JSON_VALUE(doc, '$.hash'),
	new_owner = JSON_VALUE(doc, '$.owner');
DELETE FROM idempotency WHERE actor = by_actor AND path = of_path
	AND idem_key = the_key AND $expired;
INSERT IGNORE INTO idempotency(id, actor, path, idem_key, body_hash, owner,
	created_at)
VALUES ($doc_id, by_actor, of_path, the_key, hash, new_owner,
	UTC_TIMESTAMP(3));
SET fresh = ROW_COUNT();
IF fresh = 0 THEN
	UPDATE idempotency i SET i.owner = new_owner
	WHERE i.actor = by_actor AND i.path = of_path AND i.idem_key = the_key
		AND i.body_hash = hash AND i.status IS NULL AND $abandoned(i);
	SET taken = ROW_COUNT();
END IF;
SELECT <claimed_key> fresh AS is_free, taken AS was_taken, $key_row(hash)
$the_key(by_actor; of_path; the_key);

-- {"id","owner","status","headers"}, and the reply: stores the answer. Without
-- a status the answer is not known yet; the next request with the key makes it.
@statement KEY_CLOSE(:doc :reply)
$takes_doc
DECLARE answer LONGTEXT CHARACTER SET utf8mb4 DEFAULT :reply;
UPDATE idempotency SET owner = NULL, status = JSON_VALUE(doc, '$.status'),
	headers = JSON_QUERY(doc, '$.headers'), reply = NULLIF(answer, '')
WHERE id = $doc_id AND owner = JSON_VALUE(doc, '$.owner');

-- {"id","owner"}: nothing was begun; the key is free again.
@statement KEY_FORGET(:doc)
$takes_doc
DELETE FROM idempotency WHERE id = $doc_id
	AND owner = JSON_VALUE(doc, '$.owner');

-- {"id"} -> the operations of a key's request, by item and age.
@statement KEY_OPERATIONS(:doc)
$takes_doc
$journalled
FROM operation o WHERE o.idempotency_id = $doc_id
ORDER BY o.item_index, o.seq;

-- {"id"} -> what these operations stored, as CLOSE_ALL says it: activities and
-- notes; history.
@statement KEY_STORED(:doc)
$takes_doc
SELECT <stored_activity> o.id AS operation_id, a.id, t.id AS note_id, c.status
FROM operation o
STRAIGHT_JOIN $activity_of(o.id)
STRAIGHT_JOIN ctt c ON c.id = a.ctt_id
LEFT JOIN activity_note t ON t.ctt_id = a.ctt_id AND t.activity_id = a.id
WHERE o.idempotency_id = $doc_id;
SELECT <stored_history> o.id AS operation_id, h.id
FROM operation o
STRAIGHT_JOIN cpe_history h ON h.ctt_id = o.ctt_id AND h.operation_id = o.id
WHERE o.idempotency_id = $doc_id;

-- Removes keys that are older than 24 h, up to 1,000 at a time.
@statement KEY_PURGE
DELETE FROM idempotency WHERE $expired
ORDER BY created_at LIMIT 1000
