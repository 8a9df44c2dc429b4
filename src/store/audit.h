#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include <stdint.h>

#include "store/db.h"

/*
 * The audit trail is a chain for each ticket. A row's hash is
 *
 *	SHA-256(hash of the ticket's row before it, seal, created_at)
 *
 * where the seal is an HMAC of the row's content, by a key that the database
 * never sees (CTT_AUDIT_KEY_FILE). The process that closes an operation passes
 * the seal to SQL_CLOSE, which reads the hash of the ticket's last row and
 * makes the new hash. This takes no extra round trip. The seal is not stored,
 * and without it nobody can make a row or close a gap.
 *
 * If rows are cut from the end of a trail, together with the journal of
 * operations, the database does not show it. So the worker appends the hash of
 * each row to a file (CTT_AUDIT_HEADS_FILE), to be kept on another host. A line
 * of it: id, entity_type, entity_id, hash.
 */
struct audit {
	const char *entity; /* CTT or NTT */
	uint64_t id;        /* the ticket's */
	const char *action, *outcome, *actor, *request_id, *operation_id;
	const char *detail; /* JSON, as it is stored */
};

struct audit audit_of(const struct sealed_row *row);

const char *audit_seal(struct arena *mem, const char *key,
		       const struct audit *a);

/*
 * Walk all trails and compare them with the journal of operations and a file of
 * heads (NULL: none). `report` gets a line for each breach, which names the
 * row; *rows_r and *breaches_r are counts. RC_NO: the file cannot be read; errno
 * says why.
 */
enum rc audit_verify(struct db *db, const char *heads_file,
		     void (*report)(const char *breach), size_t *rows_r,
		     size_t *breaches_r);

/*
 * Append the new hashes of all trails to the file; of several workers on a host
 * only one does so. RC_NO: the file cannot be written; errno says why.
 */
enum rc audit_write_heads(struct db *db, struct arena *mem, const char *file);

#endif
