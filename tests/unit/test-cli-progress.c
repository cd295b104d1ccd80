// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The line of long work: it fits every terminal, and says what there is room for. And
 * the signals that end such work.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture-cli.h"
#include "progress.h"

#define MiB	(1ull << 20)

static char line[256];

static const char *draw(enum progress_unit unit, uint64_t done, uint64_t total,
			uint64_t elapsed, unsigned int width)
{
	struct progress p = { .what = "scrub", .unit = unit };

	progress_line(&p, done, total, elapsed, width, line, sizeof(line));
	return line;
}

static void whole(void **state)
{
	assert_string_equal(draw(PROGRESS_BYTES, 0, 1000 * MiB, 0, 80),
			    "scrub:   0 % [                                     ]");
	assert_string_equal(draw(PROGRESS_BYTES, 250 * MiB, 1000 * MiB, 10000, 80),
			    "scrub:  25 % [#########                            ]  25 MiB/s, 0:30 left");
	assert_string_equal(draw(PROGRESS_BYTES, 1000 * MiB, 1000 * MiB, 40000, 80),
			    "scrub: 100 % [#####################################]  25 MiB/s");
	assert_string_equal(draw(PROGRESS_BLOCKS, 5, 10, 36000000, 60),
			    "scrub:  50 % [########         ]  0 blocks/s, 10:00:00 left");
	assert_string_equal(draw(PROGRESS_STEPS, 1, 4, 2000, 50),
			    "scrub:  25 % [#####               ]  0:06 left");
}

static void narrow(void **state)
{
	/* Room for a bar; for the rate alone; for neither. */
	assert_string_equal(draw(PROGRESS_BYTES, 250 * MiB, 1000 * MiB, 10000, 51),
			    "scrub:  25 % [##      ]  25 MiB/s, 0:30 left");
	assert_string_equal(draw(PROGRESS_BYTES, 250 * MiB, 1000 * MiB, 10000, 50),
			    "scrub:  25 %  25 MiB/s, 0:30 left");
	assert_string_equal(draw(PROGRESS_BYTES, 250 * MiB, 1000 * MiB, 10000, 20),
			    "scrub:  25 %");
	assert_string_equal(draw(PROGRESS_BYTES, 250 * MiB, 1000 * MiB, 10000, 6), "scrub");
}

/* Of what others have done there is no rate, and no line is ever too long. */
static void bounds(void **state)
{
	struct progress p = { .what = "metadata restore", .before = 500 * MiB };

	progress_line(&p, 500 * MiB, 1000 * MiB, 5000, 80, line, sizeof(line));
	assert_lacks(line, "left");
	progress_line(&p, 600 * MiB, 1000 * MiB, 5000, 80, line, sizeof(line));
	assert_contains(line, "20 MiB/s, 0:20 left");
	for (unsigned int width = 0; width < 400; width++)
		for (uint64_t done = 0; done < 20; done++) {
			progress_line(&p, done << 59, 20ull << 59, 1000, width, line, sizeof(line));
			assert_true(!*line || strlen(line) < width);
		}
}

static void wait_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

/* In a process of its own: what wait() says of it. @insists: a signal comes later as well. */
static int signalled(int echo, bool insists)
{
	struct progress p;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		progress_begin(&p, "scrub", PROGRESS_STEPS, true);
		if (interrupted())
			_exit(1);
		raise(SIGINT);
		if (echo)
			raise(echo);
		if (insists) {
			wait_ms(700);
			raise(SIGTERM);
		}
		progress_end(&p);
		if (echo)
			raise(echo);
		_exit(interrupted() ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* One interrupt of timeout(1) arrives twice, and is one; a later one kills. */
static void signals(void **state)
{
	int status;

	assert_int_equal(signalled(0, false), 0);
	assert_int_equal(signalled(SIGINT, false), 0);
	assert_int_equal(signalled(SIGTERM, false), 0);
	status = signalled(SIGINT, true);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole), cmocka_unit_test(narrow), cmocka_unit_test(bounds),
		cmocka_unit_test(signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
