/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table and status lines of the target. */
#include "fixture.h"

static void table_round_trip(void **state)
{
	static const char *const good[] = {
		"8:16 8:32",
		"8:16 8:32 8:48 4 data_offset 8192 set_uuid 2f1c8a52-0000-4000-8000-000000000001",
		"8:16 2 internal_spare 123456",
		"8:16 8:32 5 data_offset 1 internal_spare 2 degraded",
		"/dev/sdb /dev/sdc 1 degraded",
	};
	struct dmri_table table;
	char buf[512];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(dmri_table_parse(good[i], &table), 0);
		assert_int_equal(dmri_table_format(&table, buf, sizeof(buf)), 0);
		assert_string_equal(buf, good[i]);
	}
	assert_int_equal(dmri_table_format(&table, buf, 10), -ENAMETOOLONG);
	assert_int_equal(dmri_table_parse("8:16 8:32 0", &table), 0);
	assert_int_equal(table.nr_spares, 1);
}

#define LONG	"00000000000000000000000000000000000000000000000000000000000000000000"

static void table_bad(void **state)
{
	static const char *const bad[] = {
		"", "8:16 8:32 1 data_offset", "8:16 8:32 2 data_offset x", "8:16 8:32 1 nonsense",
		"8:16 8:32 2 degraded", "8:16 8:32 1 set_uuid", "8:16 8:32 3 degraded",
	};
	struct dmri_table table;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(dmri_table_parse(bad[i], &table), -EBADMSG);
	/* Half a name is that of another device, or a number. */
	assert_int_equal(dmri_table_parse("8:0 /dev/" LONG "0", &table), -EBADMSG);
	assert_int_equal(dmri_table_parse("/dev/" LONG "0 8:0", &table), -EBADMSG);
	assert_int_equal(dmri_table_parse("8:0 8:1 2 set_uuid " LONG, &table), -EBADMSG);
}

#define STATUS "rw 42 8 5/1000 4 2 7/4000 closed 2 1 8:32 active 5/0/900 2 - missing 0/1/100 " \
	"3 read_errors 9 write_errors 18446744073709551615 passed 0"

static void status_good(void **state)
{
	struct dmremap_status s = { 0 };

	assert_int_equal(dmri_status_parse(STATUS, &s), 0);
	assert_int_equal(s.mode, DMREMAP_MODE_RW);
	assert_int_equal(s.generation, 42);
	assert_int_equal(s.block_size, 4096);
	assert_int_equal(s.used, 5);
	assert_int_equal(s.slots, 1000);
	assert_int_equal(s.remapped, 4);
	assert_int_equal(s.lost, 2);
	assert_int_equal(s.records_used, 7);
	assert_int_equal(s.records, 4000);
	assert_false(s.breaker_open);
	assert_int_equal(s.nr_spares, 2);
	assert_int_equal(s.spares[0].member, 1);
	assert_int_equal(s.spares[0].major, 8);
	assert_int_equal(s.spares[0].minor, 32);
	assert_int_equal(s.spares[0].slots, 900);
	assert_int_equal(s.spares[1].state, DMREMAP_SPARE_MISSING);
	assert_int_equal(s.spares[1].bad, 1);
	assert_int_equal(s.nr_counters, 3);
	assert_string_equal(s.counters[0].name, "read_errors");
	assert_true(s.counters[1].value == UINT64_MAX);

	memset(&s, 0, sizeof(s));
	assert_int_equal(dmri_status_parse("inactive", &s), 0);
	assert_int_equal(s.mode, DMREMAP_MODE_INACTIVE);
	assert_int_equal(dmri_status_parse("frozen 1 1 0/0 0 0 0/250 open 0 0", &s), 0);
	assert_int_equal(s.mode, DMREMAP_MODE_FROZEN);
	assert_true(s.breaker_open);
}

/* Cut anywhere, or with a word exchanged, it is refused. */
static void status_bad(void **state)
{
	static const char *const bad[] = {
		"", "ro 1", "rw x 8 0/0 0 0 0/0 closed 0 0", "rw 1 64 0/0 0 0 0/0 closed 0 0",
		"rw 1 8 0 0 0 0/0 closed 0 0", "rw 1 8 0/0/0 0 0 0/0 closed 0 0",
		"rw 1 8 0/0 0 0 0/0 ajar 0 0", "rw 1 8 0/0 0 0 0/0 closed 33 0",
		"rw 1 8 0/0 0 0 0/0 closed 1 1 8:x active 0/0/0 0",
		"rw 1 8 0/0 0 0 0/0 closed 1 1 8:1 alive 0/0/0 0",
		"rw 1 8 0/0 0 0 0/0 closed 1 32 8:1 active 0/0/0 0",
		"rw 1 8 0/0 0 0 0/0 closed 0 1 reads -1",
		"rw 1 8 0/99999999999999999999 0 0 0/0 closed 0 0",
	};
	struct dmremap_status s;
	char cut[sizeof(STATUS)];
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(&s, 0, sizeof(s));
		assert_int_equal(dmri_status_parse(bad[i], &s), -EBADMSG);
	}
	for (n = 0; n < sizeof(STATUS) - 1; n++) {
		if (STATUS[n] != ' ')
			continue;
		memcpy(cut, STATUS, n);
		cut[n] = '\0';
		memset(&s, 0, sizeof(s));
		assert_int_equal(dmri_status_parse(cut, &s), -EBADMSG);
	}
}

static void status_public(void **state)
{
	struct dmremap_status s;
	struct dmremap_error err;

	fx_status = STATUS;
	fx_table = "8:16 8:32 3 data_offset 8192 degraded";
	assert_int_equal(dmremap_status("x", &s, &err), 0);
	assert_int_equal(s.data_offset, 8192);
	assert_int_equal(s.data_major, 8);
	assert_true(s.degraded);
	assert_int_equal(s.event_nr, 7);
	fx_status = "nonsense";
	assert_int_equal(dmremap_status("x", &s, &err), -EBADMSG);
	assert_contains(err.text, "nonsense");
	fx_status = fx_table = NULL;
	assert_int_equal(dmremap_status("x", &s, &err), -ENOTCONN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_round_trip),
		cmocka_unit_test(table_bad),
		cmocka_unit_test(status_good),
		cmocka_unit_test(status_bad),
		cmocka_unit_test(status_public),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
