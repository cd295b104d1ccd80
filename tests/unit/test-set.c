/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which map is believed, and whether the set can be started: torn, missing, aged
 * and diverged pages, bad records, members that are missing, stale, foreign.
 */
#include "fixture.h"

static struct fixture fx;

static int done(void **state)
{
	fx_done(&fx);
	return 0;
}

static void ready(void **state)
{
	const struct dmremap_set_info *info;

	fx_create(&fx, 0, 2);
	info = fx_info(&fx);
	assert_int_equal(info->verdict, DMREMAP_READY);
	assert_string_equal(info->name, "test");
	assert_int_equal(info->generation, 1);
	assert_int_equal(info->nr_members, 3);
	assert_int_equal(info->members[2].index, 2);
	assert_int_equal(info->records, 4000);
	assert_int_equal(info->state, DMR_SET_CLEAN);
	assert_false(info->adopted);
	assert_int_equal(info->policy.retries, DMR_DEFAULT_RETRIES);
}

static void with_records(unsigned int spares)
{
	struct dmr_record r[] = {
		fx_record(DMR_RECORD_REMAPPED, 1, 9, 3, 0),
		fx_record(DMR_RECORD_LOST, 0, 4, 0, 0x81),
		fx_record(DMR_RECORD_BAD_SLOT, 1, 0, 5, 0),
	};

	fx_create(&fx, 0, spares);
	fx_commit(&fx, 1, r, 3);
	r[0] = fx_record(DMR_RECORD_REMAPPED, 1, 2, 4, 1);
	fx_commit(&fx, 2, r, 1);
	assert_int_equal(fx_info(&fx)->generation, 3);
}

static void counts(void **state)
{
	const struct dmremap_set_info *info;
	struct dmremap_map_entry e;
	struct dmremap_map *map;

	with_records(1);
	info = fx_info(&fx);
	assert_int_equal(info->verdict, DMREMAP_READY);
	assert_int_equal(info->records_used, 4);
	assert_int_equal(info->remapped, 2);
	assert_int_equal(info->lost, 1);
	assert_int_equal(info->members[1].slots_used, 2);
	assert_int_equal(info->members[1].slots_bad, 1);

	assert_int_equal(dmremap_map_open_disk(fx.set, &map, NULL), 0);
	assert_int_equal(dmremap_map_next(map, &e, NULL), 1);
	assert_int_equal(e.block, 2);
	assert_int_equal(e.invalid, 1);
	assert_true(e.remapped);
	assert_int_equal(dmremap_map_next(map, &e, NULL), 1);
	assert_int_equal(e.block, 4);
	assert_false(e.remapped);
	assert_int_equal(dmremap_map_next(map, &e, NULL), 1);
	assert_int_equal(e.block, 9);
	assert_int_equal(dmremap_map_next(map, &e, NULL), 0);
	dmremap_map_seek(map, 3);
	assert_int_equal(dmremap_map_next(map, &e, NULL), 1);
	assert_int_equal(e.block, 4);
	dmremap_map_seek(map, 10);
	assert_int_equal(dmremap_map_next(map, &e, NULL), 0);
	dmremap_map_free(map);
}

/* --- Versions of pages -------------------------------------------------------- */

static void torn(void **state)
{
	with_records(1);
	/* The last commit wrote page 2; on no member did it land. */
	fx_frames(&fx, 0, 2, 3, fx_erase);
	fx_frames(&fx, 1, 2, 3, fx_erase);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->generation, 2);
	assert_int_equal(fx_info(&fx)->remapped, 1);
}

static void torn_on_one(void **state)
{
	with_records(1);
	fx_frames(&fx, 1, 2, 3, fx_erase);
	fx_load(&fx);
	/* One member has it: it counts. The other is one commit behind: allowed. */
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->generation, 3);
	assert_int_equal(fx_info(&fx)->remapped, 2);
}

static struct dmr_record two[2];

