// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events for people: the names of their kinds, and a sentence for each that tells what
 * happened, to what, and where.
 */
#include <inttypes.h>

#include "netlink-names.h"
#include "private.h"

static const char *word(const char *const *words, size_t nr, u32 n)
{
	return n < nr && words[n] ? words[n] : "unknown";
}

const char *dmremap_event_name(uint32_t kind)
{
	if (kind == DMREMAP_EVENT_ACT)
		return "act";
	return word(dmr_nl_event_names, ARRAY_SIZE(dmr_nl_event_names), kind);
}

const char *dmremap_class_name(uint32_t class_)
{
	return word(dmr_nl_class_names, ARRAY_SIZE(dmr_nl_class_names), class_);
}

const char *dmremap_scrub_state_name(enum dmremap_scrub_state state)
{
	return word(dmr_nl_scrub_state_names, ARRAY_SIZE(dmr_nl_scrub_state_names), state);
}

int dmremap_event_parse_name(const char *name, uint32_t *kind, struct dmremap_error *err)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(dmr_nl_event_names); i++) {
		if (!strcmp(name, dmr_nl_event_names[i])) {
			*kind = i;
			return 0;
		}
	}
	if (!strcmp(name, dmremap_event_name(DMREMAP_EVENT_ACT))) {
		*kind = DMREMAP_EVENT_ACT;
		return 0;
	}
	return dmri_error(err, -EINVAL, "There is no kind of event \"%.64s\".", name);
}

/* --- Sentences ------------------------------------------------------------------ */

struct text {
	char *buf;
	size_t size;
};

static _printf_(2, 3) void put(struct text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(t->buf, t->size, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	n = MIN((size_t)n, t->size ? t->size - 1 : 0);
	t->buf += n;
	t->size -= n;
}

static const char *s(u64 n)
{
	return n == 1 ? "" : "s";
}

static const char *has(u64 n)
{
	return n == 1 ? "has" : "have";
}

static const char *class_phrase(int32_t class_)
{
	static const char *const phrases[] = {
		[DMR_NL_CLASS_MEDIUM] = "medium error",
		[DMR_NL_CLASS_IOERR] = "I/O error",
		[DMR_NL_CLASS_TRANSPORT] = "transport error",
		[DMR_NL_CLASS_TIMEOUT] = "timeout",
		[DMR_NL_CLASS_OFFLINE] = "device offline",
		[DMR_NL_CLASS_TARGET] = "target error",
		[DMR_NL_CLASS_NEXUS] = "reservation conflict",
		[DMR_NL_CLASS_NOTSUPP] = "operation not supported",
		[DMR_NL_CLASS_PROTECTION] = "integrity error",
		[DMR_NL_CLASS_OTHER] = "error of another kind",
	};

	return class_ >= 0 && (size_t)class_ < ARRAY_SIZE(phrases) ? phrases[class_] :
								    "error of an unknown kind";
}

static void put_member(struct text *t, int32_t member)
{
	if (member > 0)
		put(t, "spare %d", member);
	else
		put(t, "the data device");
}

static u64 sectors(const struct dmremap_event *e)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < e->nr_extents; i++)
		sum += e->extents[i].count;
	return sum;
}

/* " at 123456" of one run, or " in 3 places from 123456 to 200007". */
static void put_place(struct text *t, const struct dmremap_event *e)
{
	u64 first = UINT64_MAX, last = 0;
	unsigned int i;

	for (i = 0; i < e->nr_extents; i++) {
		first = MIN(first, e->extents[i].start);
		last = MAX(last, e->extents[i].start + e->extents[i].count - 1);
	}
	if (e->nr_extents == 1 && !e->extents_lost)
		put(t, " at %" PRIu64, first);
	else if (e->nr_extents && e->extents_lost)
		put(t, " in %u places from %" PRIu64 " to %" PRIu64 " and in more",
		    e->nr_extents, first, last);
	else if (e->nr_extents)
		put(t, " in %u places from %" PRIu64 " to %" PRIu64, e->nr_extents, first,
		    last);
}

/* "8 sectors at 123456" */
static void put_sectors(struct text *t, const struct dmremap_event *e, const char *adjective)
{
	u64 n = sectors(e);

	put(t, "%" PRIu64 " %ssector%s", n, adjective, s(n));
	put_place(t, e);
}

