// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events as JSON and back, with the names of include/dm-remap.yaml. What has no name
 * in this version, being newer, is written and read as its number. Reading trusts
 * nothing, since the text comes from a file.
 */
#include <inttypes.h>
#include <json.h>

#include "netlink-names.h"
#include "private.h"

#define MAX_DEPTH	8

static void json_putp(json_object **object)
{
	json_object_put(*object);
}

static void tokener_freep(json_tokener **tokener)
{
	json_tokener_free(*tokener);
}

/* --- Tables --------------------------------------------------------------------- */

enum type {
	U32,
	U64,
	TEXT,
	WORD,		/* uint32_t with names */
	MAYBE,		/* int32_t; -1 is absent */
	MAYBE_WORD,	/* the same with names */
};

struct member {
	const char *name;
	enum type type;
	size_t offset, size;
	const char *const *words;
	unsigned int nr_words;
	bool zero_is_absent;
};

#define MEMBER(struct_, name, type, field)						\
	{ name, type, offsetof(struct struct_, field), sizeof(((struct struct_ *)0)->field), \
	  NULL, 0, false }
#define MEMBER_SET(struct_, name, type, field)						\
	{ name, type, offsetof(struct struct_, field), sizeof(((struct struct_ *)0)->field), \
	  NULL, 0, true }
#define MEMBER_WORD(struct_, name, type, field, words)					\
	{ name, type, offsetof(struct struct_, field), sizeof(((struct struct_ *)0)->field), \
	  words, ARRAY_SIZE(words), false }

#define EVENT(...)	MEMBER(dmremap_event, __VA_ARGS__)
#define EVENT_SET(...)	MEMBER_SET(dmremap_event, __VA_ARGS__)
#define EVENT_WORD(...)	MEMBER_WORD(dmremap_event, __VA_ARGS__)

static const struct member event_members[] = {
	EVENT("time", U64, time),
	EVENT("time-last", U64, time_last),
	EVENT("name", TEXT, name),
	EVENT("uuid", TEXT, uuid),
	EVENT("major", U32, major),
	EVENT("minor", U32, minor),
	EVENT("session", U64, session),
	EVENT("seq", U64, seq),
	EVENT_WORD("event", WORD, kind, dmr_nl_event_names),
	EVENT("occurrences", U64, occurrences),
	EVENT("total", U64, total),
	EVENT("event-dropped", U64, dropped),
	EVENT("spare", MAYBE, member),
	EVENT_SET("spare-uuid", TEXT, spare_uuid),
	EVENT_WORD("direction", MAYBE_WORD, direction, dmr_nl_direction_names),
	EVENT_WORD("class", MAYBE_WORD, class_, dmr_nl_class_names),
	EVENT_SET("extents-lost", U64, extents_lost),
	EVENT_SET("max-us", U64, max_us),
	EVENT_WORD("breaker", MAYBE_WORD, breaker, dmr_nl_breaker_names),
	EVENT_WORD("reason", MAYBE_WORD, reason, dmr_nl_reason_names),
	EVENT_SET("act", TEXT, act),
	EVENT_SET("message", TEXT, message),
};

static const struct member slots_members[] = {
	EVENT("slots-used", U64, slots_used),
	EVENT("slots", U64, slots),
};

#define SCRUB(...)	MEMBER(dmremap_scrub, __VA_ARGS__)

static const struct member scrub_members[] = {
	MEMBER_WORD(dmremap_scrub, "state", WORD, state, dmr_nl_scrub_state_names),
	SCRUB("first", U64, first),
	SCRUB("end", U64, end),
	SCRUB("position", U64, position),
	SCRUB("rate", U64, rate),
	SCRUB("started", U64, started),
	SCRUB("elapsed", U64, elapsed),
	SCRUB("lost", U64, lost),
	SCRUB("slow", U64, slow),
	SCRUB("skipped", U64, skipped),
};

_Static_assert(sizeof(enum dmremap_scrub_state) == sizeof(u32), "read as one");

/* --- Writing ---------------------------------------------------------------------- */

