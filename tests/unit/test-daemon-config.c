/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of dmremapd: layers, sets, and what is refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"

static char root[64];

static void make_parents(const char *path)
{
	char dir[256];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	for (slash = strchr(dir + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(dir, 0755);
		*slash = '/';
	}
}

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", root, name);
	make_parents(path);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int begin(void **state)
{
	snprintf(root, sizeof(root), "/tmp/dmr-config-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int end(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static void without_files(void **state)
{
	struct config *config;

	assert_int_equal(config_load(root, &config, NULL), 0);
	assert_true(config->defaults.policy);
	assert_int_equal(config->defaults.scrub_interval, 30 * 86400);
	assert_int_equal(config->defaults.values.scrub_rate, 10240);
	assert_int_equal(config->history_max, 64 << 20);
	assert_string_equal(config->smartctl, "/usr/sbin/smartctl");
	assert_ptr_equal(config_of(config, "home", "u"), &config->defaults);
	config_free(config);
}

/* The main file of the highest place alone; drop-ins of all, a namesake hides. */
static void layers(void **state)
{
	struct config *config;

	put("/usr/lib/dm-remap/dmremapd.conf",
	    "[policy]\nretries = 1\nslow-ms = 111\n[scrub]\nscrub-interval = 1d\n");
	put("/usr/lib/dm-remap/dmremapd.conf.d/50-x.conf", "[policy]\nbreaker-ms = 500\n");
	put("/usr/lib/dm-remap/dmremapd.conf.d/60-y.conf", "[policy]\nsample = 7\n");
	assert_int_equal(config_load(root, &config, NULL), 0);
	assert_int_equal(config->defaults.values.retries, 1);
	assert_int_equal(config->defaults.values.breaker_ms, 500);
	assert_int_equal(config->defaults.scrub_interval, 86400);
	config_free(config);

	put("/etc/dm-remap/dmremapd.conf", "# all mine\n[policy]\nretries = 2\n");
	put("/run/dm-remap/dmremapd.conf.d/50-x.conf", "[policy]\nbreaker-ms = 600\n");
	put("/etc/dm-remap/dmremapd.conf.d/55-z.conf",
	    "[policy]\nsample = 8\nheal = spare # as said\n");
	put("/etc/dm-remap/dmremapd.conf.d/60-y.conf", "");
	put("/etc/dm-remap/dmremapd.conf.d/70-no.txt", "[policy]\nsample = 9\n");
	assert_int_equal(config_load(root, &config, NULL), 0);
	assert_int_equal(config->defaults.values.retries, 2);
	assert_int_equal(config->defaults.values.slow_ms, 250);
	assert_int_equal(config->defaults.values.breaker_ms, 600);
	assert_int_equal(config->defaults.values.sample, 8);
	assert_int_equal(config->defaults.values.heal, DMR_NL_HEAL_SPARE);
	config_free(config);
}

/* What is said of all sets holds for a named one, in whichever order it is said. */
static void sets(void **state)
{
	const struct set_config *set;
	struct config *config;

	put("/etc/dm-remap/dmremapd.conf",
	    "[set home]\nslow-ms = 9\nspare-domain = attic\nscrub-interval = off\n"
	    "[policy]\nretries = 3\n[set 2f1c8a52-0000-4000-8000-000000000001]\nheal = spare\n");
	put("/etc/dm-remap/dmremapd.conf.d/a.conf",
	    "[policy]\nbreaker-ms = 700\n[set home]\nspare-auto = no\n");
	assert_int_equal(config_load(root, &config, NULL), 0);
	set = config_of(config, "home", "x");
	assert_int_equal(set->values.slow_ms, 9);
	assert_int_equal(set->values.retries, 3);
	assert_int_equal(set->values.breaker_ms, 700);
	assert_int_equal(set->scrub_interval, 0);
	assert_false(set->spare_auto);
	assert_string_equal(set->spare_domain, "attic");
	set = config_of(config, "other", "2f1c8a52-0000-4000-8000-000000000001");
	assert_int_equal(set->values.heal, DMR_NL_HEAL_SPARE);
	assert_int_equal(set->values.slow_ms, 250);
	assert_int_equal(config_of(config, "other", "y")->values.heal, DMR_NL_HEAL_IN_PLACE);
	config_free(config);
}

/* Each is refused, and the sentence has the words. */
static void refused(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{ "[policy]\nretries = 11\n",
		  "dmremapd.conf:2: \"retries\" in section [policy] is \"11\", but must be a number from 0 to 10." },
		{ "[policy]\nretries = -1\n", "a number from 0 to 10" },
		{ "[policy]\nretries = 1x\n", "a number from 0 to 10" },
		{ "[policy]\nretries =\n", "is \"\", but must be" },
		{ "[policy]\nretries = 99999999999999999999\n", "a number from 0 to 10" },
		{ "[policy]\nheal = maybe\n", "must be \"in-place\" or \"spare\"." },
		{ "[policy]\nheal = in\n", "must be \"in-place\" or \"spare\"." },
		{ "[policy]\nsend-policy = perhaps\n", "must be \"on\" or \"off\"." },
		{ "[scrub]\nscrub-interval = 3 parsecs\n", "\"off\" or a time from 1s" },
		{ "[scrub]\nscrub-interval = 99999w\n", "\"off\" or a time from 1s" },
		{ "[smart]\nsmart-interval = off\n", "a time from 1m to" },
		{ "[smart]\nsmartctl = smartctl\n", "an absolute path" },
		{ "[history]\nhistory-max = 1k\n", "a size from 1 MiB" },
		{ "[policy]\nretrys = 1\n", "there is no setting \"retrys\"" },
		{ "[policy]\nsmartctl = /x\n", "\"smartctl\" belongs in section [smart]." },
		{ "[set home]\nsmartctl = /x\n", "can not differ between sets" },
		{ "[polizei]\nretries = 1\n", "there is no section [polizei]" },
		{ "[set ]\nretries = 1\n", "must name a set" },
		{ "retries = 1\n", "stands before the first section" },
		{ "[policy\nretries = 1\n", "dmremapd.conf:1: Missing" },
	};
	struct dmremap_error err;
	struct config *config;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		config = NULL;
		put("/etc/dm-remap/dmremapd.conf", bad[i].text);
		assert_int_equal(config_load(root, &config, &err), -EINVAL);
		assert_null(config);
		if (!strstr(err.text, bad[i].words) || !strstr(err.text, "dmremapd.conf"))
			fail_msg("%zu: \"%s\" lacks \"%s\"", i, err.text, bad[i].words);
	}
}

/* What is printed can be read again, and is the same then. */
static void printed(void **state)
{
	char *first = NULL, *second = NULL;
	size_t size1, size2;
	struct config *config;
	FILE *file;

	put("/etc/dm-remap/dmremapd.conf",
	    "[policy]\nlifetime = 90m\nretries = 4\n[history]\nhistory-max = 5MiB\n"
	    "[scrub]\nscrub-interval = 2w\n[smart]\nsmart = no\n[set a b]\nsample = 3\n");
	assert_int_equal(config_load(root, &config, NULL), 0);
	file = open_memstream(&first, &size1);
	config_print(config, file);
	fclose(file);
	config_free(config);
	assert_non_null(strstr(first, "lifetime = 90m\n"));
	assert_non_null(strstr(first, "[set a b]\nsample = 3\n"));

	put("/etc/dm-remap/dmremapd.conf", first);
	assert_int_equal(config_load(root, &config, NULL), 0);
	file = open_memstream(&second, &size2);
	config_print(config, file);
	fclose(file);
	config_free(config);
	assert_string_equal(first, second);
	free(first);
	free(second);
}

/* One key for all and then, first, for one set. */
static void same_key_twice(void **state)
{
	struct config *config;

	put("/etc/dm-remap/dmremapd.conf",
	    "[start]\nstart-degraded = on\n[set one]\nstart-degraded = off\n");
	assert_int_equal(config_load(root, &config, NULL), 0);
	assert_true(config_of(config, "other", "")->start_degraded);
	assert_false(config_of(config, "one", "")->start_degraded);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_files, begin, end),
		cmocka_unit_test_setup_teardown(layers, begin, end),
		cmocka_unit_test_setup_teardown(sets, begin, end),
		cmocka_unit_test_setup_teardown(same_key_twice, begin, end),
		cmocka_unit_test_setup_teardown(refused, begin, end),
		cmocka_unit_test_setup_teardown(printed, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