/* A commit of two pages of which only one landed: each page stands for itself. */
static void torn_in_part(void **state)
{
	struct dmr_page *page = dmri_alloc(sizeof(*page));
	struct dmri_dev *dev;
	char backup[128];
	u64 digest;

	with_records(1);
	digest = dmr_page_digest(0, 1, 0);
	dev = fx_open(&fx, 0);
	/* Forge the frames of commit 4 that say pages 1 and 3 changed; write 3 only. */
	assert_int_equal(fx_frames(&fx, 0, 2, 3, NULL), 2);
	assert_int_equal(dmri_dev_read(dev, DMR_FRAMES_SECTOR, page, sizeof(*page)), 0);
	memset(page, 0, sizeof(*page));
	page->header.page = cpu_to_le32(3);
	page->header.gen = cpu_to_le64(4);
	page->header.session = cpu_to_le64(4711);
	page->header.digest_before = cpu_to_le64(fx.set->image->assembly.digest);
	page->header.digest_after = cpu_to_le64(digest);
	page->records[0] = fx_record(DMR_RECORD_LOST, 0, 77, 0, 1);
	dmri_frame_seal(page, fx.set->uuid, 0, 90);
	assert_int_equal(dmri_dev_write(dev, DMR_FRAMES_SECTOR + 90 * 8, page, 4096), 0);
	dmri_dev_close(dev);
	free(page);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_true(fx_info(&fx)->torn);
	assert_int_equal(fx_info(&fx)->lost, 2);
	/* It can be backed up as it is; but not while somebody waits for the other half. */
	dmri_text(backup, sizeof(backup), "%s/backup", fx.dir);
	fx.set->info.active = true;
	assert_int_equal(dmremap_backup(fx.set, backup, &fx.err), -EAGAIN);
	assert_contains(fx.err.text, "is being changed");
	fx.set->info.active = false;
	assert_int_equal(dmremap_backup(fx.set, backup, &fx.err), 0);
}

static void erase_second(struct fixture *f, const char *path, uint64_t offset)
{
	static unsigned int calls;

	if (calls++)
		fx_erase(f, path, offset);
}

/* Repair must keep what proves that the commit was torn: the versions before it. */
static void torn_repaired(void **state)
{
	struct dmr_page *page = dmri_alloc(sizeof(*page));
	struct dmremap_plan *p;
	struct dmri_dev *dev;

	with_records(1);
	fx_frames(&fx, 0, 2, 3, erase_second);
	/* Commit 4 of pages 1 and 2, of which one frame of page 2 landed. */
	dev = fx_open(&fx, 0);
	page->header.page = cpu_to_le32(2);
	page->header.gen = cpu_to_le64(4);
	page->header.session = cpu_to_le64(4711);
	page->header.digest_before = cpu_to_le64(fx.set->image->assembly.digest);
	page->header.digest_after = cpu_to_le64(1);
	page->records[0] = fx_record(DMR_RECORD_LOST, 0, 77, 0, 1);
	dmri_frame_seal(page, fx.set->uuid, 0, 90);
	assert_int_equal(dmri_dev_write(dev, DMR_FRAMES_SECTOR + 90 * 8, page, 4096), 0);
	dmri_dev_close(dev);
	free(page);
	fx_load(&fx);
	assert_true(fx_info(&fx)->torn);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(dmremap_repair_plan(fx.set, 0, &p, &fx.err), 0);
	fx_commit_plan(&fx, p);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
}

static void page_missing(void **state)
{
	with_records(1);
	fx_frames(&fx, 0, 1, 2, fx_erase);
	fx_frames(&fx, 1, 1, 2, fx_erase);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
	assert_int_equal(fx_info(&fx)->fault, DMR_INCOMPLETE);
	assert_contains(fx_info(&fx)->reason, "missing or out of date");
	assert_int_equal(fx.set->code, -EUCLEAN);
}

/* A page that is only there in an older version is as bad as a missing one. */
static void page_aged(void **state)
{
	with_records(1);
	two[0] = fx_record(DMR_RECORD_LOST, 0, 5, 0, 1);
	fx_commit(&fx, 1, two, 1);
	fx_commit(&fx, 3, two + 1, 1);
	fx_frames(&fx, 0, 1, 4, fx_erase);
	fx_frames(&fx, 1, 1, 4, fx_erase);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->fault, DMR_INCOMPLETE);
}

static void root_missing(void **state)
{
	with_records(1);
	fx_frames(&fx, 0, 0, 0, fx_erase);
	fx_frames(&fx, 1, 0, 0, fx_erase);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->fault, DMR_NO_MAP);
	assert_false(fx_info(&fx)->loaded);
	assert_int_equal(fx_info(&fx)->nr_members, 2);
}

