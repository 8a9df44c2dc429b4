/*
 * web/once.c - the Idempotency-Key: a request claims it, and stores its answer
 * with it or frees it; the answer is given again
 */
#include "web/once.h"

#include <string.h>

#include <json-c/json.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/text.h"
#include "saga/restore.h"
#include "web/reply.h"

/* The hash of the body's JSON value, however it is written. */
static const char *body_hash(struct request *rq)
{
	struct buf text;

	buf_init(&text, rq->mem);
	json_canonical(rq->json, &text);
	return hash_sha256(rq->mem, text.s, text.len);
}

/* Is the key still owned by a process of this host that has died? */
static bool is_of_dead(const struct request *rq, const struct rows *r)
{
	const char *owner = r->n ? ROW(claimed_key, r, 0)->owner : NULL;

	return owner && lease_is_dead(rq->app->lease, owner);
}

enum { RANDOM_BITS = 22 };

/* Keys of one time are stored together. If two requests take one id, one of them
 * is told to try again. */
static uint64_t new_id(void)
{
	char id[ID_LEN + 1];

	id_make(id);
	return (uint64_t)clock_wall_ms() << RANDOM_BITS |
	       (hash_fast(id, ID_LEN) & ((1U << RANDOM_BITS) - 1));
}

static struct key *key_new(struct request *rq)
{
	struct key *key = arena_alloc(rq->mem, sizeof *key);

	key->id = new_id();
	key->actor = rq->claims.actor;
	key->path = rq->path;
	key->text = rq->idempotency_key;
	key->body_hash = body_hash(rq);
	return key;
}

static enum rc find(struct request *rq, const struct key *key, struct rows *r)
{
	struct buf param[P_KEY_FIND__MAX];
	const char *text[] = {[P_KEY_FIND_ACTOR] = key->actor,
		[P_KEY_FIND_PATH] = key->path, [P_KEY_FIND_KEY] = key->text,
		[P_KEY_FIND_HASH] = key->body_hash};

	for (int i = 0; i < P_KEY_FIND__MAX; i++) {
		buf_init(&param[i], rq->mem);
		buf_str(&param[i], text[i]);
	}
	return db_run(app_db(rq->app), SQL_KEY_FIND, param, rq->mem, r, 1);
}

/* Claim a key that there is already. */
static enum rc claim(struct request *rq, struct key *key, struct rows *r)
{
	enum rc rc = RC_DOUBT;

	/* a lost connection is made again; what it claimed is abandoned */
	for (int i = 0; i < 2 && (rc == RC_DOUBT || rc == RC_AGAIN); i++) {
		const char *owner = lease_take(rq->app->lease);
		struct buf doc;

		if (!owner)
			return RC_ERROR;
		buf_init(&doc, rq->mem);
		put_open(&doc, NULL, '{');
		put_id(&doc, "id", key->id);
		put_str(&doc, "actor", key->actor);
		put_str(&doc, "path", key->path);
		put_str(&doc, "key", key->text);
		put_str(&doc, "hash", key->body_hash);
		put_str(&doc, "owner", owner);
		put_close(&doc, '}');
		key->owner = arena_strdup(rq->mem, owner);
		rc = db_run(app_db(rq->app), SQL_KEY_CLAIM, &doc, rq->mem, r, 1);
		if (rc != RC_OK)
			lease_abandon(rq->app->lease); /* it may be claimed */
		else if (!i && is_of_dead(rq, r) &&
			 lease_bury(rq->app->lease, rq->mem) == RC_OK)
			rc = RC_AGAIN;
	}
	return rc == RC_OK && !r->n ? RC_AGAIN : rc;
}

/* Works only for the owner of the key: if the lease was lost, another
 * process may have taken the key over and answered. */
static void close_key(struct request *rq, const struct key *key, enum sql sql,
		      int status)
{
	struct buf param[P_KEY_CLOSE__MAX], *doc = &param[P_KEY_CLOSE_DOC];

	buf_init(doc, rq->mem);
	put_open(doc, NULL, '{');
	put_id(doc, "id", key->id);
	put_str(doc, "owner", key->owner);
	put_id(doc, "status", (uint64_t)status);
	put_open(doc, "headers", '{');
	put_str(doc, "type", rq->reply_type);
	put_str(doc, "location", rq->location);
	put_int(doc, "retryAfter", rq->retry_after_s);
	put_close(doc, '}');
	put_close(doc, '}');
	buf_init(&param[P_KEY_CLOSE_REPLY], rq->mem);
	buf_str(&param[P_KEY_CLOSE_REPLY], status ? rq->reply.s : "");
	/* if the key cannot be closed, abandon it: the next request with it
	 * finds out what became of this one */
	if (db_run(app_db(rq->app), sql, param, rq->mem, NULL, 0) != RC_OK)
		lease_abandon(rq->app->lease);
}

static bool is_begun(const struct batch *b)
{
	batch_each (b, it)
		if (it->was != OP_NONE && it->was != OP_REFUSED)
			return true;
	return false;
}

/* Was the caller told to look up some operation? */
static bool is_unknown(const struct batch *b)
{
	batch_each (b, it)
		for (const struct item *i = it; i; i = i->next)
			if (i->code == CODE_NO_ANSWER)
				return true;
	return false;
}

/* Does the cause of the refusal pass by itself? Then the key is freed, so that
 * a retry does not get this refusal again. */
