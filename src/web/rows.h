#ifndef WEB_ROWS_H
#define WEB_ROWS_H

#include "web/request.h"

/*
 * From a statement that reads to an answer. A statement that fails makes the
 * answer a problem, and rows_read is false. A connection that the server had
 * closed is made again, once.
 */
bool rows_read(struct request *rq, enum sql sql, const struct buf *doc,
	       struct rows *sets, size_t n);

/* The same of a statement that takes {"id"}, that of the path. */
bool rows_read_by_id(struct request *rq, enum sql sql, struct rows *sets,
		     size_t n);

/* A row as members: its columns from `from` on, in the order of `names`, which
 * ends in NULL. A name that begins with '#' is a number, with '?' a truth, with
 * '{' JSON. */
void put_row(struct buf *b, const struct rows *r, size_t row, unsigned from,
	     const char *const *names);

/* All rows as an array of objects; the first row as an object, or null. */
void put_rows(struct buf *b, const char *key, const struct rows *r,
	      const char *const *names);
void put_first_row(struct buf *b, const char *key, const struct rows *r,
		   const char *const *names);

/* Two columns, a ticket's id and number, as an object or null. */
void put_ticket(struct buf *b, const char *key, const struct rows *r,
		size_t row, unsigned col);

/* The columns that every reading of CTTs begins with (CTT_COLUMNS). */
void put_ctt_row(struct buf *b, const struct rows *r, size_t row, bool open);
/* Of NTTs: NTT_COLUMNS, title and status. */
void put_ntt_row(struct buf *b, const struct rows *r, size_t row);
/* Of operations: id, kind, state, CTT and its number, NTT and its number. */
void put_operation_row(struct buf *b, const struct rows *r, size_t row);

/* What an audit row shows wherever it stands (AUDIT_COLUMNS). */
extern const char *const audit_names[];
enum { AUDIT_NAMES = 8 };

/* The ticket of the path is not there. */
void ctt_missing(struct request *rq);
void ntt_missing(struct request *rq);

#endif
