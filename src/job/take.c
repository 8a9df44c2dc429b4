#include "job/take.h"

#include <stdlib.h>

#include "store/load.h"

enum {
	HEADS_MOST = 128, /* jobs that are taken to be delivered at once */
	CHAIN_MAX = 8,    /* jobs of one CTT that are taken at a time    */
};

/* The jobs of a CTT that are neither DONE nor DEAD, in the order of their ids. */
struct chain {
	uint64_t ctt_id;
	struct job *last; /* the last one that is taken */
	/* the first one that was not picked: those behind it wait for it */
	const char *blocked_by;
};

/* The picked jobs, which are locked. Each is taken, made to wait, or left. */
struct pick {
	struct rows rows;
	struct picked {
		uint64_t id;
		const struct picked_job_row *row;
	} picked[PICK_MOST]; /* by rising ids */
	struct chain chain[HEADS_MOST];
	size_t nchains;
	struct buf wait; /* of JOB_TAKE */
};

static enum rc pick(struct app *app, struct arena *mem, struct rows *r)
{
	enum rc rc = db_run(app_db(app), SQL_JOB_PICK, NULL, mem, r, 1);

	if (rc != RC_OK || !r->n || lease_is_fresh(app->lease))
		return rc;
	store_cancel(app_db(app)); /* no lock is held while lease_take waits */
	if (!lease_take(app->lease))
		return RC_ERROR;
	return db_run(app_db(app), SQL_JOB_PICK, NULL, mem, r, 1);
}

static int by_id(const void *a, const void *b)
{
	const struct picked *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static const struct picked_job_row *find_picked(const struct pick *p,
						const char *id)
{
	const struct picked key = {.id = cell_id(id)}, *found;

	found = bsearch(&key, p->picked, p->rows.n, sizeof key, by_id);
	return found ? found->row : NULL;
}

static struct chain *find_chain(struct pick *p, uint64_t ctt_id)
{
	for (size_t i = 0; i < p->nchains; i++)
		if (p->chain[i].ctt_id == ctt_id)
			return &p->chain[i];
	return NULL;
}

static struct job *add_job(struct jobs *taken, const struct picked_job_row *row,
			   struct arena *mem)
{
	struct job *job = arena_alloc(mem, sizeof *job);

	job_read(job, row, mem);
	taken->job[taken->n++] = job;
	return job;
}

/* Begin the chains of the picked jobs, and take those that are in none. */
static void begin_chains(struct pick *p, struct jobs *taken, struct arena *mem)
{
	for (size_t i = 0; i < p->rows.n; i++) {
		const struct picked_job_row *row = ROW(picked_job, &p->rows, i);
		uint64_t ctt_id = cell_id(row->open_ctt_id);

		p->picked[i] = (struct picked){cell_id(row->id), row};
		if (ctt_id && find_chain(p, ctt_id))
			continue;
		if (p->nchains + taken->n == HEADS_MOST)
			taken->more = true;
		else if (ctt_id)
			p->chain[p->nchains++].ctt_id = ctt_id;
		else
			add_job(taken, row, mem);
	}
	qsort(p->picked, p->rows.n, sizeof *p->picked, by_id);
}

static enum rc read_chains(struct app *app, struct arena *mem,
			   const struct pick *p, struct rows *r)
{
	struct buf doc;

	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_open(&doc, "ctt", '[');
	for (size_t i = 0; i < p->nchains; i++)
		put_id(&doc, NULL, p->chain[i].ctt_id);
	put_close(&doc, ']');
	put_id(&doc, "last", p->picked[p->rows.n - 1].id);
	put_close(&doc, '}');
	return db_run(app_db(app), SQL_JOB_CHAINS, &doc, mem, r, 1);
}

/* Take the next job of a chain if it was picked, unless it is behind one that
 * was not, or too many are before it. */
static void take_next(struct pick *p, struct jobs *taken,
		      const struct open_job_row *open, struct arena *mem)
{
	const struct picked_job_row *row = find_picked(p, open->id);
	struct chain *chain = find_chain(p, cell_id(open->open_ctt_id));
	struct job *job;

	if (!chain)
		return; /* never: it is one of those that were asked for */
	if (!row) {
		if (!chain->blocked_by)
			chain->blocked_by = open->id;
		return;
	}
	if (chain->blocked_by) {
		put_open(&p->wait, NULL, '[');
		put_raw(&p->wait, NULL, row->id);
		put_raw(&p->wait, NULL, chain->blocked_by);
		put_close(&p->wait, ']');
		return;
	}
	if (chain->last && chain->last->place + 1 == CHAIN_MAX) {
		taken->more = true;
		return;
	}
	job = add_job(taken, row, mem);
	job->before = chain->last;
	job->place = job->before ? job->before->place + 1 : 0;
	chain->last = job;
}

/* Lock the jobs that are due, and decide which of them are taken. */
static enum rc jobs_lock(struct app *app, struct arena *mem, struct pick *p,
			 struct jobs *taken)
{
	struct rows open = {0};
	enum rc rc = pick(app, mem, &p->rows);

	if (rc == RC_OK && !p->rows.n)
		store_cancel(app_db(app));
	if (rc != RC_OK || !p->rows.n)
		return rc;
	taken->more = p->rows.n == PICK_MOST;
	taken->job = arena_array(mem, p->rows.n, sizeof *taken->job);
	buf_init(&p->wait, mem);
	put_open(&p->wait, NULL, '[');
	begin_chains(p, taken, mem);
	if (p->nchains)
		rc = read_chains(app, mem, p, &open);
	for (size_t i = 0; i < open.n; i++)
		take_next(p, taken, ROW(open_job, &open, i), mem);
	put_close(&p->wait, ']');
	return rc;
}

enum rc jobs_take(struct app *app, struct arena *mem, struct jobs *taken)
{
	struct pick *p = arena_alloc(mem, sizeof *p);
	struct buf doc;
	enum rc rc = jobs_lock(app, mem, p, taken);

	if (rc != RC_OK || !p->rows.n)
		return rc;
	taken->owner = arena_strdup(mem, lease_name(app->lease));
	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "owner", taken->owner);
	put_open(&doc, "id", '[');
	for (size_t i = 0; i < taken->n; i++)
		put_raw(&doc, NULL, taken->job[i]->id);
	put_close(&doc, ']');
	put_raw(&doc, "wait", p->wait.s);
	put_close(&doc, '}');
	rc = db_run(app_db(app), SQL_JOB_TAKE, &doc, mem, NULL, 0);
	if (rc != RC_OK)
		lease_abandon(app->lease); /* some may have been taken */
	return rc;
}