/* Takes @value over. */
static int add(json_object *to, const char *name, json_object *value)
{
	if (!value)
		return -ENOMEM;
	if (json_object_object_add(to, name, value)) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

static json_object *word_value(const struct member *m, u32 n)
{
	/* The one kind that the module does not have. */
	if (m->words == dmr_nl_event_names && n == DMREMAP_EVENT_ACT)
		return json_object_new_string(dmremap_event_name(n));
	return n < m->nr_words && m->words[n] ? json_object_new_string(m->words[n]) :
						json_object_new_int64(n);
}

static int write_member(json_object *to, const struct member *m, const void *from)
{
	u64 n = 0;

	switch (m->type) {
	case TEXT:
		if (m->zero_is_absent && !*(const char *)from)
			return 0;
		return add(to, m->name, json_object_new_string(from));
	case U32:
		n = *(const u32 *)from;
		break;
	case U64:
		n = *(const u64 *)from;
		break;
	case WORD:
		return add(to, m->name, word_value(m, *(const u32 *)from));
	case MAYBE:
	case MAYBE_WORD:
		if (*(const int32_t *)from < 0)
			return 0;
		if (m->type == MAYBE_WORD)
			return add(to, m->name, word_value(m, *(const int32_t *)from));
		n = *(const int32_t *)from;
		break;
	}
	if (!n && m->zero_is_absent)
		return 0;
	return add(to, m->name, json_object_new_uint64(n));
}

static int write_members(json_object *to, const struct member *members, size_t nr,
			 const void *from)
{
	size_t i;
	int r = 0;

	for (i = 0; i < nr && !r; i++)
		r = write_member(to, &members[i], (const char *)from + members[i].offset);
	return r;
}

static int write_extents(json_object *to, const struct dmremap_event *e)
{
	json_object *list = json_object_new_array(), *extent;
	unsigned int i;
	int r = add(to, "extents", list);

	for (i = 0; i < e->nr_extents && !r; i++) {
		extent = json_object_new_object();
		if (!extent || json_object_array_add(list, extent)) {
			json_object_put(extent);
			return -ENOMEM;
		}
		r = add(extent, "sector", json_object_new_uint64(e->extents[i].start));
		if (!r)
			r = add(extent, "count", json_object_new_uint64(e->extents[i].count));
	}
	return r;
}

static int write_policy(json_object *to, const struct dmremap_policy *policy)
{
	struct dmremap_policy copy = *policy;
	json_object *object = json_object_new_object();
	unsigned int i;
	int r = add(to, "policy", object);

	if (!r)
		r = add(object, "version", json_object_new_uint64(policy->version));
	for (i = 0; i < dmri_nr_policy_keys && !r; i++) {
		const struct dmri_policy_key *key = &dmri_policy_keys[i];
		u32 n = *dmri_policy_value(&copy, key);

		r = add(object, key->name, key->words && n <= key->max ?
			json_object_new_string(key->words[n]) : json_object_new_int64(n));
	}
	return r;
}

static int write_scrub(json_object *to, const struct dmremap_scrub *scrub)
{
	json_object *object = json_object_new_object();
	int r = add(to, "scrub", object);

	return r < 0 ? r : write_members(object, scrub_members, ARRAY_SIZE(scrub_members),
					 scrub);
}

int dmremap_event_to_json(const struct dmremap_event *e, char **json)
{
	_cleanup_(json_putp) json_object *top = json_object_new_object();
	const char *text;
	int r;

	if (!top)
		return -ENOMEM;
	r = write_members(top, event_members, ARRAY_SIZE(event_members), e);
	if (!r && e->nr_extents)
		r = write_extents(top, e);
	if (!r && e->has_slots)
		r = write_members(top, slots_members, ARRAY_SIZE(slots_members), e);
	if (!r && e->has_policy)
		r = write_policy(top, &e->policy);
	if (!r && e->has_scrub)
		r = write_scrub(top, &e->scrub);
	if (r < 0)
		return r;
	text = json_object_to_json_string_ext(top, JSON_C_TO_STRING_PLAIN |
						   JSON_C_TO_STRING_NOSLASHESCAPE);
	*json = text ? strdup(text) : NULL;
	return *json ? 0 : -ENOMEM;
}

/* --- Reading ------------------------------------------------------------------------ */

static int bad(struct dmremap_error *err, const char *what, const char *name)
{
	return dmri_error(err, -EBADMSG, "The JSON of an event is not right: \"%s\" %s.", name,
			  what);
}

/* A whole number from 0 to @max. */
static int read_number(json_object *value, u64 max, u64 *n)
{
	/* A number that has no room in 64 bits is read as a double, or as the largest. */
	if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
		return -EBADMSG;
	*n = json_object_get_uint64(value);
	return *n > max ? -EBADMSG : 0;
}

static int read_word(const struct member *m, json_object *value, u64 max, u64 *n)
{
	unsigned int i;

	if (!json_object_is_type(value, json_type_string))
		return read_number(value, max, n);
	if (m->words == dmr_nl_event_names &&
	    !strcmp(json_object_get_string(value), dmremap_event_name(DMREMAP_EVENT_ACT))) {
		*n = DMREMAP_EVENT_ACT;
		return 0;
	}
	for (i = 0; i < m->nr_words; i++) {
		if (!strcmp(json_object_get_string(value), m->words[i])) {
			*n = i;
			return 0;
		}
	}
	return -EBADMSG;
}

static int read_text(json_object *value, char *to, size_t size)
{
	size_t length;

	if (!json_object_is_type(value, json_type_string))
		return -EBADMSG;
	length = json_object_get_string_len(value);
	if (length >= size || strlen(json_object_get_string(value)) != length)
		return -EBADMSG;
	dmri_copy_text(to, size, json_object_get_string(value), length);
	return 0;
}

static int read_member(const struct member *m, json_object *value, void *to)
{
	u64 n = 0;
	int r;

	switch (m->type) {
	case TEXT:
		return read_text(value, to, m->size);
	case U64:
		return read_number(value, UINT64_MAX, to);
	case U32:
		r = read_number(value, UINT32_MAX, &n);
		break;
	case WORD:
		r = read_word(m, value, UINT32_MAX, &n);
		break;
	case MAYBE:
		r = read_number(value, INT32_MAX, &n);
		break;
	default:
		r = read_word(m, value, INT32_MAX, &n);
	}
	if (!r)
		*(u32 *)to = n;
	return r;
}

/* What is absent is 0, an empty text, or -1. */
static int read_members(json_object *from, const struct member *members, size_t nr, void *to,
			struct dmremap_error *err)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		const struct member *m = &members[i];
		void *at = (char *)to + m->offset;
		json_object *value;

		if (m->type == MAYBE || m->type == MAYBE_WORD)
			*(int32_t *)at = -1;
		if (json_object_object_get_ex(from, m->name, &value) &&
		    read_member(m, value, at) < 0)
			return bad(err, "has a value that it can not have", m->name);
	}
	return 0;
}

