/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of single structures: every fault, and a flipped byte anywhere. */
#include "fixture.h"

static struct dmr_anchor good_anchor(void)
{
	struct dmr_anchor a = {
		.role = cpu_to_le32(DMR_ROLE_SPARE),
		.block_sectors = cpu_to_le32(8),
		.nr_pages = cpu_to_le32(17),
		.nr_frames = cpu_to_le32(98),
		.region_start = cpu_to_le64(2048),
		.region_sectors = cpu_to_le64(8192),
		.payload_start = cpu_to_le64(1024),
		.payload_sectors = cpu_to_le64(7168),
		.data_sectors = cpu_to_le64(100000),
	};

	dmri_anchor_seal(&a, 0);
	return a;
}

static enum dmr_fault check(struct dmr_anchor *a)
{
	return dmr_anchor_check(a, 0, 2048, 10240);
}

static void anchor_good(void **state)
{
	struct dmr_anchor a = good_anchor();

	assert_int_equal(check(&a), DMR_OK);
	assert_int_equal(dmr_anchor_check(&a, 1, 2048, 10240), DMR_BAD_LOCATION);
	assert_int_equal(dmr_anchor_check(&a, 0, 0, 10240), DMR_BAD_LOCATION);
	assert_int_equal(dmr_anchor_check(&a, 0, 2048, 10239), DMR_BAD_GEOMETRY);
}

static void anchor_flipped(void **state)
{
	struct dmr_anchor a = good_anchor();
	unsigned char *p = (unsigned char *)&a;
	size_t i;

	for (i = 0; i < sizeof(a); i++) {
		p[i] ^= 1 << (i % 8);
		assert_int_equal(check(&a), i < 8 ? DMR_BAD_MAGIC : DMR_BAD_CSUM);
		p[i] ^= 1 << (i % 8);
	}
	assert_int_equal(check(&a), DMR_OK);
}

#define ANCHOR_FAULT(expected, change) do {			\
	struct dmr_anchor a = good_anchor();			\
								\
	change;							\
	a.csum = cpu_to_le32(dmr_anchor_csum(&a));		\
	assert_int_equal(check(&a), expected);			\
} while (0)

static void anchor_faults(void **state)
{
	ANCHOR_FAULT(DMR_BAD_VERSION, a.version = cpu_to_le32(2));
	ANCHOR_FAULT(DMR_BAD_FEATURE, a.incompat = cpu_to_le32(1));
	ANCHOR_FAULT(DMR_BAD_FEATURE, a.ro_compat = cpu_to_le32(1));
	ANCHOR_FAULT(DMR_OK, a.compat = cpu_to_le32(1));
	ANCHOR_FAULT(DMR_BAD_LOCATION, a.copy = cpu_to_le32(1));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.role = cpu_to_le32(0));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.role = cpu_to_le32(3));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.role = cpu_to_le32(DMR_ROLE_DATA));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.block_sectors = cpu_to_le32(0));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.block_sectors = cpu_to_le32(3));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.block_sectors = cpu_to_le32(64));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.nr_pages = cpu_to_le32(1));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.nr_pages = cpu_to_le32(DMR_MAX_PAGES + 1));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.nr_frames = cpu_to_le32(97));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.region_sectors = cpu_to_le64(UINT64_MAX));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.payload_start = cpu_to_le64(8193));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.payload_start = cpu_to_le64(128));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.payload_sectors = cpu_to_le64(7169));
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.payload_sectors = 0);
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.data_sectors = 0);
	ANCHOR_FAULT(DMR_BAD_GEOMETRY, a.data_sectors = cpu_to_le64(8 * DMR_MAX_BLOCKS));
}

static const uint8_t uuid[16] = { 1, 2, 3 };

static struct dmr_page good_frame(void)
{
	struct dmr_page p = {
		.header = { .page = cpu_to_le32(3), .gen = cpu_to_le64(5) },
	};

	dmri_frame_seal(&p, uuid, 2, 7);
	return p;
}

