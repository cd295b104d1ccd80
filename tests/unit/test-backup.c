/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Backup, restore, report and repair: round trips, damage anywhere, cuts anywhere. */
#include <sys/stat.h>

#include "fixture.h"

static struct fixture fx;
static char backup[128], second[128];

/* Blocks 0... of the map: @nr remapped ones on page 1, so that maps can be told apart. */
static void remap(unsigned int nr, unsigned int page)
{
	struct dmr_record r[DMR_PAGE_RECORDS];
	unsigned int i;

	memset(r, 0, sizeof(r));
	for (i = 0; i < nr; i++)
		r[i] = fx_record(DMR_RECORD_REMAPPED, 1, page * 250 + i, (page - 1) * 250 + i, 0);
	fx_commit(&fx, page, r, DMR_PAGE_RECORDS);
}

static int make(void **state)
{
	fx_create(&fx, 0, 2);
	dmri_text(backup, sizeof(backup), "%s/backup", fx.dir);
	dmri_text(second, sizeof(second), "%s/second", fx.dir);
	remap(5, 1);
	remap(3, 2);
	assert_int_equal(fx_info(&fx)->remapped, 8);
	return 0;
}

static int done(void **state)
{
	fx_cut(-1);
	fx_done(&fx);
	return 0;
}

static void save(const char *path)
{
	if (dmremap_backup(fx.set, path, &fx.err) < 0)
		fail_msg("backup: %s", fx.err.text);
}

static int plan(const char *path, unsigned int flags, struct dmremap_plan **p)
{
	return dmremap_restore_plan(fx.set, path, flags, p, &fx.err);
}

static void restore(const char *path, unsigned int flags)
{
	struct dmremap_plan *p;

	if (plan(path, flags, &p) < 0)
		fail_msg("restore: %s", fx.err.text);
	fx_commit_plan(&fx, p);
	fx_load(&fx);
}

static void file(void **state)
{
	struct dmremap_backup_info info;
	struct stat st;

	save(backup);
	assert_int_equal(dmremap_backup(fx.set, backup, &fx.err), -EEXIST);
	assert_int_equal(stat(backup, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(dmremap_backup_verify(backup, &info, &fx.err), 0);
	assert_string_equal(info.name, "test");
	assert_string_equal(info.uuid, fx_info(&fx)->uuid);
	assert_int_equal(info.generation, 3);
	assert_int_equal(info.pages, 3);
	assert_int_equal(info.remapped, 8);
	assert_int_equal(info.nr_members, 3);
	assert_string_equal(info.member_uuids[1], fx_info(&fx)->members[1].uuid);
	assert_int_equal(dmremap_backup(fx.set, "/nonexistent/x", &fx.err), -ENOENT);
	assert_int_equal(dmremap_backup_verify(fx.data, NULL, &fx.err), -EUCLEAN);
	assert_int_equal(dmremap_backup_verify("/nonexistent", NULL, &fx.err), -ENOENT);
}

static void damaged_file(void **state)
{
	struct stat st;
	off_t at;

	save(backup);
	assert_int_equal(stat(backup, &st), 0);
	for (at = 0; at < st.st_size; at += 397) {
		fx_flip(backup, at);
		assert_true(dmremap_backup_verify(backup, NULL, &fx.err) < 0);
		fx_flip(backup, at);
	}
	assert_int_equal(dmremap_backup_verify(backup, NULL, &fx.err), 0);
	for (at = 0; at < st.st_size; at += 4096 * 7 - 100) {
		fx_copy(backup, second);
		assert_int_equal(truncate(second, at), 0);
		assert_true(dmremap_backup_verify(second, NULL, &fx.err) < 0);
	}
	fx_poke(backup, 12, "\2", 1);
	assert_int_equal(dmremap_backup_verify(backup, NULL, &fx.err), -EPROTONOSUPPORT);
	assert_contains(fx.err.text, "version 2");
}

static void round_trip(void **state)
{
	save(backup);
	restore(backup, 0);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->generation, 4);
	assert_int_equal(fx_info(&fx)->remapped, 8);
	assert_int_equal(fx_info(&fx)->state, DMR_SET_OPEN);
}

static void newer_on_disk(void **state)
{
	struct dmremap_plan *p;

	save(backup);
	remap(100, 1);
	remap(7, 3);
	assert_int_equal(fx_info(&fx)->remapped, 110);
	assert_int_equal(plan(backup, 0, &p), -ESTALE);
	assert_contains(fx.err.text, "commit 5");
	assert_int_equal(plan(backup, DMREMAP_FORCE, &p), 0);
	assert_true(fx_plan_has(p, DMREMAP_PLAN_LOSS, "after commit 3, up to 5"));
	fx_commit_plan(&fx, p);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	/* Page 3, which the backup does not know, is empty again. */
	assert_int_equal(fx_info(&fx)->remapped, 8);
	assert_int_equal(fx_info(&fx)->generation, 6);
}

static void opened(struct dmr_root *root)
{
	root->state = cpu_to_le32(DMR_SET_OPEN);
	root->activations = cpu_to_le64(1);
}

/* Started and stopped since, with no block moved: nothing is lost. */
static void same_records(void **state)
{
	struct dmremap_plan *p;

	save(backup);
	fx_commit_root(&fx, opened);
	fx_commit_root(&fx, opened);
	assert_int_equal(plan(backup, 0, &p), 0);
	assert_true(fx_plan_has(p, DMREMAP_PLAN_NOTE, "same records"));
	assert_false(fx_plan_has(p, DMREMAP_PLAN_LOSS, ""));
	fx_commit_plan(&fx, p);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->generation, 6);
	assert_int_equal(fx_info(&fx)->activations, 1);
}

