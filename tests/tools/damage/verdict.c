// SPDX-License-Identifier: GPL-2.0-or-later
/* What the module, or a command, makes of damage, and whether it is right. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "damage.h"

#define NAME		"damage"
#define CHUNK		65536
#define FULL_READ	100	/* activations until all is read once */
#define SAMPLES		5

static struct map truth;
static uint8_t *content;	/* of the mapped device */
static uint8_t *readable;	/* one byte a sector */
static int device = -1;
static char **command;		/* NULL: the module is asked */
static double started;

static struct {
	unsigned long trials, accepted, refused, bad;
} total, class_total;

static struct {
	char text[256];
	unsigned long nr;
} reasons[64];

static void count_reason(const char *text)
{
	char plain[256];
	size_t n = 0;

	/* Numbers and devices differ from trial to trial. */
	for (; *text && n < sizeof(plain) - 1; text++) {
		if (*text >= '0' && *text <= '9') {
			if (!n || plain[n - 1] != 'N')
				plain[n++] = 'N';
		} else {
			plain[n++] = *text;
		}
	}
	plain[n] = '\0';
	for (unsigned int i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (!reasons[i].nr)
			strcpy(reasons[i].text, plain);
		if (!strcmp(reasons[i].text, plain)) {
			reasons[i].nr++;
			return;
		}
	}
}

