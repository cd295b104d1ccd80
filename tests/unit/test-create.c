/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Creating and destroying sets, adding spares, what is refused, and cuts anywhere. */
#include "fixture.h"

static struct fixture fx;
static struct dmremap_spare spares[FX_SPARES];
static struct dmremap_create request;

static int files(void **state)
{
	unsigned int i;

	fx_files(&fx, 2);
	memset(&request, 0, sizeof(request));
	request.name = "test";
	request.data = fx.data;
	request.map_entries = 4000;
	request.spares = spares;
	request.nr_spares = 2;
	for (i = 0; i < 2; i++)
		spares[i] = (struct dmremap_spare){ .path = fx.spares[i], .tier = i };
	return 0;
}

static int done(void **state)
{
	fx_cut(-1);
	fx_done(&fx);
	return 0;
}

static int plan(unsigned int flags, struct dmremap_plan **p)
{
	fx.err.text[0] = '\0';
	return dmremap_create_plan(&request, flags, p, &fx.err);
}

static void refused(int code, const char *part)
{
	struct dmremap_plan *p;

	assert_int_equal(plan(0, &p), code);
	assert_contains(fx.err.text, part);
}

static void create(void)
{
	struct dmremap_plan *p;

	if (plan(0, &p) < 0)
		fail_msg("%s", fx.err.text);
	fx_commit_plan(&fx, p);
	fx_load(&fx);
}

static void whole(void **state)
{
	const struct dmremap_set_info *info, *planned;
	struct dmremap_report *report;
	struct dmremap_plan *p;
	unsigned int i;

	assert_int_equal(plan(0, &p), 0);
	assert_true(fx_plan_has(p, DMREMAP_PLAN_STEP, fx.data));
	assert_false(fx_plan_has(p, DMREMAP_PLAN_LOSS, ""));
	planned = dmremap_plan_info(p);
	assert_int_equal(planned->data_sectors, 49152 - 2048);
	assert_int_equal(planned->members[2].tier, 1);
	assert_int_equal(dmremap_plan_commit(p, NULL, NULL, NULL), 0);
	assert_int_equal(dmremap_plan_commit(p, NULL, NULL, NULL), -EALREADY);
	fx_load(&fx);
	info = fx_info(&fx);
	assert_int_equal(info->verdict, DMREMAP_READY);
	assert_int_equal(info->data_sectors, planned->data_sectors);
	assert_int_equal(info->data_offset, 2048);
	for (i = 0; i < 3; i++)
		assert_string_equal(info->members[i].uuid, planned->members[i].uuid);
	assert_string_equal(info->uuid, planned->uuid);
	dmremap_plan_free(p);

	assert_int_equal(dmremap_report_new(fx.set, NULL, NULL, &report, NULL), 0);
	assert_int_equal(dmremap_report_severity(report), DMREMAP_INFO);
	for (i = 0; i < dmremap_report_members(report); i++) {
		assert_int_equal(dmremap_report_member(report, i)->valid, 2);
		assert_int_equal(dmremap_report_member(report, i)->empty,
				 dmremap_report_member(report, i)->frames - 2);
	}
	dmremap_report_free(report);
}

static uint32_t file_crc(const char *path)
{
	struct dmri_dev *dev;
	uint32_t crc = ~0u;
	void *buf = dmri_alloc(65536);
	u64 at;

	assert_int_equal(dmri_dev_open(path, 0, &dev, NULL), 0);
	for (at = 0; at < dev->sectors; at += 128) {
		assert_int_equal(dmri_dev_read(dev, at, buf, 65536), 0);
		crc = dmr_crc32c(crc, buf, 65536);
	}
	free(buf);
	dmri_dev_close(dev);
	return crc;
}

static void adopted(void **state)
{
	uint32_t before;

	request.adopt = true;
	fx.adopt = true;
	fx_poke(fx.data, 0, "first", 5);
	fx_poke(fx.data, 12345678, "middle", 6);
	before = file_crc(fx.data);
	create();
	assert_int_equal(file_crc(fx.data), before);
	assert_int_equal(fx_info(&fx)->data_sectors, 49152);
	assert_int_equal(fx_info(&fx)->data_offset, 0);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
}