static void broken_map(void **state)
{
	unsigned int i;

	save(backup);
	for (i = 0; i < 3; i++)
		fx_frames(&fx, i, 1, 0, fx_erase);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->fault, DMR_INCOMPLETE);
	restore(backup, 0);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->remapped, 8);
}

static void no_map(void **state)
{
	save(backup);
	fx_zero(fx.data, 65536, 98 * 4096);
	fx_zero(fx.spares[0], 65536, 98 * 4096);
	fx_zero(fx.spares[1], 65536, 98 * 4096);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->fault, DMR_NO_MAP);
	restore(backup, 0);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->remapped, 8);
}

static void fork_session(struct fixture *f, const char *path, uint64_t offset)
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
	save(backup);
	fx_frames(&fx, 1, 2, 3, fork_session);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->fault, DMR_DIVERGED);
	restore(backup, 0);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->remapped, 8);
}

static void other_set(void **state)
{
	struct dmremap_plan *p;
	struct fixture keep;

	save(backup);
	keep = fx;
	fx_create(&fx, 0, 2);
	assert_int_equal(plan(backup, DMREMAP_FORCE, &p), -ESTALE);
	assert_contains(fx.err.text, "is of set");
	fx_done(&fx);
	fx = keep;
}

static void missing_member(void **state)
{
	struct dmremap_plan *p;

	save(backup);
	fx_copy(fx.spares[1], second);
	fx_zero(fx.spares[1], 0, 65536);
	fx_load(&fx);
	assert_int_equal(plan(backup, 0, &p), -ENXIO);
	restore(backup, DMREMAP_FORCE);
	assert_int_equal(fx_info(&fx)->remapped, 8);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_DEGRADED);
	/* When it comes back, it is seen to be out of date. */
	fx_copy(second, fx.spares[1]);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_DEGRADED);
	assert_int_equal(fx.set->code, -ESTALE);
}

