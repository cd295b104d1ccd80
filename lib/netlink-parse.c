// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What messages of the family hold, into the structures of dm-remap.h, and the policy
 * into a request. No I/O: fixed bytes can be parsed. A value that is known, but of the
 * wrong size, makes the whole message -EBADMSG.
 */
#include <limits.h>
#include <netlink/genl/genl.h>

#include "netlink-names.h"
#include "netlink.h"

/* --- Attributes ---------------------------------------------------------------- */

/*
 * The attributes up to @max of a list into @tb, the last one of each kind. A list
 * that ends in the middle of one is -EBADMSG; kinds beyond @max are newer than this.
 */
static int collect(struct nlattr *first, int length, struct nlattr **tb, int max)
{
	struct nlattr *attr;
	int rest;

	memset(tb, 0, (max + 1) * sizeof(*tb));
	nla_for_each_attr(attr, first, length, rest)
		if (nla_type(attr) <= max)
			tb[nla_type(attr)] = attr;
	/* Padding to four bytes may be left. */
	return rest <= 0 || rest < NLA_ALIGNTO ? 0 : -EBADMSG;
}

static int collect_nest(struct nlattr *nest, struct nlattr **tb, int max)
{
	return collect(nla_data(nest), nla_len(nest), tb, max);
}

unsigned int dmri_nl_command(struct nlmsghdr *nlh)
{
	return genlmsg_valid_hdr(nlh, 0) ? genlmsg_hdr(nlh)->cmd : 0;
}

static struct nlattr *attributes(struct nlmsghdr *nlh)
{
	return genlmsg_attrdata(nlmsg_data(nlh), 0);
}

static int attributes_length(struct nlmsghdr *nlh)
{
	return genlmsg_attrlen(nlmsg_data(nlh), 0);
}

static int collect_message(struct nlmsghdr *nlh, struct nlattr **tb, int max)
{
	if (!genlmsg_valid_hdr(nlh, 0))
		return -EBADMSG;
	return collect(attributes(nlh), attributes_length(nlh), tb, max);
}

/* What is absent leaves the value alone. */
static int get_u32(struct nlattr *attr, u32 *value)
{
	if (!attr)
		return 0;
	if (nla_len(attr) != sizeof(*value))
		return -EBADMSG;
	memcpy(value, nla_data(attr), sizeof(*value));
	return 0;
}

static int get_u64(struct nlattr *attr, u64 *value)
{
	if (!attr)
		return 0;
	if (nla_len(attr) != sizeof(*value))
		return -EBADMSG;
	memcpy(value, nla_data(attr), sizeof(*value));
	return 0;
}

static int get_text(struct nlattr *attr, char *text, size_t size)
{
	size_t length;

	if (!attr)
		return 0;
	length = nla_len(attr);
	if (!length || strnlen(nla_data(attr), length) == length || length > size)
		return -EBADMSG;
	dmri_copy_text(text, size, nla_data(attr), length);
	return 0;
}

/* A field of a structure that an attribute fills. */
struct field {
	int attr;
	enum { U32, U64, TEXT } type;
	size_t offset, size;
};

#define FIELD_U32(attr, s, f)	{ attr, U32, offsetof(struct s, f), sizeof(((struct s *)0)->f) }
#define FIELD_U64(attr, s, f)	{ attr, U64, offsetof(struct s, f), sizeof(((struct s *)0)->f) }
#define FIELD_TEXT(attr, s, f)	{ attr, TEXT, offsetof(struct s, f), sizeof(((struct s *)0)->f) }

static int fill(void *s, struct nlattr **tb, const struct field *fields, size_t nr)
{
	size_t i;
	int r = 0;

	for (i = 0; i < nr && !r; i++) {
		const struct field *f = &fields[i];
		void *to = (char *)s + f->offset;

		if (f->type == U32)
			r = get_u32(tb[f->attr], to);
		else if (f->type == U64)
			r = get_u64(tb[f->attr], to);
		else
			r = get_text(tb[f->attr], to, f->size);
	}
	return r;
}

/* --- Parts that several messages have ------------------------------------------- */

