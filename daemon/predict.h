/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What will fail next: events in, ranges of blocks in danger out. Pure logic: no I/O, no
 * loop, the clock is given. The rules (predict-rules.c) are the one predictor now; a
 * learned model would be another, and its ranges would join the same list.
 *
 * rules.c acts on the list, the most urgent range first, and gives back what came of it.
 */
#ifndef DMREMAPD_PREDICT_H
#define DMREMAPD_PREDICT_H

#include "daemon.h"

/* --- danger.c: ranges that wait --------------------------------------------------- */

enum danger_reason {
	DANGER_SLOW,		/* I/O there was slow */
	DANGER_SPREAD,		/* beside what was found slow when it was moved */
	DANGER_NEIGHBOUR,	/* beside what failed */
	NR_DANGER_REASONS,
};

const char *danger_reason_text(enum danger_reason reason);

struct danger {
	uint64_t first, count;		/* blocks of the mapped device; count is never 0 */
	enum danger_reason reason;
	uint8_t urgency;		/* higher first; the newest of equals first */
	bool slow_only;			/* move only what is slow when it is read now */
	uint64_t when;
};

#define DANGER_MAX	256

/*
 * Ranges that do not overlap. What is added later wins, but for one thing: what is to be
 * moved anyway stays so. When there is no room the least urgent, oldest one is dropped.
 */
struct danger_list {
	unsigned int nr;
	uint64_t dropped;		/* ranges, for want of room */
	struct danger ranges[DANGER_MAX];
};

void danger_add(struct danger_list *list, const struct danger *danger);
/* Cut at most @max blocks off the most urgent range. False: there is none. */
bool danger_take(struct danger_list *list, uint64_t max, struct danger *danger);
void danger_remove(struct danger_list *list, uint64_t first, uint64_t count);
/* Drop all that were told before @before. */
void danger_forget(struct danger_list *list, uint64_t before);
/* Drop all that are to be moved only if they are slow. */
void danger_drop_slow(struct danger_list *list);
bool danger_covers(const struct danger_list *list, uint64_t block, uint64_t since);
uint64_t danger_blocks(const struct danger_list *list);

/*
 * Blocks that may be moved in a day (UTC). A clock that is set back gives nothing anew.
 */
struct danger_budget {
	uint64_t day;			/* days since 1970 */
	uint64_t used;			/* blocks */
};

uint64_t budget_left(struct danger_budget *budget, uint64_t limit, uint64_t now);
void budget_take(struct danger_budget *budget, uint64_t blocks);
/* What was taken and not needed after all, if it is still the same day. */
void budget_return(struct danger_budget *budget, uint64_t blocks, uint64_t now);

/* How many blocks of @slots rules may still take, if @percent of all are to stay free. */
uint64_t reserve_left(uint64_t slots, uint64_t used, uint32_t percent);

/* --- Predictors ----------------------------------------------------------------- */

/* What a predictor is told of the set beside its events. */
struct predict_set {
	uint64_t blocks;		/* of the mapped device; 0: not known yet */
	uint32_t block_sectors;
	bool slow, neighbours;		/* what is wanted, as in the configuration */
	uint32_t distance;		/* blocks */
};

struct predictor {
	const char *name;
	/* State for one set; NULL: no memory. */
	void *(*new_state)(void);
	void (*free_state)(void *state);
	/* Any event of the set, in order. Adds to @list what is in danger now. */
	void (*event)(void *state, const struct predict_set *set,
		      const struct dmremap_event *event, uint64_t now,
		      struct danger_list *list);
	/* A range was taken and is being moved: what is told of it is our own doing. */
	void (*begun)(void *state, const struct danger *danger, uint64_t now);
	/* What came of it, and how long it took. */
	void (*ended)(void *state, const struct predict_set *set, const struct danger *danger,
		      const struct dmremap_result *result, uint64_t took, uint64_t now,
		      struct danger_list *list);
};

extern const struct predictor predict_rules;

#endif
