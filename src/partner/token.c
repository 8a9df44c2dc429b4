#include "partner/token.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "partner/oauth.h"
#include "partner/partner.h"

enum {
	RETRY_MS = 500,   /* after a failure: this, doubled up to... */
	RETRY_CAP_MS = 2000,
	APART_MS = 1000,  /* between tokens of which none worked     */
};

/* Where the tokens of one partner come from. */
struct source {
	const struct conf *cf;
	enum partner_id id;
	pthread_mutex_t lock; /* for all below */
	char *text;           /* NULL: there is none yet */
	uint64_t number;
	struct stat seen;     /* the file, when it was last read; zero: there
			       * was none */

	/* OAuth; times of clock_boot_ms */
	int64_t renew_at, ends_at;
	int64_t again_at;   /* no fetch before; `why` tells why     */
	const char *why;
	char error[512];
	unsigned failures;  /* in a row */
	bool asked;         /* for a fetch, which may be under way  */
	bool after_refusal; /* the partner refused the one before   */
	bool stop, started;
	pthread_t thread;
	pthread_cond_t moved;
};

struct tokens {
	struct source source[PARTNER__MAX];
};

static void replace(struct source *s, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		arena_exhausted();
	if (s->text)
		explicit_bzero(s->text, strlen(s->text));
	free(s->text);
	s->text = copy;
	s->number++;
}

/* ---- a file ---- */

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size && same_time(a->st_mtim, b->st_mtim) &&
	       same_time(a->st_ctim, b->st_ctim);
}

static void file_read(struct source *s)
{
	const char *path = s->cf->token_file[s->id];
	struct arena *mem = arena_open();
	const char *text = conf_read_secret(path, mem);
	const char *error = text ? "it is empty" : strerror(errno);
	bool good = text && *text;

	if (!good)
		log_line(LOG_WARN, "token_not_read", "partner=%s file=%s "
			 "error=\"%s\" kept=%s", partners[s->id]->code, path,
			 error, s->text ? "yes" : "no");
	else if (s->text && strcmp(s->text, text))
		log_line(LOG_INFO, "token_read", "partner=%s",
			 partners[s->id]->code);
	if (good)
		replace(s, text);
	arena_close(mem);
}

/* Read it if it is not as it was last looked at: so what is wrong with it is
 * told once. */
static void file_look(struct source *s)
{
	struct stat now;

	if (stat(s->cf->token_file[s->id], &now))
		memset(&now, 0, sizeof now);
	if (same_file(&now, &s->seen))
		return;
	s->seen = now;
	file_read(s);
}

/* ---- OAuth: the thread ---- */

static bool must_stop(void *arg)
{
	struct source *s = arg;
	bool stop;

	pthread_mutex_lock(&s->lock);
	stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	return stop;
}

/* It is not used up to its end, because the partner's clock may differ, and
 * some round the time. It is renewed before that. */
static void keep(struct source *s, const struct oauth_token *token,
		 int64_t began)
{
	int64_t life = token->life_ms, margin = life / 10 + 1000;

	if (margin > life / 2)
		margin = life / 2;
	replace(s, token->text);
	s->ends_at = began + life - margin;
	s->renew_at = began + (life - margin) / 8 * 7;
	s->failures = 0;
	s->again_at = s->after_refusal ? clock_boot_ms() + APART_MS : 0;
	s->why = "the newest one was refused, too";
	log_line(LOG_INFO, "token_fetched", "partner=%s life_s=%lld",
		 partners[s->id]->code, (long long)token->life_ms / 1000);
}

static void keep_away(struct source *s)
{
	s->again_at = clock_boot_ms() + clock_backoff_ms(s->failures++,
			RETRY_MS, RETRY_CAP_MS);
	s->why = s->error;
	if (!s->stop)
		log_line(LOG_WARN, "token_not_fetched", "partner=%s why=\"%s\"",
			 partners[s->id]->code, s->error);
}

/* With the lock, which it gives back meanwhile. */
static void fetch(struct source *s)
{
	struct arena *mem = arena_open();
	struct oauth_token token;
	int64_t began = clock_boot_ms();
	char error[sizeof s->error];
	bool good;

	pthread_mutex_unlock(&s->lock);
	good = oauth_fetch(s->cf, s->id, must_stop, s, mem, &token, error,
			   sizeof error);
	pthread_mutex_lock(&s->lock);
	if (good) {
		keep(s, &token, began);
	} else {
		memcpy(s->error, error, sizeof error);
		keep_away(s);
	}
	s->asked = false;
	arena_close(mem);
}

