// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes and looks at sectors that name themselves: a sector of 512 bytes holds
 * its own number on the device and a version all over, so that what is read
 * tells where it came from and when it was written.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SECTOR		512
#define MAX_IO		8192	/* sectors */
#define MAX_WRITES	2000000
#define MARK		0x00726f7463657300ULL

static const char usage[] =
	"usage: sectors write DEV FIRST COUNT [VERSION] [OPTION...]\n"
	"	Write them. Tells of the I/O that fails as FIRST-LAST:ERROR and ends\n"
	"	with 1 then; --all goes on behind it.\n"
	"sectors show DEV FIRST COUNT [OPTION...]\n"
	"	Read them, one by one unless told, and print runs of FIRST-LAST:WHAT.\n"
	"	WHAT is a version, VERSION@N for what belongs to sector N, \"zero\",\n"
	"	\"other\", or the name of an error.\n"
	"sectors race DEV FIRST COUNT SECONDS [OPTION...]\n"
	"	Many threads write and read overlapping ranges. Each sector read must\n"
	"	be a version that was written to it, and none that an acknowledged\n"
	"	write had replaced before the read began.\n"
	"\n"
	"--size N     sectors of one I/O (write: all; show: a logical block;\n"
	"             race: up to 64)\n"
	"--cached     through the page cache\n"
	"--sync       writes with RWF_DSYNC: FUA, or followed by a flush\n"
	"--fsync      fsync() after each write\n"
	"--nowait     with RWF_NOWAIT\n"
	"--all        go on after a write that fails\n"
	"--writers N, --readers N\n"
	"             threads (8, 4)\n"
	"--errors     race: reads may fail\n";

struct stamp {
	uint64_t mark, sector, version, check;
};

static struct {
	const char *dev;
	uint64_t first, count, version;
	unsigned int size, writers, readers, seconds;
	int rwf;
	bool cached, all, errors, fsync;
} opt = { .version = 1, .writers = 8, .readers = 4 };

static int fd;
static unsigned int logical;

