/*
 * web/jwks.c - the provider's keys: fetched, kept, and fetched again
 *
 * A thread fetches them at the start, every five minutes, and when a token
 * names a key that is not known. Sets of keys never change: a new set takes the
 * place of the old one under the lock, and a request uses the set that it took,
 * to its end. So no request ever waits for the network, but for one whose key
 * is not known; and if the provider is away, the keys that are known stay good.
 */
#include "web/jwks.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "partner/fetch.h"
#include "partner/tls.h"
#include "web/jwk.h"

enum {
	CONNECT_MS = 2000,
	FETCH_MS = 3000,
	WAIT_MS = FETCH_MS + 1000, /* of a request, for one fetch */
	EVERY_MS = 300 * 1000,
	RETRY_MS = 1000,           /* after a failure: this, doubled up to... */
	UNKNOWN_MS = 30 * 1000,    /* between fetches for unknown keys */
};

struct jwks {
	const struct conf *cf;
	unsigned algs;
	struct keys *fixed; /* or NULL */

	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* for all below */
	pthread_cond_t moved; /* something of it has changed */
	struct keys *keys;
	uint64_t begun, ended; /* fetches */
	bool asked;            /* for one, at once */
	int64_t asked_ms;      /* when that was last so, or 0 */
	bool stop;
};

/* ---- one fetch, without the lock ---- */

static bool must_stop(void *arg)
{
	struct jwks *j = arg;
	bool stop;

	pthread_mutex_lock(&j->lock);
	stop = j->stop;
	pthread_mutex_unlock(&j->lock);
	return stop;
}

/* The keys of the answer; NULL: there are none. */
static struct keys *body_read(struct jwks *j, const struct buf *body, char *why,
			      size_t size)
{
	struct json_object *set = body->len ?
				  jwk_set_parse(body->s, body->len) : NULL;
	struct keys *keys = keys_new(j->algs);
	const char *error = "not a JWK set";

	if (set)
		error = jwk_set_add(keys, set);
	json_object_put(set);
	if (error && keys->n)
		log_line(LOG_WARN, "jwks_key_passed_over", "why=\"%s\"", error);
	if (keys->n)
		return keys;
	snprintf(why, size, "it is %s", error);
	keys_close(keys);
	return NULL;
}

static struct keys *keys_fetch(struct jwks *j, char *why, size_t size)
{
	struct arena *mem = arena_open();
	struct fetch what = {.url = j->cf->jwt_jwks_url, .ca = j->cf->jwt_ca,
			     .connect_ms = CONNECT_MS, .most_ms = FETCH_MS,
			     .must_stop = must_stop, .arg = j};
	struct keys *keys = NULL;
	struct buf body;

	buf_init(&body, mem);
	if (fetch_document(&what, &body, why, size))
		keys = body_read(j, &body, why, size);
	arena_close(mem);
	return keys;
}

/* ---- the keys that are known ---- */

static void add_all(struct keys *to, const struct keys *from)
{
	for (size_t i = 0; from && i < from->n; i++)
		keys_add_copy(to, &from->key[i], 0);
}

struct keys *jwks_merge(const struct keys *fixed, const struct keys *fresh,
			const struct keys *old, int64_t now_s, int64_t keep_s)
{
	struct keys *keys = keys_new(fresh->algs);

	add_all(keys, fixed);
	add_all(keys, fresh);
	for (size_t i = 0; i < old->n; i++) {
		const struct key *key = &old->key[i];
		int64_t until = key->until ? key->until : now_s + keep_s;

		if (until > now_s && !keys_have(keys, key))
			keys_add_copy(keys, key, until);
	}
	return keys;
}

/* How many keys of one set are not in another. */
static size_t missing(const struct keys *from, const struct keys *in)
{
	size_t n = 0;

	for (size_t i = 0; i < from->n; i++)
		n += !keys_have(in, &from->key[i]);
	return n;
}

/* Takes the place of the old set. The thread that fetches is the only one that
 * does this, so it may look at the old set without the lock. */
static void replace(struct jwks *j, struct keys *fresh)
{
	struct keys *old = j->keys;
	struct keys *keys = jwks_merge(j->fixed, fresh, old, time(NULL),
				       j->cf->jwt_jwks_keep_s);
	size_t added = missing(keys, old);

	log_line(added ? LOG_INFO : LOG_DEBUG, "jwks", "keys=%zu added=%zu "
		 "removed=%zu", keys->n, added, missing(keys, fresh) -
		 (j->fixed ? missing(j->fixed, fresh) : 0));
	pthread_mutex_lock(&j->lock);
	j->keys = keys;
	pthread_mutex_unlock(&j->lock);
	keys_close(old);
}

struct keys *jwks_keys(struct jwks *j)
{
	struct keys *keys;

	pthread_mutex_lock(&j->lock);
	keys = keys_use(j->keys);
	pthread_mutex_unlock(&j->lock);
	return keys;
}

/* ---- waiting, with the lock ---- */

static struct timespec time_of(int64_t mono_ms)
{
	return (struct timespec){.tv_sec = mono_ms / 1000,
				 .tv_nsec = mono_ms % 1000 * 1000000};
}

