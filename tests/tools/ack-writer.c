// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes to a device that will lose its power, and tells afterwards whether
 * anything that was acknowledged is gone. The log lies where a reset does not
 * reach; what is to be written is noted there before, what is durable after.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

#define MAX_COUNT	96	/* sectors of one write */
#define MAX_MAYBE	64
#define MAX_BATCH	8

enum { BOOT = 'B', INTENT = 'I', DURABLE = 'D' };

struct note {
	uint32_t kind, count;
	uint64_t sector, version;
};

/* What one sector may hold. */
struct sector {
	uint64_t durable, pending;
	uint64_t *maybe;
	unsigned int nr_maybe;
};

struct content {
	char magic[8];
	uint64_t sector, version, check;
};

static struct sector *sectors;
static uint64_t nr_sectors, version;
static struct note batch[MAX_BATCH];
static unsigned int nr_batch;
static int dev, log_fd;

static void add_maybe(struct sector *s, uint64_t v)
{
	if (!s->maybe)
		s->maybe = calloc(MAX_MAYBE, sizeof(*s->maybe));
	if (!s->maybe || s->nr_maybe == MAX_MAYBE)
		die("too many versions of one sector");
	s->maybe[s->nr_maybe++] = v;
}

/* Follow the log by one note. */
static void take(const struct note *n)
{
	uint64_t s;

	switch (n->kind) {
	case BOOT:
		for (s = 0; s < nr_sectors; s++) {
			if (sectors[s].pending)
				add_maybe(&sectors[s], sectors[s].pending);
			sectors[s].pending = 0;
		}
		nr_batch = 0;
		break;
	case INTENT:
		version = n->version;
		for (s = n->sector; s < n->sector + n->count; s++) {
			if (sectors[s].pending)
				add_maybe(&sectors[s], sectors[s].pending);
			sectors[s].pending = n->version;
		}
		if (nr_batch == MAX_BATCH)
			die("the log is wrong");
		batch[nr_batch++] = *n;
		break;
	case DURABLE:
		while (nr_batch) {
			const struct note *b = &batch[--nr_batch];

			for (s = b->sector; s < b->sector + b->count; s++) {
				if (!sectors[s].pending)
					continue;
				sectors[s].durable = sectors[s].pending;
				sectors[s].pending = 0;
				sectors[s].nr_maybe = 0;
			}
		}
		break;
	default:
		die("the log is wrong");
	}
}

static void note(uint32_t kind, uint64_t sector, uint32_t count, uint64_t v)
{
	struct note n = { .kind = kind, .count = count, .sector = sector, .version = v };

	if (write(log_fd, &n, sizeof(n)) != sizeof(n))
		die("log: %m");
	take(&n);
}

static void read_log(void)
{
	struct note n;

	while (read(log_fd, &n, sizeof(n)) == sizeof(n))
		take(&n);
}

static void write_sectors(void *buf, uint64_t sector, uint32_t count, uint64_t v)
{
	memset(buf, 0, count * 512);
	for (uint32_t i = 0; i < count; i++) {
		struct content c = { "written", sector + i, v, (sector + i) ^ v };

		for (unsigned int at = 0; at < 512; at += sizeof(c))
			memcpy(buf + i * 512 + at, &c, sizeof(c));
	}
	if (pwrite(dev, buf, count * 512, sector * 512) != count * 512)
		die("a write of %u at %llu failed: %m", count, (unsigned long long)sector);
}

/* Everything once, so that there is something to lose. */
static void fill(void)
{
	void *buf = aligned(MAX_COUNT * 512);

	for (uint64_t s = 0; s < nr_sectors; s += MAX_COUNT) {
		uint32_t n = nr_sectors - s < MAX_COUNT ? nr_sectors - s : MAX_COUNT;

		note(INTENT, s, n, version + 1);
		write_sectors(buf, s, n, version);
		if (nr_batch == MAX_BATCH) {
			if (fdatasync(dev))
				die("flush: %m");
			note(DURABLE, 0, 0, version);
		}
	}
	if (fdatasync(dev))
		die("flush: %m");
	note(DURABLE, 0, 0, version);
}

static void write_forever(void)
{
	void *buf = aligned(MAX_COUNT * 512);

	note(BOOT, 0, 0, 0);
	for (;;) {
		unsigned int todo = 1 + random_below(MAX_BATCH);

		while (todo--) {
			/* Often within one block, sometimes over many. */
			uint32_t count = 1 + random_below(random_below(4) ? 16 : MAX_COUNT);
			uint64_t s = random_below(nr_sectors - count);

			note(INTENT, s, count, version + 1);
			write_sectors(buf, s, count, version);
		}
		if (fdatasync(dev))
			die("flush: %m");
		note(DURABLE, 0, 0, version);
	}
}

static bool allowed(const struct sector *s, uint64_t v)
{
	if (v == s->durable || (s->pending && v == s->pending))
		return true;
	for (unsigned int i = 0; i < s->nr_maybe; i++)
		if (s->maybe[i] == v)
			return true;
	return false;
}

static bool check(void)
{
	unsigned long bad = 0, newer = 0;
	uint8_t *buf = aligned(512);

	for (uint64_t s = 0; s < nr_sectors; s++) {
		const struct content *c = (void *)buf;
		uint64_t v = c->version;
		const char *what = NULL;

		if (pread(dev, buf, 512, s * 512) != 512)
			what = strerror(errno);
		else if (memcmp(c->magic, "written", 8) || memcmp(buf, buf + 32, 480))
			what = "what was never written";
		else if (c->sector != s || c->check != (s ^ c->version))
			what = "another sector's content";
		v = c->version;
		if (!what && !allowed(&sectors[s], v))
			what = v < sectors[s].durable ? "an older version" : "an impossible version";
		if (!what && v != sectors[s].durable)
			newer++;
		if (what && ++bad <= 10)
			printf("sector %llu: %s (%llu; durable is %llu)\n", (unsigned long long)s,
			       what, (unsigned long long)v, (unsigned long long)sectors[s].durable);
	}
	printf("%llu sectors, %llu writes, %lu newer than acknowledged, %lu wrong\n",
	       (unsigned long long)nr_sectors, (unsigned long long)version, newer, bad);
	return !bad;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fputs("usage: ack-writer fill|write|check DEVICE LOG SECTORS\n", stderr);
		return 2;
	}
	dev = device_open(argv[2]);
	log_fd = open(argv[3], O_RDWR | O_CREAT | O_APPEND, 0600);
	if (log_fd < 0)
		die("%s: %m", argv[3]);
	nr_sectors = strtoull(argv[4], NULL, 0);
	sectors = calloc(nr_sectors, sizeof(*sectors));
	if (!sectors)
		die("out of memory");
	read_log();
	random_state = version ^ (uint64_t)getpid() << 32 ^ (uint64_t)(now() * 1e6);
	if (!strcmp(argv[1], "fill"))
		fill();
	else if (!strcmp(argv[1], "write"))
		write_forever();
	else
		return !check();
	return 0;
}
