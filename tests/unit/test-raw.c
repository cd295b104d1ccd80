/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a device is to udev, above all one that can not be read where it would tell. */
#include "fixture.h"

#define END	(DMR_ANCHOR1_SECTOR + DMR_FRAME_SECTORS)	/* of both anchors */

static struct fixture fx;
static struct dmremap_raw raw;

static int done(void **state)
{
	fx_unreadable(0, 0);
	fx_known = NULL;
	fx_block = false;
	fx_done(&fx);
	return 0;
}

static int probe(const char *path)
{
	fx.err.text[0] = '\0';
	return dmremap_raw_probe(path, &raw, &fx.err);
}

static void kinds(void **state)
{
	fx_create(&fx, 0, 1);
	assert_int_equal(probe(fx.data), 0);
	assert_int_equal(raw.kind, DMREMAP_RAW_MEMBER);
	assert_int_equal(raw.role, DMR_ROLE_DATA);
	assert_string_equal(raw.set_name, "test");
	/* One copy is enough. */
	fx_unreadable(0, DMR_FRAME_SECTORS);
	assert_int_equal(probe(fx.spares[0]), 0);
	assert_int_equal(raw.kind, DMREMAP_RAW_MEMBER);
	assert_int_equal(raw.role, DMR_ROLE_SPARE);
	fx_flip(fx.spares[0], DMR_ANCHOR1_SECTOR * 512 + 100);
	assert_int_equal(probe(fx.spares[0]), 0);
	assert_int_equal(raw.kind, DMREMAP_RAW_DAMAGED);
}

/* An error is told when nothing is known of the device, and only then. */
static void unreadable(void **state)
{
	unsigned int i;

	fx_files(&fx, 1);
	for (i = 0; i < 2; i++) {
		fx_unreadable(0, i ? END : DMR_FRAME_SECTORS);
		assert_int_equal(probe(fx.data), -EIO);
		assert_contains(fx.err.text, fx.data);
		assert_contains(fx.err.text, "can not be read");
		fx_known = "old";
		fx_block = true;
		assert_int_equal(probe(fx.data), 0);
		assert_int_equal(raw.kind, DMREMAP_RAW_ADOPTED);
		assert_true(raw.adopted);
		assert_string_equal(raw.set_name, "old");
		fx_known = NULL;
		fx_block = false;
	}
	fx_unreadable(0, 0);
	assert_int_equal(probe(fx.data), 0);
	assert_int_equal(raw.kind, DMREMAP_RAW_NONE);
}

static void internal(void **state)
{
	fx_create(&fx, FX_ADOPT | FX_INTERNAL, 0);
	fx_unreadable(0, END);
	assert_int_equal(probe(fx.data), 0);
	assert_int_equal(raw.kind, DMREMAP_RAW_MEMBER);
	assert_true(raw.internal && raw.adopted);
	assert_string_equal(raw.set_name, "test");
}

#define TEST(f)	cmocka_unit_test_teardown(f, done)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(kinds), TEST(unreadable), TEST(internal) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