static void adopted_offset(void **state)
{
	request.adopt = true;
	fx.adopt = true;
	request.data_offset = 8;
	request.data_sectors = 4001;
	create();
	assert_int_equal(fx_info(&fx)->data_sectors, 4001);
	assert_int_equal(fx_info(&fx)->data_offset, 8);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
}

static void bad_requests(void **state)
{
	request.name = "a b";
	refused(-EINVAL, "a b");
	request.name = "test";
	request.block_size = 3000;
	refused(-EINVAL, "3000");
	request.block_size = 32768;
	refused(-EINVAL, "32768");
	request.block_size = 256;
	refused(-EINVAL, "256");
	request.block_size = 0;
	request.data_offset = 8;
	refused(-EINVAL, "adopted");
	request.data_offset = 0;
	request.map_entries = 1ULL << 40;
	refused(-EINVAL, "entries");
	request.map_entries = 4000;
	request.data_sectors = 1 << 20;
	refused(-ENOSPC, "sectors");
	request.data_sectors = 0;
	spares[1].path = spares[0].path;
	refused(-EINVAL, "twice");
	spares[1].path = fx.data;
	refused(-EINVAL, "internal spare");
	spares[1].path = "/nonexistent";
	refused(-ENOENT, "/nonexistent");
	spares[1].path = "/dev/null";
	refused(-ENOTBLK, "/dev/null");
	request.nr_spares = 0;
	refused(-EINVAL, "spare");
	request.internal_spare_bytes = 1ULL << 40;
	refused(-ENOSPC, "internal spare");
	request.data = NULL;
	refused(-EINVAL, "data device");
}

static void too_small(void **state)
{
	struct dmremap_plan *p;

	assert_int_equal(truncate(fx.spares[1], 200 * 1024), 0);
	refused(-ENOSPC, fx.spares[1]);
	assert_contains(fx.err.text, "at least");
	/* Just enough is enough. */
	assert_int_equal(truncate(fx.spares[1], dmri_spare_min_sectors(98, 8) * 512), 0);
	assert_int_equal(plan(0, &p), 0);
	dmremap_plan_free(p);
	assert_int_equal(truncate(fx.spares[1], dmri_spare_min_sectors(98, 8) * 512 - 4096), 0);
	refused(-ENOSPC, fx.spares[1]);
}

static void default_map(void **state)
{
	struct dmremap_plan *p;

	request.map_entries = 0;
	assert_int_equal(plan(0, &p), 0);
	/* Twice the blocks of both spares, in whole pages. */
	assert_int_equal(dmremap_plan_info(p)->records, 4250);
	dmremap_plan_free(p);
	request.block_size = 16384;
	assert_int_equal(plan(0, &p), 0);
	assert_int_equal(dmremap_plan_info(p)->records, 4000);
	assert_int_equal(dmremap_plan_info(p)->block_size, 16384);
	dmremap_plan_free(p);
}

/* --- Devices that hold something ------------------------------------------------- */

static void put_swap(const char *path)
{
	uint32_t header[2] = { 1, 1000 };

	fx_poke(path, 1024, header, 8);
	fx_poke(path, 4086, "SWAPSPACE2", 10);
}

static void occupied(void **state)
{
	struct dmremap_device d;
	struct dmremap_plan *p;

	put_swap(fx.spares[0]);
	refused(-ENOTEMPTY, "swap");
	assert_contains(fx.err.text, fx.spares[0]);
	assert_int_equal(plan(DMREMAP_FORCE, &p), 0);
	assert_true(fx_plan_has(p, DMREMAP_PLAN_LOSS, "swap"));
	fx_commit_plan(&fx, p);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(dmremap_device_probe(fx.spares[0], &d, NULL), 0);
	assert_int_equal(d.holds, DMREMAP_HOLDS_MEMBER);
	assert_contains(d.text, "a spare of the dm-remap set \"test\"");
	assert_string_equal(d.holds_label, "test");
	/* And now it is refused as such. */
	request.name = "other";
	refused(-ENOTEMPTY, "dm-remap set \"test\"");
	assert_int_equal(plan(DMREMAP_FORCE, &p), 0);
	fx_commit_plan(&fx, p);
	fx_load(&fx);
	assert_string_equal(fx_info(&fx)->name, "other");
}

