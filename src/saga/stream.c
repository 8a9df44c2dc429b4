#include "saga/stream.h"

#include "base/fault.h"
#include "saga/close.h"
#include "saga/drive.h"
#include "saga/open.h"
#include "saga/step.h"
#include "saga/tray.h"

enum { GROUP = 64 }; /* items */

struct stream {
	struct app *app;
	struct batch *all;
	size_t begun;         /* items that were given to be opened  */
	struct batch group;   /* that is being opened: if `entry` is */
	struct entry *entry;
	struct batch aside;   /* that nobody could open in company   */
	struct closing closing;
	struct call **calls;
	size_t ncalls;
};

bool saga_streams(const struct app *app, const struct batch *b)
{
	return app->process->tray && b->n > GROUP;
}

bool saga_opens_in_groups(const struct app *app, const struct batch *b)
{
	return saga_streams(app, b) && !b->terms->dry_run &&
	       !b->terms->all_or_none;
}

/* The items can be called now, and closed as their calls end. */
static void add_opened(struct stream *s, const struct batch *opened)
{
	saga_find_taken(s->app, opened);
	app_wait(s->app);
	batch_each (opened, it) {
		if (!op_is_open(it->was))
			continue;
		batch_add(&s->closing.left, it);
		if (step_is_called(it))
			s->calls[s->ncalls++] = it->sync.call;
	}
}

/* The next items, with memory of their own, which another thread may use. */
static struct batch next_group(struct stream *s)
{
	struct arena *mem = arena_open();
	struct batch group = batch_part(s->all);

	group.mem = mem;
	while (s->begun < s->all->n && group.n < GROUP)
		batch_add(&group, s->all->it[s->begun++]);
	arena_share(mem, s->all->mem);
	arena_close(mem); /* the request keeps it */
	return group;
}

static void open_next(struct stream *s)
{
	while (!s->entry && s->begun < s->all->n) {
		s->group = next_group(s);
		s->entry = saga_open_post(s->app, &s->group);
	}
}

/* The group is open, but for what was set aside. */
static void end_opening(struct stream *s)
{
	struct batch aside = saga_open_wait(s->app, s->entry, &s->group);

	batch_each (&aside, it)
		batch_add(&s->aside, it);
	s->entry = NULL;
	add_opened(s, &s->group);
}

static bool go_on(void *stream, bool idle, size_t *n)
{
	struct stream *s = stream;
	bool is_open = s->entry && tray_is_done(s->entry);

	saga_close_ended(&s->closing, idle && !is_open ? 1 : GROUP);
	if (is_open || (idle && s->entry))
		end_opening(s);
	open_next(s);
	*n = s->ncalls;
	return s->entry;
}

struct batch saga_stream(struct app *app, struct batch *b, bool opened)
{
	struct stream s = {
		.app = app, .all = b,
		.aside = batch_part(b),
		.closing = saga_closing(app, b),
		.calls = arena_array(b->mem, b->n, sizeof *s.calls),
	};

	if (opened) {
		s.begun = b->n;
		add_opened(&s, b);
	}
	partner_call(app_http(app), b->mem, s.calls, s.ncalls,
		     (size_t)app->conf->sync_concurrency, b->terms->deadline,
		     go_on, &s);
	batch_each (&s.closing.left, it)
		step_ended(it);
	fault(FAULT_AFTER_SYNC);
	saga_close_left(&s.closing);
	return s.aside;
}
