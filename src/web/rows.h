#ifndef WEB_ROWS_H
#define WEB_ROWS_H

#include "web/request.h"

/*
 * Run a statement that reads. If it fails, the reply is a problem and rows_read
 * returns false. If the server had closed the connection, it is opened again,
 * once.
 */
bool rows_read(struct request *rq, enum sql sql, const struct buf *doc,
	       struct rows *sets, size_t n);

/* The same for a statement that takes {"id"}: the id of the path. */
bool rows_read_by_id(struct request *rq, enum sql sql, struct rows *sets,
		     size_t n);

/* A ticket as an object, or null where its id is NULL. */
void put_ticket(struct buf *b, const char *key, const char *id,
		const char *ticket_no);

/* The members that a row has wherever it is shown. */
void put_ctt_row(struct buf *b, const struct ctt_row *row, bool open);
void put_ntt_row(struct buf *b, const struct ntt_shown_row *row);
void put_operation_row(struct buf *b, const struct operation_row *row);
void put_audit_row(struct buf *b, const struct audit_row *row);

/* Answer that the ticket of the path does not exist. */
void ctt_missing(struct request *rq);
void ntt_missing(struct request *rq);

#endif