/* "3 reads" */
static void put_ios(struct text *t, const struct dmremap_event *e)
{
	const char *what = e->direction == DMR_NL_DIRECTION_READ ? "read" :
			   e->direction == DMR_NL_DIRECTION_WRITE ? "write" : "I/O";

	put(t, "%" PRIu64 " %s%s", e->occurrences, what,
	    e->direction < 0 || e->direction > DMR_NL_DIRECTION_WRITE ? "" : s(e->occurrences));
}

static void put_failed(struct text *t, const struct dmremap_event *e)
{
	put_ios(t, e);
	put(t, " of ");
	put_member(t, e->member);
	put(t, " failed (%s)", class_phrase(e->class_));
	if (e->nr_extents) {
		put(t, ": ");
		put_sectors(t, e, "");
	}
	put(t, ".");
}

static void put_slow(struct text *t, const struct dmremap_event *e)
{
	put_ios(t, e);
	put(t, " of ");
	put_member(t, e->member);
	put(t, " took long, up to ");
	if (e->max_us >= 1000000)
		put(t, "%" PRIu64 ".%" PRIu64 " s", e->max_us / 1000000,
		    e->max_us / 100000 % 10);
	else
		put(t, "%" PRIu64 " ms", e->max_us / 1000);
	if (e->nr_extents) {
		put(t, ": ");
		put_sectors(t, e, "");
	}
	put(t, ".");
}

static void put_free_slots(struct text *t, const struct dmremap_event *e)
{
	u64 left = e->slots - MIN(e->slots, e->slots_used);

	put(t, "%" PRIu64 " of %" PRIu64 " spare blocks", left, e->slots);
}

static void put_spares(struct text *t, const struct dmremap_event *e)
{
	switch (e->kind) {
	case DMR_NL_EVENT_SPARE_LOW:
		put(t, "spare blocks run low");
		if (e->has_slots) {
			put(t, ": ");
			put_free_slots(t, e);
			put(t, " are free");
		}
		put(t, ".");
		break;
	case DMR_NL_EVENT_SPARE_FULL:
		put(t, "no spare block is free");
		if (e->has_slots)
			put(t, " (all %" PRIu64 " are in use)", e->slots);
		put(t, "; blocks that fail from now on return errors.");
		break;
	default:
		put(t, "enough spare blocks are free again");
		if (e->has_slots) {
			put(t, ": ");
			put_free_slots(t, e);
		}
		put(t, ".");
	}
}

static void put_spare(struct text *t, const struct dmremap_event *e)
{
	if (e->kind == DMR_NL_EVENT_SPARE_FAILED && e->member <= 0) {
		put(t, "the data device's own copy of the map can no longer be written; the map is kept on the spares.");
		return;
	}
	put_member(t, e->member);
	if (e->kind == DMR_NL_EVENT_SPARE_FAILED)
		put(t, " has failed and is out of the set; what lives on it is served as far as it goes.");
	else if (e->kind == DMR_NL_EVENT_SPARE_JOINED)
		put(t, " is a member of the set now.");
	else
		put(t, " was emptied and is no member of the set any more.");
}

static void put_policy(struct text *t, const struct dmremap_event *e)
{
	char version[32] = "";

	if (e->has_policy)
		dmri_text(version, sizeof(version), " (version %" PRIu64 ")",
			  e->policy.version);
	if (e->reason == DMR_NL_REASON_EXPIRED)
		put(t, "the lifetime of the policy has ended; risky settings are back at their defaults%s.",
		    version);
	else if (e->reason == DMR_NL_REASON_LOADED)
		put(t, "the policy of the last time is in force%s.", version);
	else
		put(t, "a new policy is in force%s.", version);
}