static int read_extents(json_object *list, struct dmremap_event *e, struct dmremap_error *err)
{
	size_t i, nr;

	if (!json_object_is_type(list, json_type_array))
		return bad(err, "is no array", "extents");
	nr = json_object_array_length(list);
	if (nr > DMREMAP_EVENT_EXTENTS)
		return bad(err, "has too many entries", "extents");
	for (i = 0; i < nr; i++) {
		struct dmremap_range *range = &e->extents[i];
		json_object *extent = json_object_array_get_idx(list, i), *sector, *count;

		if (!json_object_object_get_ex(extent, "sector", &sector) ||
		    !json_object_object_get_ex(extent, "count", &count) ||
		    read_number(sector, UINT64_MAX, &range->start) < 0 ||
		    read_number(count, UINT64_MAX, &range->count) < 0 ||
		    !range->count || range->start + range->count < range->start)
			return bad(err, "has an entry that is no run of sectors", "extents");
	}
	e->nr_extents = nr;
	return 0;
}

static int read_policy(json_object *from, struct dmremap_policy *policy,
		       struct dmremap_error *err)
{
	json_object *value;
	unsigned int i;
	u64 n;
	int r = 0;

	if (!json_object_is_type(from, json_type_object))
		return bad(err, "is no object", "policy");
	dmri_policy_default(policy);
	if (json_object_object_get_ex(from, "version", &value))
		r = read_number(value, UINT64_MAX, &policy->version);
	for (i = 0; i < dmri_nr_policy_keys && !r; i++) {
		const struct dmri_policy_key *key = &dmri_policy_keys[i];

		if (!json_object_object_get_ex(from, key->name, &value))
			continue;
		if (json_object_is_type(value, json_type_string)) {
			r = dmri_policy_parse_word(key, json_object_get_string(value),
						   dmri_policy_value(policy, key));
			continue;
		}
		r = read_number(value, UINT32_MAX, &n);
		if (!r)
			*dmri_policy_value(policy, key) = n;
	}
	return r < 0 ? bad(err, "has a value that it can not have", "policy") : 0;
}

static int read_parts(json_object *top, struct dmremap_event *e, struct dmremap_error *err)
{
	json_object *part;
	int r = 0;

	if (json_object_object_get_ex(top, "extents", &part))
		r = read_extents(part, e, err);
	if (!r && json_object_object_get_ex(top, "slots", &part)) {
		e->has_slots = true;
		r = read_members(top, slots_members, ARRAY_SIZE(slots_members), e, err);
	}
	if (!r && json_object_object_get_ex(top, "policy", &part)) {
		e->has_policy = true;
		r = read_policy(part, &e->policy, err);
	}
	if (!r && json_object_object_get_ex(top, "scrub", &part)) {
		if (!json_object_is_type(part, json_type_object))
			return bad(err, "is no object", "scrub");
		e->has_scrub = true;
		r = read_members(part, scrub_members, ARRAY_SIZE(scrub_members), &e->scrub, err);
	}
	return r;
}

int dmremap_event_from_json(const char *json, struct dmremap_event *e,
			    struct dmremap_error *err)
{
	_cleanup_(tokener_freep) json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
	_cleanup_(json_putp) json_object *top = NULL;
	json_object *value;
	int r;

	memset(e, 0, sizeof(*e));
	if (!tokener)
		return dmri_error(err, -ENOMEM, "Out of memory.");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* With the NUL at its end, so that nothing may follow. */
	top = json_tokener_parse_ex(tokener, json, strlen(json) + 1);
	if (!json_object_is_type(top, json_type_object))
		return dmri_error(err, -EBADMSG, "The text of an event is no JSON object.");
	if (!json_object_object_get_ex(top, "event", &value) ||
	    !json_object_object_get_ex(top, "name", &value))
		return dmri_error(err, -EBADMSG, "The JSON of an event has no \"event\" or no \"name\".");
	r = read_members(top, event_members, ARRAY_SIZE(event_members), e, err);
	if (!r && !json_object_object_get_ex(top, "time-last", NULL))
		e->time_last = e->time;
	return r < 0 ? r : read_parts(top, e, err);
}
