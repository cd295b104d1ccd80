/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads for what waits: order, cancelling, and a job that never comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon.h"

static struct daemon daemon_;
static int order[4096], results[4096];
static unsigned int nr;
static atomic_int began;

static int begin(void **state)
{
	memset(&daemon_, 0, sizeof(daemon_));
	nr = 0;
	began = 0;
	assert_int_equal(sd_event_new(&daemon_.event), 0);
	assert_int_equal(worker_init(&daemon_), 0);
	return 0;
}

static int end(void **state)
{
	worker_stop(&daemon_, 1000);
	sd_event_unref(daemon_.event);
	return 0;
}

static int quick(struct worker *worker, void *arg, struct dmremap_error *err)
{
	snprintf(err->text, sizeof(err->text), "job %ld", (long)arg);
	return (long)arg % 3 ? 0 : -EIO;
}

static void done(struct daemon *daemon, void *arg, int result, const struct dmremap_error *err)
{
	assert_ptr_equal(daemon, &daemon_);
	order[nr] = (long)arg;
	results[nr++] = result;
}

static int until_stopped(struct worker *worker, void *arg, struct dmremap_error *err)
{
	began++;
	while (!worker_stopping(worker))
		usleep(1000);
	return -ECANCELED;
}

static atomic_bool released;
static struct worker_pool *volatile left;

static int hangs(struct worker *worker, void *arg, struct dmremap_error *err)
{
	began++;
	while (!released)
		usleep(1000);
	return 0;
}

static void run_until(unsigned int n)
{
	while (nr < n)
		assert_true(sd_event_run(daemon_.event, 2 * USEC_PER_SEC) > 0);
}

static unsigned int elapsed_ms(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - from->tv_sec) * 1000 + (now.tv_nsec - from->tv_nsec) / 1000000;
}

static void in_order(void **state)
{
	long i;

	for (i = 0; i < 1000; i++)
		assert_int_equal(worker_submit(&daemon_, WORKER_QUERY, quick, (void *)i, done), 0);
	run_until(1000);
	for (i = 0; i < 1000; i++) {
		assert_int_equal(order[i], i);
		assert_int_equal(results[i], i % 3 ? 0 : -EIO);
	}
}

static void bounded(void **state)
{
	long i;

	assert_int_equal(worker_submit(&daemon_, WORKER_CHANGE, until_stopped, NULL, done), 0);
	while (!began)
		usleep(1000);
	for (i = 0; i < WORKER_QUEUE; i++)
		assert_int_equal(worker_submit(&daemon_, WORKER_CHANGE, quick, (void *)i, done), 0);
	assert_int_equal(worker_submit(&daemon_, WORKER_CHANGE, quick, NULL, done), -ENOBUFS);
	/* Others go on. */
	assert_int_equal(worker_submit(&daemon_, WORKER_MOVE + 3, quick, NULL, done), 0);
	run_until(1);
	worker_stop(&daemon_, 1000);
	assert_int_equal(nr, WORKER_QUEUE + 2);
	for (i = 1; i < (long)nr; i++)
		assert_int_equal(results[i], -ECANCELED);
}

/* What must reach the disk is still done; the rest is not begun. */
static void stopping(void **state)
{
	struct timespec from;
	unsigned int i, good = 0;

	assert_int_equal(worker_submit(&daemon_, WORKER_CHANGE, until_stopped, NULL, done), 0);
	assert_int_equal(worker_submit(&daemon_, WORKER_CHANGE, quick, (void *)1, done), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(worker_submit(&daemon_, WORKER_STORAGE, quick, (void *)1, done),
				 0);
	while (!began)
		usleep(1000);
	clock_gettime(CLOCK_MONOTONIC, &from);
	worker_stop(&daemon_, 5000);
	assert_true(elapsed_ms(&from) < 1000);
	assert_int_equal(nr, 102);
	for (i = 0; i < nr; i++)
		good += !results[i];
	assert_int_equal(good, 100);
	assert_null(daemon_.workers);
}

/* A disk that does not answer keeps nobody. */
static void left_behind(void **state)
{
	struct timespec from;

	assert_int_equal(worker_submit(&daemon_, WORKER_PROBE, hangs, NULL, done), 0);
	assert_int_equal(worker_submit(&daemon_, WORKER_STORAGE, quick, (void *)1, done), 0);
	while (!began)
		usleep(1000);
	clock_gettime(CLOCK_MONOTONIC, &from);
	worker_stop(&daemon_, 300);
	assert_true(elapsed_ms(&from) < 1500);
	assert_int_equal(nr, 1);
	assert_int_equal(results[0], 0);
	assert_int_equal(worker_submit(&daemon_, WORKER_QUERY, quick, NULL, done), -ECANCELED);
	released = true;
	usleep(50000);
	/* It is left as it is, since a thread may still use it: no leak. */
	left = daemon_.workers;
	daemon_.workers = NULL;
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_order), TEST(bounded), TEST(stopping), TEST(left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
