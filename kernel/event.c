// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: what happened is put into a small table from any context, and sent from
 * a work at most ten times a second. What happens again before it is sent is counted,
 * not listed, so that a storm costs bounded memory and no healthy I/O anything
 * (R10). Totals are exact whatever is dropped.
 */
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "dm-remap.h"

#define EVENT_PAUSE	(HZ / 10)

static void event_work(struct work_struct *work);

int event_init(struct remap_set *set)
{
	struct remap_events *ev = &set->events;

	spin_lock_init(&ev->lock);
	INIT_DELAYED_WORK(&ev->work, event_work);
	ev->last = jiffies - EVENT_PAUSE;
	ev->fill = kvzalloc(sizeof(*ev->fill), GFP_NOIO);
	ev->drain = kvzalloc(sizeof(*ev->drain), GFP_NOIO);
	return ev->fill && ev->drain ? 0 : -ENOMEM;
}

void event_destroy(struct remap_set *set)
{
	kvfree(set->events.fill);
	kvfree(set->events.drain);
}

/* --- Filling ------------------------------------------------------------- */

static void add_extent(struct event_record *r, u64 sector, u64 nr)
{
	unsigned int i;

	for (i = 0; i < r->nr_extents; i++) {
		struct event_extent *x = &r->extents[i];
		u64 end = max(x->sector + x->count, sector + nr);

		if (sector > x->sector + x->count || x->sector > sector + nr)
			continue;
		x->sector = min(x->sector, sector);
		x->count = end - x->sector;
		return;
	}
	if (r->nr_extents == EVENT_EXTENTS) {
		r->extents_lost++;
		return;
	}
	r->extents[r->nr_extents].sector = sector;
	r->extents[r->nr_extents++].count = nr;
}

static bool same(const struct event_record *a, const struct event_record *b)
{
	return !a->edge && !b->edge && a->kind == b->kind && a->member == b->member &&
	       a->direction == b->direction && a->class == b->class;
}

/* One that can be added to, or a new one; NULL if the table is full. */
static struct event_record *find_record(struct event_list *list, const struct event_record *like)
{
	struct event_record *r;
	unsigned int i;

	for (i = list->nr; i; i--)
		if (same(&list->records[i - 1], like))
			return &list->records[i - 1];
	if (list->nr == EVENT_RECORDS)
		return NULL;
	r = &list->records[list->nr++];
	*r = *like;
	return r;
}

static void event_add(struct remap_set *set, struct event_record *new, u64 sector, u64 nr)
{
	struct remap_events *ev = &set->events;
	struct event_record *r;
	unsigned long flags, wait, since;

	new->time = ktime_get_real_ns();
	spin_lock_irqsave(&ev->lock, flags);
	ev->totals[new->kind]++;
	r = find_record(ev->fill, new);
	if (r) {
		r->time_last = new->time;
		r->occurrences++;
		r->total = ev->totals[new->kind];
		r->max_us = max(r->max_us, new->max_us);
		if (nr)
			add_extent(r, sector, nr);
	} else {
		ev->dropped++;
	}
	since = jiffies - ev->last;
	wait = since < EVENT_PAUSE ? EVENT_PAUSE - since : 0;
	spin_unlock_irqrestore(&ev->lock, flags);
	/* Nothing if it is on its way already. */
	queue_delayed_work(remap_wq, &ev->work, wait);
}

#define NEW_RECORD(nr, ...) \
	{ .kind = (nr), .member = -1, .direction = -1, .class = -1, .reason = -1, \
	  .breaker = -1, ##__VA_ARGS__ }

void event_io(struct remap_set *set, enum dmr_nl_event kind, unsigned int member,
	      bool write, blk_status_t status, sector_t sector, u64 nr, u64 us)
{
	struct event_record r = NEW_RECORD(kind);

	r.member = member;
	r.direction = write ? DMR_NL_DIRECTION_WRITE : DMR_NL_DIRECTION_READ;
	r.class = status ? status_class(status) : -1;
	r.max_us = min_t(u64, us, U32_MAX);
	event_add(set, &r, sector, nr);
}

void event_place(struct remap_set *set, enum dmr_nl_event kind, int member, sector_t sector,
		 u64 nr)
{
	struct event_record r = NEW_RECORD(kind);

	r.member = member;
	event_add(set, &r, sector, nr);
}

void event_edge(struct remap_set *set, enum dmr_nl_event kind, int member)
{
	struct event_record r = NEW_RECORD(kind, .edge = true);

	r.member = member;
	if (kind == DMR_NL_EVENT_BREAKER_OPEN)
		r.breaker = set->breaker_write ? DMR_NL_BREAKER_OPEN_WRITES :
						 DMR_NL_BREAKER_OPEN;
	else if (kind == DMR_NL_EVENT_BREAKER_CLOSED)
		r.breaker = DMR_NL_BREAKER_CLOSED;
	spare_total(set, &r.slots_used, &r.slots);
	event_add(set, &r, 0, 0);
}

void event_policy(struct remap_set *set, enum dmr_nl_reason reason)
{
	struct event_record r = NEW_RECORD(DMR_NL_EVENT_POLICY, .edge = true);

	r.reason = reason;
	event_add(set, &r, 0, 0);
}

/* --- Sending ------------------------------------------------------------- */

/* Take what waits, if all that was taken before has been sent. */
static void refill(struct remap_events *ev)
{
	unsigned long flags;

	if (ev->drained < ev->drain->nr)
		return;
	spin_lock_irqsave(&ev->lock, flags);
	ev->drain->nr = 0;
	ev->drained = 0;
	swap(ev->fill, ev->drain);
	ev->last = jiffies;
	spin_unlock_irqrestore(&ev->lock, flags);
}

/* False: there is no memory to send all. */
static bool send_events(struct remap_set *set)
{
	struct remap_events *ev = &set->events;

	refill(ev);
	while (ev->drained < ev->drain->nr) {
		struct event_record *r = &ev->drain->records[ev->drained];

		if (netlink_event(set, r, ev->seq + 1))
			return false;
		WRITE_ONCE(ev->seq, ev->seq + 1);
		ev->drained++;
	}
	return true;
}

static void event_work(struct work_struct *work)
{
	struct remap_events *ev = container_of(to_delayed_work(work), struct remap_events, work);
	struct remap_set *set = container_of(ev, struct remap_set, events);
	unsigned long since = jiffies - READ_ONCE(ev->last);

	/* Queued by who did not know yet that this had just been sent. */
	if (since < EVENT_PAUSE)
		queue_delayed_work(remap_wq, &ev->work, EVENT_PAUSE - since);
	else if (!send_events(set) || READ_ONCE(ev->fill->nr))
		queue_delayed_work(remap_wq, &ev->work, EVENT_PAUSE);
}

void event_flush(struct remap_set *set)
{
	struct remap_events *ev = &set->events;

	if (!ev->fill || !ev->drain)
		return;
	cancel_delayed_work_sync(&ev->work);
	/* What was taken before, and what came since. */
	if (send_events(set))
		send_events(set);
	ev->dropped += ev->drain->nr - ev->drained + ev->fill->nr;
	/* A sender that came in between has queued itself. */
	cancel_delayed_work_sync(&ev->work);
}