/* Until something moves, or it is `until`. False: it is. */
static bool wait_until(struct jwks *j, int64_t until)
{
	struct timespec at = time_of(until);

	return clock_mono_ms() < until &&
	       !pthread_cond_timedwait(&j->moved, &j->lock, &at);
}

/* The number of the fetch that may bring the key: the one under way, or the
 * next one, which somebody has asked for. 0: none may be begun yet. */
static uint64_t fetch_to_wait_for(struct jwks *j)
{
	int64_t now = clock_mono_ms();

	if (j->begun > j->ended)
		return j->begun;
	if (j->asked)
		return j->begun + 1;
	if (j->asked_ms && now - j->asked_ms < UNKNOWN_MS)
		return 0;
	j->asked_ms = now;
	j->asked = true;
	pthread_cond_broadcast(&j->moved);
	return j->begun + 1;
}

bool jwks_wait(struct jwks *j, const struct keys *known)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	uint64_t number;
	bool newer;

	pthread_mutex_lock(&j->lock);
	if (j->started && j->keys == known) {
		number = fetch_to_wait_for(j);
		while (j->ended < number && wait_until(j, until))
			;
	}
	newer = j->keys != known;
	pthread_mutex_unlock(&j->lock);
	return newer;
}

/* ---- the thread ---- */

static bool fetch_and_keep(struct jwks *j, char *why, size_t size)
{
	struct keys *fresh = keys_fetch(j, why, size);

	if (!fresh)
		return false;
	replace(j, fresh);
	keys_close(fresh);
	return true;
}

/* Wait for the time of the next fetch. False: it is time to stop. */
static bool next(struct jwks *j, int64_t wait_ms)
{
	int64_t until = clock_mono_ms() + wait_ms;

	while (!j->stop && !j->asked && wait_until(j, until))
		;
	j->asked = false;
	return !j->stop;
}

static void *run(void *arg)
{
	struct jwks *j = arg;
	unsigned failures = 0;
	int64_t wait_ms = 0;
	char why[512];

	pthread_mutex_lock(&j->lock);
	while (next(j, wait_ms)) {
		bool good;

		j->begun++;
		pthread_mutex_unlock(&j->lock);
		good = fetch_and_keep(j, why, sizeof why);
		if (!good && !must_stop(j))
			log_line(LOG_WARN, "jwks_not_fetched",
				 "why=\"%s\"", why);
		failures = good ? 0 : failures + 1;
		wait_ms = good ? EVERY_MS : clock_backoff_ms(failures, RETRY_MS,
							     UNKNOWN_MS);
		pthread_mutex_lock(&j->lock);
		j->ended++;
		pthread_cond_broadcast(&j->moved);
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

bool jwks_try(struct jwks *j, char *err, size_t errlen)
{
	char why[512];
	struct keys *fresh = keys_fetch(j, why, sizeof why);

	if (!fresh)
		snprintf(err, errlen, "CTT_JWT_JWKS_URL: cannot be fetched: %s",
			 why);
	keys_close(fresh);
	return fresh;
}

/* ---- the whole ---- */

static const char *setting_error(const struct conf *cf, unsigned algs)
{
	if (algs & ALG_BIT(ALG_HS256))
		return "CTT_JWT_JWKS_URL: has public keys, but CTT_JWT_ALG is "
		       "HS256";
	if (*cf->jwt_ca && strncmp(cf->jwt_jwks_url, "https:", 6))
		return "CTT_JWT_CA_FILE: is set, but CTT_JWT_JWKS_URL is not "
		       "https://";
	if (*cf->jwt_ca && !tls_is_ca(cf->jwt_ca))
		return "CTT_JWT_CA_FILE: holds no certificate in PEM";
	return NULL;
}

enum rc jwks_open(const struct conf *cf, unsigned algs, struct keys *fixed,
		  struct jwks **jwks_r, char *err, size_t errlen)
{
	const char *error = setting_error(cf, algs);
	pthread_condattr_t attr;
	struct jwks *j;

	if (error) {
		snprintf(err, errlen, "%s", error);
		return RC_ERROR;
	}
	j = calloc(1, sizeof *j);
	if (!j || curl_global_init(CURL_GLOBAL_DEFAULT))
		arena_exhausted();
	j->cf = cf;
	j->algs = algs;
	j->fixed = fixed ? keys_use(fixed) : NULL;
	j->keys = fixed ? keys_use(fixed) : keys_new(algs);
	pthread_mutex_init(&j->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&j->moved, &attr);
	pthread_condattr_destroy(&attr);
	*jwks_r = j;
	return RC_OK;
}

/* Signals are for the other threads. */
void jwks_start(struct jwks *j)
{
	sigset_t all, before;

	j->asked = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	j->started = !pthread_create(&j->thread, NULL, run, j);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!j->started)
		arena_exhausted();
}

void jwks_close(struct jwks *j)
{
	if (!j)
		return;
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_broadcast(&j->moved);
	pthread_mutex_unlock(&j->lock);
	if (j->started)
		pthread_join(j->thread, NULL);
	pthread_cond_destroy(&j->moved);
	pthread_mutex_destroy(&j->lock);
	keys_close(j->keys);
	keys_close(j->fixed);
	curl_global_cleanup();
	free(j);
}
