/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges of blocks that wait to be moved, and how many may be. Pure; see predict.h.
 */
#include <string.h>

#include "predict.h"

#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))
#define NSEC_PER_DAY	(86400 * NSEC_PER_SEC)

const char *danger_reason_text(enum danger_reason reason)
{
	switch (reason) {
	case DANGER_SLOW:
		return "slow";
	case DANGER_SPREAD:
		return "beside slow blocks";
	case DANGER_NEIGHBOUR:
		return "beside failed blocks";
	default:
		return "unknown";
	}
}

static uint64_t end_of(const struct danger *d)
{
	return d->first + d->count;
}

static bool overlap(const struct danger *d, uint64_t first, uint64_t end)
{
	return d->first < end && first < end_of(d);
}

/* True if @a is to be done before @b. */
static bool before(const struct danger *a, const struct danger *b)
{
	return a->urgency != b->urgency ? a->urgency > b->urgency : a->when > b->when;
}

static void delete_at(struct danger_list *list, unsigned int i)
{
	list->ranges[i] = list->ranges[--list->nr];
}

static void insert(struct danger_list *list, const struct danger *d)
{
	unsigned int i, last = 0;

	if (list->nr == DANGER_MAX) {
		for (i = 1; i < list->nr; i++)
			if (before(&list->ranges[last], &list->ranges[i]))
				last = i;
		list->dropped++;
		if (before(&list->ranges[last], d))
			return;
		delete_at(list, last);
	}
	list->ranges[list->nr++] = *d;
}

void danger_remove(struct danger_list *list, uint64_t first, uint64_t count)
{
	uint64_t end = first + count;
	unsigned int i = 0;

	while (i < list->nr) {
		struct danger *d = &list->ranges[i];
		struct danger tail = *d;

		if (!overlap(d, first, end)) {
			i++;
			continue;
		}
		if (end_of(d) > end) {
			tail.first = end;
			tail.count = end_of(d) - end;
		} else {
			tail.count = 0;
		}
		if (d->first < first) {
			d->count = first - d->first;
			i++;
			if (tail.count)
				insert(list, &tail);
		} else if (tail.count) {
			*d = tail;
			i++;
		} else {
			delete_at(list, i);
		}
	}
}

/* Told of in one event, or one after another in the same: a run of its own. */
static bool join(struct danger_list *list, const struct danger *d)
{
	unsigned int i;

	for (i = 0; i < list->nr; i++) {
		struct danger *e = &list->ranges[i];

		if (e->when != d->when || e->reason != d->reason ||
		    e->urgency != d->urgency || e->slow_only != d->slow_only)
			continue;
		if (end_of(e) == d->first) {
			e->count += d->count;
			return true;
		}
		if (end_of(d) == e->first) {
			e->first = d->first;
			e->count += d->count;
			return true;
		}
	}
	return false;
}

void danger_add(struct danger_list *list, const struct danger *danger)
{
	struct danger rest = *danger, piece;
	unsigned int i;

	if (!danger->count || danger->first + danger->count < danger->first)
		return;
	if (!danger->slow_only)
		danger_remove(list, danger->first, danger->count);
	/* Piece by piece between what is to be moved anyway. */
	while (rest.count) {
		uint64_t end = end_of(&rest), stop = end, next = end;

		for (i = 0; rest.slow_only && i < list->nr; i++) {
			struct danger *e = &list->ranges[i];

			if (e->slow_only || !overlap(e, rest.first, stop))
				continue;
			e->when = MAX(e->when, rest.when);
			stop = MAX(e->first, rest.first);
			next = MIN(end_of(e), end);
		}
		piece = rest;
		piece.count = stop - rest.first;
		if (piece.count) {
			danger_remove(list, piece.first, piece.count);
			if (!join(list, &piece))
				insert(list, &piece);
		}
		rest.first = next;
		rest.count = end - next;
	}
}

bool danger_take(struct danger_list *list, uint64_t max, struct danger *danger)
{
	unsigned int i, best = 0;
	struct danger *d;

	if (!list->nr || !max)
		return false;
	for (i = 1; i < list->nr; i++)
		if (before(&list->ranges[i], &list->ranges[best]))
			best = i;
	d = &list->ranges[best];
	*danger = *d;
	danger->count = MIN(max, d->count);
	if (danger->count == d->count) {
		delete_at(list, best);
	} else {
		d->first += danger->count;
		d->count -= danger->count;
	}
	return true;
}

void danger_forget(struct danger_list *list, uint64_t before)
{
	unsigned int i = 0;

	while (i < list->nr) {
		if (list->ranges[i].when < before)
			delete_at(list, i);
		else
			i++;
	}
}

void danger_drop_slow(struct danger_list *list)
{
	unsigned int i = 0;

	while (i < list->nr) {
		if (list->ranges[i].slow_only)
			delete_at(list, i);
		else
			i++;
	}
}

bool danger_covers(const struct danger_list *list, uint64_t block, uint64_t since)
{
	unsigned int i;

	for (i = 0; i < list->nr; i++)
		if (list->ranges[i].when >= since && overlap(&list->ranges[i], block, block + 1))
			return true;
	return false;
}

uint64_t danger_blocks(const struct danger_list *list)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < list->nr; i++)
		sum += list->ranges[i].count;
	return sum;
}

/* --- Budget --------------------------------------------------------------- */

uint64_t budget_left(struct danger_budget *budget, uint64_t limit, uint64_t now)
{
	uint64_t day = now / NSEC_PER_DAY;

	if (day > budget->day)
		budget->used = 0;
	/* Set back a little, it comes forward again; by much, it was wrong before. */
	if (day > budget->day || budget->day - day > 2)
		budget->day = day;
	return limit > budget->used ? limit - budget->used : 0;
}

void budget_take(struct danger_budget *budget, uint64_t blocks)
{
	budget->used += MIN(blocks, UINT64_MAX - budget->used);
}

void budget_return(struct danger_budget *budget, uint64_t blocks, uint64_t now)
{
	if (now / NSEC_PER_DAY == budget->day)
		budget->used -= MIN(blocks, budget->used);
}

uint64_t reserve_left(uint64_t slots, uint64_t used, uint32_t percent)
{
	uint64_t free_, reserve;

	percent = MIN(percent, 100u);
	/* Rounded up, without overflow. */
	reserve = slots / 100 * percent + (slots % 100 * percent + 99) / 100;
	free_ = slots > used ? slots - used : 0;
	return free_ > reserve ? free_ - reserve : 0;
}