static void *run(void *arg)
{
	struct source *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->stop)
		if (s->asked)
			fetch(s);
		else
			pthread_cond_wait(&s->moved, &s->lock);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Signals are for the other threads. */
static void start(struct source *s)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	s->started = !pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!s->started)
		arena_exhausted();
}

/* ---- OAuth: who needs one ---- */

static void ask(struct source *s, int64_t now, bool after_refusal)
{
	if (s->asked || now < s->again_at)
		return;
	s->asked = true;
	s->after_refusal = after_refusal;
	if (!s->started)
		start(s);
	pthread_cond_signal(&s->moved);
}

static enum token_state oauth_take(struct source *s, uint64_t refused)
{
	int64_t now = clock_boot_ms();
	bool is_refused = refused && s->number <= refused;
	bool good = s->text && now < s->ends_at && !is_refused;

	if (!good || now >= s->renew_at)
		ask(s, now, is_refused);
	return good ? TOKEN_READY : s->asked ? TOKEN_WAIT : TOKEN_NONE;
}

static enum token_state file_take(struct source *s)
{
	file_look(s);
	s->why = "its file cannot be read";
	return s->text ? TOKEN_READY : TOKEN_NONE;
}

enum token_state token_take(struct tokens *t, enum partner_id id,
			    uint64_t refused, struct arena *mem,
			    struct token *token_r, const char **why_r)
{
	struct source *s = &t->source[id];
	enum token_state state;

	*token_r = (struct token){.text = ""};
	if (!*s->cf->token_file[id] && !*s->cf->oauth_url[id])
		return TOKEN_READY;
	pthread_mutex_lock(&s->lock);
	state = *s->cf->oauth_url[id] ? oauth_take(s, refused) : file_take(s);
	if (state == TOKEN_READY)
		*token_r = (struct token){arena_strdup(mem, s->text),
					  s->number};
	else if (state == TOKEN_NONE)
		*why_r = arena_strdup(mem, s->why);
	pthread_mutex_unlock(&s->lock);
	return state;
}

bool token_renews(const struct tokens *t, enum partner_id id)
{
	return *t->source[id].cf->oauth_url[id];
}

void token_worked(struct tokens *t, enum partner_id id, uint64_t number)
{
	struct source *s = &t->source[id];

	if (!token_renews(t, id))
		return;
	pthread_mutex_lock(&s->lock);
	if (s->after_refusal && number == s->number && !s->failures) {
		s->after_refusal = false;
		s->again_at = 0;
	}
	pthread_mutex_unlock(&s->lock);
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

void tokens_try(const struct conf *cf, char *err, size_t errlen)
{
	char why[512], line[640];

	for (enum partner_id id = 0; id < PARTNER__MAX; id++) {
		struct arena *mem = arena_open();
		struct oauth_token token;

		if (*cf->oauth_url[id] && !oauth_fetch(cf, id, never, NULL, mem,
						       &token, why,
						       sizeof why)) {
			snprintf(line, sizeof line, "CTT_%s_OAUTH_URL: no "
				 "token can be had: %s", partners[id]->code,
				 why);
			conf_add_error(err, errlen, line);
		}
		arena_close(mem);
	}
}

/* ---- the whole ---- */

struct tokens *tokens_open(const struct conf *cf)
{
	struct tokens *t = calloc(1, sizeof *t);

	if (!t)
		arena_exhausted();
	for (enum partner_id id = 0; id < PARTNER__MAX; id++) {
		struct source *s = &t->source[id];

		s->cf = cf;
		s->id = id;
		pthread_mutex_init(&s->lock, NULL);
		pthread_cond_init(&s->moved, NULL);
		if (*cf->token_file[id])
			file_look(s);
	}
	return t;
}

static void source_close(struct source *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->moved);
	pthread_mutex_unlock(&s->lock);
	if (s->started)
		pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->moved);
	pthread_mutex_destroy(&s->lock);
	if (s->text)
		explicit_bzero(s->text, strlen(s->text));
	free(s->text);
}

void tokens_close(struct tokens *t)
{
	if (!t)
		return;
	for (enum partner_id id = 0; id < PARTNER__MAX; id++)
		source_close(&t->source[id]);
	free(t);
}
