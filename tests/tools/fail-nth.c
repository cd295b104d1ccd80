// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lets allocations of an operation fail in turn, the first, the second, and so on, later
 * ones in growing steps, until none is left to fail, and asks after each whether the set is what it was. Needs a
 * kernel with fault injection; how it is armed is the affair of who calls this.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

#define MOST	5000

static const char *name, *arguments;
static uint64_t length;
static int nth = -1;
static struct map truth;
static unsigned int wrong;

static const char usage[] =
	"usage: fail-nth load NAME SECTORS ARGUMENTS     a table that no device has yet\n"
	"       fail-nth resume NAME SECTORS ARGUMENTS   its activation\n"
	"       fail-nth message NAME TEXT               to an active set\n"
	"       fail-nth suspend NAME -                  suspending and resuming one\n";

static void complain(unsigned int n, const char *what, int r)
{
	printf("WRONG allocation %u: %s (%s)\n", n, what, r ? strerror(-r) : "success");
	wrong++;
}

/* The allocation that fails from now on; 0: none. */
static void arm(unsigned int n)
{
	char text[16];
	int size = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(nth, text, size, 0) != size)
		die("/proc/thread-self/fail-nth: %m");
}

/* Was it never reached? Nothing fails any more. */
static bool disarm(void)
{
	char text[16] = "";

	if (pread(nth, text, sizeof(text) - 1, 0) < 0)
		die("/proc/thread-self/fail-nth: %m");
	arm(0);
	return atoi(text);
}

static bool same_map(void)
{
	static struct map now;

	return !map_ask(name, &now) && map_equal(&now, &truth);
}

static void must(int r, const char *what)
{
	if (r)
		die("%s of %s: %s", what, name, strerror(-r));
}

static void start(void)
{
	must(dm_create(name), "creation");
	must(dm_load(name, length, arguments), "load");
	must(dm_resume(name), "resume");
}

/* --- Operations: armed, done, disarmed; true when there was nothing left to fail --- */

static bool try_load(unsigned int n, int *r)
{
	bool left;

	must(dm_create(name), "creation");
	arm(n);
	*r = dm_load(name, length, arguments);
	left = disarm();
	must(dm_remove(name), "removal");
	return left;
}

static bool try_resume(unsigned int n, int *r)
{
	bool left;

	must(dm_create(name), "creation");
	must(dm_load(name, length, arguments), "load");
	arm(n);
	*r = dm_resume(name);
	left = disarm();
	if (!*r && !same_map())
		complain(n, "active with another map", 0);
	must(dm_remove(name), "removal");
	return left;
}

static bool try_message(unsigned int n, int *r)
{
	bool left;

	arm(n);
	*r = dm_message(name, arguments, NULL, 0);
	left = disarm();
	return left;
}

static bool try_suspend(unsigned int n, int *r)
{
	bool left;
	int again;

	arm(n);
	*r = dm_suspend(name);
	if (!*r)
		*r = dm_resume(name);
	left = disarm();
	again = dm_resume(name);
	if (again)
		complain(n, "does not resume", again);
	if (!same_map())
		complain(n, "another map", *r);
	return left;
}

static const struct {
	const char *name;
	bool (*try)(unsigned int n, int *r);
	bool made;		/* the device is made here */
} operations[] = {
	{ "load", try_load, true },
	{ "resume", try_resume, true },
	{ "message", try_message, false },
	{ "suspend", try_suspend, false },
};

static void run(bool (*try)(unsigned int n, int *r))
{
	unsigned int n, tried = 0, failed = 0;
	bool left = false;
	int r = 0;

	/* Where there are many they are much the same. */
	for (n = 1; n <= MOST && !left; n += 1 + n / 50) {
		left = try(n, &r);
		tried++;
		failed += !!r;
		/* What an allocation that failed looks like to a caller. */
		if (r && r != -ENOMEM && r != -EIO && r != -EINVAL && r != -ENXIO)
			complain(n, "an error that is none of memory", r);
	}
	if (!left)
		complain(n, "there is no end of allocations", 0);
	else if (r)
		complain(n, "fails without a failure", r);
	printf("%u allocations of some %u, %u of them an error\n", tried - 1, n, failed);
}

int main(int argc, char **argv)
{
	bool (*try)(unsigned int n, int *r) = NULL;
	bool made = false;

	for (unsigned int i = 0; i < ARRAY_SIZE(operations) && argc > 3; i++) {
		if (strcmp(argv[1], operations[i].name))
			continue;
		try = operations[i].try;
		made = operations[i].made;
	}
	if (!try || argc != 4 + made) {
		fputs(usage, stderr);
		return 2;
	}
	name = argv[2];
	length = made ? strtoull(argv[3], NULL, 10) : 0;
	arguments = argv[3 + made];
	nth = open("/proc/thread-self/fail-nth", O_RDWR);
	if (nth < 0)
		die("/proc/thread-self/fail-nth: %m");
	dm_init();
	if (made)
		start();
	must(map_ask(name, &truth), "map");
	if (made)
		must(dm_remove(name), "removal");
	run(try);
	if (made)
		start();
	if (strcmp(argv[1], "message") && !same_map())
		complain(0, "another map at the end", 0);
	if (made)
		must(dm_remove(name), "removal");
	return !!wrong;
}