static void newer_version(void **state)
{
	struct dmr_anchor *a = dmri_alloc(sizeof(*a));
	struct dmremap_plan *p;

	dmri_anchor_seal(a, 0);
	a->version = cpu_to_le32(2);
	a->csum = cpu_to_le32(dmr_anchor_csum(a));
	fx_poke(fx.spares[0], 0, a, sizeof(*a));
	refused(-EPROTONOSUPPORT, "newer version");
	assert_int_equal(plan(DMREMAP_FORCE, &p), -EPROTONOSUPPORT);
	a->version = cpu_to_le32(1);
	a->incompat = cpu_to_le32(1 << 7);
	a->csum = cpu_to_le32(dmr_anchor_csum(a));
	fx_poke(fx.spares[0], 0, a, sizeof(*a));
	assert_int_equal(plan(DMREMAP_FORCE, &p), -EPROTONOSUPPORT);
	a->csum = 0;
	fx_poke(fx.spares[0], 0, a, sizeof(*a));
	refused(-ENOTEMPTY, "damaged");
	assert_int_equal(plan(DMREMAP_FORCE, &p), 0);
	dmremap_plan_free(p);
	free(a);
}

/* An ext4 superblock, as far as libblkid looks. */
static void put_ext4(const char *path, uint32_t blocks)
{
	unsigned char sb[1024] = { 0 };
	uint32_t shift = 2;
	uint16_t magic = 0xef53;

	memcpy(sb + 4, &blocks, 4);
	memcpy(sb + 24, &shift, 4);
	memcpy(sb + 56, &magic, 2);
	sb[76] = 1;
	sb[92] = 4;		/* has_journal */
	sb[96] = 0x42;		/* filetype, extents */
	memset(sb + 104, 0x11, 16);
	fx_poke(path, 1024, sb, sizeof(sb));
}

static void internal_tail(void **state)
{
	struct dmremap_plan *p;

	request.adopt = true;
	request.internal_spare_bytes = 4 << 20;
	request.nr_spares = 0;
	put_ext4(fx.data, 24 * 256);
	refused(-ENOSPC, "Shrink it first");
	assert_int_equal(plan(DMREMAP_FORCE, &p), -ENOSPC);
	put_ext4(fx.data, 18 * 256);
	assert_int_equal(plan(0, &p), 0);
	assert_true(fx_plan_has(p, DMREMAP_PLAN_NOTE, "ext4"));
	dmremap_plan_free(p);
	/* Whatever does not say how long it is must be vouched for. */
	fx_zero(fx.data, 0, 8192);
	put_swap(fx.data);
	refused(-ENOTEMPTY, "How far it reaches is not known");
	assert_int_equal(plan(DMREMAP_FORCE, &p), 0);
	assert_true(fx_plan_has(p, DMREMAP_PLAN_LOSS, "will be overwritten"));
	dmremap_plan_free(p);
}

/* --- Cuts -------------------------------------------------------------------------- */

/* Power lost after any write: nothing that could be started until all is done. */
static void cut_create(void **state)
{
	struct dmremap_plan *p;
	long n;
	int r = -1;

	fx_save(&fx);
	for (n = 0; r < 0; n++) {
		fx_restore(&fx);
		assert_true(n < 100);
		assert_int_equal(plan(0, &p), 0);
		fx_cut(n);
		r = dmremap_plan_commit(p, NULL, NULL, &fx.err);
		dmremap_plan_free(p);
		fx_cut(-1);
		fx_load(&fx);
		if (r < 0 && fx.set && fx_info(&fx)->verdict != DMREMAP_REFUSED) {
			/* All of it, but for the last copy of the last anchor. */
			assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
			assert_true(fx_info(&fx)->members[0].damaged);
		}
	}
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_true(n > 10);
}

