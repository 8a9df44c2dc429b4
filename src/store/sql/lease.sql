-- Owners and their leases: store/lease.c.

-- The owner :name lives for so many ms from now on -> is the database that of
-- the installation with this mark?
@statement LEASE_RENEW(:name :for_ms :mark)
INSERT INTO lease(name, expires_at)
VALUES (:name, $in_ms(CAST(:for_ms AS SIGNED)))
ON DUPLICATE KEY UPDATE expires_at = VALUE(expires_at);
SELECT <lease_renewed> COUNT(*) AS ours FROM installation i
WHERE i.id = 1 AND (i.mark IS NULL OR i.mark = :mark);

-- Nobody has stored a mark yet, and this one is ours.
@statement MARK(:mark)
UPDATE installation SET mark = :mark WHERE id = 1 AND mark IS NULL

-- From now on it is the database of the installation with this mark.
@statement ADOPT(:mark)
INSERT INTO installation(id, mark) VALUES (1, :mark)
ON DUPLICATE KEY UPDATE mark = VALUE(mark)

-- This owner has nothing in hand any more.
@statement LEASE_END(:name)
DELETE FROM lease WHERE name = :name

-- The owners whose names begin like :prefix, and live.
@statement LEASES(:prefix)
SELECT <leased> l.name FROM lease l
WHERE l.name LIKE CONCAT(:prefix, '%') AND l.expires_at > UTC_TIMESTAMP(3)

-- Nobody needs the rows of those that expired long ago.
@statement LEASE_PURGE
DELETE FROM lease WHERE expires_at < UTC_TIMESTAMP(3) - INTERVAL 1 HOUR