static void other_session(struct fixture *f, const char *path, uint64_t offset)
{
	struct dmri_dev *dev;
	struct dmr_frame_header *h = dmri_alloc(4096);

	assert_int_equal(dmri_dev_open(path, DMRI_WRITE, &dev, NULL), 0);
	assert_int_equal(dmri_dev_read(dev, offset / 512, h, 4096), 0);
	h->session = cpu_to_le64(1);
	dmri_frame_seal(h, f->set->uuid, le32_to_cpu(h->member), le32_to_cpu(h->frame));
	assert_int_equal(dmri_dev_write(dev, offset / 512, h, 4096), 0);
	dmri_dev_close(dev);
	free(h);
}

static void diverged(void **state)
{
	with_records(1);
	fx_frames(&fx, 1, 2, 3, other_session);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
	assert_int_equal(fx_info(&fx)->fault, DMR_DIVERGED);
}

/* Any one byte of any one frame may rot: another copy is taken. */
static void rot(void **state)
{
	unsigned int frame, i;

	with_records(1);
	for (frame = 0; frame < 6; frame++) {
		for (i = 0; i < 4096; i += 211) {
			fx_flip(fx_path(&fx, frame % 2),
				(DMR_FRAMES_SECTOR + frame * 8) * 512 + i);
			fx_load(&fx);
			assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
			assert_int_equal(fx_info(&fx)->remapped, 2);
			fx_flip(fx_path(&fx, frame % 2),
				(DMR_FRAMES_SECTOR + frame * 8) * 512 + i);
		}
	}
}

/* --- Records -------------------------------------------------------------------- */

static void refused_records(const struct dmr_record *r, size_t nr, const char *reason)
{
	fx_create(&fx, 0, 1);
	fx_commit(&fx, 1, r, nr);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
	assert_int_equal(fx_info(&fx)->fault, DMR_BAD_RECORD);
	assert_contains(fx_info(&fx)->reason, reason);
}

static void block_twice(void **state)
{
	two[0] = fx_record(DMR_RECORD_REMAPPED, 1, 9, 3, 0);
	two[1] = fx_record(DMR_RECORD_LOST, 0, 9, 0, 1);
	refused_records(two, 2, "two records of block 9");
}

static void slot_twice(void **state)
{
	two[0] = fx_record(DMR_RECORD_REMAPPED, 1, 9, 3, 0);
	two[1] = fx_record(DMR_RECORD_REMAPPED, 1, 8, 3, 0);
	refused_records(two, 2, "slot is used twice");
}

static void out_of_bounds(void **state)
{
	two[0] = fx_record(DMR_RECORD_REMAPPED, 2, 9, 3, 0);
	refused_records(two, 1, "page 1, record 0");
}

/* --- Members -------------------------------------------------------------------- */

static void spare_missing(void **state)
{
	with_records(2);
	fx_zero(fx.spares[0], 0, 65536);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_DEGRADED);
	assert_contains(fx_info(&fx)->reason, "2 blocks live on it");
	assert_int_equal(fx.set->code, -ENXIO);
	assert_false(fx_info(&fx)->members[1].present);
	assert_true(fx_info(&fx)->members[2].present);
}

static void data_missing(void **state)
{
	with_records(2);
	fx_zero(fx.data, 0, 65536);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
	assert_contains(fx_info(&fx)->reason, "data device of the set is missing");
}

static void anchor_copy(void **state)
{
	with_records(1);
	fx_zero(fx.data, 0, 4096);
	fx_zero(fx.spares[0], 61440, 4096);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_true(fx_info(&fx)->members[0].damaged);
	assert_true(fx_info(&fx)->members[1].damaged);
}

/* A spare as it was some commits ago, put back: a clone, or a disk from a shelf. */
static void spare_stale(void **state)
{
	char old[128];

	with_records(2);
	dmri_text(old, sizeof(old), "%s/old", fx.dir);
	fx_copy(fx.spares[1], old);
	fx_commit(&fx, 3, two, 0);
	fx_commit(&fx, 3, two, 0);
	fx_copy(old, fx.spares[1]);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_DEGRADED);
	assert_int_equal(fx.set->code, -ESTALE);
	assert_contains(fx_info(&fx)->reason, "out of date: it holds commit 3, the set is at 5");
	assert_false(fx.set->member_usable[2]);
	/* Only one behind: a cut, not an old copy. */
	fx_done(&fx);
	with_records(2);
	dmri_text(old, sizeof(old), "%s/old", fx.dir);
	fx_copy(fx.spares[1], old);
	fx_commit(&fx, 3, two, 0);
	fx_copy(old, fx.spares[1]);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
}