static int stop(uint64_t n, uint64_t total, void *arg)
{
	return 1;
}

static void cancelled(void **state)
{
	struct dmremap_plan *p;

	assert_int_equal(plan(0, &p), 0);
	assert_int_equal(dmremap_plan_commit(p, stop, NULL, &fx.err), -ECANCELED);
	dmremap_plan_free(p);
	fx_load(&fx);
	assert_null(fx.set);
}

/* --- Destroying ------------------------------------------------------------------------ */

/* Between the scan and the opening the name went to another device. */
static void changed_since(void **state)
{
	struct dmremap_plan *p;

	create();
	fx_zero(fx.spares[0], DMR_ANCHOR0_SECTOR * 512, DMR_FRAME_SIZE);
	fx_zero(fx.spares[0], DMR_ANCHOR1_SECTOR * 512, DMR_FRAME_SIZE);
	assert_int_equal(dmremap_destroy_plan(fx.set, DMREMAP_FORCE, &p, &fx.err), -EAGAIN);
	assert_contains(fx.err.text, fx.spares[0]);
	assert_int_equal(dmremap_repair_plan(fx.set, 0, &p, &fx.err), -EAGAIN);
}

/* Adopted by a set whose spares are not there. */
static void known_device(void **state)
{
	struct dmremap_plan *p;
	unsigned int adopt;

	fx_known = "other";
	for (adopt = 0; adopt < 2; adopt++) {
		request.adopt = adopt;
		refused(-ENOTEMPTY, "is the data device that set other");
		assert_int_equal(plan(DMREMAP_FORCE, &p), 0);
		assert_true(fx_plan_has(p, DMREMAP_PLAN_LOSS, "other"));
		dmremap_plan_free(p);
	}
}

static void destroy(void **state)
{
	struct dmr_record r = fx_record(DMR_RECORD_LOST, 0, 4, 0, 1);
	struct dmremap_device d;
	struct dmremap_plan *p;
	unsigned int i;

	create();
	fx_commit(&fx, 1, &r, 1);
	assert_int_equal(dmremap_destroy_plan(fx.set, 0, &p, &fx.err), 0);
	assert_true(fx_plan_has(p, DMREMAP_PLAN_LOSS, "1 blocks hold lost sectors"));
	assert_true(fx_plan_has(p, DMREMAP_PLAN_NOTE, "sector 2048"));
	dmremap_plan_free(p);
	r = fx_record(DMR_RECORD_REMAPPED, 1, 4, 0, 1);
	fx_commit(&fx, 1, &r, 1);
	assert_int_equal(dmremap_destroy_plan(fx.set, 0, &p, &fx.err), -ENOTEMPTY);
	assert_contains(fx.err.text, "1 blocks (4 KiB)");
	assert_int_equal(dmremap_destroy_plan(fx.set, DMREMAP_FORCE, &p, &fx.err), 0);
	assert_true(fx_plan_has(p, DMREMAP_PLAN_LOSS, "1 blocks"));
	fx_commit_plan(&fx, p);
	fx_load(&fx);
	assert_null(fx.set);
	for (i = 0; i < 3; i++) {
		assert_int_equal(dmremap_device_probe(fx_path(&fx, i), &d, NULL), 0);
		assert_int_equal(d.holds, DMREMAP_HOLDS_NOTHING);
	}
}