static int get_policy(struct nlattr *nest, struct dmremap_policy *policy)
{
	struct nlattr *tb[DMR_A_POLICY_MAX + 1];
	unsigned int i;
	int r;

	dmri_policy_default(policy);
	r = collect_nest(nest, tb, DMR_A_POLICY_MAX);
	if (!r)
		r = get_u64(tb[DMR_A_POLICY_VERSION], &policy->version);
	for (i = 0; i < dmri_nr_policy_keys && !r; i++)
		r = get_u32(tb[dmri_policy_keys[i].attr],
			    dmri_policy_value(policy, &dmri_policy_keys[i]));
	return r;
}

static int get_scrub(struct nlattr *nest, struct dmremap_scrub *scrub)
{
	static const struct field fields[] = {
		FIELD_U64(DMR_A_SCRUB_FIRST, dmremap_scrub, first),
		FIELD_U64(DMR_A_SCRUB_END, dmremap_scrub, end),
		FIELD_U64(DMR_A_SCRUB_POSITION, dmremap_scrub, position),
		FIELD_U64(DMR_A_SCRUB_RATE, dmremap_scrub, rate),
		FIELD_U64(DMR_A_SCRUB_STARTED, dmremap_scrub, started),
		FIELD_U64(DMR_A_SCRUB_ELAPSED, dmremap_scrub, elapsed),
		FIELD_U64(DMR_A_SCRUB_LOST, dmremap_scrub, lost),
		FIELD_U64(DMR_A_SCRUB_SLOW, dmremap_scrub, slow),
		FIELD_U64(DMR_A_SCRUB_SKIPPED, dmremap_scrub, skipped),
	};
	struct nlattr *tb[DMR_A_SCRUB_MAX + 1];
	u32 state = DMREMAP_SCRUB_IDLE;
	int r;

	r = collect_nest(nest, tb, DMR_A_SCRUB_MAX);
	if (!r)
		r = get_u32(tb[DMR_A_SCRUB_STATE], &state);
	if (!r)
		r = fill(scrub, tb, fields, ARRAY_SIZE(fields));
	scrub->state = state;
	return r;
}

static int get_counters(struct nlattr *nest, struct dmremap_nl_device *device)
{
	struct nlattr *tb[DMR_A_COUNTERS_MAX + 1];
	int r = collect_nest(nest, tb, DMR_A_COUNTERS_MAX), i;

	for (i = DMR_A_COUNTERS_PAD + 1; i <= DMR_A_COUNTERS_MAX && !r; i++) {
		struct dmremap_counter *counter = &device->counters[device->nr_counters];
		char *c;

		if (!tb[i])
			continue;
		r = get_u64(tb[i], &counter->value);
		/* Spelled as in the status line, which has the same ones. */
		dmri_copy(counter->name, sizeof(counter->name), dmr_a_counters_names[i]);
		for (c = counter->name; *c; c++)
			if (*c == '-')
				*c = '_';
		device->nr_counters++;
	}
	return r;
}

/* --- Answers --------------------------------------------------------------------- */

int dmri_nl_parse_device(struct nlmsghdr *nlh, struct dmremap_nl_device *device)
{
	static const struct field fields[] = {
		FIELD_TEXT(DMR_A_NAME, dmremap_nl_device, name),
		FIELD_TEXT(DMR_A_UUID, dmremap_nl_device, uuid),
		FIELD_U32(DMR_A_MAJOR, dmremap_nl_device, major),
		FIELD_U32(DMR_A_MINOR, dmremap_nl_device, minor),
		FIELD_U64(DMR_A_SESSION, dmremap_nl_device, session),
		FIELD_U32(DMR_A_MODE, dmremap_nl_device, mode),
		FIELD_U64(DMR_A_GENERATION, dmremap_nl_device, generation),
		FIELD_U32(DMR_A_BLOCK_SECTORS, dmremap_nl_device, block_sectors),
		FIELD_U64(DMR_A_SECTORS, dmremap_nl_device, sectors),
		FIELD_U32(DMR_A_DATA_MAJOR, dmremap_nl_device, data_major),
		FIELD_U32(DMR_A_DATA_MINOR, dmremap_nl_device, data_minor),
		FIELD_U64(DMR_A_DATA_OFFSET, dmremap_nl_device, data_offset),
		FIELD_U64(DMR_A_SLOTS_USED, dmremap_nl_device, slots_used),
		FIELD_U64(DMR_A_SLOTS, dmremap_nl_device, slots),
		FIELD_U64(DMR_A_REMAPPED, dmremap_nl_device, remapped),
		FIELD_U64(DMR_A_LOST, dmremap_nl_device, lost),
		FIELD_U64(DMR_A_RECORDS_USED, dmremap_nl_device, records_used),
		FIELD_U64(DMR_A_RECORDS, dmremap_nl_device, records),
		FIELD_U32(DMR_A_BREAKER, dmremap_nl_device, breaker),
		FIELD_U64(DMR_A_EVENT_SEQ, dmremap_nl_device, event_seq),
		FIELD_U64(DMR_A_EVENT_DROPPED, dmremap_nl_device, event_dropped),
	};
	struct nlattr *tb[DMR_A_MAX + 1];
	int r;

	memset(device, 0, sizeof(*device));
	r = collect_message(nlh, tb, DMR_A_MAX);
	if (!r)
		r = fill(device, tb, fields, ARRAY_SIZE(fields));
	if (r < 0)
		return r;
	/* Without these nothing can be done with the rest. */
	if (!device->name[0] || !dmr_block_sectors_ok(device->block_sectors))
		return -EBADMSG;
	device->degraded = tb[DMR_A_DEGRADED];
	device->header_out = tb[DMR_A_HEADER_OUT];
	if (tb[DMR_A_COUNTERS])
		r = get_counters(tb[DMR_A_COUNTERS], device);
	if (!r && tb[DMR_A_SCRUB])
		r = get_scrub(tb[DMR_A_SCRUB], &device->scrub);
	return r;
}