static void frame_flipped(void **state)
{
	struct dmr_page f = good_frame();
	unsigned char *p = (unsigned char *)&f;
	size_t i;

	assert_int_equal(dmr_frame_check(&f.header, uuid, 2, 7, 17), DMR_OK);
	for (i = 0; i < sizeof(f); i++) {
		p[i] ^= 0x10;
		assert_int_equal(dmr_frame_check(&f.header, uuid, 2, 7, 17),
				 i < 4 ? DMR_BAD_MAGIC : DMR_BAD_CSUM);
		p[i] ^= 0x10;
	}
}

static void frame_faults(void **state)
{
	static const uint8_t other[16] = { 1, 2, 4 };
	struct dmr_page f = good_frame();

	assert_int_equal(dmr_frame_check(&f.header, other, 2, 7, 17), DMR_BAD_SET);
	assert_int_equal(dmr_frame_check(&f.header, uuid, 1, 7, 17), DMR_BAD_LOCATION);
	assert_int_equal(dmr_frame_check(&f.header, uuid, 2, 8, 17), DMR_BAD_LOCATION);
	assert_int_equal(dmr_frame_check(&f.header, uuid, 2, 7, 3), DMR_BAD_GEOMETRY);
	f.header.gen = 0;
	dmri_frame_seal(&f, uuid, 2, 7);
	assert_int_equal(dmr_frame_check(&f.header, uuid, 2, 7, 17), DMR_BAD_GEOMETRY);
}

static void records(void **state)
{
	const struct dmr_bounds b = {
		.data_sectors = 803, .block_sectors = 8, .slots = { 0, 10, 0, 5 },
	};
	struct dmr_record r;

#define RECORD(expected, ...) do {				\
	r = fx_record(__VA_ARGS__);				\
	assert_int_equal(dmr_record_check(&r, &b), expected);	\
} while (0)
	RECORD(DMR_OK, DMR_RECORD_FREE, 0, 0, 0, 0);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_FREE, 0, 1, 0, 0);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_FREE, 0, 0, 1, 0);
	RECORD(DMR_OK, DMR_RECORD_REMAPPED, 1, 100, 9, 0xff);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_REMAPPED, 1, 101, 9, 0);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_REMAPPED, 1, 0, 10, 0);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_REMAPPED, 0, 0, 0, 0);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_REMAPPED, 2, 0, 0, 0);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_REMAPPED, 32, 0, 0, 0);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_REMAPPED, 1, 0, 0, 0x100);
	RECORD(DMR_OK, DMR_RECORD_LOST, 0, 100, 0, 1);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_LOST, 0, 100, 0, 0);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_LOST, 1, 100, 0, 1);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_LOST, 0, 100, 1, 1);
	RECORD(DMR_OK, DMR_RECORD_BAD_SLOT, 3, 0, 4, 0);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_BAD_SLOT, 3, 0, 5, 0);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_BAD_SLOT, 3, 1, 4, 0);
	RECORD(DMR_BAD_RECORD, DMR_RECORD_BAD_SLOT, 3, 0, 4, 1);
	RECORD(DMR_BAD_RECORD, 4, 0, 0, 0, 0);
	r = fx_record(DMR_RECORD_LOST, 0, 1, 0, 1);
	r.key |= cpu_to_le64(DMR_KEY_FORGOTTEN);
	assert_int_equal(dmr_record_check(&r, &b), DMR_OK);
	r.key |= cpu_to_le64(0x2000);
	assert_int_equal(dmr_record_check(&r, &b), DMR_BAD_RECORD);
	r = fx_record(DMR_RECORD_REMAPPED, 1, 1, 0, 0);
	r.key |= cpu_to_le64(DMR_KEY_FORGOTTEN);
	assert_int_equal(dmr_record_check(&r, &b), DMR_BAD_RECORD);
}

