/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Labels of spares: what is one, what is refused, and how a set takes one. */
#include "fixture.h"

static struct fixture fx;

static int files(void **state)
{
	fx_files(&fx, 2);
	return 0;
}

static int done(void **state)
{
	fx_cut(-1);
	fx_done(&fx);
	return 0;
}

static void label(const char *path, const char *domain, unsigned int tier, unsigned int flags)
{
	struct dmremap_plan *p;

	if (dmremap_label_plan(path, domain, tier, flags, &p, &fx.err) < 0)
		fail_msg("%s", fx.err.text);
	if (dmremap_plan_commit(p, NULL, NULL, &fx.err) < 0)
		fail_msg("%s", fx.err.text);
	dmremap_plan_free(p);
}

static int is_labelled(const char *path)
{
	struct dmremap_label l;
	int r = dmremap_label_read(path, &l, NULL);

	assert_true(r >= 0);
	return r;
}

static enum dmremap_holds holds(const char *path)
{
	struct dmremap_device d;

	assert_int_equal(dmremap_device_probe(path, &d, &fx.err), 0);
	return d.holds;
}

static void whole(void **state)
{
	struct dmremap_label l;
	struct dmremap_plan *p;

	assert_int_equal(is_labelled(fx.spares[0]), 0);
	assert_int_equal(dmremap_label_plan(fx.spares[0], "lab", 2, 0, &p, &fx.err), 0);
	assert_true(fx_plan_has(p, DMREMAP_PLAN_STEP, "domain lab"));
	assert_false(fx_plan_has(p, DMREMAP_PLAN_LOSS, ""));
	assert_int_equal(is_labelled(fx.spares[0]), 0);
	assert_int_equal(dmremap_plan_commit(p, NULL, NULL, NULL), 0);
	dmremap_plan_free(p);
	assert_int_equal(dmremap_label_read(fx.spares[0], &l, &fx.err), 1);
	assert_string_equal(l.domain, "lab");
	assert_int_equal(l.tier, 2);
	assert_int_equal(l.bytes, 4 << 20);
	assert_int_equal(strlen(l.uuid), 36);
	assert_int_equal(holds(fx.spares[0]), DMREMAP_HOLDS_LABEL);

	/* Labelled again, it has another one. */
	label(fx.spares[0], NULL, 0, 0);
	assert_int_equal(dmremap_label_read(fx.spares[0], &l, &fx.err), 1);
	assert_string_equal(l.domain, "");

	assert_int_equal(dmremap_unlabel_plan(fx.spares[0], 0, &p, &fx.err), 0);
	assert_int_equal(dmremap_plan_commit(p, NULL, NULL, NULL), 0);
	dmremap_plan_free(p);
	assert_int_equal(is_labelled(fx.spares[0]), 0);
	assert_int_equal(dmremap_unlabel_plan(fx.spares[0], 0, &p, &fx.err), -ENOENT);
	assert_contains(fx.err.text, "no valid label");
}

static void every_byte(void **state)
{
	struct dmremap_label l;
	unsigned int i;

	label(fx.spares[0], "lab", 1, 0);
	for (i = 0; i < DMR_FRAME_SIZE; i++) {
		fx_flip(fx.spares[0], i);
		if (is_labelled(fx.spares[0]))
			fail_msg("with byte %u changed it is still a label", i);
		fx_flip(fx.spares[0], i);
	}
	assert_int_equal(dmremap_label_read(fx.spares[0], &l, &fx.err), 1);
	/* A damaged one is something, and nothing is done to it unasked. */
	fx_flip(fx.spares[0], 100);
	assert_int_equal(holds(fx.spares[0]), DMREMAP_HOLDS_DAMAGED);
}

/* Sealed anew: fields that no label of ours has. */
static void sealed(size_t at, const void *bytes, size_t size, bool valid)
{
	struct dmr_label *l = dmri_alloc(sizeof(*l));
	enum dmr_fault fault;
	struct dmri_dev *dev;

	label(fx.spares[0], "lab", 1, 0);
	assert_int_equal(dmri_dev_open(fx.spares[0], DMRI_WRITE, &dev, NULL), 0);
	assert_int_equal(dmri_label_get(dev, l, &fault), 0);
	memcpy((char *)l + at, bytes, size);
	l->csum = cpu_to_le32(dmr_block_csum(l, offsetof(struct dmr_label, csum)));
	assert_int_equal(dmri_label_put(dev, l), 0);
	dmri_dev_close(dev);
	free(l);
	assert_int_equal(is_labelled(fx.spares[0]), valid);
	fx_zero(fx.spares[0], 0, DMR_FRAME_SIZE);
}