/* Cut anywhere, it can not be started, or is whole; and can be destroyed again. */
static void cut_destroy(void **state)
{
	struct dmremap_plan *p;
	long n;
	int r = -1;

	create();
	fx_save(&fx);
	for (n = 0; r < 0; n++) {
		fx_restore(&fx);
		fx_load(&fx);
		assert_int_equal(dmremap_destroy_plan(fx.set, 0, &p, &fx.err), 0);
		fx_cut(n);
		r = dmremap_plan_commit(p, NULL, NULL, NULL);
		dmremap_plan_free(p);
		fx_cut(-1);
		fx_load(&fx);
		if (!fx.set)
			continue;
		/* One copy of an anchor may be gone before the other. */
		assert_true(fx_info(&fx)->verdict != DMREMAP_READY || n < 2);
		assert_int_equal(dmremap_destroy_plan(fx.set, DMREMAP_FORCE, &p, &fx.err), 0);
		fx_commit_plan(&fx, p);
		fx_load(&fx);
		assert_null(fx.set);
	}
}

/* The internal spare of an earlier set must not be found beside the new set. */
static void old_locator(void **state)
{
	struct dmremap_plan *p;

	request.nr_spares = 0;
	request.adopt = true;
	request.internal_spare_bytes = 4 << 20;
	create();
	request.adopt = false;
	request.internal_spare_bytes = 0;
	request.nr_spares = 1;
	request.name = "again";
	assert_int_equal(dmremap_create_plan(&request, DMREMAP_FORCE, &p, &fx.err), 0);
	fx_commit_plan(&fx, p);
	fx_load(&fx);
	assert_string_equal(fx_info(&fx)->name, "again");
	assert_int_equal(fx_info(&fx)->nr_members, 2);
	assert_int_equal(dmremap_scan_next(fx.scan, &fx.set), 0);
}

static void regular_file(void **state)
{
	struct dmremap_plan *p;

	request.nr_spares = 1;
	fx_poke(fx.data, 100, "important", 9);
	assert_int_equal(dmremap_create_plan(&request, 0, &p, &fx.err), -ENOTEMPTY);
	assert_contains(fx.err.text, "regular file");
}

/* --- Adding spares -------------------------------------------------------------------- */

static void add_spare(void **state)
{
	struct dmremap_spare spare = { .path = fx.spares[1], .tier = 3 };
	struct dmremap_plan *p;

	request.nr_spares = 1;
	create();
	assert_int_equal(dmremap_spare_add_plan(fx.set, &spare, 0, &p, &fx.err), 0);
	assert_true(fx_plan_has(p, DMREMAP_PLAN_STEP, "next start"));
	fx_commit_plan(&fx, p);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->nr_members, 3);
	assert_int_equal(fx_info(&fx)->members[2].index, DMREMAP_NOT_JOINED);
	assert_int_equal(fx_info(&fx)->members[2].tier, 3);
	assert_true(fx.set->member_usable[2]);
	/* It is a member now. */
	assert_int_equal(dmremap_spare_add_plan(fx.set, &spare, 0, &p, &fx.err), -ENOTEMPTY);
	/* It never joined, so it may go; one that did may not while stopped. */
	assert_int_equal(dmremap_spare_remove_plan(fx.set, "1", 0, &p, &fx.err), -ENOTCONN);
	assert_int_equal(dmremap_spare_remove_plan(fx.set, "7", 0, &p, &fx.err), -ENOENT);
	assert_int_equal(dmremap_spare_remove_plan(fx.set, spare.path, 0, &p, &fx.err), 0);
	fx_commit_plan(&fx, p);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->nr_members, 2);
	/* Too small. */
	assert_int_equal(truncate(spare.path, 300 * 1024), 0);
	assert_int_equal(dmremap_spare_add_plan(fx.set, &spare, 0, &p, &fx.err), -ENOSPC);
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, files, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whole), TEST(adopted), TEST(adopted_offset), TEST(bad_requests),
		TEST(too_small), TEST(default_map), TEST(occupied), TEST(newer_version),
		TEST(internal_tail), TEST(cut_create), TEST(cancelled), TEST(changed_since), TEST(known_device), TEST(destroy),
		TEST(cut_destroy), TEST(add_spare), TEST(old_locator), TEST(regular_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