static struct dmr_root good_root(void)
{
	struct dmr_root r = {
		.nr_members = cpu_to_le32(2),
		.data_sectors = cpu_to_le64(1000),
		.block_sectors = cpu_to_le32(8),
		.nr_pages = cpu_to_le32(17),
	};

	r.members[0].state = cpu_to_le32(DMR_MEMBER_ACTIVE);
	r.members[1].state = cpu_to_le32(DMR_MEMBER_ACTIVE);
	r.members[1].sectors = cpu_to_le64(805);
	return r;
}

#define ROOT(expected, change) do {				\
	struct dmr_root r = good_root();			\
	struct dmr_bounds b;					\
								\
	change;							\
	assert_int_equal(dmr_root_check(&r, 17, &b), expected);	\
} while (0)

static void root(void **state)
{
	ROOT(DMR_OK, (void)0);
	ROOT(DMR_BAD_GEOMETRY, r.nr_pages = cpu_to_le32(18));
	ROOT(DMR_BAD_GEOMETRY, r.nr_members = 0);
	ROOT(DMR_BAD_GEOMETRY, r.nr_members = cpu_to_le32(33));
	ROOT(DMR_BAD_GEOMETRY, r.nr_members = cpu_to_le32(1));
	ROOT(DMR_BAD_GEOMETRY, r.state = cpu_to_le32(4));
	ROOT(DMR_BAD_GEOMETRY, r.data_sectors = 0);
	ROOT(DMR_BAD_GEOMETRY, r.block_sectors = cpu_to_le32(7));
	ROOT(DMR_BAD_GEOMETRY, r.policy.retries = cpu_to_le32(11));
	ROOT(DMR_BAD_GEOMETRY, r.policy.heal = cpu_to_le32(2));
	ROOT(DMR_BAD_GEOMETRY, r.policy.unreadable = cpu_to_le32(2));
	ROOT(DMR_BAD_GEOMETRY, r.members[1].state = cpu_to_le32(4));

	struct dmr_root r = good_root();
	struct dmr_bounds b = { 0 };

	assert_int_equal(dmr_root_check(&r, 17, &b), DMR_OK);
	assert_int_equal(b.slots[0], 0);
	assert_int_equal(b.slots[1], 100);
	r.members[1].state = cpu_to_le32(DMR_MEMBER_REMOVED);
	assert_int_equal(dmr_root_check(&r, 17, &b), DMR_OK);
	assert_int_equal(b.slots[1], 0);
}

static void layout(void **state)
{
	struct dmri_layout l;
	uint64_t need;

	assert_int_equal(dmri_nr_frames(17), 98);
	assert_int_equal(dmri_layout_region(0, 49152, 98, 8, DMR_ROLE_DATA, &l, &need), 0);
	assert_int_equal(l.payload_start, 2048);
	assert_int_equal(l.payload_sectors, 49152 - 2048);
	assert_int_equal(dmri_layout_region(0, 8192, 98, 8, DMR_ROLE_SPARE, &l, &need), 0);
	assert_int_equal(l.payload_start, 928);
	assert_int_equal(l.payload_start % 32, 0);
	assert_int_equal(l.payload_sectors % 8, 0);
	assert_int_equal(dmri_layout_region(0, need - 1, 98, 8, DMR_ROLE_SPARE, &l, &need),
			 -ENOSPC);
	assert_int_equal(dmri_layout_region(0, need, 98, 8, DMR_ROLE_SPARE, &l, &need), 0);
	assert_int_equal(dmri_layout_region(0, 1 << 20, 98, 8, DMR_ROLE_SPARE, &l, &need), 0);
	assert_int_equal(l.payload_start, 2048);
	assert_int_equal(dmri_locator_sector(100), 88);
	assert_int_equal(dmri_locator_sector(96), 88);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anchor_good),
		cmocka_unit_test(anchor_flipped),
		cmocka_unit_test(anchor_faults),
		cmocka_unit_test(frame_flipped),
		cmocka_unit_test(frame_faults),
		cmocka_unit_test(records),
		cmocka_unit_test(root),
		cmocka_unit_test(layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
