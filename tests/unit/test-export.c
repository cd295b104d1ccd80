/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists that are written: their text, and that reading them gives the same back. */
#include "fixture.h"

static struct fixture fx;

static int make(void **state)
{
	const struct dmr_record r[] = {
		fx_record(DMR_RECORD_REMAPPED, 1, 2, 0, 0),
		fx_record(DMR_RECORD_REMAPPED, 1, 3, 1, 2),
		fx_record(DMR_RECORD_LOST, 0, 10, 0, 0x0f),
	};

	fx_create(&fx, 0, 1);
	fx_commit(&fx, 1, r, 3);
	return 0;
}

static int done(void **state)
{
	fx_done(&fx);
	return 0;
}

static char *export(const struct dmremap_export *how)
{
	struct dmremap_map *map;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_int_equal(dmremap_map_open_disk(fx.set, &map, &fx.err), 0);
	assert_int_equal(dmremap_export(f, map, how, &fx.err), 0);
	dmremap_map_free(map);
	fclose(f);
	return text;
}

static void expect(const struct dmremap_export *how, const char *expected)
{
	char *text = export(how);

	assert_string_equal(text, expected);
	free(text);
}

static void badblocks(void **state)
{
	struct dmremap_export how = { .format = DMREMAP_LIST_BADBLOCKS };

	expect(&how, "8\n9\n10\n11\n12\n13\n14\n15\n40\n41\n");
	how.unit_bytes = 4096;
	expect(&how, "2\n3\n10\n");
	how.what = DMREMAP_EXPORT_LOST;
	expect(&how, "3\n10\n");
	how.what = DMREMAP_EXPORT_REMAPPED;
	expect(&how, "2\n3\n");
	how.unit_bytes = 512;
	how.what = DMREMAP_EXPORT_LOST;
	how.origin = 1000;
	expect(&how, "1025\n1080\n1081\n1082\n1083\n");
	how.unit_bytes = 65536;
	how.origin = 0;
	how.what = 0;
	expect(&how, "0\n");
}

static void ddrescue(void **state)
{
	struct dmremap_export how = { .format = DMREMAP_LIST_DDRESCUE };
	char *text = export(&how);

	assert_contains(text,
		"0x00000000  0x00002000  +\n"
		"0x00002000  0x00002000  -\n"
		"0x00004000  0x00006000  +\n"
		"0x0000A000  0x00000800  -\n"
		"0x0000A800  0x016F5800  +\n");
	free(text);
}

static void empty(void **state)
{
	struct dmremap_export how = { .format = DMREMAP_LIST_DDRESCUE };
	const struct dmr_record none[3] = { 0 };
	char *text;

	fx_commit(&fx, 1, none, 3);
	text = export(&how);
	assert_contains(text, "0x00000000  0x01700000  +\n");
	free(text);
	how.format = DMREMAP_LIST_BADBLOCKS;
	expect(&how, "");
}

static void json(void **state)
{
	struct dmremap_export how = {
		.format = DMREMAP_LIST_JSON, .set_name = "a \"b\"", .set_uuid = "u",
	};

	expect(&how,
	       "{\n  \"format\": \"dm-remap-map\",\n  \"version\": 1,\n"
	       "  \"set\": \"a \\\"b\\\"\",\n  \"uuid\": \"u\",\n  \"block_size\": 4096,\n"
	       "  \"data_sectors\": 47104,\n  \"entries\": [\n"
	       "    { \"block\": 2, \"state\": \"remapped\", \"member\": 1, \"slot\": 0, "
	       "\"invalid\": 0 },\n"
	       "    { \"block\": 3, \"state\": \"remapped\", \"member\": 1, \"slot\": 1, "
	       "\"invalid\": 2 },\n"
	       "    { \"block\": 10, \"state\": \"lost\", \"invalid\": 15 }\n  ]\n}\n");
}

/* What is written reads back as the same sectors, in every format. */
static void round_trip(void **state)
{
	enum dmremap_list_format f;

	for (f = DMREMAP_LIST_BADBLOCKS; f <= DMREMAP_LIST_JSON; f++) {
		struct dmremap_export how = { .format = f, .unit_bytes = 512, .origin = 2048 };
		struct dmremap_import in = {
			.format = f, .unit_bytes = 512, .limit = 47104,
			.origin = f == DMREMAP_LIST_JSON ? 0 : 2048,
		};
		char *text = export(&how);
		FILE *file = fmemopen(text, strlen(text), "r");
		struct dmremap_ranges *r;

		if (dmremap_import(file, "it", &in, &r, &fx.err) < 0)
			fail_msg("%s", fx.err.text);
		assert_int_equal(dmremap_ranges_count(r), 2);
		assert_int_equal(dmremap_ranges_get(r, 0)->start, 16);
		assert_int_equal(dmremap_ranges_get(r, 0)->count, 16);
		assert_int_equal(dmremap_ranges_get(r, 1)->start, 80);
		assert_int_equal(dmremap_ranges_get(r, 1)->count, 4);
		dmremap_ranges_free(r);
		fclose(file);
		free(text);
	}
}

static void full_disk(void **state)
{
	struct dmremap_export how = { .format = DMREMAP_LIST_JSON };
	struct dmremap_map *map;
	FILE *f = fopen("/dev/full", "w");

	assert_non_null(f);
	assert_int_equal(dmremap_map_open_disk(fx.set, &map, &fx.err), 0);
	assert_int_equal(dmremap_export(f, map, &how, &fx.err), -ENOSPC);
	dmremap_map_free(map);
	fclose(f);
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, make, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(badblocks), TEST(ddrescue), TEST(empty), TEST(json), TEST(round_trip),
		TEST(full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
