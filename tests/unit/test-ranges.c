/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Range lists against a bitmap, and their limits. */
#include "fixture.h"

static void merge(void **state)
{
	struct dmremap_ranges *r;

	assert_int_equal(dmremap_ranges_new(0, &r), 0);
	assert_int_equal(dmremap_ranges_count(r), 0);
	assert_null(dmremap_ranges_get(r, 0));
	assert_int_equal(dmremap_ranges_add(r, 100, 10), 0);
	assert_int_equal(dmremap_ranges_add(r, 110, 5), 0);
	assert_int_equal(dmremap_ranges_add(r, 10, 1), 0);
	assert_int_equal(dmremap_ranges_add(r, 11, 1), 0);
	assert_int_equal(dmremap_ranges_add(r, 105, 2), 0);
	assert_int_equal(dmremap_ranges_add(r, 90, 200), 0);
	assert_int_equal(dmremap_ranges_count(r), 2);
	assert_int_equal(dmremap_ranges_total(r), 202);
	assert_int_equal(dmremap_ranges_get(r, 0)->start, 10);
	assert_int_equal(dmremap_ranges_get(r, 1)->count, 200);
	assert_null(dmremap_ranges_get(r, 2));
	dmremap_ranges_free(r);
	dmremap_ranges_free(NULL);
}

static void limits(void **state)
{
	struct dmremap_ranges *r;
	unsigned int i;

	assert_int_equal(dmremap_ranges_new(4, &r), 0);
	assert_int_equal(dmremap_ranges_add(r, 5, 0), -EINVAL);
	assert_int_equal(dmremap_ranges_add(r, UINT64_MAX, 1), -ERANGE);
	assert_int_equal(dmremap_ranges_add(r, UINT64_MAX - 1, 1), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(dmremap_ranges_add(r, i * 10, 1), 0);
	assert_int_equal(dmremap_ranges_add(r, 50, 1), -E2BIG);
	dmremap_ranges_free(r);
	/* What merges needs no room. */
	assert_int_equal(dmremap_ranges_new(1, &r), 0);
	for (i = 0; i < 100000; i++)
		assert_int_equal(dmremap_ranges_add(r, i, 1), 0);
	assert_int_equal(dmremap_ranges_count(r), 1);
	dmremap_ranges_free(r);
	/* Not even out of order, if there is a little. */
	assert_int_equal(dmremap_ranges_new(2, &r), 0);
	for (i = 1000; i > 0; i--)
		assert_int_equal(dmremap_ranges_add(r, i, 1), 0);
	assert_int_equal(dmremap_ranges_total(r), 1000);
	dmremap_ranges_free(r);
}

static void random_ranges(void **state)
{
	enum { SIZE = 600 };
	unsigned int round, i, n;

	srandom(1);
	for (round = 0; round < 300; round++) {
		bool bits[SIZE] = { false }, seen[SIZE] = { false };
		struct dmremap_ranges *r;
		const struct dmremap_range *range;
		uint64_t end = 0;

		assert_int_equal(dmremap_ranges_new(0, &r), 0);
		for (i = 0; i < 30; i++) {
			unsigned int start = random() % (SIZE - 20), count = random() % 20 + 1;

			assert_int_equal(dmremap_ranges_add(r, start, count), 0);
			for (n = 0; n < count; n++)
				bits[start + n] = true;
			if (random() % 8 == 0)
				dmremap_ranges_count(r);
		}
		for (i = 0; (range = dmremap_ranges_get(r, i)); i++) {
			assert_true(!i || range->start > end);
			end = range->start + range->count;
			for (n = 0; n < range->count; n++)
				seen[range->start + n] = true;
		}
		assert_memory_equal(bits, seen, sizeof(bits));
		dmremap_ranges_free(r);
	}
}

static void to_blocks(void **state)
{
	struct dmremap_ranges *r, *b;

	assert_int_equal(dmremap_ranges_new(0, &r), 0);
	dmremap_ranges_add(r, 7, 2);
	dmremap_ranges_add(r, 16, 8);
	dmremap_ranges_add(r, 80, 1);
	dmremap_ranges_add(r, UINT64_MAX - 10, 10);
	assert_int_equal(dmremap_ranges_to_blocks(r, 4096, &b), 0);
	assert_int_equal(dmremap_ranges_count(b), 3);
	assert_int_equal(dmremap_ranges_get(b, 0)->start, 0);
	assert_int_equal(dmremap_ranges_get(b, 0)->count, 3);
	assert_int_equal(dmremap_ranges_get(b, 1)->start, 10);
	assert_int_equal(dmremap_ranges_get(b, 2)->count, 2);
	assert_int_equal(dmremap_ranges_to_blocks(r, 100, &b), -EINVAL);
	dmremap_ranges_free(r);
	dmremap_ranges_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merge),
		cmocka_unit_test(limits),
		cmocka_unit_test(random_ranges),
		cmocka_unit_test(to_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
