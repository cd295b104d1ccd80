/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to the module, answered by a stand-in: portions, progress, map. */
#include "fixture.h"

static struct dmremap_error err;

static int done(const char *message, char **answer)
{
	unsigned long long start, count, total = 0;
	char verb[16], text[128];
	int n = 0;

	assert_true(strlen(message) < 2048);
	assert_int_equal(sscanf(message, "%15s%n", verb, &n), 1);
	for (message += n; sscanf(message, "%llu %llu%n", &start, &count, &n) == 2; message += n)
		total += count;
	dmri_text(text, sizeof(text), "%s %llu lost 0 unchanged 1 failed 0",
		  !strcmp(verb, "release") ? "released" : "relocated", total);
	*answer = strdup(text);
	return 0;
}

static uint64_t last_done, last_total;
static unsigned int calls, stop_after;

static int progress(uint64_t n, uint64_t total, void *arg)
{
	assert_true(n >= last_done || !calls);
	assert_true(n <= total);
	last_done = n;
	last_total = total;
	return ++calls == stop_after;
}

static struct dmremap_ranges *many(unsigned int nr)
{
	struct dmremap_ranges *r;
	unsigned int i;

	assert_int_equal(dmremap_ranges_new(0, &r), 0);
	for (i = 0; i < nr; i++)
		assert_int_equal(dmremap_ranges_add(r, i * 10ULL, i % 3 + 1), 0);
	return r;
}

static void reset(int (*answer)(const char *message, char **answer))
{
	fx_answer = answer;
	fx_messages[0] = '\0';
	calls = 0;
	last_done = 0;
	stop_after = 0;
}

static void portions(void **state)
{
	struct dmremap_ranges *r = many(3000);
	struct dmremap_result result;

	reset(done);
	assert_int_equal(dmremap_relocate("x", r, progress, NULL, &result, &err), 0);
	assert_int_equal(result.relocated, 6000);
	assert_true(result.unchanged > 3);
	assert_int_equal(last_done, 6000);
	assert_int_equal(last_total, 6000);
	assert_int_equal(strncmp(fx_messages, "relocate 0 1 10 2 20 3 30 1", 27), 0);
	dmremap_ranges_free(r);
}

static void one_range(void **state)
{
	struct dmremap_ranges *r;
	struct dmremap_result result;

	reset(done);
	dmremap_ranges_new(0, &r);
	dmremap_ranges_add(r, 1ULL << 40, 100);
	assert_int_equal(dmremap_release("x", r, NULL, NULL, &result, &err), 0);
	assert_int_equal(result.released, 100);
	assert_string_equal(fx_messages,
			    "release 1099511627776 32\nrelease 1099511627808 64\n"
			    "release 1099511627872 4\n");
	dmremap_ranges_free(r);
}

static void stopped(void **state)
{
	struct dmremap_ranges *r = many(3000);
	struct dmremap_result result;

	reset(done);
	stop_after = 1;
	assert_int_equal(dmremap_relocate("x", r, progress, NULL, &result, &err), -ECANCELED);
	assert_string_equal(fx_messages, "");
	reset(done);
	stop_after = 3;
	assert_int_equal(dmremap_relocate("x", r, progress, NULL, &result, &err), -ECANCELED);
	assert_int_equal(result.relocated, last_done);
	assert_contains(err.text, "of 6000");
	dmremap_ranges_free(r);
}

static int full(const char *message, char **answer)
{
	return -ENOSPC;
}

static void fails(void **state)
{
	struct dmremap_ranges *r = many(10);

	reset(full);
	assert_int_equal(dmremap_relocate("x", r, NULL, NULL, NULL, &err), -ENOSPC);
	fx_answer = NULL;
	fx_status = NULL;
	assert_int_equal(dmremap_relocate("x", r, NULL, NULL, NULL, &err), -ENOTCONN);
	dmremap_ranges_free(r);
}

static int stops_early(const char *message, char **answer)
{
	*answer = strdup("relocated 3 lost 0 unchanged 0 failed 0 error -28");
	return 0;
}

static void partly(void **state)
{
	struct dmremap_ranges *r = many(3000);
	struct dmremap_result result;

	reset(stops_early);
	assert_int_equal(dmremap_relocate("x", r, NULL, NULL, &result, &err), -ENOSPC);
	assert_int_equal(result.relocated, 3);
	assert_contains(err.text, "spare add");
	dmremap_ranges_free(r);
}

/* --- Map -------------------------------------------------------------------- */

static const char *map_answers[8];
static unsigned int map_asked;

static int map_answer(const char *message, char **answer)
{
	*answer = strdup(map_answers[map_asked++] ?: "end");
	return 0;
}

#define STATUS "rw 42 8 5/1000 4 2 7/4000 closed 1 1 8:32 active 5/0/900 0"

static struct dmremap_map *open_map(void)
{
	struct dmremap_map *map;

	reset(map_answer);
	map_asked = 0;
	fx_status = STATUS;
	fx_table = "8:16 8:32";
	assert_int_equal(dmremap_map_open_active("x", &map, &err), 0);
	assert_int_equal(dmremap_map_block_size(map), 4096);
	assert_int_equal(dmremap_map_data_sectors(map), 131072);
	return map;
}

static void map_live(void **state)
{
	struct dmremap_map_entry e;
	struct dmremap_map *map;

	map_answers[0] = "3 1 7 0\n9 0 0 8f\nnext 11";
	map_answers[1] = "12 1 8 0\nend";
	map = open_map();
	assert_int_equal(dmremap_map_next(map, &e, &err), 1);
	assert_int_equal(e.block, 3);
	assert_true(e.remapped);
	assert_int_equal(e.slot, 7);
	assert_int_equal(dmremap_map_next(map, &e, &err), 1);
	assert_false(e.remapped);
	assert_int_equal(e.invalid, 0x8f);
	assert_int_equal(dmremap_map_next(map, &e, &err), 1);
	assert_int_equal(e.block, 12);
	assert_int_equal(dmremap_map_next(map, &e, &err), 0);
	assert_int_equal(dmremap_map_next(map, &e, &err), 0);
	assert_string_equal(fx_messages, "map 0\nmap 11\n");
	map_answers[2] = "end";
	dmremap_map_seek(map, 5);
	assert_int_equal(dmremap_map_next(map, &e, &err), 0);
	assert_string_equal(fx_messages, "map 0\nmap 11\nmap 5\n");
	dmremap_map_free(map);
}

static void map_nonsense(void **state)
{
	static const char *const bad[] = {
		"", "3 1 7", "3 32 7 0", "x", "next x", "3 1 7 0\n2 1 8 0\nend",
		"5 1 7 0\nnext 4", "next 0", "3 1 7 0\n",
	};
	struct dmremap_map_entry e;
	struct dmremap_map *map;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(map_answers, 0, sizeof(map_answers));
		map_answers[0] = map_answers[1] = bad[i];
		map = open_map();
		while ((r = dmremap_map_next(map, &e, &err)) == 1)
			;
		assert_int_equal(r, -EBADMSG);
		dmremap_map_free(map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(portions),
		cmocka_unit_test(one_range),
		cmocka_unit_test(stopped),
		cmocka_unit_test(fails),
		cmocka_unit_test(partly),
		cmocka_unit_test(map_live),
		cmocka_unit_test(map_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