int dmri_nl_parse_spare(struct nlmsghdr *nlh, struct dmremap_nl_spare *spare)
{
	static const struct field fields[] = {
		FIELD_U32(DMR_A_SPARE, dmremap_nl_spare, member),
		FIELD_U32(DMR_A_SPARE_STATE, dmremap_nl_spare, state),
		FIELD_TEXT(DMR_A_SPARE_UUID, dmremap_nl_spare, uuid),
		FIELD_U32(DMR_A_SPARE_MAJOR, dmremap_nl_spare, major),
		FIELD_U32(DMR_A_SPARE_MINOR, dmremap_nl_spare, minor),
		FIELD_U64(DMR_A_SLOTS_USED, dmremap_nl_spare, used),
		FIELD_U64(DMR_A_SLOTS, dmremap_nl_spare, slots),
		FIELD_U64(DMR_A_SLOTS_BAD, dmremap_nl_spare, bad),
		FIELD_U32(DMR_A_TIER, dmremap_nl_spare, tier),
	};
	struct nlattr *tb[DMR_A_MAX + 1];
	int r;

	memset(spare, 0, sizeof(*spare));
	r = collect_message(nlh, tb, DMR_A_MAX);
	if (!r && !tb[DMR_A_SPARE])
		r = -EBADMSG;
	return r < 0 ? r : fill(spare, tb, fields, ARRAY_SIZE(fields));
}

static int get_io(struct nlattr *nest, struct dmremap_nl_stats *stats)
{
	struct nlattr *tb[DMR_A_IO_MAX + 1];
	u32 direction = UINT_MAX, path = UINT_MAX;
	int r = collect_nest(nest, tb, DMR_A_IO_MAX);

	if (!r)
		r = get_u32(tb[DMR_A_IO_DIRECTION], &direction);
	if (!r)
		r = get_u32(tb[DMR_A_IO_PATH], &path);
	/* A path that is newer than this program is left out. */
	if (r < 0 || direction > 1 || path >= DMREMAP_NL_PATHS)
		return r;
	r = get_u64(tb[DMR_A_IO_IOS], &stats->ios[direction][path]);
	return r < 0 ? r : get_u64(tb[DMR_A_IO_SECTORS], &stats->sectors[direction][path]);
}

static int get_errors(struct nlattr *nest, struct dmremap_nl_stats *stats)
{
	struct nlattr *tb[DMR_A_ERRORS_MAX + 1];
	u32 direction = UINT_MAX, class_ = UINT_MAX;
	int r = collect_nest(nest, tb, DMR_A_ERRORS_MAX);

	if (!r)
		r = get_u32(tb[DMR_A_ERRORS_DIRECTION], &direction);
	if (!r)
		r = get_u32(tb[DMR_A_ERRORS_CLASS], &class_);
	if (r < 0 || direction > 1 || class_ >= DMREMAP_NL_CLASSES)
		return r;
	return get_u64(tb[DMR_A_ERRORS_IOS], &stats->errors[direction][class_]);
}