static void fields(void **state)
{
	char full[DMR_DOMAIN_SIZE];

	memset(full, 'a', sizeof(full));
	sealed(offsetof(struct dmr_label, tier), "\x05", 1, true);
	sealed(offsetof(struct dmr_label, version), "\x02", 1, false);
	sealed(offsetof(struct dmr_label, reserved0), "\x01", 1, false);
	sealed(offsetof(struct dmr_label, reserved) + 3000, "\x01", 1, false);
	sealed(offsetof(struct dmr_label, domain), full, sizeof(full), false);
	sealed(offsetof(struct dmr_label, domain), "a\0b", 4, false);
	sealed(offsetof(struct dmr_label, device_sectors), "\x01", 1, false);
	memset(full, 0, sizeof(full));
	sealed(offsetof(struct dmr_label, uuid), full, 16, false);
}

static void newer(void **state)
{
	struct dmr_label *l = dmri_alloc(sizeof(*l));
	enum dmr_fault fault;
	struct dmremap_plan *p;
	struct dmri_dev *dev;

	label(fx.spares[0], "lab", 1, 0);
	assert_int_equal(dmri_dev_open(fx.spares[0], DMRI_WRITE, &dev, NULL), 0);
	assert_int_equal(dmri_label_get(dev, l, &fault), 0);
	l->version = cpu_to_le32(2);
	l->csum = cpu_to_le32(dmr_block_csum(l, offsetof(struct dmr_label, csum)));
	assert_int_equal(dmri_label_put(dev, l), 0);
	dmri_dev_close(dev);
	free(l);
	assert_int_equal(holds(fx.spares[0]), DMREMAP_HOLDS_NEWER);
	assert_int_equal(dmremap_label_plan(fx.spares[0], NULL, 0, DMREMAP_FORCE, &p, &fx.err),
			 -EPROTONOSUPPORT);
}

/* A label on the copy of a disk that is larger is none. */
static void copied(void **state)
{
	label(fx.spares[0], NULL, 0, 0);
	assert_int_equal(truncate(fx.spares[0], 8 << 20), 0);
	assert_int_equal(is_labelled(fx.spares[0]), 0);
	assert_int_equal(holds(fx.spares[0]), DMREMAP_HOLDS_DAMAGED);
}

/* A superblock that leaves the first blocks alone, as some do. */
static void holds_something_else(void **state)
{
	struct dmremap_plan *p;

	label(fx.spares[0], NULL, 0, 0);
	/* swap of 64 KiB pages: its magic lies 10 bytes before their end */
	fx_poke(fx.spares[0], 65536 - 10, "SWAPSPACE2", 10);
	fx_poke(fx.spares[0], 1024, "\x01\0\0\0\x20\0\0\0", 8);
	assert_int_equal(is_labelled(fx.spares[0]), 0);
	fx_zero(fx.spares[0], 0, 65536);
	label(fx.spares[0], NULL, 0, 0);
	/* btrfs */
	fx_poke(fx.spares[0], 65536 + 64, "_BHRfS_M", 8);
	assert_int_equal(is_labelled(fx.spares[0]), 1);
	if (holds(fx.spares[0]) == DMREMAP_HOLDS_LABEL)
		fail_msg("a label hides what else is there");
	assert_int_equal(dmremap_label_plan(fx.spares[0], NULL, 0, 0, &p, &fx.err), -ENOTEMPTY);
}

static void refused(void **state)
{
	struct dmremap_plan *p;

	assert_int_equal(dmremap_label_plan(fx.spares[0], "two words", 0, 0, &p, &fx.err), -EINVAL);
	assert_contains(fx.err.text, "two words");
	assert_int_equal(dmremap_label_plan(fx.spares[0], "0123456789012345678901234567890123456789"
					    "012345678901234567890123", 0, 0, &p, &fx.err),
			 -ENAMETOOLONG);
	fx_poke(fx.spares[0], 0, "text", 4);
	assert_int_equal(dmremap_label_plan(fx.spares[0], NULL, 0, 0, &p, &fx.err), -ENOTEMPTY);
	assert_int_equal(is_labelled(fx.spares[0]), 0);
	assert_int_equal(dmremap_label_plan(fx.spares[0], NULL, 0, DMREMAP_FORCE, &p, &fx.err), 0);
	assert_true(fx_plan_has(p, DMREMAP_PLAN_LOSS, fx.spares[0]));
	dmremap_plan_free(p);
	assert_int_equal(truncate(fx.spares[1], 65536), 0);
	assert_int_equal(dmremap_label_plan(fx.spares[1], NULL, 0, 0, &p, &fx.err), -ENOSPC);
}

/* A member becomes a labelled spare only by force, and is no member then. */
static void member(void **state)
{
	struct dmremap_plan *p;

	fx_done(&fx);
	fx_create(&fx, 0, 2);
	assert_int_equal(dmremap_label_plan(fx.spares[1], NULL, 0, 0, &p, &fx.err), -ENOTEMPTY);
	label(fx.spares[1], NULL, 0, DMREMAP_FORCE);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_DEGRADED);
	assert_int_equal(is_labelled(fx.spares[1]), 1);
}

