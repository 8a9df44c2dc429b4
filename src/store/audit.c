#include "store/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/hash.h"

enum {
	HEAD_MAX = 160, /* bytes of a line in the file of heads */
	PAGE = 1000,    /* lines of it that are looked up at once */
};

const char *audit_seal(struct arena *mem, const char *key,
		       const struct audit *a)
{
	const char *const part[] = {
		a->entity, arena_printf(mem, "%llu", (unsigned long long)a->id),
		a->action, a->outcome, a->actor, a->request_id,
		a->operation_id, a->detail,
	};
	struct buf text;

	buf_init(&text, mem);
	for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
		buf_add(&text, part[i], strlen(part[i]) + 1); /* with its end */
	return hash_hmac(mem, key, text.s, text.len);
}

/* at: created_at, as the database writes it */
static const char *hash_of(struct arena *mem, const char *before,
			   const char *seal, const char *at)
{
	const char *text = arena_printf(mem, "%s%s%s", before, seal, at);

	return hash_sha256(mem, text, strlen(text));
}

static const char *or_empty(const char *cell)
{
	return cell ? cell : "";
}

struct audit audit_of(const struct sealed_row *row)
{
	return (struct audit){
		.entity = or_empty(row->entity_type),
		.id = cell_id(row->entity_id),
		.action = or_empty(row->action),
		.outcome = or_empty(row->outcome),
		.actor = or_empty(row->actor),
		.request_id = or_empty(row->request_id),
		.operation_id = or_empty(row->operation_id),
		.detail = or_empty(row->detail),
	};
}

/* ---- verify ---- */

struct verify {
	struct db *db;
	struct arena *mem; /* of a page */
	void (*report)(const char *breach);
	uint64_t first;   /* from this row on all are chained; 0: none is */
	uint64_t id, ticket;    /* of the row before */
	char before[65];        /* and its hash */
	size_t rows, breaches;
};

static void breach(struct verify *v, uint64_t id, const char *type,
		   uint64_t ticket, const char *what)
{
	v->breaches++;
	v->report(arena_printf(v->mem, "audit_log %llu (%s %llu): %s",
			       (unsigned long long)id, type,
			       (unsigned long long)ticket, what));
}

/* One row, behind those of its ticket that were walked already. */
static void verify_row(struct verify *v, const struct trail_row *row)
{
	const struct audit a = audit_of(&row->sealed);
	const char *key = db_conf(v->db)->audit_key;
	const char *hash = or_empty(row->hash);

	if (a.id != v->ticket)
		*v->before = '\0';
	v->id = cell_id(row->id);
	v->ticket = a.id;
	v->rows++;
	if (!*hash) {
		if (v->first && v->id >= v->first)
			breach(v, v->id, a.entity, a.id, "has no hash: it was "
			       "not written by cttd, or without its key");
	} else if (strcmp(hash, hash_of(v->mem, v->before,
					audit_seal(v->mem, key, &a),
					or_empty(row->created_at)))) {
		breach(v, v->id, a.entity, a.id, "does not follow from the row "
		       "before it: it was changed, or a row before it was "
		       "changed, removed or swapped");
	}
	snprintf(v->before, sizeof v->before, "%s", hash);
}

static enum rc verify_type(struct verify *v, const char *type)
{
	struct rows r = {.n = 1};

	v->id = v->ticket = 0;
	while (r.n) {
		struct buf doc;
		enum rc rc;

		buf_init(&doc, v->mem);
		put_open(&doc, NULL, '{');
		put_str(&doc, "type", type);
		put_int(&doc, "ticket", (int64_t)v->ticket);
		put_int(&doc, "id", (int64_t)v->id);
		put_close(&doc, '}');
		rc = db_run(v->db, SQL_AUDIT_TRAIL, &doc, v->mem, &r, 1);
		if (rc != RC_OK)
			return rc;
		for (size_t i = 0; i < r.n; i++)
			verify_row(v, ROW(trail, &r, i));
		arena_reset(v->mem);
	}
	return RC_OK;
}

static enum rc verify_trails(struct verify *v, struct arena *mem)
{
	struct rows r;
	enum rc rc = db_run(v->db, SQL_AUDIT_FIRST, NULL, mem, &r, 1);

	if (rc != RC_OK)
		return rc;
	v->first = r.n ? cell_id(ROW(audit_first, &r, 0)->id) : 0;
	rc = db_run(v->db, SQL_AUDIT_TYPES, NULL, mem, &r, 1);
	for (size_t i = 0; rc == RC_OK && i < r.n; i++)
		rc = verify_type(v, ROW(audit_type, &r, i)->entity_type);
	return rc;
}

/* What the journal says happened has to be in the trail. */
static enum rc verify_journal(struct verify *v)
{
	struct rows r;
	enum rc rc = db_run(v->db, SQL_CHECK_AUDIT, NULL, v->mem, &r, 1);

	for (size_t i = 0; rc == RC_OK && i < r.n; i++)
		v->report(ROW(audit_breach, &r, i)->line);
	v->breaches += rc == RC_OK ? r.n : 0;
	arena_reset(v->mem);
	return rc;
}

struct head {
	unsigned long long id, ticket;
	char type[9], hash[65];
};

static bool head_parse(const char *line, struct head *h_r)
{
	int end = 0;

	return sscanf(line, "%llu %8s %llu %64[0-9a-f]\n%n", &h_r->id,
		      h_r->type, &h_r->ticket, h_r->hash, &end) == 4 &&
	       end && !line[end] && line[end - 1] == '\n';
}

