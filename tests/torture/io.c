// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many I/Os at once from one thread, by the kernel's asynchronous I/O; what has no
 * asynchronous form, and everything slow, by a thread beside it. What is read is
 * judged at once: no crash is between.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../tools/common.h"
#include "user.h"

#define SLOTS		32
#define MAX_NR		512	/* sectors of one I/O */
#define MAX_SINGLE	4096	/* sectors to be looked at one by one */

struct io {
	struct iocb cb;
	enum io_kind kind;
	bool busy;
	uint32_t sector, nr, op, begin;
	uint8_t *buf;
	int result;		/* of what a thread does */
	pthread_t thread;
	bool threaded, ended;
};

bool io_may_fail, io_reads_may_fail;
void (*io_promised)(uint32_t at);
unsigned long io_done[IO_KINDS], io_failed[IO_KINDS], wrong;
char doing[256];

static struct io ios[SLOTS];
static unsigned int running;
static aio_context_t context;
static struct model *model;
static int fd = -1;
static uint32_t single[MAX_SINGLE];
static unsigned int nr_single;

void found_wrong(const char *fmt, ...)
{
	va_list args;

	if (wrong++ >= 20)
		return;
	printf("WRONG: %s: ", doing);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

void io_open(const struct set *set, struct model *m)
{
	(void)set;
	if (!context && syscall(SYS_io_setup, SLOTS, &context))
		die("io_setup: %m");
	for (unsigned int i = 0; i < SLOTS && !ios[0].buf; i++)
		ios[SLOTS - 1 - i].buf = aligned(MAX_NR * SECTOR);
	fd = dm_open(NAME, O_RDWR | O_DIRECT);
	model = m;
}

void io_close(void)
{
	io_wait(0);
	close(fd);
	fd = -1;
}

unsigned int io_running(void)
{
	return running;
}

static const enum op_kind op_of[] = {
	[IO_WRITE] = OP_WRITE, [IO_FUA] = OP_WRITE, [IO_ZERO] = OP_ZERO,
	[IO_DISCARD] = OP_DISCARD,
};

static bool changes(enum io_kind kind)
{
	return kind != IO_READ && kind != IO_FLUSH;
}

/* There are no asynchronous forms of these. */
static void *by_thread(void *arg)
{
	struct io *io = arg;
	uint64_t range[2] = { (uint64_t)io->sector * SECTOR, (uint64_t)io->nr * SECTOR };

	io->result = ioctl(fd, io->kind == IO_ZERO ? BLKZEROOUT : BLKDISCARD, range) ?
			     -errno : 0;
	__atomic_store_n(&io->ended, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void submit(struct io *io)
{
	struct iocb *cb = &io->cb;

	if (io->kind == IO_ZERO || io->kind == IO_DISCARD) {
		io->threaded = true;
		if (pthread_create(&io->thread, NULL, by_thread, io))
			die("thread");
		return;
	}
	memset(cb, 0, sizeof(*cb));
	cb->aio_fildes = fd;
	cb->aio_data = (uintptr_t)io;
	cb->aio_buf = (uintptr_t)io->buf;
	cb->aio_nbytes = (uint64_t)io->nr * SECTOR;
	cb->aio_offset = (int64_t)io->sector * SECTOR;
	cb->aio_lio_opcode = io->kind == IO_READ ? IOCB_CMD_PREAD :
			     io->kind == IO_FLUSH ? IOCB_CMD_FDSYNC : IOCB_CMD_PWRITE;
	if (io->kind == IO_FUA)
		cb->aio_rw_flags = RWF_DSYNC;
	if (io->kind == IO_FLUSH)
		cb->aio_buf = cb->aio_nbytes = cb->aio_offset = 0;
	if (syscall(SYS_io_submit, context, 1, &cb) != 1)
		die("io_submit: %m");
}

/* There is a free slot. */
static void start(enum io_kind kind, uint32_t sector, uint32_t nr)
{
	struct io *io = ios;

	while (io->busy)
		io++;
	*io = (struct io){ .kind = kind, .busy = true, .sector = sector, .buf = io->buf,
			   .nr = nr < MAX_NR ? nr : MAX_NR };
	if (changes(kind))
		io->op = model_begin(model, op_of[kind], sector, io->nr, kind == IO_FUA);
	io->begin = moment();
	if (kind == IO_WRITE || kind == IO_FUA)
		fill(io->buf, sector, io->nr, model_version(model, io->op));
	running++;
	submit(io);
}

/* An error tells nothing about which sector it is: one of them must be allowed to. */
static void judge_error(const struct io *io, int err, uint32_t end)
{
	const struct seen seen = { .error = err };
	char text[512];

	for (uint32_t i = 0; i < io->nr; i++) {
		if (!model_allows_read(model, io->sector + i, &seen, io->begin, end))
			continue;
		for (i = 0; io->nr > 1 && i < io->nr && nr_single < MAX_SINGLE; i++)
			single[nr_single++] = io->sector + i;
		return;
	}
	model_explain(model, io->sector, end, text, sizeof(text));
	found_wrong("a read of sectors %u to %u fails (%s); %s", io->sector,
		    io->sector + io->nr - 1, strerrorname_np(err), text);
}

static void judge_read(const struct io *io, uint32_t end)
{
	char text[512], is[128];
	struct seen seen;

	for (uint32_t i = 0; i < io->nr; i++) {
		look(io->buf + (size_t)i * SECTOR, &seen);
		if (model_allows_read(model, io->sector + i, &seen, io->begin, end))
			continue;
		describe(&seen, is, sizeof(is));
		model_explain(model, io->sector + i, io->begin, text, sizeof(text));
		found_wrong("sector %u reads as %s; allowed: %s (read from %u to %u)",
			    io->sector + i, is, text, io->begin, end);
		return;
	}
}

static void complete(struct io *io, int64_t result)
{
	int err = result < 0 ? -result : 0;
	uint32_t end;

	io_done[io->kind]++;
	io_failed[io->kind] += !!err;
	if (err && io->kind == IO_DISCARD && err == EOPNOTSUPP)
		err = 0;
	if (changes(io->kind))
		model_end(model, io->op, err);
	end = moment();
	if (io->kind == IO_FLUSH && !err)
		model_flushed(model, io->begin, end);
	else if (io->kind == IO_FLUSH)
		model_flush_failed(model);
	if (io_promised && (io->kind == IO_FLUSH || io->kind == IO_FUA) && !err)
		io_promised(end);
	/* A device that is gone says nothing about its medium (R4). */
	if (io->kind == IO_READ && err && err != ENODATA && io_reads_may_fail)
		;
	else if (io->kind == IO_READ && err)
		judge_error(io, err, end);
	else if (io->kind == IO_READ)
		judge_read(io, end);
	else if (err && !io_may_fail)
		found_wrong("I/O of kind %d to sectors %u to %u fails (%s)", io->kind,
			    io->sector, io->sector + io->nr - 1, strerrorname_np(err));
	io->busy = false;
	running--;
}

static void reap(void)
{
	struct timespec limit = { .tv_nsec = 500000 };
	struct io_event events[SLOTS];
	long n = syscall(SYS_io_getevents, context, 1, SLOTS, events, &limit);

	if (n < 0 && errno != EINTR)
		die("io_getevents: %m");
	for (long i = 0; i < n; i++)
		complete((struct io *)(uintptr_t)events[i].data, events[i].res);
	for (struct io *io = ios; io < ios + SLOTS; io++) {
		if (!io->busy || !io->threaded ||
		    !__atomic_load_n(&io->ended, __ATOMIC_SEQ_CST))
			continue;
		pthread_join(io->thread, NULL);
		complete(io, io->result);
	}
}

void io_wait(unsigned int most)
{
	while (running > most || (nr_single && !most)) {
		/* What failed as a whole is looked at sector by sector (R5). */
		while (nr_single && running < SLOTS)
			start(IO_READ, single[--nr_single], 1);
		reap();
	}
}

void io_start(enum io_kind kind, uint32_t sector, uint32_t nr)
{
	io_wait(SLOTS - 1);
	start(kind, sector, nr);
}

/* --- Jobs ---------------------------------------------------------------- */

static pthread_t job_thread;
static bool job_running, job_ended;
static job_fn *job;

static void *run_job(void *arg)
{
	(void)arg;
	job();
	__atomic_store_n(&job_ended, true, __ATOMIC_SEQ_CST);
	return NULL;
}

void job_start(job_fn *fn)
{
	job = fn;
	job_running = true;
	job_ended = false;
	if (pthread_create(&job_thread, NULL, run_job, NULL))
		die("thread");
}

bool job_busy(void)
{
	if (job_running && __atomic_load_n(&job_ended, __ATOMIC_SEQ_CST)) {
		pthread_join(job_thread, NULL);
		job_running = false;
	}
	return job_running;
}

void job_wait(void)
{
	while (job_busy()) {
		if (running)
			reap();
		else
			usleep(100);
	}
}
