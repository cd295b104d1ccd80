/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parser of sizes, its counterpart, and the names of sets. */
#include "fixture.h"

static void good(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0 }, { "1", 1 }, { "512b", 512 }, { "512B", 512 }, { "8s", 4096 },
		{ "8S", 4096 }, { "4k", 4096 }, { "4K", 4096 }, { "4KiB", 4096 },
		{ "4kib", 4096 }, { "4KB", 4000 }, { "4kb", 4000 }, { "1M", 1 << 20 },
		{ "1MiB", 1 << 20 }, { "3MB", 3000000 }, { "1G", 1 << 30 },
		{ "2TiB", 2ULL << 40 }, { "2TB", 2000000000000ULL }, { "1P", 1ULL << 50 },
		{ "15E", 15ULL << 60 }, { "007", 7 },
		{ "18446744073709551615", UINT64_MAX },
	};
	uint64_t bytes;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bytes = ~cases[i].bytes;
		assert_int_equal(dmremap_parse_size(cases[i].text, &bytes, NULL), 0);
		assert_int_equal(bytes, cases[i].bytes);
	}
}

static void bad(void **state)
{
	static const char *const invalid[] = {
		"", " ", " 4K", "4K ", "4 K", "-1", "+1", "K", "4Q", "4KiBs", "4Ki", "4bb",
		"0x10", "1.5G", "4KK", "s", "iB", "4i",
	};
	static const char *const large[] = {
		"18446744073709551616", "16E", "99999999999999999999999", "20000000P",
		"36028797018963968s",
	};
	struct dmremap_error err;
	uint64_t bytes = 42;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(invalid); i++)
		assert_int_equal(dmremap_parse_size(invalid[i], &bytes, &err), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(large); i++)
		assert_int_equal(dmremap_parse_size(large[i], &bytes, &err), -ERANGE);
	assert_int_equal(bytes, 42);
	assert_contains(err.text, "36028797018963968s");
}

static void sectors(void **state)
{
	uint64_t n;

	assert_int_equal(dmremap_parse_sectors("1M", &n, NULL), 0);
	assert_int_equal(n, 2048);
	assert_int_equal(dmremap_parse_sectors("3s", &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_int_equal(dmremap_parse_sectors("513", &n, NULL), -EINVAL);
}

static void format(void **state)
{
	char buf[32];

	assert_string_equal(dmremap_format_size(0, buf, sizeof(buf)), "0 B");
	assert_string_equal(dmremap_format_size(1023, buf, sizeof(buf)), "1023 B");
	assert_string_equal(dmremap_format_size(4096, buf, sizeof(buf)), "4 KiB");
	assert_string_equal(dmremap_format_size(1536, buf, sizeof(buf)), "1.5 KiB");
	assert_string_equal(dmremap_format_size(UINT64_MAX, buf, sizeof(buf)), "15.9 EiB");
}

static void names(void **state)
{
	char name[200];

	assert_int_equal(dmremap_name_check("data-1_x.y:z=@#+", NULL), 0);
	assert_int_equal(dmremap_name_check("", NULL), -EINVAL);
	assert_int_equal(dmremap_name_check("a b", NULL), -EINVAL);
	assert_int_equal(dmremap_name_check("a/b", NULL), -EINVAL);
	assert_int_equal(dmremap_name_check("a\\x20b", NULL), -EINVAL);
	assert_int_equal(dmremap_name_check("\xc3\xa4", NULL), -EINVAL);
	assert_int_equal(dmremap_name_check(".", NULL), -EINVAL);
	assert_int_equal(dmremap_name_check("..", NULL), -EINVAL);
	assert_int_equal(dmremap_name_check("control", NULL), -EINVAL);
	memset(name, 'a', 128);
	name[127] = '\0';
	assert_int_equal(dmremap_name_check(name, NULL), 0);
	name[127] = 'a';
	name[128] = '\0';
	assert_int_equal(dmremap_name_check(name, NULL), -ENAMETOOLONG);
}

static void text_off_disk(void **state)
{
	char buf[16];

	dmri_copy_text(buf, sizeof(buf), "a\nb\x1b[1m\x7f", 20);
	assert_string_equal(buf, "a?b?[1m?");
	dmri_copy_text(buf, sizeof(buf), "abcdef", 3);
	assert_string_equal(buf, "abc");
	dmri_copy_text(buf, sizeof(buf), "\xc3\xa4\xff\xe2\x82\xac\xc3", 20);
	assert_string_equal(buf, "\xc3\xa4?\xe2\x82\xac?");
	dmri_copy_text(buf, 3, "\xe2\x82\xac", 20);
	assert_string_equal(buf, "??");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
		cmocka_unit_test(sectors),
		cmocka_unit_test(format),
		cmocka_unit_test(names),
		cmocka_unit_test(text_off_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