static void new_member(void **state)
{
	struct dmremap_spare spare = { .path = NULL };
	struct dmremap_plan *p;

	assert_int_equal(dmremap_destroy_plan(fx.set, DMREMAP_FORCE, &p, &fx.err), 0);
	fx_commit_plan(&fx, p);
	fx_done(&fx);
	fx_create(&fx, 0, 1);
	dmri_text(backup, sizeof(backup), "%s/backup", fx.dir);
	save(backup);
	dmri_text(fx.spares[1], sizeof(fx.spares[1]), "%s/spare2", fx.dir);
	fx_copy(fx.spares[0], fx.spares[1]);
	fx_zero(fx.spares[1], 0, 65536);
	fx.nr_spares = 2;
	spare.path = fx.spares[1];
	assert_int_equal(dmremap_spare_add_plan(fx.set, &spare, 0, &p, &fx.err), 0);
	fx_commit_plan(&fx, p);
	fx_load(&fx);
	assert_int_equal(plan(backup, 0, &p), -ESTALE);
	assert_contains(fx.err.text, "does not know");
	restore(backup, DMREMAP_FORCE);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->members[2].index, DMREMAP_NOT_JOINED);
}

/*
 * Power lost after any write of a restoration: the old map, the new one, or one
 * that is refused; and doing it again helps.
 */
static void cut(bool broken)
{
	struct dmremap_plan *p;
	bool refused = false;
	long n;
	int r = -1;

	save(backup);
	remap(100, 1);
	remap(7, 3);
	if (broken) {
		fx_frames(&fx, 0, 2, 0, fx_erase);
		fx_frames(&fx, 1, 2, 0, fx_erase);
		fx_frames(&fx, 2, 2, 0, fx_erase);
	}
	fx_save(&fx);
	for (n = 0; r < 0; n++) {
		assert_true(n < 200);
		fx_restore(&fx);
		fx_load(&fx);
		assert_int_equal(plan(backup, DMREMAP_FORCE, &p), 0);
		fx_cut(n);
		r = dmremap_plan_commit(p, NULL, NULL, NULL);
		dmremap_plan_free(p);
		fx_cut(-1);
		fx_load(&fx);
		if (fx_info(&fx)->verdict == DMREMAP_READY)
			assert_true(fx_info(&fx)->remapped == 8 ||
				    (fx_info(&fx)->remapped == 110 && !n && !broken));
		else
			refused = true;
		if (r < 0) {
			restore(backup, DMREMAP_FORCE);
			assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
			assert_int_equal(fx_info(&fx)->remapped, 8);
		}
	}
	assert_true(refused);
}

static void cut_restore(void **state)
{
	cut(false);
}

static void cut_restore_broken(void **state)
{
	cut(true);
}

/* --- Report and repair ---------------------------------------------------------------- */

static enum dmremap_severity examine(const char *expected)
{
	struct dmremap_report *report;
	enum dmremap_severity severity, s;
	bool found = !expected;
	const char *text;

	assert_int_equal(dmremap_report_new(fx.set, NULL, NULL, &report, &fx.err), 0);
	severity = dmremap_report_severity(report);
	while (dmremap_report_next_finding(report, &s, &text) == 1) {
		assert_true(s <= severity);
		found |= expected && strstr(text, expected);
	}
	assert_true(found);
	dmremap_report_free(report);
	return severity;
}

static void repaired(unsigned int steps)
{
	fx_repair(&fx, steps);
	fx_load(&fx);
	assert_int_equal(examine(NULL), DMREMAP_INFO);
	assert_int_equal(fx_info(&fx)->remapped, 8);
}

static void report_frames(void **state)
{
	struct dmremap_report *report;
	struct dmremap_frame_report f;
	unsigned int nr = 0, current = 0;

	assert_int_equal(dmremap_report_new(fx.set, NULL, NULL, &report, &fx.err), 0);
	assert_int_equal(dmremap_report_severity(report), DMREMAP_INFO);
	while (dmremap_report_next_frame(report, &f) == 1) {
		nr++;
		current += f.current_;
		assert_int_equal(f.fault, DMR_OK);
		assert_true(f.read);
	}
	assert_int_equal(nr, 18);
	assert_int_equal(current, 18);
	dmremap_report_free(report);
}