/* Up to a page of the file's lines, as the parameter of AUDIT_GONE. */
static size_t read_page(struct verify *v, FILE *f, struct buf *doc)
{
	char line[HEAD_MAX];
	struct head h;
	size_t n = 0;

	buf_init(doc, v->mem);
	put_open(doc, NULL, '{');
	put_open(doc, "head", '[');
	while (n < PAGE && fgets(line, sizeof line, f)) {
		n++;
		if (!head_parse(line, &h)) {
			v->breaches++;
			v->report(arena_printf(v->mem, "the file of heads: no "
				"head: %.*s", (int)strcspn(line, "\n"), line));
			continue;
		}
		put_open(doc, NULL, '{');
		put_int(doc, "id", (int64_t)h.id);
		put_str(doc, "type", h.type);
		put_int(doc, "ticket", (int64_t)h.ticket);
		put_str(doc, "hash", h.hash);
		put_close(doc, '}');
	}
	put_close(doc, ']');
	put_close(doc, '}');
	return n;
}

static enum rc verify_heads(struct verify *v, FILE *f)
{
	struct buf doc;
	enum rc rc = RC_OK;

	while (rc == RC_OK && read_page(v, f, &doc)) {
		struct rows r;

		rc = db_run(v->db, SQL_AUDIT_GONE, &doc, v->mem, &r, 1);
		for (size_t i = 0; rc == RC_OK && i < r.n; i++) {
			const struct audit_gone_row *g = ROW(audit_gone, &r, i);

			breach(v, cell_id(g->id), g->type, cell_id(g->ticket),
			       "is in the file of heads, and was removed or "
			       "changed since");
		}
		arena_reset(v->mem);
	}
	return rc;
}

enum rc audit_verify(struct db *db, const char *heads_file,
		     void (*report)(const char *breach), size_t *rows_r,
		     size_t *breaches_r)
{
	struct verify v = {.db = db, .report = report};
	FILE *f = heads_file ? fopen(heads_file, "r") : NULL;
	struct arena *mem;
	enum rc rc;

	*rows_r = *breaches_r = 0;
	if (heads_file && !f)
		return RC_NO;
	mem = arena_open();
	v.mem = arena_open();
	rc = verify_trails(&v, mem);
	if (rc == RC_OK)
		rc = verify_journal(&v);
	if (rc == RC_OK && f)
		rc = verify_heads(&v, f);
	if (f)
		fclose(f);
	arena_close(v.mem);
	arena_close(mem);
	*rows_r = v.rows;
	*breaches_r = v.breaches;
	return rc == RC_NO ? RC_ERROR : rc;
}

/* ---- the file of heads ---- */

/*
 * The row behind which the file goes on, by its last line. A line that a death
 * left half written is cut off. False, and errno: that failed.
 */
static bool last_head(int fd, uint64_t *id_r)
{
	char tail[2 * HEAD_MAX + 1], *line, *end;
	off_t size = lseek(fd, 0, SEEK_END);
	off_t from = size > 2 * HEAD_MAX ? size - 2 * HEAD_MAX : 0;
	struct head h;
	ssize_t n = pread(fd, tail, sizeof tail - 1, from);

	*id_r = 0;
	if (size < 0 || n < 0)
		return false;
	tail[n] = '\0';
	end = strrchr(tail, '\n');
	if (!end)
		return !ftruncate(fd, 0);
	end[1] = '\0';
	if (ftruncate(fd, from + (end + 1 - tail)))
		return false;
	*end = '\0';
	line = strrchr(tail, '\n');
	line = line ? line + 1 : tail;
	*end = '\n';
	errno = EILSEQ;
	if (!head_parse(line, &h))
		return false;
	*id_r = h.id;
	return true;
}

static enum rc append_heads(struct db *db, struct arena *mem, int fd)
{
	static uint64_t passed; /* no row up to this one is chained */
	struct buf doc, text;
	struct rows sets[2], *r = &sets[1];
	uint64_t id, looked;
	enum rc rc;

	if (!last_head(fd, &id))
		return RC_NO;
	if (id < passed)
		id = passed;
	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_int(&doc, "id", (int64_t)id);
	put_close(&doc, '}');
	rc = db_run(db, SQL_AUDIT_NEWS, &doc, mem, sets, 2);
	if (rc != RC_OK)
		return rc == RC_NO ? RC_ERROR : rc;
	looked = cell_id(ROW(audit_passed, &sets[0], 0)->id);
	if (!r->n) {
		if (id == passed && looked)
			passed = looked;
		return RC_OK;
	}
	buf_init(&text, mem);
	for (size_t i = 0; i < r->n; i++) {
		const struct audit_new_row *row = ROW(audit_new, r, i);

		buf_printf(&text, "%s %s %s %s\n", row->id, row->entity_type,
			   row->entity_id, row->hash);
	}
	errno = ENOSPC;
	return write(fd, text.s, text.len) == (ssize_t)text.len ? RC_OK : RC_NO;
}

enum rc audit_write_heads(struct db *db, struct arena *mem, const char *file)
{
	int fd = open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	enum rc rc = RC_OK;
	int error;

	if (fd < 0)
		return RC_NO;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		rc = append_heads(db, mem, fd);
	error = errno;
	close(fd);
	errno = error;
	return rc;
}
