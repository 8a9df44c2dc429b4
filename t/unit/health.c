/* The file in which processes share what they know of the partners: places of
 * the dead, and a file that somebody has cut off, filled or taken away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "model/tally.h"
#include "partner/health.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { STAMP = 8, LARGE = 1 << 20, OPEN_MS = 3000, PLACES = 1024 };

static char path[64];
static const struct conf cf = {.shared_file = path, .partner_calls = 3,
			       .breaker_failures = 10,
			       .partner_timeout_ms = 1000};

enum { THREADS = 4 }; /* of which 2 may wait for one partner */

static int fresh(void **state)
{
	(void)state;
	unlink(path);
	rmdir(path);
	return 0;
}

/* A process of the pool that waits for the partner, or does not, and is killed.
 * It is not reaped, so its pid is another's for kill(). */
static void die(bool waiting)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct visit *v = visit_open(health_open(&cf, THREADS));

		if (waiting)
			visit_enter(v, PARTNER_TAAS);
		_exit(0);
	}
	waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
}

/* A process that has died does not count, whatever process has its pid. */
static void dead(void **state)
{
	struct health *h = health_open(&cf, THREADS);
	struct visit *v = visit_open(h);

	(void)state;
	die(true);
	die(true);
	die(false);
	assert_int_equal(visit_enter(v, PARTNER_TAAS), HEALTH_GO);
	assert_int_equal(health_look(h, PARTNER_TAAS).waiting, 1);
	visit_close(v);
	health_close(h);
	h = health_open(&cf, THREADS);
	assert_int_equal(health_look(h, PARTNER_TAAS).waiting, 0);
	health_close(h);
	while (wait(NULL) > 0)
		;
}

/* The setting bounds the calls to one partner, and half of the threads bound the
 * requests. The calls of a process that takes no requests have no bound. */
static void bounded(void **state)
{
	static const struct {
		unsigned threads, calls;
	} table[] = {{1, 1}, {2, 1}, {3, 2}, {4, 2}, {6, 3}, {100, 3}, {0, 9}};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct health *h = health_open(&cf, table[i].threads);
		struct visit *v[10];
		unsigned n = 0;

		while (n < 9 && (v[n] = visit_open(h),
				 visit_enter(v[n], PARTNER_TMF) == HEALTH_GO))
			n++;
		assert_int_equal(n, table[i].calls);
		if (n < 9) {
			assert_int_equal(visit_enter(v[n], PARTNER_NIG),
					 HEALTH_GO);
			visit_leave(v[0]);
			assert_int_equal(visit_enter(v[n], PARTNER_TMF),
					 HEALTH_GO);
			assert_int_equal(visit_begin_call(v[n], PARTNER_TMF),
					 table[i].calls < 3);
			visit_close(v[n]);
		}
		while (n > 0)
			visit_close(v[--n]);
		assert_int_equal(health_look(h, PARTNER_TMF).waiting, 0);
		health_close(h);
	}
}

/* Both bounds are the pool's: what one process holds, the other one lacks. */
static void shared_bounds(void **state)
{
	static const struct {
		unsigned threads, first, second; /* requests: of the one
						  * process, of the other */
	} table[] = {{1, 2, 0}, {2, 2, 0}, {3, 3, 0}, {100, 3, 0}};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct health *h[] = {health_open(&cf, table[i].threads),
				      health_open(&cf, table[i].threads)};
		struct visit *v[2][4];
		unsigned n[2] = {0};

		for (int p = 0; p < 2; p++)
			for (int k = 0; k < 4; k++)
				n[p] += visit_enter(v[p][k] = visit_open(h[p]),
						    PARTNER_TMF) == HEALTH_GO;
		assert_int_equal(n[0], table[i].first);
		assert_int_equal(n[1], table[i].second);
		assert_int_equal(health_look(h[1], PARTNER_TMF).waiting, n[0]);
		assert_int_equal(health_look(h[1], PARTNER_TMF).limit, 3);
		assert_int_equal(visit_enter(v[1][0], PARTNER_NIG), HEALTH_GO);
		visit_leave(v[1][0]);
		visit_leave(v[0][0]);
		assert_int_equal(visit_enter(v[1][0], PARTNER_TMF), HEALTH_GO);
		assert_int_equal(visit_enter(v[0][0], PARTNER_TMF), HEALTH_BUSY);
		for (int k = 0; k < 4; k++) {
			visit_close(v[0][k]);
			visit_close(v[1][k]);
		}
		assert_int_equal(health_look(h[0], PARTNER_TMF).waiting, 0);
		health_close(h[0]);
		health_close(h[1]);
	}
}

