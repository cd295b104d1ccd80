// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events as sentences and as JSON, there and back, and JSON that is not right.
 */
#include <json.h>

#include "fixture.h"

static struct dmremap_error err;

#define UUID	"2f1c8a52-0000-4000-8000-00000000000a"

static struct dmremap_event make(u32 kind)
{
	return (struct dmremap_event){
		.name = "backup", .uuid = UUID, .major = 253, .session = UINT64_MAX, .seq = 5,
		.kind = kind, .time = 1735689600123456789ULL, .time_last = 1735689600223456789ULL,
		.occurrences = 3, .total = 12, .member = -1, .direction = -1, .class_ = -1,
		.breaker = -1, .reason = -1,
	};
}

static void with_place(struct dmremap_event *e, u64 start, u64 count)
{
	e->extents[e->nr_extents++] = (struct dmremap_range){ start, count };
}

static const char *text_of(const struct dmremap_event *e)
{
	static char text[DMREMAP_TEXT_SIZE];

	return dmremap_event_text(e, text, sizeof(text));
}

static void names(void **state)
{
	u32 kind;

	for (u32 i = 0; i <= DMR_NL_EVENT_MAX; i++) {
		assert_int_equal(dmremap_event_parse_name(dmremap_event_name(i), &kind, &err), 0);
		assert_int_equal(kind, i);
	}
	assert_string_equal(dmremap_event_name(DMR_NL_EVENT_MAX + 1), "unknown");
	assert_int_equal(dmremap_event_parse_name("unknown", &kind, &err), -EINVAL);
	assert_contains(err.text, "\"unknown\"");
	assert_string_equal(dmremap_class_name(DMR_NL_CLASS_MEDIUM), "medium");
	assert_string_equal(dmremap_class_name(-1), "unknown");
	assert_string_equal(dmremap_scrub_state_name(DMREMAP_SCRUB_DONE), "done");
}

static void sentences_of_io(void **state)
{
	struct dmremap_event e = make(DMR_NL_EVENT_READ_ERROR);

	e.member = 0;
	e.direction = DMR_NL_DIRECTION_READ;
	e.class_ = DMR_NL_CLASS_MEDIUM;
	assert_string_equal(text_of(&e),
			    "backup: 3 reads of the data device failed (medium error).");
	with_place(&e, 123456, 8);
	assert_string_equal(text_of(&e), "backup: 3 reads of the data device failed (medium error): 8 sectors at 123456.");
	e.kind = DMR_NL_EVENT_WRITE_ERROR;
	e.direction = DMR_NL_DIRECTION_WRITE;
	e.occurrences = 1;
	e.member = 2;
	e.class_ = 77;
	with_place(&e, 200000, 8);
	assert_string_equal(text_of(&e), "backup: 1 write of spare 2 failed (error of an unknown kind): 16 sectors in 2 places from 123456 to 200007.");
	e.kind = DMR_NL_EVENT_SLOW;
	e.max_us = 1250000;
	assert_contains(text_of(&e), "1 write of spare 2 took long, up to 1.2 s: 16");
	e.max_us = 900000;
	assert_contains(text_of(&e), "up to 900 ms: 16");
	e.extents_lost = 9;
	assert_contains(text_of(&e), "in 2 places from 123456 to 200007 and in more.");
}

static void sentences_of_blocks(void **state)
{
	struct dmremap_event e = make(DMR_NL_EVENT_LOST);

	with_place(&e, 123456, 8);
	assert_string_equal(text_of(&e), "backup: 8 sectors at 123456 can not be read any more; they read as errors until they are written.");
	e.extents[0].count = 1;
	assert_string_equal(text_of(&e), "backup: 1 sector at 123456 can not be read any more; it reads as errors until it is written.");
	e.kind = DMR_NL_EVENT_RELOCATED;
	e.member = 1;
	assert_string_equal(text_of(&e), "backup: 1 sector at 123456 has moved to spare 1.");
	e.kind = DMR_NL_EVENT_RELOCATE_FAILED;
	assert_contains(text_of(&e), "no spare block is free");
	e.kind = DMR_NL_EVENT_HEALED;
	assert_contains(text_of(&e), "1 lost sector at 123456 has been written");
	e.kind = DMR_NL_EVENT_RELEASED;
	assert_contains(text_of(&e), "back to the data device");
}