static bool passes(const struct item *it)
{
	return it->code == CODE_PARTNER_BUSY ||
	       it->code == CODE_OPERATION_IN_PROGRESS ||
	       it->code == CODE_UNLINK_BLOCKED || it->error.retry_after_s;
}

static bool any_passes(const struct batch *b)
{
	batch_each (b, it)
		if (passes(it))
			return true;
	return false;
}

/* A refusal before any work began is not stored, nor one that passes by itself.
 * "Unknown" is not stored, because the outcome will be known later. */
void once_end(struct request *rq, const struct batch *b)
{
	const struct key *key = b->terms->key;

	if (!key || !key->held)
		return;
	if (is_unknown(b)) {
		close_key(rq, key, SQL_KEY_CLOSE, 0);
		return;
	}
	if (!is_begun(b) && (any_passes(b) || rq->retry_after_s)) {
		close_key(rq, key, SQL_KEY_FORGET, 0);
		return;
	}
	switch (rq->status) {
	case 400: case 401: case 403: case 413: case 415: case 429: case 503:
		if (is_begun(b))
			goto remember; /* some items of a bulk were begun */
		close_key(rq, key, SQL_KEY_FORGET, 0);
		break;
	default:
	remember:
		close_key(rq, key, SQL_KEY_CLOSE, rq->status);
	}
}

/* The code of a problem, as reply_problem_begin wrote it. */
static enum code code_in(struct arena *mem, const char *reply)
{
	static const char member[] = "\"code\":\"";
	const char *at = strstr(reply, member);

	if (!at)
		return CODE_OK;
	at += sizeof member - 1;
	return code_of(arena_strndup(mem, at, strcspn(at, "\"")));
}

/* The key has an answer: give it again, to the byte. */
static void replay(struct request *rq, const struct claimed_key_row *key)
{
	struct json_object *h = json_tokener_parse(key->headers);

	rq->status = (int)cell_int(key->status);
	rq->reply_type = arena_strdup(rq->mem, json_object_get_string(
		json_object_object_get(h, "type")));
	rq->location = arena_strdup(rq->mem, json_object_get_string(
		json_object_object_get(h, "location")));
	rq->retry_after_s = json_object_get_int(
		json_object_object_get(h, "retryAfter"));
	json_object_put(h);
	if (rq->status >= 400)
		rq->code = code_in(rq->mem, key->reply);
	buf_init(&rq->reply, rq->mem);
	buf_str(&rq->reply, key->reply);
	rq->replayed = true;
}

static void in_progress(struct request *rq)
{
	rq->retry_after_s = 1;
	reply_problem(rq, CODE_IDEMPOTENCY_IN_PROGRESS, "The first request "
		      "with this key is not settled yet; ask again in a "
		      "moment.");
}

/* The process died before it answered: answer from the journal. False: it has
 * nothing, so the work is to do. */
static bool answer_from_journal(struct request *rq, const struct flow *flow,
	void (*reply)(struct request *, const struct batch *),
	struct batch *b)
{
	enum restored restored;
	enum rc rc = saga_restore(rq->app, flow, b, &restored);

	if (rc != RC_OK) {
		reply_db_failed(rq, rc);
		return true;
	}
	if (restored == RESTORED_NOT_YET) {
		close_key(rq, b->terms->key, SQL_KEY_CLOSE, 0);
		in_progress(rq);
		return true;
	}
	if (restored == RESTORED_NOTHING)
		return false;
	rq->replayed = true;
	reply(rq, b);
	once_end(rq, b);
	return true;
}

/* Take the key that there is already. False: the reply is complete. */
static bool take(struct request *rq, struct key *key, struct rows *r)
{
	const struct claimed_key_row *row = ROW(claimed_key, r, 0);

	if (cell_int(row->is_free) || is_of_dead(rq, r)) {
		enum rc rc = claim(rq, key, r);

		if (rc != RC_OK) {
			reply_db_failed(rq, rc);
			return false;
		}
		row = ROW(claimed_key, r, 0);
		key->id = cell_id(row->id);
		key->held = cell_int(row->is_free) || cell_int(row->was_taken);
	}
	if (!cell_int(row->same_body))
		reply_problem(rq, CODE_IDEMPOTENCY_KEY_REUSED, "This key came "
			      "with another body before; use a new one.");
	else if (row->status)
		replay(rq, row);
	else if (!key->held)
		in_progress(rq);
	else
		return true;
	return false;
}

bool once_begin(struct request *rq, const struct flow *flow,
		void (*reply)(struct request *, const struct batch *),
		struct batch *b)
{
	struct key *key;
	struct rows r;
	enum rc rc;

	if (!rq->idempotency_key || rq->dry_run)
		return true;
	b->terms->key = key = key_new(rq);
	rc = find(rq, key, &r);
	if (rc == RC_DOUBT || rc == RC_AGAIN) /* the connection was lost */
		rc = find(rq, key, &r);
	if (rc != RC_OK) {
		reply_db_failed(rq, rc);
		return false;
	}
	if (r.n && !take(rq, key, &r))
		return false;
	if (r.n && cell_int(ROW(claimed_key, &r, 0)->was_taken) &&
	    answer_from_journal(rq, flow, reply, b))
		return false;
	batch_each (b, it)
		it->want.idempotency_id = key->id;
	return true;
}

bool once_lost(struct request *rq, const struct batch *b)
{
	const struct key *key = b->terms->key;

	if (!key || !key->lost || is_begun(b))
		return false;
	in_progress(rq);
	return true;
}