static int get_latency(struct nlattr *nest, struct dmremap_nl_stats *stats)
{
	struct nlattr *tb[DMR_A_LATENCY_MAX + 1], *attr;
	u32 direction = UINT_MAX;
	unsigned int bucket = 0;
	int r = collect_nest(nest, tb, DMR_A_LATENCY_MAX), rest;

	if (!r)
		r = get_u32(tb[DMR_A_LATENCY_DIRECTION], &direction);
	if (r < 0 || direction > 1)
		return r;
	nla_for_each_nested(attr, nest, rest) {
		u64 n = 0;

		if (nla_type(attr) != DMR_A_LATENCY_BUCKET)
			continue;
		r = get_u64(attr, &n);
		if (r < 0)
			return r;
		/* Further ones are slower still. */
		stats->latency[direction][MIN(bucket, DMR_NL_BUCKETS - 1)] += n;
		bucket++;
	}
	return 0;
}

int dmri_nl_parse_stats(struct nlmsghdr *nlh, struct dmremap_nl_stats *stats)
{
	struct nlattr *tb[DMR_A_MAX + 1], *attr;
	int r, rest;

	memset(stats, 0, sizeof(*stats));
	r = collect_message(nlh, tb, DMR_A_MAX);
	if (!r && !tb[DMR_A_SPARE])
		r = -EBADMSG;
	if (!r)
		r = get_u32(tb[DMR_A_SPARE], &stats->member);
	if (r < 0)
		return r;
	nla_for_each_attr(attr, attributes(nlh), attributes_length(nlh), rest) {
		if (nla_type(attr) == DMR_A_IO)
			r = get_io(attr, stats);
		else if (nla_type(attr) == DMR_A_ERRORS)
			r = get_errors(attr, stats);
		else if (nla_type(attr) == DMR_A_LATENCY)
			r = get_latency(attr, stats);
		if (r < 0)
			return r;
	}
	return 0;
}

int dmri_nl_parse_policy(struct nlmsghdr *nlh, struct dmremap_policy *policy)
{
	struct nlattr *tb[DMR_A_MAX + 1];
	int r = collect_message(nlh, tb, DMR_A_MAX);

	memset(policy, 0, sizeof(*policy));
	if (!r && !tb[DMR_A_POLICY])
		r = -EBADMSG;
	return r < 0 ? r : get_policy(tb[DMR_A_POLICY], policy);
}

int dmri_nl_parse_result(struct nlmsghdr *nlh, struct dmri_nl_result *result)
{
	static const struct field fields[] = {
		FIELD_U64(DMR_A_MOVED, dmri_nl_result, result.relocated),
		FIELD_U64(DMR_A_LOST, dmri_nl_result, result.lost),
		FIELD_U64(DMR_A_UNCHANGED, dmri_nl_result, result.unchanged),
		FIELD_U64(DMR_A_FAILED, dmri_nl_result, result.failed),
		FIELD_U32(DMR_A_SPARE, dmri_nl_result, spare),
	};
	struct nlattr *tb[DMR_A_MAX + 1];
	u32 code = 0;
	int r;

	memset(result, 0, sizeof(*result));
	result->spare = UINT_MAX;
	r = collect_message(nlh, tb, DMR_A_MAX);
	if (!r)
		r = fill(result, tb, fields, ARRAY_SIZE(fields));
	if (!r)
		r = get_u32(tb[DMR_A_ERROR], &code);
	if (!r && code > 4095)
		r = -EBADMSG;
	result->code = -(int)code;
	return r;
}