static void sentences_of_state(void **state)
{
	struct dmremap_event e = make(DMR_NL_EVENT_SPARE_LOW);

	e.has_slots = true;
	e.slots_used = 45;
	e.slots = 50;
	assert_string_equal(text_of(&e),
			    "backup: spare blocks run low: 5 of 50 spare blocks are free.");
	e.slots_used = 51;
	assert_contains(text_of(&e), "0 of 50");
	e.kind = DMR_NL_EVENT_SPARE_FULL;
	assert_contains(text_of(&e), "all 50 are in use");
	e.kind = DMR_NL_EVENT_SPARE_FAILED;
	e.member = 0;
	assert_contains(text_of(&e), "copy of the map");
	e.member = 3;
	assert_contains(text_of(&e), "spare 3 has failed");
	e.kind = DMR_NL_EVENT_SPARE_JOINED;
	assert_contains(text_of(&e), "spare 3 is a member");
	e.kind = DMR_NL_EVENT_SPARE_LEFT;
	assert_contains(text_of(&e), "spare 3 was emptied");
	e.kind = DMR_NL_EVENT_BREAKER_OPEN;
	e.breaker = DMR_NL_BREAKER_OPEN;
	assert_contains(text_of(&e), "fails everything");
	e.breaker = DMR_NL_BREAKER_OPEN_WRITES;
	assert_contains(text_of(&e), "fails all writes");
	e.kind = DMR_NL_EVENT_POLICY;
	e.reason = DMR_NL_REASON_EXPIRED;
	e.has_policy = true;
	e.policy.version = 12;
	assert_contains(text_of(&e), "lifetime");
	assert_contains(text_of(&e), "(version 12)");
	e.kind = DMR_NL_EVENT_SCRUB;
	assert_contains(text_of(&e), "changed its state");
	e.has_scrub = true;
	e.scrub = (struct dmremap_scrub){ .state = DMREMAP_SCRUB_RUNNING, .first = 100,
					  .end = 200, .position = 150, .lost = 2 };
	assert_string_equal(text_of(&e),
			    "backup: the scrub is at 50 %, 2 with lost sectors.");
	e.scrub.state = DMREMAP_SCRUB_DONE;
	assert_contains(text_of(&e), "done: 100 blocks read");
	e.scrub.state = DMREMAP_SCRUB_RUNNING;
	e.scrub.position = e.scrub.first;
	assert_string_equal(text_of(&e), "backup: a scrub has started.");
	e.scrub.elapsed = 1;
	/* Nonsense is told without harm. */
	e.scrub.position = e.scrub.first = UINT64_MAX;
	e.scrub.end = 0;
	e.scrub.state = DMREMAP_SCRUB_RUNNING;
	assert_contains(text_of(&e), "100 %");
}

static void sentences_fit(void **state)
{
	char text[16], one[1];

	for (u32 kind = 0; kind <= DMR_NL_EVENT_MAX + 1; kind++) {
		struct dmremap_event e = make(kind);

		assert_true(strlen(text_of(&e)) > strlen("backup: ") + 10);
		assert_int_equal(text_of(&e)[strlen(text_of(&e)) - 1], '.');
		memset(text, 'x', sizeof(text));
		dmremap_event_text(&e, text, sizeof(text));
		assert_int_equal(strlen(text), sizeof(text) - 1);
		dmremap_event_text(&e, one, sizeof(one));
		assert_int_equal(one[0], 0);
	}
}

/* --- JSON ----------------------------------------------------------------------- */

static void there_and_back(const struct dmremap_event *e)
{
	struct dmremap_event back;
	char *json;

	assert_int_equal(dmremap_event_to_json(e, &json), 0);
	assert_null(strchr(json, '\n'));
	if (dmremap_event_from_json(json, &back, &err) < 0)
		fail_msg("%s: %s", err.text, json);
	assert_memory_equal(e, &back, sizeof(back));
	free(json);
}

