// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets on the simulated disks: made without the code under test, started and
 * stopped by device mapper's own calls, read sector by sector.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tools/common.h"
#include "user.h"

#define CHUNK		128	/* sectors of one read */
#define SLOTS_BEGIN	2048	/* as make-image aligns them */
#define NOBODY		(1ull << 40)

char set_reason[256], run_output[4096];

int run_program(const char *fmt, ...)
{
	char command[1024];
	size_t used = 0;
	va_list args;
	FILE *pipe;
	int status, n;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	pipe = popen(command, "re");
	if (!pipe)
		die("%s: %m", command);
	while (used < sizeof(run_output) - 1 &&
	       (n = fread(run_output + used, 1, sizeof(run_output) - 1 - used, pipe)) > 0)
		used += n;
	run_output[used] = '\0';
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void take_table(struct set *set, const char *text)
{
	const char *offset = strstr(text, " data_offset ");
	int at = 0;

	if (sscanf(text, "0 %u remap %n", &set->length, &at) != 1 || !at)
		die("not a table: %s", text);
	set->offset = offset ? strtoul(offset + 13, NULL, 10) : 0;
	snprintf(set->tables[0].args, sizeof(set->tables[0].args), "%.*s",
		 (int)strcspn(text + at, "\n"), text + at);
	set->tables[0].since = 0;
	set->nr_tables = 1;
}

/* Slots that were never written hold something that is nobody's. */
static void fill_disks(const struct set *set)
{
	uint8_t *buf = aligned((size_t)(set->length + disk_sectors[set->data]) * SECTOR);

	fill(buf, 0, set->length, 1);
	disk_poke(set->data, set->offset, set->length, buf);
	for (unsigned int i = 0; i < set->nr_spares; i++) {
		uint32_t nr = disk_sectors[set->spare[i]] - SLOTS_BEGIN;

		fill(buf, NOBODY, nr, 1);
		disk_poke(set->spare[i], SLOTS_BEGIN, nr, buf);
	}
	free(buf);
}

void set_make(struct set *set, enum shape shape, uint32_t block, unsigned int data,
	      unsigned int first_spare, unsigned int nr_spares, uint64_t seed)
{
	static const char *const options[] = { "", "--adopt", "--internal 2" };
	char spares[128] = "";
	size_t used = 0;

	memset(set, 0, sizeof(*set));
	set->shape = shape;
	set->block = block;
	set->data = data;
	for (unsigned int i = 0; i < nr_spares; i++) {
		set->spare[set->nr_spares++] = first_spare + i;
		used += snprintf(spares + used, sizeof(spares) - used, " /dev/nbd%u",
				 first_spare + i);
	}
	if (run_program("make-image --name " NAME " --seed %llu --pages 5 --block-sectors %u %s "
			"/dev/nbd%u%s 2>&1", (unsigned long long)seed, block, options[shape],
			data, spares))
		die("make-image: %s", run_output);
	take_table(set, run_output);
	fill_disks(set);
}

static int failed(int r, const char *what)
{
	const char *reason = dm_refusal();

	snprintf(set_reason, sizeof(set_reason), "%s: %s: %s", what, strerror(-r),
		 reason ? reason : "no reason is told");
	dm_remove(NAME);
	return r;
}

int set_start_with(const struct set *set, const char *args)
{
	int r = dm_create(NAME);

	if (r)
		die("a device can not be made: %s", strerror(-r));
	dm_refusal_skip();
	r = dm_load(NAME, set->length, args);
	if (r)
		return failed(r, "load");
	r = dm_resume(NAME);
	return r ? failed(r, "resume") : 0;
}

int set_stop(void)
{
	return dm_remove(NAME);
}

int set_reload(const struct set *set, const char *args)
{
	int r = dm_load(NAME, set->length, args), back;

	if (r)
		return r;
	r = dm_suspend(NAME);
	back = dm_resume(NAME);
	return r ? r : back;
}

static bool try_read(int fd, uint32_t sector, uint32_t nr, uint8_t *buf, struct seen *seen)
{
	ssize_t n = pread(fd, buf, (size_t)nr * SECTOR, (off_t)sector * SECTOR);

	if (n < 0) {
		seen[sector] = (struct seen){ .error = errno };
		return false;
	}
	if (n != (ssize_t)nr * SECTOR)
		die("a read of %u sectors returned %zd", nr, n);
	for (uint32_t i = 0; i < nr; i++)
		look(buf + (size_t)i * SECTOR, &seen[sector + i]);
	return true;
}

void set_read(const struct set *set, struct seen *seen)
{
	static uint8_t *buf;
	int fd = dm_open(NAME, O_RDONLY | O_DIRECT);

	if (!buf)
		buf = aligned(CHUNK * SECTOR);
	for (uint32_t at = 0; at < set->length; at += CHUNK) {
		uint32_t nr = set->length - at < CHUNK ? set->length - at : CHUNK, small;

		if (try_read(fd, at, nr, buf, seen))
			continue;
		for (uint32_t s = at; s < at + nr; s += small) {
			small = at + nr - s < 8 ? at + nr - s : 8;
			if (try_read(fd, s, small, buf, seen))
				continue;
			for (uint32_t i = 0; i < small; i++)
				try_read(fd, s + i, 1, buf, seen);
		}
	}
	close(fd);
}