/* What a process held that has died is free, without a look at the health. */
static void given_back(void **state)
{
	struct health *h = health_open(&cf, 100);
	struct visit *v[4];
	unsigned n = 0;

	(void)state;
	die(true);
	for (int k = 0; k < 4; k++)
		n += visit_enter(v[k] = visit_open(h), PARTNER_TAAS) ==
		     HEALTH_GO;
	assert_int_equal(n, 3);
	for (int k = 0; k < 4; k++)
		visit_close(v[k]);
	health_close(h);
	while (wait(NULL) > 0)
		;
}

/* All that is asked of it, as a request asks. */
static void use(struct health *h)
{
	struct visit *v = visit_open(h);

	for (enum partner_id p = 0; p < PARTNER__MAX; p++) {
		health_is_broken(h, p);
		visit_enter(v, p);
		visit_may_call(v, p);
		assert_in_range(health_retry_s(h, p), 1, 3);
		visit_report(v, p, false, 0, 5);
		visit_report(v, p, true, 200, 5);
		assert_false(health_is_broken(h, p));
		assert_int_equal(visit_enter(v, p), HEALTH_GO);
		assert_true(visit_may_call(v, p));
		assert_true(visit_begin_call(v, p));
		visit_end_call(v, p);
		visit_leave(v);
		assert_in_range(health_look(h, p).waiting, 0, 2 * PLACES);
	}
	tally_add(TALLY_NO_CACHE, 1);
	tally_name(TALLY_DB_ERRORS, "1213");
	for (unsigned i = 0; i <= TALLY_NAMES; i++) {
		uint64_t n;
		const char *text = tally_text(TALLY_DB_ERRORS, i, &n);

		assert_true(!text || strlen(text) < TALLY_NAME);
	}
	health_now(h, HEALTH_REQUESTS, 1);
	assert_in_range(health_pool(h).now[HEALTH_REQUESTS], 0,
			health_pool(h).threads);
	visit_close(v);
}

/* Whatever is in the file behind its stamp: nothing crashes, nothing blocks, and
 * a partner that answers is well. */
static void filled(void **state)
{
	static const int with[] = {0, 1, 0x20, 0x7f, 0x80, 0xff, -1};
	static char text[LARGE];

	(void)state;
	for (size_t i = 0; i < COUNT(with); i++) {
		struct health *h = health_open(&cf, THREADS);
		int fd = open(path, O_RDWR);
		struct stat st;

		assert_int_equal(fstat(fd, &st), 0);
		assert_in_range(st.st_size, STAMP, LARGE);
		for (size_t n = 0; n < LARGE; n++)
			text[n] = (char)(with[i] < 0 ? random() : with[i]);
		assert_true(pwrite(fd, text, (size_t)st.st_size - STAMP,
				   STAMP) > 0);
		close(fd);
		use(h);
		health_close(h);
	}
}

static void cut_off(void **state)
{
	static const off_t to[] = {0, 1, 100, 4096};

	(void)state;
	for (size_t i = 0; i < COUNT(to); i++) {
		struct health *h = health_open(&cf, THREADS);

		assert_int_equal(truncate(path, to[i]), 0);
		use(h);
		health_close(h);
		h = health_open(&cf, THREADS);
		assert_int_equal(truncate(path, to[i]), 0);
		unlink(path);
		use(h);
		health_close(h);
	}
}

static void make_nothing(void)
{
}

static void make_short(void)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs("x", f);
	fclose(f);
}

static void make_folder(void)
{
	mkdir(path, 0700);
}

static void make_pipe(void)
{
	mkfifo(path, 0600);
}

static void make_link(void)
{
	assert_int_equal(symlink("/dev/null", path), 0);
}

/* Somebody stands still with the lock of who makes the file. */
static void make_locked(void)
{
	assert_int_equal(flock(open(path, O_RDWR | O_CREAT, 0600), LOCK_EX), 0);
}

/* Whatever stands where the file is to be. */
static void in_the_way(void **state)
{
	static void (*const make[])(void) = {make_nothing, make_short,
		make_folder, make_pipe, make_link, make_locked};

	for (size_t i = 0; i < COUNT(make); i++) {
		int64_t began = clock_mono_ms();
		struct health *h;

		fresh(state);
		make[i]();
		h = health_open(&cf, THREADS);
		assert_in_range(clock_mono_ms() - began, 0, OPEN_MS);
		use(h);
		health_close(h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(dead, fresh, fresh),
		cmocka_unit_test_setup_teardown(bounded, fresh, fresh),
		cmocka_unit_test_setup_teardown(shared_bounds, fresh, fresh),
		cmocka_unit_test_setup_teardown(given_back, fresh, fresh),
		cmocka_unit_test_setup_teardown(filled, fresh, fresh),
		cmocka_unit_test_setup_teardown(cut_off, fresh, fresh),
		cmocka_unit_test_setup_teardown(in_the_way, fresh, fresh),
	};

	snprintf(path, sizeof path, "/dev/shm/cttd-test-%d", (int)getpid());
	alarm(60); /* nothing here waits for another */
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