static void fatal(const char *what)
{
	fprintf(stderr, "sectors: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void fill(void *buf, uint64_t sector, unsigned int nr, uint64_t version)
{
	struct stamp *s = buf;

	for (unsigned int i = 0; i < nr; i++)
		for (size_t k = 0; k < SECTOR / sizeof(*s); k++, s++)
			*s = (struct stamp){ MARK, sector + i, version, MARK ^ (sector + i) ^ version };
}

/* The stamp of one sector; NULL if it has none, or not one all over. */
static const struct stamp *stamp_of(const void *buf)
{
	const struct stamp *s = buf;

	if (s->mark != MARK || s->check != (s->mark ^ s->sector ^ s->version))
		return NULL;
	return memcmp(buf, (const char *)buf + sizeof(*s), SECTOR - sizeof(*s)) ? NULL : s;
}

static bool is_zero(const unsigned char *buf)
{
	return !buf[0] && !memcmp(buf, buf + 1, SECTOR - 1);
}

static void *buffer(unsigned int sectors)
{
	void *buf;

	if (posix_memalign(&buf, 4096, (size_t)sectors * SECTOR))
		fatal("memory");
	return buf;
}

/* 0 or an errno. */
static int transfer(bool write, uint64_t sector, void *buf, unsigned int nr)
{
	struct iovec iov = { buf, (size_t)nr * SECTOR };
	off_t at = (off_t)(sector * SECTOR);
	ssize_t done = write ? pwritev2(fd, &iov, 1, at, opt.rwf) :
			       preadv2(fd, &iov, 1, at, opt.rwf);

	if (done < 0)
		return errno;
	return (size_t)done == iov.iov_len ? 0 : EMSGSIZE;
}

/* --- write, show --------------------------------------------------------- */

static int write_all(void)
{
	uint64_t end = opt.first + opt.count;
	unsigned int size = opt.size ? opt.size : opt.count, nr;
	void *buf = buffer(size);
	int status = 0, err;

	for (uint64_t at = opt.first; at < end; at += nr) {
		nr = end - at < size ? end - at : size;
		fill(buf, at, nr, opt.version);
		err = transfer(true, at, buf, nr);
		if (!err && opt.fsync && fsync(fd))
			err = errno;
		if (!err)
			continue;
		printf("%" PRIu64 "-%" PRIu64 ":%s\n", at, at + nr - 1, strerrorname_np(err));
		status = 1;
		if (!opt.all)
			break;
	}
	free(buf);
	return status;
}

static void describe(char *what, size_t size, const void *buf, uint64_t sector, int err)
{
	const struct stamp *s = stamp_of(buf);

	if (err)
		snprintf(what, size, "%s", strerrorname_np(err));
	else if (s && s->sector == sector)
		snprintf(what, size, "%" PRIu64, s->version);
	else if (s)
		snprintf(what, size, "%" PRIu64 "@%" PRIu64, s->version, s->sector);
	else
		snprintf(what, size, "%s", is_zero(buf) ? "zero" : "other");
}

static int show(void)
{
	uint64_t end = opt.first + opt.count, start = opt.first;
	unsigned int size = opt.size ? opt.size : logical, nr;
	char what[64], run[64] = "";
	char *buf = buffer(size);

	for (uint64_t at = opt.first; at < end; at += nr) {
		int err;

		nr = end - at < size ? end - at : size;
		err = transfer(false, at, buf, nr);
		for (unsigned int i = 0; i < nr; i++) {
			describe(what, sizeof(what), buf + (size_t)i * SECTOR, at + i, err);
			if (!strcmp(what, run))
				continue;
			if (*run)
				printf("%" PRIu64 "-%" PRIu64 ":%s ", start, at + i - 1, run);
			strcpy(run, what);
			start = at + i;
		}
	}
	printf("%" PRIu64 "-%" PRIu64 ":%s\n", start, end - 1, run);
	free(buf);
	return 0;
}

/* --- race ---------------------------------------------------------------- */

/*
 * Time is a counter. A version's write began at begun[] and was acknowledged at
 * acked[] (0: not, or it failed). floor[] of a sector is when the latest of its
 * acknowledged writes began: what was acknowledged before that is gone for good.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t now = 1, begun[MAX_WRITES], acked[MAX_WRITES], *floors;
static unsigned int versions, nr_reads, nr_errors;
static bool wrong;
static time_t deadline;

static bool more(void)
{
	return !wrong && versions < MAX_WRITES - 64 && time(NULL) < deadline;
}

static void pick(unsigned int *seed, uint64_t *at, unsigned int *nr)
{
	unsigned int max = opt.size ? opt.size : 64;

	*nr = (rand_r(seed) % (max / logical) + 1) * logical;
	if (*nr > opt.count)
		*nr = opt.count;
	*at = opt.first + rand_r(seed) % ((opt.count - *nr) / logical + 1) * logical;
}

static void *writer(void *arg)
{
	unsigned int seed = (uintptr_t)arg, nr;
	void *buf = buffer(MAX_IO);
	uint64_t at;

	while (more()) {
		unsigned int version;
		int err;

		pick(&seed, &at, &nr);
		pthread_mutex_lock(&lock);
		version = ++versions;
		begun[version] = now++;
		pthread_mutex_unlock(&lock);
		fill(buf, at, nr, version);
		err = transfer(true, at, buf, nr);
		pthread_mutex_lock(&lock);
		if (err) {
			printf("write %" PRIu64 "+%u: %s\n", at, nr, strerrorname_np(err));
			wrong = true;
		} else {
			acked[version] = now++;
			for (unsigned int i = 0; i < nr; i++) {
				uint64_t *f = &floors[at - opt.first + i];

				if (begun[version] > *f)
					*f = begun[version];
			}
		}
		pthread_mutex_unlock(&lock);
	}
	free(buf);
	return NULL;
}

static void check_sector(const void *buf, uint64_t sector, uint64_t floor)
{
	const struct stamp *s = stamp_of(buf);
	char what[64];

	if (s && s->sector == sector && s->version <= versions &&
	    !(acked[s->version] && acked[s->version] < floor))
		return;
	describe(what, sizeof(what), buf, sector, 0);
	printf("sector %" PRIu64 " reads as %s%s\n", sector, what, s ? ", which is stale" : "");
	wrong = true;
}

static void read_range(uint64_t at, unsigned int nr, char *buf, uint64_t *floor)
{
	int err;

	pthread_mutex_lock(&lock);
	memcpy(floor, floors + (at - opt.first), nr * sizeof(*floor));
	pthread_mutex_unlock(&lock);
	err = transfer(false, at, buf, nr);
	pthread_mutex_lock(&lock);
	nr_reads++;
	if (err) {
		nr_errors++;
		if (!opt.errors) {
			printf("read %" PRIu64 "+%u: %s\n", at, nr, strerrorname_np(err));
			wrong = true;
		}
	}
	for (unsigned int i = 0; i < nr && !err; i++)
		check_sector(buf + (size_t)i * SECTOR, at + i, floor[i]);
	pthread_mutex_unlock(&lock);
}

static void *reader(void *arg)
{
	unsigned int seed = (uintptr_t)arg + 1000, nr;
	uint64_t at, *floor = calloc(MAX_IO, sizeof(*floor));
	char *buf = buffer(MAX_IO);

	while (floor && more()) {
		pick(&seed, &at, &nr);
		read_range(at, nr, buf, floor);
	}
	free(floor);
	free(buf);
	return NULL;
}

static int race(void)
{
	unsigned int n = opt.writers + opt.readers;
	pthread_t *threads = calloc(n, sizeof(*threads));
	uint64_t *floor = calloc(MAX_IO, sizeof(*floor));
	char *buf = buffer(MAX_IO);

	floors = calloc(opt.count, sizeof(*floors));
	if (!threads || !floor || !floors)
		fatal("memory");
	/* Version 0 is there at the beginning. */
	for (uint64_t at = 0; at < opt.count; at += logical) {
		fill(buf, opt.first + at, logical, 0);
		if (transfer(true, opt.first + at, buf, logical))
			fatal("first write");
	}
	acked[0] = now++;
	deadline = time(NULL) + opt.seconds;
	for (unsigned int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, i < opt.writers ? writer : reader,
				   (void *)(uintptr_t)(i + 1)))
			fatal("thread");
	for (unsigned int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	for (uint64_t at = 0; at < opt.count; at += logical)
		read_range(opt.first + at, logical, buf, floor);
	printf("writes %u reads %u errors %u\n", versions, nr_reads, nr_errors);
	return wrong;
}

/* --- Command line -------------------------------------------------------- */

static void parse_option(int argc, char **argv, int *i)
{
	const char *arg = argv[*i];
	const struct {
		const char *name;
		unsigned int *value;
	} numbers[] = {
		{ "--size", &opt.size },
		{ "--writers", &opt.writers },
		{ "--readers", &opt.readers },
	};

	for (size_t n = 0; n < 3; n++) {
		if (!strcmp(arg, numbers[n].name) && *i + 1 < argc) {
			*numbers[n].value = strtoul(argv[++*i], NULL, 10);
			return;
		}
	}
	if (!strcmp(arg, "--cached"))
		opt.cached = true;
	else if (!strcmp(arg, "--sync"))
		opt.rwf |= RWF_DSYNC;
	else if (!strcmp(arg, "--fsync"))
		opt.fsync = true;
	else if (!strcmp(arg, "--nowait"))
		opt.rwf |= RWF_NOWAIT;
	else if (!strcmp(arg, "--all"))
		opt.all = true;
	else if (!strcmp(arg, "--errors"))
		opt.errors = true;
	else {
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	bool writes;
	int i = 5, size;

	if (argc < 5) {
		fputs(usage, stderr);
		return 2;
	}
	writes = strcmp(argv[1], "show");
	opt.dev = argv[2];
	opt.first = strtoull(argv[3], NULL, 10);
	opt.count = strtoull(argv[4], NULL, 10);
	if (argc > 5 && argv[5][0] != '-') {
		opt.version = strtoull(argv[5], NULL, 10);
		opt.seconds = opt.version;
		i++;
	}
	for (; i < argc; i++)
		parse_option(argc, argv, &i);
	fd = open(opt.dev, (writes ? O_RDWR : O_RDONLY) | (opt.cached ? 0 : O_DIRECT));
	if (fd < 0 || ioctl(fd, BLKSSZGET, &size))
		fatal(opt.dev);
	logical = size / SECTOR;
	if (!strcmp(argv[1], "write"))
		return write_all();
	if (!strcmp(argv[1], "show"))
		return show();
	return race();
}