static void put_scrub(struct text *t, const struct dmremap_event *e)
{
	const struct dmremap_scrub *c = &e->scrub;
	u64 all = c->end > c->first ? c->end - c->first : 0;
	u64 done = c->position > c->first ? MIN(c->position - c->first, all) : 0;

	if (!e->has_scrub) {
		put(t, "the scrub has changed its state.");
		return;
	}
	switch (c->state) {
	case DMREMAP_SCRUB_IDLE:
		put(t, "the scrub was cancelled.");
		return;
	case DMREMAP_SCRUB_DONE:
		put(t, "the scrub is done: %" PRIu64 " block%s read", all, s(all));
		break;
	case DMREMAP_SCRUB_RUNNING:
		if (!done && !c->elapsed) {
			put(t, "a scrub has started.");
			return;
		}
		/* fall through */
	default:
		put(t, "the scrub %s at %u %%", c->state == DMREMAP_SCRUB_PAUSED ?
		    "pauses" : "is", all ? (unsigned int)(done * 100.0 / all) : 100);
	}
	put(t, c->lost ? ", %" PRIu64 " with lost sectors" : ", none with lost sectors",
	    c->lost);
	if (c->slow)
		put(t, ", %" PRIu64 " slow", c->slow);
	if (c->skipped)
		put(t, ", %" PRIu64 " skipped", c->skipped);
	put(t, ".");
}

static void put_moved(struct text *t, const struct dmremap_event *e)
{
	u64 n = sectors(e);

	switch (e->kind) {
	case DMR_NL_EVENT_LOST:
		put_sectors(t, e, "");
		put(t, " can not be read any more; %s as errors until %s written.",
		    n == 1 ? "it reads" : "they read", n == 1 ? "it is" : "they are");
		break;
	case DMR_NL_EVENT_RELOCATED:
		put_sectors(t, e, "");
		put(t, " %s moved to ", has(n));
		if (e->member > 0)
			put_member(t, e->member);
		else
			put(t, "a spare");
		put(t, ".");
		break;
	case DMR_NL_EVENT_RELOCATE_FAILED:
		put_sectors(t, e, "");
		put(t, " could not be moved, since no spare block is free.");
		break;
	case DMR_NL_EVENT_HEALED:
		put_sectors(t, e, "lost ");
		put(t, " %s been written and %s content again.", has(n), has(n));
		break;
	default:
		put_sectors(t, e, "");
		put(t, " %s moved back to the data device.", has(n));
	}
}

char *dmremap_event_text(const struct dmremap_event *e, char *buf, size_t size)
{
	struct text t = { buf, size };

	if (size)
		buf[0] = '\0';
	if (e->kind == DMREMAP_EVENT_ACT) {
		put(&t, "%s", e->message);
		return buf;
	}
	put(&t, "%s: ", e->name);
	switch (e->kind) {
	case DMR_NL_EVENT_READ_ERROR:
	case DMR_NL_EVENT_WRITE_ERROR:
		put_failed(&t, e);
		break;
	case DMR_NL_EVENT_LOST:
	case DMR_NL_EVENT_RELOCATED:
	case DMR_NL_EVENT_RELOCATE_FAILED:
	case DMR_NL_EVENT_HEALED:
	case DMR_NL_EVENT_RELEASED:
		put_moved(&t, e);
		break;
	case DMR_NL_EVENT_SLOW:
		put_slow(&t, e);
		break;
	case DMR_NL_EVENT_SPARE_LOW:
	case DMR_NL_EVENT_SPARE_FULL:
	case DMR_NL_EVENT_SPARE_OK:
		put_spares(&t, e);
		break;
	case DMR_NL_EVENT_SPARE_FAILED:
	case DMR_NL_EVENT_SPARE_JOINED:
	case DMR_NL_EVENT_SPARE_LEFT:
		put_spare(&t, e);
		break;
	case DMR_NL_EVENT_BREAKER_OPEN:
		put(&t, "the data device fails %s; errors are passed up and nothing is moved until it is back.",
		    e->breaker == DMR_NL_BREAKER_OPEN_WRITES ? "all writes" : "everything");
		break;
	case DMR_NL_EVENT_BREAKER_CLOSED:
		put(&t, "the data device works again.");
		break;
	case DMR_NL_EVENT_FROZEN:
		put(&t, "the map can no longer be written; what is mapped is served, new failures return errors.");
		break;
	case DMR_NL_EVENT_ACTIVATED:
		put(&t, "the set is in use.");
		break;
	case DMR_NL_EVENT_DEACTIVATED:
		put(&t, "the set is no longer in use.");
		break;
	case DMR_NL_EVENT_POLICY:
		put_policy(&t, e);
		break;
	case DMR_NL_EVENT_SCRUB:
		put_scrub(&t, e);
		break;
	default:
		put(&t, "an event of kind %u, which this program does not know.", e->kind);
	}
	return buf;
}