static void full(struct dmremap_event *e)
{
	*e = make(DMR_NL_EVENT_SCRUB);
	e->member = 31;
	e->direction = DMR_NL_DIRECTION_WRITE;
	e->class_ = DMR_NL_CLASS_PROTECTION;
	e->breaker = DMR_NL_BREAKER_OPEN_WRITES;
	e->reason = DMR_NL_REASON_LOADED;
	strcpy(e->spare_uuid, UUID);
	for (unsigned int i = 0; i < DMREMAP_EVENT_EXTENTS; i++)
		with_place(e, UINT64_MAX - 1000 + i, i + 1);
	e->extents_lost = 1;
	e->max_us = UINT64_MAX;
	e->has_slots = e->has_policy = e->has_scrub = true;
	e->slots_used = 1;
	e->slots = 2;
	e->policy = (struct dmremap_policy){ 9, 1, 1, 1, 10, 600000, 65536, 4096, 600000,
					     UINT32_MAX, UINT32_MAX, 100, 31536000 };
	e->scrub = (struct dmremap_scrub){ DMREMAP_SCRUB_PAUSED, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
}

static void round_trips(void **state)
{
	struct dmremap_event e;

	for (u32 kind = 0; kind <= DMR_NL_EVENT_MAX; kind++) {
		e = make(kind);
		there_and_back(&e);
	}
	e = make(DMREMAP_EVENT_ACT);
	strcpy(e.act, "spare-added");
	strcpy(e.message, "The labelled spare /dev/sdc was added to set \"home\".");
	there_and_back(&e);
	full(&e);
	there_and_back(&e);
	/* Newer than this program: numbers. */
	e.kind = 4711;
	e.class_ = 99;
	e.direction = INT32_MAX;
	e.scrub.state = 17;
	e.policy.heal = 5;
	there_and_back(&e);
}

static void names_in_json(void **state)
{
	static const char *const parts[] = {
		"\"event\":\"scrub\"", "\"time-last\":1735689600223456789",
		"\"session\":18446744073709551615", "\"spare\":31", "\"class\":\"protection\"",
		"\"breaker\":\"open-writes\"", "\"slots-used\":1", "\"max-us\":",
		"\"extents\":[{\"sector\":18446744073709550615,\"count\":1}",
		"\"policy\":{\"version\":9,\"heal\":\"spare\"", "\"breaker-streak\":4096",
		"\"scrub\":{\"state\":\"paused\",\"first\":1", "\"event-dropped\":0",
	};
	struct dmremap_event e;
	char *json;

	full(&e);
	assert_int_equal(dmremap_event_to_json(&e, &json), 0);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		assert_contains(json, parts[i]);
	free(json);
	e = make(DMREMAP_EVENT_ACT);
	strcpy(e.act, "spare-added");
	strcpy(e.message, "It was added.");
	assert_int_equal(dmremap_event_to_json(&e, &json), 0);
	assert_contains(json, "\"event\":\"act\"");
	assert_contains(json, "\"act\":\"spare-added\",\"message\":\"It was added.\"");
	free(json);
	/* What is absent is absent. */
	e = make(DMR_NL_EVENT_FROZEN);
	assert_int_equal(dmremap_event_to_json(&e, &json), 0);
	assert_null(strstr(json, "spare"));
	assert_null(strstr(json, "null"));
	free(json);
}

static void bad_json(void **state)
{
	static const char *const bad[] = {
		"", "{", "[]", "null", "1", "\"x\"", "{}", "{\"event\":\"lost\"}",
		"{\"name\":\"x\"}",
		"{\"event\":\"lost\",\"name\":\"x\"} x",
		"{\"event\":\"lost\",\"name\":\"x\"}{}",
		"{\"event\":\"lost\",\"name\":\"x\",}",
		"{\"event\":\"nonsense\",\"name\":\"x\"}",
		"{\"event\":-1,\"name\":\"x\"}",
		"{\"event\":1.5,\"name\":\"x\"}",
		"{\"event\":4294967296,\"name\":\"x\"}",
		"{\"event\":true,\"name\":\"x\"}",
		"{\"event\":null,\"name\":\"x\"}",
		"{\"event\":\"lost\",\"name\":5}",
		"{\"event\":\"lost\",\"name\":\"x\\u0000y\"}",
		"{\"event\":\"lost\",\"name\":\"x\xff\"}",
		"{\"event\":\"lost\",\"name\":\"x\",\"seq\":-1}",
		"{\"event\":\"lost\",\"name\":\"x\",\"seq\":\"1\"}",
		"{\"event\":\"lost\",\"name\":\"x\",\"seq\":1e3}",
		"{\"event\":\"lost\",\"name\":\"x\",\"major\":4294967296}",
		"{\"event\":\"lost\",\"name\":\"x\",\"spare\":2147483648}",
		"{\"event\":\"lost\",\"name\":\"x\",\"spare\":-1}",
		"{\"event\":\"lost\",\"name\":\"x\",\"class\":\"\"}",
		"{\"event\":\"lost\",\"name\":\"x\",\"extents\":{}}",
		"{\"event\":\"lost\",\"name\":\"x\",\"extents\":[1]}",
		"{\"event\":\"lost\",\"name\":\"x\",\"extents\":[{\"sector\":1}]}",
		"{\"event\":\"lost\",\"name\":\"x\",\"extents\":[{\"sector\":1,\"count\":0}]}",
		"{\"event\":\"lost\",\"name\":\"x\",\"extents\":[{\"sector\":18446744073709551615,\"count\":2}]}",
		"{\"event\":\"lost\",\"name\":\"x\",\"policy\":[]}",
		"{\"event\":\"lost\",\"name\":\"x\",\"policy\":{\"heal\":\"now\"}}",
		"{\"event\":\"lost\",\"name\":\"x\",\"policy\":{\"retries\":-1}}",
		"{\"event\":\"lost\",\"name\":\"x\",\"policy\":{\"retries\":\"1\"}}",
		"{\"event\":\"lost\",\"name\":\"x\",\"scrub\":1}",
		"{\"event\":\"lost\",\"name\":\"x\",\"scrub\":{\"state\":\"no\"}}",
		"{\"event\":\"lost\",\"name\":\"x\",\"slots\":1,\"slots-used\":-4}",
		"{\"event\":\"lost\",\"name\":\"x\",\"y\":[[[[[[[[[[]]]]]]]]]]}",
	};
	char *many = malloc(1 << 16), *end;
	struct dmremap_event e;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err.text[0] = '\0';
		if (dmremap_event_from_json(bad[i], &e, &err) != -EBADMSG || !err.text[0])
			fail_msg("taken: %s", bad[i]);
	}
	end = many + sprintf(many, "{\"event\":\"lost\",\"name\":\"x\",\"extents\":[");
	for (int i = 0; i <= DMREMAP_EVENT_EXTENTS; i++)
		end += sprintf(end, "%s{\"sector\":%d,\"count\":1}", i ? "," : "", 2 * i);
	strcpy(end, "]}");
	assert_int_equal(dmremap_event_from_json(many, &e, &err), -EBADMSG);
	memset(many, 'n', 300);
	end = many + sprintf(many, "{\"event\":\"lost\",\"name\":\"");
	memset(end, 'n', DMREMAP_NAME_SIZE);
	strcpy(end + DMREMAP_NAME_SIZE, "\"}");
	assert_int_equal(dmremap_event_from_json(many, &e, &err), -EBADMSG);
	free(many);
	/* What is not known is no harm. */
	assert_int_equal(dmremap_event_from_json(
		"{\"event\":2,\"name\":\"x\",\"new\":{\"a\":[1,null]},\"uuid\":\"y\"}", &e, &err), 0);
	assert_int_equal(e.kind, DMR_NL_EVENT_LOST);
	assert_int_equal(e.member, -1);
	/* Control characters of a name do not reach a terminal. */
	assert_int_equal(dmremap_event_from_json(
		"{\"event\":\"lost\",\"name\":\"a\\u001b[2J\"}", &e, &err), 0);
	assert_string_equal(e.name, "a?[2J");
}

/* Every byte of a good one changed in turn: taken or refused, and never more. */
static void changed_json(void **state)
{
	struct dmremap_event e, back;
	char *json;

	full(&e);
	assert_int_equal(dmremap_event_to_json(&e, &json), 0);
	for (size_t i = 0; json[i]; i++) {
		char c = json[i];

		for (const char *other = "\"{}[]:,-9.\\x"; *other; other++) {
			int r;

			json[i] = *other;
			r = dmremap_event_from_json(json, &back, NULL);
			assert_true(!r || r == -EBADMSG);
		}
		json[i] = c;
	}
	free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(sentences_of_io),
		cmocka_unit_test(sentences_of_blocks),
		cmocka_unit_test(sentences_of_state),
		cmocka_unit_test(sentences_fit),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(names_in_json),
		cmocka_unit_test(bad_json),
		cmocka_unit_test(changed_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
