// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's side of bench: what one I/O costs on each of some devices. The same
 * requests go to all of them, in turn, for some repetitions of which the first is
 * dropped. Printed is the least of the others, in nanoseconds, which are instructions
 * where instructions drive the clock: ticks and other threads only add to them; or the
 * I/Os a second of all, and their median. Any I/O that fails ends it with nothing printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <linux/aio_abi.h>

#include "marks.h"

#define BLOCK		4096
#define MAX_DEVICES	16
#define MAX_JOBS	16
#define MAX_DEPTH	256

static const char usage[] =
	"usage: io-cost [OPTION...] DEV...\n"
	"  --write            instead of reading\n"
	"  --size BYTES       of one I/O (4096)\n"
	"  --count N          I/Os of one repetition (2000)\n"
	"  --rounds N         repetitions (6); the first is dropped\n"
	"  --blocks FIRST:N   the range, in blocks of 4096 bytes\n"
	"  --avoid FILE       blocks not to touch, sorted, 64 bits each\n"
	"  --hit FILE         touch only these; with larger I/O, start at multiples of its\n"
	"                     size that hold one\n"
	"  --sequential       one after the other instead of at random\n"
	"  --seconds S        with --jobs and --depth: time, not a number of I/Os; prints I/Os a\n"
	"                     second, and all rounds\n"
	"  --jobs N --depth N\n"
	"  --mark PHASE       tell profile.c what of it to count: all rounds but the first\n";

static bool writing, sequential;
static unsigned int size = BLOCK, count = 2000, rounds = 6, jobs = 1, depth = 1, phase;
static uint64_t first, blocks;
static double seconds;
static uint64_t *list, nr_list;
static bool avoid;
static uint64_t *offsets;
static uint64_t state = 88172645463325252ULL;

