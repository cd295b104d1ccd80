/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hooks: order, environment, failure, time-out with children, a queue that is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"

static char dir[64], failure[1024], warning[1024];
static unsigned int failures;
static struct config config;
static struct daemon daemon_;

void alert_tell(struct daemon *daemon, const struct alert *alert)
{
	assert_int_equal(alert->kind, ALERT_HOOK_FAILED);
	snprintf(failure, sizeof(failure), "%s", alert->detail);
	failures++;
}

void log_print(int priority, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(warning, sizeof(warning), format, args);
	va_end(args);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void hook(const char *name, const char *text, unsigned int mode)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\nout=%s.out\n%s\n", dir, text);
	fclose(file);
	chmod(path, mode);
}

static char *output(void)
{
	static char text[4096];
	char path[128];
	size_t n = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s.out", dir);
	file = fopen(path, "r");
	if (file) {
		n = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
	}
	text[n] = '\0';
	return text;
}

/* A zombie that nobody has waited for yet does not live. */
static bool lives(int pid)
{
	char name[64], state = 'Z';
	FILE *file;

	assert_true(pid > 1);
	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	file = fopen(name, "r");
	if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = '?';
	if (file)
		fclose(file);
	return state != 'Z';
}

/* Turn the loop until the lane has done what was asked of it. */
static bool done_flag;

static int nothing(struct worker *worker, void *arg, struct dmremap_error *err)
{
	return 0;
}

static void all_done(struct daemon *daemon, void *arg, int result,
		     const struct dmremap_error *err)
{
	done_flag = true;
}

static void settle(void)
{
	done_flag = false;
	assert_int_equal(worker_submit(&daemon_, WORKER_HOOKS, nothing, NULL, all_done), 0);
	while (!done_flag)
		sd_event_run(daemon_.event, UINT64_MAX);
}

static int begin(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/dmr-hooks-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	memset(&daemon_, 0, sizeof(daemon_));
	snprintf(config.hook_directory, sizeof(config.hook_directory), "%s", dir);
	config.hook_timeout = 10;
	daemon_.config = &config;
	failures = 0;
	failure[0] = warning[0] = '\0';
	return sd_event_new(&daemon_.event) < 0 || worker_init(&daemon_) < 0 ? -1 :
	       hooks_start(&daemon_);
}

static int end(void **state)
{
	char command[160];

	hooks_stop(&daemon_);
	worker_stop(&daemon_, 5000);
	sd_event_unref(daemon_.event);
	snprintf(command, sizeof(command), "rm -rf '%s' '%s.out'", dir, dir);
	return system(command);
}

static const char *const environment[] = {
	"DMREMAP_EVENT=spare-low", "DMREMAP_DEVICE=a b", "MESSAGE=It is\nlow.", NULL
};

static void order_and_environment(void **state)
{
	hook("20-b", "echo b >>$out", 0755);
	hook("10-a", "echo \"a $DMREMAP_EVENT $DMREMAP_DEVICE ($MESSAGE) $HOME\" >>$out\n"
		     "command -v ls >/dev/null && echo path >>$out\n"
		     "read -r x || echo no-input >>$out", 0755);
	hook("30-not", "echo c >>$out", 0644);
	hook("40-old~", "echo d >>$out", 0755);
	hook(".50-hidden", "echo e >>$out", 0755);
	hooks_run(&daemon_, environment);
	settle();
	assert_string_equal(output(), "a spare-low a b (It is\nlow.) \npath\nno-input\nb\n");
	assert_int_equal(failures, 0);
}

static void failing(void **state)
{
	hook("1-fails", "exit 7", 0755);
	hook("2-killed", "kill -9 $$", 0755);
	hook("3-good", "echo good >>$out", 0755);
	hooks_run(&daemon_, environment);
	settle();
	assert_string_equal(output(), "good\n");
	assert_int_equal(failures, 1);
	assert_non_null(strstr(failure, "The hook 1-fails ended with status 7."));
	assert_non_null(strstr(failure, "The hook 2-killed was ended by signal 9."));
}

/* Who takes a process off the list once it was killed has its own time for that. */
static bool dies(pid_t pid)
{
	unsigned int tries;

	for (tries = 0; tries < 500 && lives(pid); tries++)
		usleep(10000);
	return !lives(pid);
}

/* It is killed with what it started, and those after it still run. */
static void too_long(void **state)
{
	double start = seconds();

	config.hook_timeout = 1;
	hook("1-hangs", "trap '' TERM; sleep 100 & echo $! >>$out; wait; sleep 100", 0755);
	hook("2-good", "echo good >>$out", 0755);
	hooks_run(&daemon_, environment);
	/* The loop does not wait for it. */
	sd_event_run(daemon_.event, 0);
	assert_true(seconds() - start < 0.5);
	settle();
	assert_true(seconds() - start < 5);
	assert_non_null(strstr(output(), "good\n"));
	assert_non_null(strstr(failure, "1-hangs did not end within 1 s and was killed."));
	assert_true(dies(atoi(output())));
}

static void leaves_children(void **state)
{
	hook("1-daemon", "sleep 100 & echo $! >>$out; exit 0", 0755);
	hooks_run(&daemon_, environment);
	settle();
	assert_int_equal(failures, 0);
	assert_true(dies(atoi(output())));
}

static void storm(void **state)
{
	unsigned int i;

	hook("1-slow", "sleep 0.02; echo x >>$out", 0755);
	for (i = 0; i < 500; i++)
		hooks_run(&daemon_, environment);
	settle();
	assert_int_equal(strlen(output()), 2 * 64);
	assert_non_null(strstr(warning, "alerts were not handed to hooks"));
	hooks_run(&daemon_, environment);
	settle();
	assert_int_equal(strlen(output()), 2 * 65);
}

static void stopping(void **state)
{
	double start = seconds();

	config.hook_timeout = 60;
	hook("1-hangs", "exec sleep 100", 0755);
	hooks_run(&daemon_, environment);
	usleep(100000);
	hooks_stop(&daemon_);
	worker_stop(&daemon_, 5000);
	assert_true(seconds() - start < 3);
}

static void no_folder(void **state)
{
	snprintf(config.hook_directory, sizeof(config.hook_directory), "/nonexistent/x");
	hooks_run(&daemon_, environment);
	settle();
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(order_and_environment, begin, end),
		cmocka_unit_test_setup_teardown(failing, begin, end),
		cmocka_unit_test_setup_teardown(too_long, begin, end),
		cmocka_unit_test_setup_teardown(leaves_children, begin, end),
		cmocka_unit_test_setup_teardown(storm, begin, end),
		cmocka_unit_test_setup_teardown(stopping, begin, end),
		cmocka_unit_test_setup_teardown(no_folder, begin, end),
	};
	sigset_t signals;

	/* As main.c has it. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
