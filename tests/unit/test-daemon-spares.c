/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which labelled device becomes a spare of which set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "spares.h"

#define MiB	(1ull << 20)

static struct dmremap_nl_device device;
static struct set_config config;
static struct candidate pool[8];
static struct candidates candidates;

static int begin(void **state)
{
	memset(&config, 0, sizeof(config));
	memset(pool, 0, sizeof(pool));
	device = (struct dmremap_nl_device){ .mode = DMR_NL_MODE_RW, .block_sectors = 8,
					     .slots = 1000, .slots_used = 900, .records = 4000,
					     .major = 253, .minor = 7 };
	config.spare_auto = true;
	config.spare_threshold = 20;
	config.spare_max_tier = UINT32_MAX;
	LIST_INIT(&candidates);
	return 0;
}

static struct candidate *add(unsigned int i, const char *domain, uint32_t tier, uint64_t bytes)
{
	struct candidate *c = &pool[i];

	snprintf(c->path, sizeof(c->path), "/dev/sd%c", 'a' + i);
	snprintf(c->label.uuid, sizeof(c->label.uuid), "%08u", i);
	snprintf(c->label.domain, sizeof(c->label.domain), "%s", domain);
	c->label.tier = tier;
	c->label.bytes = bytes;
	c->label.logical_block = 512;
	c->major = 8;
	c->minor = 16 * i;
	LIST_INSERT_HEAD(&candidates, c, link);
	return c;
}

static struct candidate *choose(void)
{
	return spare_choose(&candidates, &device, &config, 1000 * NSEC_PER_SEC);
}

static void needed(void **state)
{
	assert_true(spare_needed(&device, 1, &config));
	device.slots_used = 799;
	assert_false(spare_needed(&device, 1, &config));
	device.slots_used = 800;
	assert_true(spare_needed(&device, 1, &config));
	config.spare_auto = false;
	assert_false(spare_needed(&device, 1, &config));
	config.spare_auto = true;
	assert_false(spare_needed(&device, DMR_MAX_MEMBERS - 1, &config));
	device.mode = DMR_NL_MODE_FROZEN;
	assert_false(spare_needed(&device, 1, &config));
	device.mode = DMR_NL_MODE_RW;
	/* Only when it is full. */
	config.spare_threshold = 0;
	device.slots_used = 999;
	assert_false(spare_needed(&device, 1, &config));
	device.slots_used = 1000;
	assert_true(spare_needed(&device, 1, &config));
	/* Spares that are missing leave none at all. */
	device.slots = device.slots_used = 0;
	assert_true(spare_needed(&device, 0, &config));
	assert_int_equal(spare_percent_free(&device), 0);
	device.slots_used = 5;
	assert_int_equal(spare_percent_free(&device), 0);
	device.slots = UINT64_MAX >> 26;
	assert_int_equal(spare_percent_free(&device), 99);
}

static void fits(void **state)
{
	struct candidate *c = add(0, "", 3, 64 * MiB);

	assert_null(spare_unfit(c, &device, &config));
	assert_ptr_equal(choose(), c);
	snprintf(config.spare_domain, sizeof(config.spare_domain), "lab");
	assert_null(choose());
	snprintf(c->label.domain, sizeof(c->label.domain), "lab");
	assert_ptr_equal(choose(), c);
	config.spare_domain[0] = '\0';
	assert_null(choose());
	c->label.domain[0] = '\0';
	config.spare_max_tier = 2;
	assert_null(choose());
	config.spare_max_tier = 3;
	assert_ptr_equal(choose(), c);
	c->label.logical_block = 8192;
	assert_null(choose());
	c->label.logical_block = 4096;
	assert_ptr_equal(choose(), c);
	c->failing = true;
	assert_null(choose());
	c->failing = false;
	c->fails = 4;
	c->failed_at = 941 * NSEC_PER_SEC;
	assert_null(choose());
	c->failed_at = 940 * NSEC_PER_SEC;
	assert_ptr_equal(choose(), c);
	/* The clock was set back. */
	c->failed_at = 1001 * NSEC_PER_SEC;
	assert_ptr_equal(choose(), c);
	c->fails = 0;
	c->major = 253;
	c->minor = 7;
	assert_null(choose());
}

static void size(void **state)
{
	struct candidate *c = add(0, "", 0, MiB);
	uint64_t bytes, slots, before = 0;

	/* 4000 records: 17 pages, 98 frames, with anchors 464 KiB, 16 blocks: 528 KiB */
	c->label.bytes = 527 << 10;
	assert_null(choose());
	c->label.bytes = 528 << 10;
	assert_ptr_equal(choose(), c);
	assert_int_equal(spare_slots(&device, 528 << 10), 16);
	/* A map of millions needs room first. */
	device.records = 16000000;
	c->label.bytes = 400 * MiB;
	assert_null(choose());
	c->label.bytes = 600 * MiB;
	assert_ptr_equal(choose(), c);
	device.records = 4000;
	for (bytes = 0; bytes < 300 * MiB; bytes += 77777) {
		slots = spare_slots(&device, bytes);
		/* At 64 MiB the slots begin to be aligned. */
		assert_true(slots >= before || bytes / MiB == 128 || before - slots < 256);
		assert_true(slots * 4096 < bytes || !slots);
		before = slots;
	}
	assert_int_equal(spare_slots(&device, 0), 0);
	assert_true(spare_slots(&device, UINT64_MAX) > 0);
	device.block_sectors = 0;
	assert_int_equal(spare_slots(&device, MiB), 0);
}

/* Lower tiers first; of those the smallest with plenty of room, else the largest. */
static void best(void **state)
{
	add(0, "", 1, 100 * MiB);
	assert_ptr_equal(choose(), &pool[0]);
	add(1, "", 0, 2 * MiB);
	assert_ptr_equal(choose(), &pool[1]);
	add(2, "", 0, 3 * MiB);
	assert_ptr_equal(choose(), &pool[2]);
	add(3, "", 0, 90000 * MiB);
	assert_ptr_equal(choose(), &pool[3]);
	add(4, "", 0, 50 * MiB);
	assert_ptr_equal(choose(), &pool[4]);
	add(5, "", 0, 50 * MiB);
	assert_ptr_equal(choose(), &pool[4]);
	add(6, "other", 0, 50 * MiB);
	assert_ptr_equal(choose(), &pool[4]);
}

static void patience(void **state)
{
	unsigned int i;

	for (i = 1; i < 100; i++)
		assert_true(spare_backoff(i) >= spare_backoff(i - 1) && spare_backoff(i));
	assert_true(spare_backoff(100) >= 600);
}

#define TEST(f)	cmocka_unit_test_setup(f, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(needed), TEST(fits), TEST(size), TEST(best), TEST(patience),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
