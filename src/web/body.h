#ifndef WEB_BODY_H
#define WEB_BODY_H

#include "web/reply.h"
#include "web/request.h"

/*
 * From a request's body to a batch: size, media type, JSON syntax and fields,
 * in the order of contract section 3. What the endpoints share.
 */

/* The body as a JSON object, or NULL and a problem. *f begins with the errors
 * of the query and the Idempotency-Key. */
struct json_object *body_begin(struct request *rq, struct errors *f);

/* Reads the fields of one item from its object. */
typedef void item_fields(struct errors *f, struct json_object *o,
			 struct item *it);

/* A body that is one item. False: the reply is a problem. */
bool body_single(struct request *rq, struct batch *b_r, item_fields *fields);

/* A body with an array `items`, and a remark for those without one. An item
 * with errors fails alone. False: the reply is a problem. */
bool body_bulk(struct request *rq, struct batch *b_r, item_fields *fields);

/* An array of CTTs under `name`, an item each. `together`: none may be named
 * twice, and an error of one is an error of all. */
void body_ctts(struct request *rq, struct errors *f, struct json_object *o,
	       const char *name, bool together, struct batch *b_r);

/* Each reads one field of an object, and adds its errors to *f. */

/* A ticket by its id or its number; required. */
void field_ticket(struct errors *f, const char *field, struct json_object *o,
		  struct ref *ref_r);
/* `remark`; one of blanks counts as absent: *remark_r stays unchanged. */
void field_remark(struct errors *f, struct json_object *o,
		  const char **remark_r);
/* A whole number from 1 to `most`; 0: it is absent and not required. */
uint64_t field_whole(struct errors *f, const char *field,
		     struct json_object *o, uint64_t most, bool required);
/* A code or a label; NULL: it is absent and not required. */
const char *field_choice(struct errors *f, const char *field,
			 struct json_object *o, bool required);

#endif