static void repair_nothing(void **state)
{
	repaired(0);
}

static void repair_anchors(void **state)
{
	fx_flip(fx.data, 100);
	fx_flip(fx.spares[0], 61440 + 4095);
	assert_int_equal(examine("anchor"), DMREMAP_WARNING);
	repaired(2);
}

static void first_only(struct fixture *f, const char *path, uint64_t offset)
{
	static uint64_t first;

	if (!first || offset < first) {
		first = offset;
		fx_flip(path, offset + 1000);
	}
}

static uint64_t lowest, highest;

static void take_place(struct fixture *f, const char *path, uint64_t offset)
{
	if (offset < lowest)
		lowest = offset;
	if (offset > highest)
		highest = offset;
}

/* One bad spot does not hit both copies of the page. */
static void assert_apart(unsigned int member, u32 page)
{
	lowest = UINT64_MAX;
	highest = 0;
	assert_int_equal(fx_frames(&fx, member, page, 0, take_place), 2);
	assert_true((highest - lowest) / DMR_FRAME_SIZE >= fx_info(&fx)->nr_frames / 3);
}

static void repair_frames(void **state)
{
	fx_frames(&fx, 1, 1, 0, fx_erase);
	fx_frames(&fx, 2, 2, 0, first_only);
	assert_int_equal(examine("no copy on it"), DMREMAP_WARNING);
	assert_int_equal(examine("one copy instead of two"), DMREMAP_WARNING);
	repaired(3);
	assert_apart(1, 1);
	assert_apart(2, 2);
}

static void repair_hopeless(void **state)
{
	struct dmremap_plan *p;
	unsigned int i;

	for (i = 0; i < 3; i++)
		fx_frames(&fx, i, 1, 0, fx_erase);
	fx_load(&fx);
	assert_int_equal(examine("missing or out of date"), DMREMAP_CRITICAL);
	assert_int_equal(dmremap_repair_plan(fx.set, 0, &p, &fx.err), -EUCLEAN);
	assert_contains(fx.err.text, "Restore a backup");
}

/* Cut anywhere: never worse than before. */
static void cut_repair(void **state)
{
	struct dmremap_plan *p;
	long n;
	int r = -1;

	fx_frames(&fx, 1, 1, 0, fx_erase);
	fx_frames(&fx, 2, 2, 0, fx_erase);
	fx_flip(fx.data, 100);
	fx_flip(fx.spares[0], 65536 + 50 * 4096 + 10);
	fx_save(&fx);
	for (n = 0; r < 0; n++) {
		fx_restore(&fx);
		fx_load(&fx);
		assert_int_equal(dmremap_repair_plan(fx.set, 0, &p, &fx.err), 0);
		fx_cut(n);
		r = dmremap_plan_commit(p, NULL, NULL, NULL);
		dmremap_plan_free(p);
		fx_cut(-1);
		fx_load(&fx);
		assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
		assert_int_equal(fx_info(&fx)->remapped, 8);
	}
	assert_int_equal(examine(NULL), DMREMAP_INFO);
}

/* --- Anchors from a backup ------------------------------------------------------------- */

static int anchor_plan(const char *device, const char *member, unsigned int flags,
		       struct dmremap_plan **p)
{
	return dmremap_restore_anchor_plan(backup, device, member, flags, p, &fx.err);
}

static void anchors_lost(void **state)
{
	struct dmremap_plan *p;
	unsigned int i;

	save(backup);
	assert_int_equal(anchor_plan(fx.data, NULL, 0, &p), -EEXIST);
	for (i = 0; i < 3; i++)
		fx_zero(fx_path(&fx, i), 0, 65536);
	fx_load(&fx);
	assert_null(fx.set);
	for (i = 0; i < 3; i++) {
		assert_int_equal(anchor_plan(fx_path(&fx, i), NULL, 0, &p), 0);
		assert_true(fx_plan_has(p, DMREMAP_PLAN_STEP, i ? "spare" : "data device"));
		fx_commit_plan(&fx, p);
	}
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->remapped, 8);
	assert_int_equal(examine(NULL), DMREMAP_INFO);
}