int dmri_nl_put_policy(struct nl_msg *msg, const struct dmremap_policy *policy)
{
	struct dmremap_policy copy = *policy;
	struct nlattr *nest = nla_nest_start(msg, DMR_A_POLICY | NLA_F_NESTED);
	unsigned int i;

	if (!nest)
		return -EMSGSIZE;
	/* Without one the module takes the next. */
	if (policy->version && nla_put_u64(msg, DMR_A_POLICY_VERSION, policy->version) < 0)
		return -EMSGSIZE;
	for (i = 0; i < dmri_nr_policy_keys; i++)
		if (nla_put_u32(msg, dmri_policy_keys[i].attr,
				*dmri_policy_value(&copy, &dmri_policy_keys[i])) < 0)
			return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

/* --- Events ------------------------------------------------------------------------ */

static int get_extent(struct nlattr *nest, struct dmremap_event *event)
{
	struct nlattr *tb[DMR_A_EXTENT_MAX + 1];
	struct dmremap_range range = { 0 };
	int r = collect_nest(nest, tb, DMR_A_EXTENT_MAX);

	if (!r)
		r = get_u64(tb[DMR_A_EXTENT_SECTOR], &range.start);
	if (!r)
		r = get_u64(tb[DMR_A_EXTENT_COUNT], &range.count);
	if (r < 0)
		return r;
	if (!range.count || range.start + range.count < range.start)
		return -EBADMSG;
	if (event->nr_extents < DMREMAP_EVENT_EXTENTS)
		event->extents[event->nr_extents++] = range;
	else
		event->extents_lost++;
	return 0;
}

/* An enum that may be absent (-1). */
static int get_enum(struct nlattr *attr, int32_t *value)
{
	u32 n;
	int r = get_u32(attr, &n);

	if (!r && attr && n > INT32_MAX)
		r = -EBADMSG;
	if (!r)
		*value = attr ? (int32_t)n : -1;
	return r;
}

int dmri_nl_parse_event(struct nlmsghdr *nlh, struct dmremap_event *event)
{
	static const struct field fields[] = {
		FIELD_TEXT(DMR_A_NAME, dmremap_event, name),
		FIELD_TEXT(DMR_A_UUID, dmremap_event, uuid),
		FIELD_U32(DMR_A_MAJOR, dmremap_event, major),
		FIELD_U32(DMR_A_MINOR, dmremap_event, minor),
		FIELD_U64(DMR_A_SESSION, dmremap_event, session),
		FIELD_U64(DMR_A_SEQ, dmremap_event, seq),
		FIELD_U64(DMR_A_EVENT_DROPPED, dmremap_event, dropped),
		FIELD_U32(DMR_A_EVENT, dmremap_event, kind),
		FIELD_U64(DMR_A_TIME, dmremap_event, time),
		FIELD_U64(DMR_A_TIME_LAST, dmremap_event, time_last),
		FIELD_U64(DMR_A_OCCURRENCES, dmremap_event, occurrences),
		FIELD_U64(DMR_A_TOTAL, dmremap_event, total),
		FIELD_TEXT(DMR_A_SPARE_UUID, dmremap_event, spare_uuid),
		FIELD_U64(DMR_A_EXTENTS_LOST, dmremap_event, extents_lost),
		FIELD_U64(DMR_A_MAX_US, dmremap_event, max_us),
		FIELD_U64(DMR_A_SLOTS_USED, dmremap_event, slots_used),
		FIELD_U64(DMR_A_SLOTS, dmremap_event, slots),
	};
	struct nlattr *tb[DMR_A_MAX + 1], *attr;
	int r, rest;

	memset(event, 0, sizeof(*event));
	r = collect_message(nlh, tb, DMR_A_MAX);
	if (!r && (!tb[DMR_A_EVENT] || !tb[DMR_A_NAME]))
		r = -EBADMSG;
	if (!r)
		r = fill(event, tb, fields, ARRAY_SIZE(fields));
	if (!r)
		r = get_enum(tb[DMR_A_SPARE], &event->member);
	if (!r)
		r = get_enum(tb[DMR_A_DIRECTION], &event->direction);
	if (!r)
		r = get_enum(tb[DMR_A_CLASS], &event->class_);
	if (!r)
		r = get_enum(tb[DMR_A_BREAKER], &event->breaker);
	if (!r)
		r = get_enum(tb[DMR_A_REASON], &event->reason);
	if (r < 0)
		return r;
	if (!tb[DMR_A_TIME_LAST])
		event->time_last = event->time;
	event->has_slots = tb[DMR_A_SLOTS];
	event->has_policy = tb[DMR_A_POLICY];
	event->has_scrub = tb[DMR_A_SCRUB];
	if (event->has_policy)
		r = get_policy(tb[DMR_A_POLICY], &event->policy);
	if (!r && event->has_scrub)
		r = get_scrub(tb[DMR_A_SCRUB], &event->scrub);
	if (r < 0)
		return r;
	nla_for_each_attr(attr, attributes(nlh), attributes_length(nlh), rest) {
		if (nla_type(attr) != DMR_A_EXTENTS)
			continue;
		r = get_extent(attr, event);
		if (r < 0)
			return r;
	}
	return 0;
}