static void die(const char *what)
{
	fprintf(stderr, "io-cost: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t random_u64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void read_list(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die(path);
	list = malloc(st.st_size + 1);
	if (!list || read(fd, list, st.st_size) != st.st_size)
		die(path);
	nr_list = st.st_size / sizeof(*list);
	close(fd);
}

/* Is one of the list in these blocks? */
static bool touches(uint64_t block, uint64_t nr)
{
	uint64_t lo = 0, hi = nr_list;

	while (lo < hi) {
		uint64_t mid = (lo + hi) / 2;

		if (list[mid] < block)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < nr_list && list[lo] < block + nr;
}

static void make_offsets(void)
{
	uint64_t nr = size / BLOCK ? size / BLOCK : 1, places = blocks / nr;

	offsets = malloc(count * sizeof(*offsets));
	if (!offsets)
		die("memory");
	for (unsigned int i = 0; i < count; i++) {
		uint64_t block;

		if (nr_list && !avoid) {
			do
				block = list[random_u64() % nr_list];
			while (block < first || block >= first + blocks);
			block = block / nr * nr;
		} else if (sequential) {
			block = first + i % places * nr;
			if (avoid && touches(block, nr)) {
				errno = EINVAL;
				die("the range holds blocks to be avoided");
			}
		} else {
			do
				block = first + random_u64() % places * nr;
			while (avoid && touches(block, nr));
		}
		offsets[i] = block * BLOCK;
	}
}

/* Of x86: "ret" and nothing else. */
static void map_marks(void)
{
	void *at = mmap((void *)(uintptr_t)MARKS, MARK_PHASES * MARK_SIZE,
			PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at == MAP_FAILED)
		die("--mark");
	memset(at, 0xc3, MARK_PHASES * MARK_SIZE);
}

static void mark(unsigned int n)
{
	((void (*)(void))(uintptr_t)(MARKS + n * MARK_SIZE))();
}

static uint64_t one_round(int fd, char *buf)
{
	uint64_t begun = now();

	for (unsigned int i = 0; i < count; i++) {
		ssize_t r = writing ? pwrite(fd, buf, size, offsets[i]) :
				      pread(fd, buf, size, offsets[i]);

		if (r != size)
			die(writing ? "write" : "read");
	}
	return now() - begun;
}

/* --- Several at once ------------------------------------------------------- */

struct job {
	pthread_t thread;
	int fd, cpu;
	uint64_t until, done;
	unsigned int at;
};

static void *run_job(void *arg)
{
	struct job *job = arg;
	aio_context_t ctx = 0;
	struct iocb cbs[MAX_DEPTH], *cb;
	struct io_event events[MAX_DEPTH];
	cpu_set_t set;
	char *bufs;

	CPU_ZERO(&set);
	CPU_SET(job->cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
	if (posix_memalign((void **)&bufs, BLOCK, (size_t)size * depth))
		die("memory");
	memset(bufs, 0x5a, (size_t)size * depth);
	if (syscall(SYS_io_setup, depth, &ctx))
		die("io_setup");
	for (unsigned int i = 0; i < depth; i++) {
		memset(&cbs[i], 0, sizeof(cbs[i]));
		cbs[i].aio_lio_opcode = writing ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		cbs[i].aio_fildes = job->fd;
		cbs[i].aio_buf = (uintptr_t)(bufs + (size_t)i * size);
		cbs[i].aio_nbytes = size;
		cbs[i].aio_offset = offsets[job->at++ % count];
		cb = &cbs[i];
		if (syscall(SYS_io_submit, ctx, 1, &cb) != 1)
			die("io_submit");
	}
	for (unsigned int left = depth; left;) {
		int n = syscall(SYS_io_getevents, ctx, 1, depth, events, NULL);
		bool more = now() < job->until;

		if (n < 0)
			die("io_getevents");
		for (int i = 0; i < n; i++) {
			if (events[i].res != size) {
				errno = -events[i].res;
				die("I/O");
			}
			job->done++;
			if (!more) {
				left--;
				continue;
			}
			cb = (struct iocb *)(uintptr_t)events[i].obj;
			cb->aio_offset = offsets[job->at++ % count];
			if (syscall(SYS_io_submit, ctx, 1, &cb) != 1)
				die("io_submit");
		}
	}
	syscall(SYS_io_destroy, ctx);
	free(bufs);
	return NULL;
}

/* I/Os a second of all jobs. */
static double timed_round(int fd)
{
	uint64_t begun = now(), sum = 0;
	struct job job[MAX_JOBS];

	for (unsigned int i = 0; i < jobs; i++) {
		job[i] = (struct job){ .fd = fd, .cpu = i, .at = count / jobs * i,
				       .until = begun + seconds * 1e9 };
		if (pthread_create(&job[i].thread, NULL, run_job, &job[i]))
			die("thread");
	}
	for (unsigned int i = 0; i < jobs; i++) {
		pthread_join(job[i].thread, NULL);
		sum += job[i].done;
	}
	return sum * 1e9 / (now() - begun);
}

/* --------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Of values in their order. */
static double median(const double *values, unsigned int nr)
{
	return nr % 2 ? values[nr / 2] : (values[nr / 2 - 1] + values[nr / 2]) / 2;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "write", 0, NULL, 'w' }, { "size", 1, NULL, 's' }, { "count", 1, NULL, 'c' },
		{ "rounds", 1, NULL, 'r' }, { "blocks", 1, NULL, 'b' },
		{ "avoid", 1, NULL, 'a' }, { "hit", 1, NULL, 'h' },
		{ "sequential", 0, NULL, 'q' }, { "seconds", 1, NULL, 't' },
		{ "jobs", 1, NULL, 'j' }, { "depth", 1, NULL, 'd' },
		{ "mark", 1, NULL, 'm' }, { }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'w': writing = true; break;
		case 's': size = strtoul(optarg, NULL, 0); break;
		case 'c': count = strtoul(optarg, NULL, 0); break;
		case 'r': rounds = strtoul(optarg, NULL, 0); break;
		case 'b':
			if (sscanf(optarg, "%" SCNu64 ":%" SCNu64, &first, &blocks) != 2)
				blocks = 0;
			break;
		case 'a': avoid = true; /* fall through */
		case 'h': read_list(optarg); break;
		case 'q': sequential = true; break;
		case 't': seconds = strtod(optarg, NULL); break;
		case 'j': jobs = strtoul(optarg, NULL, 0); break;
		case 'd': depth = strtoul(optarg, NULL, 0); break;
		case 'm': phase = strtoul(optarg, NULL, 0); break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind == argc || argc - optind > MAX_DEVICES || !size || size % 512 || !count ||
	    rounds < 2 || !blocks || !jobs || jobs > MAX_JOBS || !depth || depth > MAX_DEPTH ||
	    phase >= MARK_PHASES) {
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static double values[MAX_DEVICES][1000];
	int fds[MAX_DEVICES], nr = 0;
	char *buf;

	parse(argc, argv);
	make_offsets();
	if (rounds > 1000 || posix_memalign((void **)&buf, BLOCK, size))
		die("memory");
	memset(buf, 0x5a, size);
	for (; optind < argc; optind++, nr++) {
		fds[nr] = open(argv[optind], (writing ? O_RDWR : O_RDONLY) | O_DIRECT);
		if (fds[nr] < 0)
			die(argv[optind]);
	}
	if (phase)
		map_marks();
	for (unsigned int round = 0; round < rounds; round++) {
		if (phase && round == 1)
			mark(phase);
		for (int i = 0; i < nr; i++)
			values[i][round] = seconds ? timed_round(fds[i]) :
					   (double)one_round(fds[i], buf) / count;
	}
	if (phase)
		mark(0);
	for (int i = 0; i < nr; i++) {
		/* All of them, so that ratios can be taken round by round. */
		for (unsigned int round = 1; seconds && round < rounds; round++)
			printf("%.0f ", values[i][round]);
		qsort(values[i] + 1, rounds - 1, sizeof(double), compare);
		printf("%.1f\n", seconds ? median(values[i] + 1, rounds - 1) : values[i][1]);
	}
	return 0;
}