/* All is there but the block at the end of the device that leads to it. */
static void locator_lost(void **state)
{
	struct dmremap_plan *p;

	fx_done(&fx);
	fx_create(&fx, FX_ADOPT | FX_INTERNAL, 0);
	dmri_text(backup, sizeof(backup), "%s/backup", fx.dir);
	save(backup);
	assert_int_equal(anchor_plan(fx.data, NULL, 0, &p), -EEXIST);
	fx_zero(fx.data, 24 * 1048576 - 4096, 4096);
	fx_load(&fx);
	assert_null(fx.set);
	assert_int_equal(anchor_plan(fx.data, NULL, 0, &p), 0);
	fx_commit_plan(&fx, p);
	fx_load(&fx);
	assert_non_null(fx.set);
	assert_true(fx_info(&fx)->members[1].internal);
}

static void anchors_wrong(void **state)
{
	struct dmremap_plan *p;

	save(backup);
	fx_zero(fx.spares[0], 0, 65536);
	/* A spare is not the data device, whatever is asked for. */
	assert_int_equal(anchor_plan(fx.spares[0], "0", DMREMAP_FORCE, &p), -ENOSPC);
	assert_int_equal(anchor_plan(fx.spares[0], "2", 0, &p), -ESTALE);
	assert_int_equal(anchor_plan(fx.spares[0], "9", 0, &p), -ENOENT);
	/* Nothing left that proves it. */
	fx_zero(fx.spares[0], 65536, 98 * 4096);
	assert_int_equal(anchor_plan(fx.spares[0], NULL, DMREMAP_FORCE, &p), -ESTALE);
	assert_int_equal(anchor_plan(fx.spares[0], "1", 0, &p), -ESTALE);
	assert_int_equal(anchor_plan(fx.spares[0], "1", DMREMAP_FORCE, &p), 0);
	assert_true(fx_plan_has(p, DMREMAP_PLAN_LOSS, "Nothing on"));
	fx_commit_plan(&fx, p);
	fx_load(&fx);
	/* It is there, and out of date, since it holds no commit. */
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_DEGRADED);
}

/* What the device holds by now is named, and only damaged if that is asked for. */
static void anchors_occupied(void **state)
{
	uint32_t header[2] = { 1, 1000 };
	struct dmremap_plan *p;

	save(backup);
	fx_zero(fx.spares[0], 0, 65536);
	fx_poke(fx.spares[0], 1024, header, 8);
	fx_poke(fx.spares[0], 4086, "SWAPSPACE2", 10);
	assert_int_equal(anchor_plan(fx.spares[0], NULL, 0, &p), -ENOTEMPTY);
	assert_non_null(strstr(fx.err.text, "swap"));
	assert_int_equal(anchor_plan(fx.spares[0], NULL, DMREMAP_FORCE, &p), 0);
	assert_true(fx_plan_has(p, DMREMAP_PLAN_LOSS, "swap"));
	fx_commit_plan(&fx, p);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
	assert_int_equal(fx_info(&fx)->remapped, 8);
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, make, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(file), TEST(damaged_file), TEST(round_trip), TEST(newer_on_disk),
		TEST(same_records), TEST(broken_map), TEST(no_map), TEST(diverged), TEST(other_set),
		TEST(missing_member), TEST(new_member), TEST(cut_restore),
		TEST(cut_restore_broken), TEST(report_frames), TEST(repair_nothing),
		TEST(repair_anchors), TEST(repair_frames), TEST(repair_hopeless),
		TEST(cut_repair), TEST(anchors_lost), TEST(locator_lost), TEST(anchors_wrong),
		TEST(anchors_occupied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
