/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user of a set: makes it, starts and stops it, does I/O with many requests at
 * once, and judges what it is told against the model. One thread calls all of this.
 */
#ifndef TORTURE_USER_H
#define TORTURE_USER_H

#include "torture.h"

#define NAME		"torture"
#define MAX_SPARES	3
#define MAX_TABLES	4

/* --- Sets (set.c) -------------------------------------------------------- */

enum shape {
	SHAPE_HEADER,	/* the data device has a header */
	SHAPE_ADOPTED,	/* it has none */
	SHAPE_INTERNAL,	/* a spare at its end, and another */
	SHAPES,
};

struct table {
	char args[256];
	uint32_t since;		/* there is no need to try it before */
};

struct set {
	enum shape shape;
	uint32_t length, offset, block;	/* sectors */
	unsigned int data;		/* disk */
	unsigned int spare[MAX_SPARES], nr_spares;	/* disks */
	/* Those that may be the right one, the newest last. */
	struct table tables[MAX_TABLES];
	unsigned int nr_tables;
};

/* A new set on the given disks, filled with version 1. */
void set_make(struct set *set, enum shape shape, uint32_t block, unsigned int data,
	      unsigned int first_spare, unsigned int nr_spares, uint64_t seed);
/* 0 or -errno; then the reason is in set_reason. */
int set_start_with(const struct set *set, const char *args);
int set_stop(void);
int set_reload(const struct set *set, const char *args);
extern char set_reason[256];
/* Every sector, one by one where it must be. */
void set_read(const struct set *set, struct seen *seen);
/* A program of the tree; its output is in run_output. */
int run_program(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
extern char run_output[4096];

/* --- I/O (io.c) ---------------------------------------------------------- */

enum io_kind {
	IO_READ,
	IO_WRITE,
	IO_FUA,
	IO_FLUSH,
	IO_ZERO,
	IO_DISCARD,
	IO_KINDS,
};

void io_open(const struct set *set, struct model *model);
void io_close(void);
unsigned int io_running(void);
void io_start(enum io_kind kind, uint32_t sector, uint32_t nr);
/* Wait until at most so many run. */
void io_wait(unsigned int most);
extern bool io_may_fail;	/* writes and flushes may, if there is a reason */
extern bool io_reads_may_fail;	/* whatever the model says */
extern void (*io_promised)(uint32_t at);	/* told when something became durable */
extern unsigned long io_done[IO_KINDS], io_failed[IO_KINDS];

/* A slow call beside I/O: a message, a program, a suspend. One at a time. */
typedef void job_fn(void);
void job_start(job_fn *fn);
bool job_busy(void);
void job_wait(void);

/* --- Verdicts ------------------------------------------------------------ */

extern unsigned long wrong;		/* found so far */
void found_wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What is being done, for the report. */
extern char doing[256];

#endif
