/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers, times, ranges and spares as people type them. */
#include <errno.h>
#include <time.h>

#include "fixture-cli.h"
#include "parse.h"

#define S	1000000000ull
#define CLOSE	(5 * S)		/* of a clock that goes on */

static void numbers(void **state)
{
	static const char *const bad[] = { "", " 1", "+1", "-1", "0x", "0xg", "1 ", "1x", "x" };
	uint64_t n;
	size_t i;

	assert_int_equal(parse_number("0", &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(parse_number("0x1F", &n), 0);
	assert_int_equal(n, 31);
	assert_int_equal(parse_number("18446744073709551615", &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(parse_number("18446744073709551616", &n), -ERANGE);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse_number(bad[i], &n), -EINVAL);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * S + ts.tv_nsec;
}

static void times_ago(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} good[] = {
		{ "now", 0 }, { "1s ago", 1 }, { "90min", 5400 }, { "2h ago", 7200 }, { "-2h", 7200 },
		{ "3d", 3 * 86400 }, { "1w", 7 * 86400 },
	};
	uint64_t ns, now;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		now = now_ns();
		assert_int_equal(parse_time(good[i].text, &ns), 0);
		assert_in_range(ns + good[i].seconds * S, now - CLOSE, now + CLOSE);
	}
}

static void times_of_dates(void **state)
{
	uint64_t ns, other;

	setenv("TZ", "UTC", 1);
	tzset();
	assert_int_equal(parse_time("@1700000000", &ns), 0);
	assert_true(ns == 1700000000 * S);
	assert_int_equal(parse_time("2023-11-14 22:13:20", &other), 0);
	assert_true(ns == other);
	assert_int_equal(parse_time("2023-11-14", &ns), 0);
	assert_true(ns == 1699920000 * S);
	assert_int_equal(parse_time("today", &ns), 0);
	assert_true(ns % (86400 * S) == 0 && ns <= now_ns());
	assert_int_equal(parse_time("yesterday", &other), 0);
	assert_true(other + 86400 * S == ns);
	assert_int_equal(parse_time("00:00:00", &other), 0);
	assert_true(other == ns);
}

static void times_bad(void **state)
{
	static const char *const bad[] = {
		"", "then", "@", "@x", "2023-13-40", "25:00", "1y", "5", "2h before", "2023-11-14 x",
	};
	uint64_t ns;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!parse_time(bad[i], &ns))
			fail_msg("\"%s\" is taken for a time", bad[i]);
	assert_int_equal(parse_time("@18446744073709551615", &ns), -ERANGE);
	assert_int_equal(parse_time("18446744073709551615w", &ns), -ERANGE);
}

static void ranges(void **state)
{
	static const char *const bad[] = { "", "-", "7-", "7+", "7-6", "7+0", "7x", "7-8-9", "+7" };
	uint64_t first, count;
	size_t i;

	assert_int_equal(parse_range("7", &first, &count), 0);
	assert_true(first == 7 && count == 1);
	assert_int_equal(parse_range("7-12", &first, &count), 0);
	assert_true(first == 7 && count == 6);
	assert_int_equal(parse_range("0x10+4", &first, &count), 0);
	assert_true(first == 16 && count == 4);
	assert_int_equal(parse_range("0-18446744073709551615", &first, &count), -ERANGE);
	assert_int_equal(parse_range("18446744073709551615+2", &first, &count), -ERANGE);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse_range(bad[i], &first, &count), -EINVAL);
}

static void spares(void **state)
{
	uint32_t tier;
	char *path;

	assert_int_equal(parse_spare("/dev/sdb", &path, &tier), 0);
	assert_string_equal(path, "/dev/sdb");
	assert_int_equal(tier, 0);
	free(path);
	assert_int_equal(parse_spare("/dev/a,b,tier=7", &path, &tier), 0);
	assert_string_equal(path, "/dev/a,b");
	assert_int_equal(tier, 7);
	free(path);
	assert_int_equal(parse_spare(",tier=7", &path, &tier), -EINVAL);
	assert_int_equal(parse_spare("/dev/sdb,rank=7", &path, &tier), -EINVAL);
	assert_int_equal(parse_spare("/dev/sdb,tier=4294967296", &path, &tier), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(times_ago),
		cmocka_unit_test(times_of_dates),
		cmocka_unit_test(times_bad),
		cmocka_unit_test(ranges),
		cmocka_unit_test(spares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