static void taken(void **state)
{
	struct dmremap_spare spare = { .path = fx.spares[2], .tier = 1 };
	char before[DMREMAP_UUID_SIZE];
	struct dmremap_label l;
	struct dmremap_plan *p;
	long n;

	fx_done(&fx);
	fx_create(&fx, 0, 2);
	dmri_text(fx.spares[2], sizeof(fx.spares[2]), "%s/free", fx.dir);
	fx_copy(fx.spares[1], fx.spares[2]);
	fx_zero(fx.spares[2], 0, 4 << 20);
	label(fx.spares[2], NULL, 0, 0);
	assert_int_equal(dmremap_label_read(fx.spares[2], &l, NULL), 1);

	/* Another label than the one that was decided on. */
	spare.label = "2f1c8a52-0000-4000-8000-000000000001";
	fx_cut(0);
	assert_int_equal(dmremap_spare_add_plan(fx.set, &spare, 0, &p, &fx.err), -ENOKEY);
	assert_int_equal(dmremap_spare_add_plan(fx.set, &spare, DMREMAP_FORCE, &p, &fx.err),
			 -ENOKEY);
	spare.label = l.uuid;

	/* Cut after each write: labelled again where that could be written, else not. */
	for (n = 0;; n++) {
		int r;

		fx_load(&fx);
		assert_int_equal(dmremap_spare_add_plan(fx.set, &spare, 0, &p, &fx.err), 0);
		assert_false(fx_plan_has(p, DMREMAP_PLAN_LOSS, ""));
		fx_cut(n);
		r = dmremap_plan_commit(p, NULL, NULL, &fx.err);
		fx_cut(-1);
		dmremap_plan_free(p);
		if (!r)
			break;
		if (!is_labelled(fx.spares[2])) {
			fx_zero(fx.spares[2], 0, 4 << 20);
			label(fx.spares[2], NULL, 0, 0);
			assert_int_equal(dmremap_label_read(fx.spares[2], &l, NULL), 1);
		}
	}
	assert_true(n >= 3);
	assert_int_equal(is_labelled(fx.spares[2]), 0);
	assert_int_equal(holds(fx.spares[2]), DMREMAP_HOLDS_MEMBER);

	/* Empty again: without its label it is not taken. */
	fx_zero(fx.spares[2], 0, 4 << 20);
	dmri_copy(before, sizeof(before), l.uuid);
	fx_load(&fx);
	assert_int_equal(dmremap_spare_add_plan(fx.set, &spare, 0, &p, &fx.err), -ENOKEY);
	spare.label = NULL;
	assert_int_equal(dmremap_spare_add_plan(fx.set, &spare, 0, &p, &fx.err), 0);
	dmremap_plan_free(p);
	unlink(fx.spares[2]);
}

/* What is labelled becomes a spare of a new set without force, but no data device. */
static void create(void **state)
{
	struct dmremap_spare spare = { .path = fx.spares[0] };
	struct dmremap_create q = { .name = "test", .data = fx.data, .spares = &spare,
				    .nr_spares = 1, .map_entries = 4000 };
	struct dmremap_plan *p;

	label(fx.data, NULL, 0, 0);
	label(fx.spares[0], NULL, 0, 0);
	assert_int_equal(dmremap_create_plan(&q, 0, &p, &fx.err), -ENOTEMPTY);
	assert_contains(fx.err.text, "unlabel");
	q.adopt = true;
	assert_int_equal(dmremap_create_plan(&q, DMREMAP_FORCE, &p, &fx.err), -ENOTEMPTY);
	q.adopt = false;
	fx_zero(fx.data, 0, DMR_FRAME_SIZE);
	assert_int_equal(dmremap_create_plan(&q, 0, &p, &fx.err), 0);
	assert_int_equal(dmremap_plan_commit(p, NULL, NULL, NULL), 0);
	dmremap_plan_free(p);
	assert_int_equal(is_labelled(fx.spares[0]), 0);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whole, files, done),
		cmocka_unit_test_setup_teardown(every_byte, files, done),
		cmocka_unit_test_setup_teardown(fields, files, done),
		cmocka_unit_test_setup_teardown(newer, files, done),
		cmocka_unit_test_setup_teardown(copied, files, done),
		cmocka_unit_test_setup_teardown(holds_something_else, files, done),
		cmocka_unit_test_setup_teardown(refused, files, done),
		cmocka_unit_test_setup_teardown(member, files, done),
		cmocka_unit_test_setup_teardown(taken, files, done),
		cmocka_unit_test_setup_teardown(create, files, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
