/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC32C against the vectors of RFC 3720, appendix B.4, and both ways alike. */
#include "fixture.h"

static u32 crc(const void *data, size_t size)
{
	u32 tables = ~dmri_crc32c_tables(~0u, data, size);

	assert_int_equal(tables, ~dmr_crc32c(~0u, data, size));
	return tables;
}

static void vectors(void **state)
{
	unsigned char buf[32];
	int i;

	assert_int_equal(crc("", 0), 0);
	assert_int_equal(crc("123456789", 9), 0xe3069283);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(crc(buf, 32), 0x8a9136aa);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(crc(buf, 32), 0x62a8ab43);
	for (i = 0; i < 32; i++)
		buf[i] = i;
	assert_int_equal(crc(buf, 32), 0x46dd794e);
	for (i = 0; i < 32; i++)
		buf[i] = 31 - i;
	assert_int_equal(crc(buf, 32), 0x113fdb5c);
}

static void in_pieces(void **state)
{
	unsigned char buf[300];
	size_t i, from;
	u32 whole;

	for (i = 0; i < sizeof(buf); i++)
		buf[i] = i * 7 + i / 3;
	for (from = 0; from < 9; from++)
		for (i = from; i <= sizeof(buf); i++) {
			whole = crc(buf + from, sizeof(buf) - from);
			assert_int_equal(whole, ~dmr_crc32c(dmr_crc32c(~0u, buf + from, i - from),
							    buf + i, sizeof(buf) - i));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