static void data_stale(void **state)
{
	char old[128];

	with_records(1);
	dmri_text(old, sizeof(old), "%s/old", fx.dir);
	fx_copy(fx.data, old);
	fx_commit(&fx, 3, two, 0);
	fx_commit(&fx, 3, two, 0);
	fx_copy(old, fx.data);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
	assert_int_equal(fx.set->code, -ESTALE);
}

static void mark_out(struct dmr_root *root)
{
	root->members[2].state = cpu_to_le32(DMR_MEMBER_OUT);
	root->members[2].out_gen = cpu_to_le64(3);
	root->members[2].out_session = cpu_to_le64(4711);
}

static void mark_removed(struct dmr_root *root)
{
	root->members[2].state = cpu_to_le32(DMR_MEMBER_REMOVED);
}

static void spare_out(void **state)
{
	char old[128];

	with_records(2);
	dmri_text(old, sizeof(old), "%s/old", fx.dir);
	fx_copy(fx.spares[1], old);
	fx_commit_root(&fx, mark_out);
	fx_commit(&fx, 3, two, 0);
	fx_commit(&fx, 3, two, 0);
	fx_copy(old, fx.spares[1]);
	fx_load(&fx);
	/* It left at commit 3 and comes back as it was: it may return. */
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->members[2].state, DMR_MEMBER_OUT);
	assert_true(fx.set->member_usable[2]);
	/* Gone, it is not missed, since nothing lives on it. */
	fx_zero(fx.spares[1], 0, 65536);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
}

static void mark_opening(struct dmr_root *root)
{
	root->state = cpu_to_le32(DMR_SET_OPENING);
}

static void mark_out_before(struct dmr_root *root)
{
	mark_out(root);
	root->members[2].out_session = cpu_to_le64(4710);
}

/*
 * Spare 2 has @commits more than all others had when power went, or one of a start; those are
 * here now, alone.
 */
static void go_ahead(unsigned int commits)
{
	struct dmr_record lost = fx_record(DMR_RECORD_LOST, 0, 7, 0, 1);
	char data[128], spare[128];

	with_records(2);
	dmri_text(data, sizeof(data), "%s/old-data", fx.dir);
	dmri_text(spare, sizeof(spare), "%s/old-spare", fx.dir);
	fx_copy(fx.data, data);
	fx_copy(fx.spares[0], spare);
	if (!commits)
		fx_commit_root(&fx, mark_opening);
	while (commits--)
		fx_commit(&fx, 3, &lost, 1);
	fx_copy(data, fx.data);
	fx_copy(spare, fx.spares[0]);
	fx.nr_spares = 1;
	fx_load(&fx);
}

/* The others are used without it, and it is back. */
static void use_without(void (*mark)(struct dmr_root *root))
{
	fx_commit_root(&fx, mark);
	fx.nr_spares = 2;
	fx_load(&fx);
}

/* It may return, and what it has too much is no part of the map. */
static void spare_ahead(void **state)
{
	go_ahead(1);
	for (unsigned int i = 0; i < 3; i++) {
		use_without(mark_out);
		assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
		assert_int_equal(fx_info(&fx)->generation, 4 + i);
		assert_int_equal(fx_info(&fx)->members[2].state, DMR_MEMBER_OUT);
		assert_true(fx.set->member_usable[2]);
		assert_int_equal(fx_info(&fx)->records_used, 4);
		assert_int_equal(fx_info(&fx)->lost, 1);
		fx.nr_spares = 1;
		fx_load(&fx);
	}
	fx_done(&fx);
	/* One further, and it has a history of its own. */
	go_ahead(2);
	use_without(mark_out);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
	assert_int_equal(fx_info(&fx)->fault, DMR_DIVERGED);
}

/* It was started alone: not used yet it may return, but not once it was. */
static void spare_alone(void **state)
{
	go_ahead(0);
	fx_commit_root(&fx, mark_out_before);
	use_without(mark_out_before);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_true(fx.set->member_usable[2]);
	fx_done(&fx);
	go_ahead(1);
	fx_commit_root(&fx, mark_out_before);
	use_without(mark_out_before);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
}

/* It left, and got another use: the next start does not write to it. */
static void spare_overwritten(void **state)
{
	char old[128];

	with_records(2);
	dmri_text(old, sizeof(old), "%s/old", fx.dir);
	fx_copy(fx.spares[1], old);
	fx_commit_root(&fx, mark_out);
	fx_copy(old, fx.spares[1]);
	fx_flip(fx.spares[1], 450);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_false(fx.set->member_usable[2]);
	assert_contains(fx_info(&fx)->members[2].reason, "may have another use");
	/* An administrator's word. */
	fx_repair(&fx, 1);
	fx_load(&fx);
	assert_true(fx.set->member_usable[2]);
}

