// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The policy: its values as text with their ranges, and its form on disk.
 */
#include "fixture.h"

static struct dmremap_error err;

static const struct {
	const char *key;
	size_t offset;
	u32 min, max, standard;
} keys[] = {
#define KEY(name, field, ...) { name, offsetof(struct dmremap_policy, field), __VA_ARGS__ }
	KEY("retries", retries, 0, 10, 0),
	KEY("slow-ms", slow_ms, 0, 600000, 0),
	KEY("sample", sample, 0, 65536, 0),
	KEY("breaker-streak", breaker_streak, 1, 4096, 16),
	KEY("breaker-ms", breaker_ms, 100, 600000, 1000),
	KEY("relocate-rate", relocate_rate, 0, UINT32_MAX, 0),
	KEY("scrub-rate", scrub_rate, 64, UINT32_MAX, 10240),
	KEY("spare-low", spare_low, 0, 100, 10),
	KEY("lifetime", lifetime, 0, 31536000, 0),
};

static int parse_number(struct dmremap_policy *p, const char *key, unsigned long long n)
{
	char text[32];

	dmri_text(text, sizeof(text), "%llu", n);
	return dmremap_policy_parse(p, key, text, &err);
}

static void numbers(void **state)
{
	static const char *const bad[] = {
		"", " 1", "1 ", "-1", "+1", "1x", "0x10", "1.5", "18446744073709551616",
		"99999999999999999999999", "ten",
	};
	struct dmremap_policy p;

	dmri_policy_default(&p);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		u32 *value = (u32 *)((char *)&p + keys[i].offset);

		assert_int_equal(*value, keys[i].standard);
		assert_int_equal(parse_number(&p, keys[i].key, keys[i].min), 0);
		assert_int_equal(*value, keys[i].min);
		assert_int_equal(parse_number(&p, keys[i].key, keys[i].max), 0);
		assert_int_equal(*value, keys[i].max);
		assert_int_equal(parse_number(&p, keys[i].key, keys[i].max + 1ULL), -EINVAL);
		assert_contains(err.text, keys[i].key);
		if (keys[i].min)
			assert_int_equal(parse_number(&p, keys[i].key, keys[i].min - 1), -EINVAL);
		for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
			assert_int_equal(dmremap_policy_parse(&p, keys[i].key, bad[k], &err),
					 -EINVAL);
		assert_int_equal(*value, keys[i].max);
	}
	assert_contains(err.text, "use 0 to 31536000");
}

static void words(void **state)
{
	struct dmremap_policy p;

	dmri_policy_default(&p);
	assert_int_equal(dmremap_policy_parse(&p, "heal", "spare", &err), 0);
	assert_int_equal(p.heal, DMR_HEAL_SPARE);
	assert_int_equal(dmremap_policy_parse(&p, "unreadable", "retry", &err), 0);
	assert_int_equal(p.unreadable, DMR_UNREADABLE_RETRY);
	assert_int_equal(dmremap_policy_parse(&p, "ioerr", "pass", &err), 0);
	assert_int_equal(p.ioerr, DMR_IOERR_PASS);
	assert_string_equal(dmremap_ioerr_name(p.ioerr), "pass");
	assert_string_equal(dmremap_heal_name(2), "unknown");
	assert_int_equal(dmremap_policy_parse(&p, "heal", "now", &err), -EINVAL);
	assert_string_equal(err.text, "\"now\" is no value of heal; use in-place or spare.");
	assert_int_equal(dmremap_policy_parse(&p, "heal", "1", &err), -EINVAL);
	assert_int_equal(dmremap_policy_parse(&p, "speed", "1", &err), -EINVAL);
	assert_contains(err.text, "retries");
	assert_contains(err.text, " or lifetime.");
	assert_int_equal(dmremap_policy_parse(&p, "version", "1", &err), -EINVAL);
}

static void on_disk(void **state)
{
	struct dmremap_policy p, q;
	struct dmr_policy disk;

	/* A set of before there were these values holds zeros. */
	memset(&disk, 0, sizeof(disk));
	dmri_policy_get(&disk, &p);
	dmri_policy_default(&q);
	assert_memory_equal(&p, &q, sizeof(p));
	dmri_policy_put(&p, &disk);
	assert_true(dmr_policy_ok(&disk));
	assert_int_equal(le32_to_cpu(disk.spare_low), 11);
	assert_int_equal(le32_to_cpu(disk.scrub_rate), 10240);
	dmri_policy_get(&disk, &q);
	assert_memory_equal(&p, &q, sizeof(p));
	/* All at their lowest, and at their highest. */
	for (int high = 0; high < 2; high++) {
		p = (struct dmremap_policy){ .version = 7, .heal = high, .unreadable = high,
					     .ioerr = high };
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			*(u32 *)((char *)&p + keys[i].offset) = high ? keys[i].max : keys[i].min;
		assert_int_equal(dmri_policy_check(&p, &err), 0);
		dmri_policy_put(&p, &disk);
		assert_true(dmr_policy_ok(&disk));
		dmri_policy_get(&disk, &q);
		assert_memory_equal(&p, &q, sizeof(p));
	}
	p.heal = 2;
	assert_int_equal(dmri_policy_check(&p, &err), -EINVAL);
	assert_contains(err.text, "heal");
}

/* What create writes is read back from the disks. */
static void created(void **state)
{
	struct dmremap_policy standard;
	struct fixture fx;

	dmri_policy_default(&standard);
	fx_create(&fx, 0, 1);
	fx_load(&fx);
	assert_int_equal(fx_info(&fx)->fault, DMR_OK);
	assert_memory_equal(&fx_info(&fx)->policy, &standard, sizeof(standard));
	fx_done(&fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(words),
		cmocka_unit_test(on_disk),
		cmocka_unit_test(created),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
