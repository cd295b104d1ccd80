/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the torture tests, which run in one process in the guest: disks
 * served from memory, one log of all that reaches them, states after a power cut,
 * and a model of what each sector may hold. Nothing here shares code with the
 * module or with libdmremap, and nothing but set.c knows the module's interface.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR	512

/* --- Time ---------------------------------------------------------------- */

/*
 * One counter for everything: requests that reach a disk, their answers, and I/O
 * of the user that begins and ends. Moments are never 0.
 */
uint32_t moment(void);
uint32_t last_moment(void);

/* A random number that depends on nothing but its arguments. */
uint64_t mix(uint64_t a, uint64_t b);

/* --- Disks (disk.c) ------------------------------------------------------ */

#define MAX_DISKS	8

enum request_kind {
	DISK_WRITE,
	DISK_TRIM,	/* became zeroes */
	DISK_FLUSH,
	DISK_DECAY,	/* no request: the content can no longer be read */
};

/* Flags of sectors; they stay until they are taken back. */
#define BAD_READ	1u
#define BAD_WRITE	2u

struct request {
	uint8_t disk, kind;
	bool fua, failed;
	uint32_t sector, nr;		/* what it changed, which may be a part */
	const uint8_t *data;		/* nr sectors; NULL: none */
	uint32_t received, answered;	/* moments */
};

/* What a disk holds: of each sector a pointer to its content. */
struct disk_state {
	const uint8_t **content;
	uint8_t *flags;
	bool dead;
};

struct state {
	struct disk_state disk[MAX_DISKS];
};

extern unsigned int nr_disks;
extern uint32_t disk_sectors[MAX_DISKS];
extern const uint8_t unreadable[SECTOR];	/* the content of a sector that decayed */

/* Connect /dev/nbd0 and on; then requests are served by a thread. */
void disks_start(unsigned int nr, const uint32_t *sectors, uint64_t seed);
/* From now on the order of service depends on this. */
void disks_seed(uint64_t seed);

/* What the disks hold now, and let them hold something else. Nobody uses them. */
void state_init(struct state *s);
void state_copy(struct state *to, const struct state *from);
void disks_get(struct state *s);
void disks_set(const struct state *s);
/* Without using the block device. */
void disk_peek(unsigned int disk, uint32_t sector, const uint8_t **content);
void disk_poke(unsigned int disk, uint32_t sector, uint32_t nr, const uint8_t *data);

/*
 * Faults. @lost is called for each sector that can not be read from now on, with
 * what it held.
 */
typedef void lost_fn(unsigned int disk, uint32_t sector, const uint8_t *content);
void disk_flag(unsigned int disk, uint32_t sector, uint32_t nr, uint8_t flags, lost_fn *lost);
void disk_decay(unsigned int disk, uint32_t sector, lost_fn *lost);
void disk_die(unsigned int disk, bool dead, lost_fn *lost);
/* The next flushes fail, and what was not flushed before is never sure to be there. */
void disk_fail_flushes(unsigned int disk, unsigned int nr);
void disks_heal(void);

/*
 * The log, in the order of execution. It begins anew with log_begin(); memory of
 * contents that came later than a mark can be given back.
 */
struct fault {
	uint32_t at;
	uint8_t disk, flags;
	uint32_t sector, nr;	/* nr 0: the whole disk; flags: dead or not */
};

struct log {
	struct request *requests;
	uint32_t nr, size;
	struct fault *faults;
	uint32_t nr_faults, size_faults;
	struct state base;	/* what the disks held when it began */
	uint32_t begin, end;	/* moments */
};

void log_begin(struct log *log);
void log_end(void);
size_t memory_mark(void);
void memory_release(size_t mark);
/* Keep only what the disks hold. Nobody uses them, and there is no log. */
void memory_compact(void);

/* --- Power cuts (cut.c) -------------------------------------------------- */

enum cut_way {
	CUT_DROP,	/* nothing is there that was not flushed */
	CUT_KEEP,	/* everything is */
	CUT_SECTORS,	/* each sector by its own */
	CUT_REQUESTS,	/* each request as a whole */
	CUT_TORN,	/* of each request a part of its beginning or its end */
	CUT_DISKS,	/* disk by disk, all or nothing */
	CUT_LAST,	/* only the last requests are missing */
	CUT_WAYS,
};

/* What the disks hold if the power is cut at this moment. */
void cut_state(const struct log *log, uint32_t at, enum cut_way way, uint64_t seed,
	       struct state *s);

/* --- The model (model.c) ------------------------------------------------- */

enum op_kind {
	OP_WRITE,	/* its version is there then */
	OP_ZERO,	/* zeroes are */
	OP_DISCARD,	/* zeroes are, or what was there */
	OP_LOSE,	/* an error is */
};

struct op {
	uint8_t kind;
	bool fua, failed, unsure;	/* unsure: a flush of it failed */
	uint32_t sector, nr;
	uint64_t version;
	uint32_t begin, end;	/* moments; end 0: was never answered */
	uint32_t durable;	/* when it was known to be; 0: never */
};

struct model;

struct model *model_new(uint32_t sectors);
void model_free(struct model *m);
/* The content that the sectors have at the beginning. */
void model_start(struct model *m, uint64_t version);
/* Changes begin and end; the result is their number. */
uint32_t model_begin(struct model *m, enum op_kind kind, uint32_t sector, uint32_t nr,
		     bool fua);
void model_end(struct model *m, uint32_t op, bool failed);
uint64_t model_version(const struct model *m, uint32_t op);
/* All that ended before @begin is durable at @end. */
void model_flushed(struct model *m, uint32_t begin, uint32_t end);
/* A flush failed: what was not durable before is not made so by another. */
void model_flush_failed(struct model *m);
/* What a medium holds can no longer be read: where it was current, it is lost. */
void model_lost(struct model *m, const uint8_t *content, int64_t home);

/* What was seen in one sector. */
struct seen {
	int error;		/* 0 or a positive errno */
	uint64_t version;	/* 0: zeroes; ~0: none of ours */
	uint64_t sector;	/* whose it is */
};

void fill(void *buf, uint64_t sector, uint32_t nr, uint64_t version);
void look(const void *buf, struct seen *seen);
void describe(const struct seen *seen, char *text, size_t size);

/*
 * May this sector look so to a read that began and ended at these moments, with no
 * crash between; or after a power cut at this moment?
 */
bool model_allows_read(const struct model *m, uint32_t sector, const struct seen *seen,
		       uint32_t begin, uint32_t end);
bool model_allows_cut(const struct model *m, uint32_t sector, const struct seen *seen,
		      uint32_t cut);
/* What would be allowed, for people. */
void model_explain(const struct model *m, uint32_t sector, uint32_t cut, char *text,
		   size_t size);
/* Forget what no read or cut after @before can see any more. */
void model_prune(struct model *m, uint32_t before);
/* The content is what was seen after a cut at this moment: a model of its own for what follows. */
struct model *model_after(const struct model *before, const struct seen *seen, uint32_t cut);

#endif