static void wrong(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void wrong(const char *what, const char *fmt, ...)
{
	char text[600];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	class_total.bad++;
	if (class_total.bad <= 5)
		printf("WRONG %s: %s\n", what, text);
}

static void read_device(void)
{
	uint64_t size = length * 512;

	for (uint64_t at = 0; at < size; at += CHUNK) {
		size_t n = size - at < CHUNK ? size - at : CHUNK;

		if (pread(device, content + at, n, at) == (ssize_t)n) {
			memset(readable + at / 512, 1, n / 512);
			continue;
		}
		for (size_t s = 0; s < n; s += 512)
			readable[(at + s) / 512] =
				pread(device, content + at + s, 512, at + s) == 512;
	}
}

/* The run of sectors from this one on that were read, or were not, at the start. */
static uint64_t run_end(uint64_t s, uint64_t most)
{
	uint64_t end = s + 1;

	while (end < length && end - s < most && readable[end] == readable[s])
		end++;
	return end;
}

static bool run_true(int fd, uint64_t s, uint64_t end)
{
	static uint8_t *buf;
	size_t size = (end - s) * 512;
	ssize_t n;

	if (!buf)
		buf = aligned(CHUNK);
	n = pread(fd, buf, size, s * 512);
	return readable[s] ? n == (ssize_t)size && !memcmp(buf, content + s * 512, size) : n < 0;
}

/*
 * Errors where there were errors, and the same content everywhere else. Since the
 * map says where each block lives, a few blocks are enough at most times.
 */
static bool data_true(uint64_t *where)
{
	uint64_t block = random_below(length / block_sectors);
	bool ok = true;
	uint64_t s, end;

	if (class_total.accepted % FULL_READ == 1) {
		for (s = 0; s < length && ok; s = end) {
			end = run_end(s, readable[s] ? CHUNK / 512 : 1);
			ok = run_true(device, s, end);
			*where = s;
		}
	}
	for (unsigned int i = 0; i < SAMPLES && ok; i++) {
		if (i && truth.nr)
			block = truth.entries[random_below(truth.nr)].block;
		s = block * block_sectors + random_below(block_sectors);
		if (s >= length)
			continue;
		ok = run_true(device, s, run_end(s, readable[s] ? 16 : 1));
		*where = s;
	}
	return ok;
}

/* After a clean stop every page must have two good copies on every member again. */
static bool repaired(char *why, size_t size)
{
	for (unsigned int i = 0; i < nr_members; i++) {
		struct member *m = &members[i];
		unsigned int good[ARRAY_SIZE(pages)] = { 0 };
		uint64_t gen[ARRAY_SIZE(pages)] = { 0 };

		for (uint32_t f = 0; f < m->nr_frames; f++) {
			uint64_t g = frame_gen(m, m->disk, f);
			uint32_t p = le32_to_cpu(header(frame_of(m->disk, f))->page);

			if (!g)
				continue;
			if (g > gen[p]) {
				gen[p] = g;
				good[p] = 0;
			}
			good[p] += g == gen[p];
		}
		for (uint32_t p = 0; p < nr_pages; p++) {
			if (pages[p].gen && (good[p] < 2 || gen[p] < pages[p].gen)) {
				snprintf(why, size,
					 "page %u has %u good copies on member %u afterwards", p,
					 good[p], m->index);
				return false;
			}
		}
	}
	return true;
}

static void module_verdict(const char *what, enum expected expected)
{
	static struct map map;
	char why[256], state[4096];
	const char *reason;
	uint64_t where = 0;
	bool damaged;
	int r;

	dm_refusal_skip();
	r = dm_load(NAME, length, arguments);
	if (r)
		die("load: %s", strerror(-r));
	r = dm_resume(NAME);
	if (r) {
		class_total.refused++;
		reason = dm_refusal();
		if (!reason)
			wrong(what, "refused with %s and no reason", strerror(-r));
		else
			count_reason(reason);
		if (expected == ACCEPTED)
			wrong(what, "refused although good copies are there: %s",
			      reason ? reason : "?");
		read_disk();
		for (unsigned int i = 0; i < nr_members; i++)
			if (memcmp(members[i].disk, members[i].now, members[i].size))
				wrong(what, "refused, but member %u was written to",
				      members[i].index);
		return;
	}
	class_total.accepted++;
	if (map_ask(NAME, &map))
		die("the map can not be read");
	if (!map_equal(&map, &truth))
		wrong(what, "activated with a wrong map of %zu entries", map.nr);
	else if (!data_true(&where))
		wrong(what, "sector %llu is not as it was", (unsigned long long)where);
	else if (expected == REFUSED)
		wrong(what, "activated");
	if (dm_status(NAME, state, sizeof(state)) || strncmp(state, "rw ", 3))
		wrong(what, "activated but %s", state);
	/* This stops the set; making a device anew would take longer. */
	if (dm_suspend(NAME))
		die("%s can not be suspended", NAME);
	damaged = nr_bad();
	read_disk();
	if (!damaged && !repaired(why, sizeof(why)))
		wrong(what, "%s", why);
}

static int run_command(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		dup2(null, 2);
		execvp(command[0], command);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("fork: %m");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void command_verdict(const char *what, enum expected expected)
{
	int status = run_command();

	if (status == 1)
		class_total.refused++;
	else
		class_total.accepted++;
	if (!status && expected != EITHER)
		wrong(what, "is not told");
	else if (status > 1)
		wrong(what, "%s ended with %d", command[0], status);
}

void trial(const char *what, enum expected expected)
{
	class_total.trials++;
	write_damage();
	if (command) {
		command_verdict(what, expected);
		read_disk();
	} else {
		module_verdict(what, expected);
	}
	restore();
}

void class_done(const char *name)
{
	static double last;

	printf("%-34s %5lu trials: %5lu %s, %5lu %s, %lu wrong, %.1f s\n", name,
	       class_total.trials, class_total.accepted, command ? "silent" : "true",
	       class_total.refused, command ? "told" : "refused", class_total.bad,
	       now() - (last ? last : started));
	last = now();
	fflush(stdout);
	total.trials += class_total.trials;
	total.accepted += class_total.accepted;
	total.refused += class_total.refused;
	total.bad += class_total.bad;
	memset(&class_total, 0, sizeof(class_total));
}

static void take_truth(void)
{
	int r;

	r = dm_create(NAME);
	if (!r)
		r = dm_load(NAME, length, arguments);
	if (!r)
		r = dm_resume(NAME);
	if (r)
		die("the set does not start: %s", strerror(-r));
	if (map_ask(NAME, &truth))
		die("the map can not be read");
	content = aligned(length * 512);
	readable = aligned(length);
	device = dm_open(NAME, O_RDONLY | O_DIRECT);
	read_device();
	if (dm_suspend(NAME))
		die("%s can not be suspended", NAME);
}

bool module_judges(void)
{
	return !command;
}

void verdict_begin(char **words)
{
	started = now();
	command = words;
	if (!command) {
		dm_init();
		take_truth();
	}
}

void verdict_undamaged(void)
{
	unsigned int lost = 0;

	for (uint64_t s = 0; !command && s < length; s++)
		lost += !readable[s];
	printf("%u members, %u pages, commit %llu, %zu entries, %u lost sectors\n", nr_members,
	       nr_pages, (unsigned long long)newest, truth.nr, lost);
	if (command && run_command())
		die("%s finds fault with the undamaged set", command[0]);
}

unsigned long verdict_end(void)
{
	if (!command) {
		close(device);
		if (dm_remove(NAME))
			die("%s can not be removed", NAME);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(reasons) && reasons[i].nr; i++)
		printf("%6lu refused: %s\n", reasons[i].nr, reasons[i].text);
	printf("%lu trials in %.1f s: %lu %s, %lu %s, %lu wrong\n", total.trials, now() - started,
	       total.accepted, command ? "silent" : "true", total.refused,
	       command ? "told" : "refused", total.bad);
	return total.bad;
}