static void spare_removed(void **state)
{
	with_records(2);
	fx_commit_root(&fx, mark_removed);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->members[2].state, DMR_MEMBER_REMOVED);
	assert_false(fx.set->member_usable[2]);
}

static void copied_member(void **state)
{
	struct dmremap_plan *p;

	with_records(2);
	fx_copy(fx.spares[0], fx.spares[1]);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
	assert_int_equal(fx.set->code, -ENOTUNIQ);
	assert_contains(fx_info(&fx)->reason, fx.spares[1]);
	/* Which of the two is meant is not known: neither is written to. */
	assert_int_equal(dmremap_destroy_plan(fx.set, DMREMAP_FORCE, &p, &fx.err), -ENOTUNIQ);
	assert_int_equal(dmremap_repair_plan(fx.set, DMREMAP_FORCE, &p, &fx.err), -ENOTUNIQ);
}

static void no_data_member(struct dmr_root *root)
{
	root->members[0].state = cpu_to_le32(DMR_MEMBER_REMOVED);
}

static void data_removed(void **state)
{
	with_records(1);
	fx_commit_root(&fx, no_data_member);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
}

/* --- Adopted data devices -------------------------------------------------------- */

static void closed(struct dmr_root *root)
{
	struct dmri_dev *dev = fx_open(&fx, 0);
	u32 sum;

	assert_int_equal(dmri_fingerprint(dev, 0, DMR_FINGERPRINT_BYTES, &sum), 0);
	root->state = cpu_to_le32(DMR_SET_CLEAN);
	root->identity.fingerprint = cpu_to_le32(sum);
	root->identity.fingerprint_bytes = cpu_to_le32(DMR_FINGERPRINT_BYTES);
	dmri_dev_close(dev);
}

static void in_use(struct dmr_root *root)
{
	closed(root);
	root->state = cpu_to_le32(DMR_SET_OPEN);
}

static void fingerprint(void **state)
{
	fx_create(&fx, FX_ADOPT, 1);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_true(fx_info(&fx)->adopted);
	fx_poke(fx.data, 1000, "content", 7);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	fx_commit_root(&fx, closed);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	fx_flip(fx.data, 131071);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
	assert_int_equal(fx.set->code, -ESTALE);
	assert_contains(fx_info(&fx)->reason, "while the set was stopped");
	fx_flip(fx.data, 131071);
	fx_flip(fx.data, 131072);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	/* After a crash the start has changed for good reasons. */
	fx_commit_root(&fx, in_use);
	fx_flip(fx.data, 0);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
}

/* Of adopted data that begins anywhere: of exactly these bytes. */
static void fingerprint_offsets(void **state)
{
	static const u64 offsets[] = { 0, 1, 5, 8, 4001 };
	static unsigned char bytes[8192];
	struct dmri_dev *dev;
	u32 sum;

	fx_create(&fx, FX_ADOPT, 1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i * 31 >> 3;
	dev = fx_open(&fx, 0);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		fx_poke(fx.data, offsets[i] * 512, bytes, sizeof(bytes));
		assert_int_equal(dmri_fingerprint(dev, offsets[i], sizeof(bytes), &sum), 0);
		assert_int_equal(sum, (u32)~dmr_crc32c(~0u, bytes, sizeof(bytes)));
		fx_flip(fx.data, offsets[i] * 512 + sizeof(bytes));
		assert_int_equal(dmri_fingerprint(dev, offsets[i], sizeof(bytes), &sum), 0);
		assert_int_equal(sum, (u32)~dmr_crc32c(~0u, bytes, sizeof(bytes)));
		fx_flip(fx.data, offsets[i] * 512);
		assert_int_equal(dmri_fingerprint(dev, offsets[i], sizeof(bytes), &sum), 0);
		assert_int_not_equal(sum, (u32)~dmr_crc32c(~0u, bytes, sizeof(bytes)));
	}
	dmri_dev_close(dev);
}

/* The path is a hint that only the fingerprint of a clean stop can confirm. */
static void path_hint(void **state)
{
	fx_create(&fx, FX_ADOPT, 1);
	fx.adopt = false;	/* do not name the data device any more */
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
	assert_contains(fx_info(&fx)->reason, "--data");
	fx_commit_root(&fx, closed);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_string_equal(fx_info(&fx)->members[0].path, fx.data);
	fx_flip(fx.data, 5);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
}

static void wrong_data(void **state)
{
	struct dmr_identity id = { .device_sectors = cpu_to_le64(1000) };
	struct dmremap_device d = { .sectors = 1000 };

	fx_create(&fx, FX_ADOPT, 1);
	assert_int_equal(dmremap_set_load(fx.set, fx.spares[0], NULL), 0);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
	assert_contains(fx_info(&fx)->reason, "sectors");

	assert_int_equal(dmri_identity_match(&id, &d), DMRI_UNKNOWN);
	d.sectors = 999;
	assert_int_equal(dmri_identity_match(&id, &d), DMRI_DIFFERS);
	d.sectors = 1000;
	strcpy(id.serial, "A");
	assert_int_equal(dmri_identity_match(&id, &d), DMRI_UNKNOWN);
	strcpy(d.serial, "A");
	assert_int_equal(dmri_identity_match(&id, &d), DMRI_SAME);
	/* Duplicate WWNs exist, and so do duplicate serials: all that is known must fit. */
	strcpy(id.wwn, "W");
	strcpy(d.wwn, "V");
	assert_int_equal(dmri_identity_match(&id, &d), DMRI_DIFFERS);
	strcpy(d.wwn, "W");
	/* A partition is known by its own UUID only. */
	strcpy(id.partuuid, "P");
	assert_int_equal(dmri_identity_match(&id, &d), DMRI_DIFFERS);
	strcpy(d.partuuid, "P");
	assert_int_equal(dmri_identity_match(&id, &d), DMRI_SAME);
	d.serial[0] = d.wwn[0] = '\0';
	assert_int_equal(dmri_identity_match(&id, &d), DMRI_SAME);
}

static void internal(void **state)
{
	fx_create(&fx, FX_ADOPT | FX_INTERNAL, 0);
	fx.adopt = false;
	fx_load(&fx);
	/* The spare on it tells which device it is. */
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_true(fx_info(&fx)->members[1].internal);
	assert_int_equal(fx_info(&fx)->members[1].region_start % 2048, 0);
}

/* How many findings of an examination contain @part. */
static unsigned int findings(const char *part)
{
	enum dmremap_severity severity;
	struct dmremap_report *report;
	unsigned int nr = 0;
	const char *text;

	fx_load(&fx);
	assert_int_equal(dmremap_report_new(fx.set, NULL, NULL, &report, &fx.err), 0);
	while (dmremap_report_next_finding(report, &severity, &text) == 1)
		nr += !!strstr(text, part);
	dmremap_report_free(report);
	return nr;
}

static void internal_locator(void **state)
{
	fx_create(&fx, FX_INTERNAL, 1);
	assert_int_equal(fx_info(&fx)->nr_members, 3);
	/* Without the locator, the header of the data device leads to it. */
	fx_zero(fx.data, 24 * 1048576 - 4096, 4096);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->nr_members, 3);
	assert_int_equal(findings("the locator of the internal spare"), 1);
	/* Beside a damaged anchor, which is written first. */
	assert_true(fx_info(&fx)->members[2].internal);
	fx_flip(fx.data, fx_info(&fx)->members[2].region_start * 512 + 100);
	fx_repair(&fx, 2);
	assert_int_equal(findings("locator"), 0);
	assert_int_equal(findings("anchor"), 0);
	fx_zero(fx.data, 24 * 1048576 - 4096, 4096);
	fx_repair(&fx, 1);
	assert_int_equal(findings("locator"), 0);
}

#define TEST(f)	cmocka_unit_test_teardown(f, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ready), TEST(counts), TEST(torn), TEST(torn_on_one), TEST(torn_in_part),
		TEST(torn_repaired), TEST(data_removed),
		TEST(page_missing), TEST(page_aged), TEST(root_missing), TEST(diverged), TEST(rot),
		TEST(block_twice), TEST(slot_twice), TEST(out_of_bounds),
		TEST(spare_missing), TEST(data_missing), TEST(anchor_copy), TEST(spare_stale),
		TEST(data_stale), TEST(spare_out), TEST(spare_ahead), TEST(spare_alone),
		TEST(spare_overwritten), TEST(spare_removed), TEST(copied_member),
		TEST(fingerprint), TEST(fingerprint_offsets), TEST(path_hint), TEST(wrong_data),
		TEST(internal),
		TEST(internal_locator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
