// SPDX-License-Identifier: GPL-2.0-or-later
/* check: what it makes of many sets. Those who read it want each value whole. */
#include "fixture-cli.h"

static int nr_sets, nr_seen, lost_from;
static struct dmremap_set_info info;

/* --- The library's part ------------------------------------------------------------- */

int dmremap_scan_new(unsigned int flags, const char *const *paths, struct dmremap_scan **scan,
		     struct dmremap_error *err)
{
	assert_int_equal(flags, DMREMAP_SCAN_ACTIVE);
	*scan = NULL;
	nr_seen = 0;
	return 0;
}

void dmremap_scan_free(struct dmremap_scan *scan)
{
}

int dmremap_scan_next(struct dmremap_scan *scan, struct dmremap_set **set)
{
	*set = NULL;
	return nr_seen++ < nr_sets;
}

const struct dmremap_set_info *dmremap_set_info(const struct dmremap_set *set)
{
	snprintf(info.device, sizeof(info.device), "backup-of-machine-%d", nr_seen);
	return &info;
}

int dmremap_status(const char *name, struct dmremap_status *status, struct dmremap_error *err)
{
	static const char *const counters[] = { "read_errors", "write_errors", "passed",
						"relocated", "healed", "metadata_errors" };

	memset(status, 0, sizeof(*status));
	snprintf(status->name, sizeof(status->name), "%s", name);
	status->mode = DMREMAP_MODE_RW;
	status->used = 1000000 + nr_seen;
	status->slots = 10000000;
	status->records = 10000000;
	status->lost = nr_seen >= lost_from;
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		snprintf(status->counters[i].name, sizeof(status->counters[i].name), "%s",
			 counters[i]);
		status->counters[i].value = UINT64_MAX - i;
		status->nr_counters++;
	}
	return 0;
}

/* --- Tests --------------------------------------------------------------------------- */

/* Each is 'label'=value with four semicolons at most; returns how many there are. */
static int count_values(char *data)
{
	char label[300], value[300];
	int nr = 0, size;

	for (; *data == ' '; data += size, nr++) {
		if (sscanf(data, " '%[^'=]'=%[0-9%c;:]%n", label, value, &size) < 2)
			fail_msg("not a value: %.80s", data);
		assert_true(!data[size] || data[size] == ' ' || data[size] == '\n');
	}
	assert_string_equal(data, "\n");
	return nr;
}

static void many(void **state)
{
	char *bar;

	nr_sets = 200;
	lost_from = 1000;
	assert_int_equal(fx_run("check", NULL), 0);
	assert_contains(fx_out, "DMREMAP OK - 200 sets are in order. |");
	bar = strchr(fx_out, '|');
	assert_int_equal(count_values(bar + 1), 200 * 12);
	assert_contains(bar, " 'backup-of-machine-200.metadata_errors'=18446744073709551610c");
}

static void many_that_are_bad(void **state)
{
	char *bar, *more;
	int left;

	nr_sets = 200;
	lost_from = 11;
	assert_int_equal(fx_run("check", NULL), 1);
	assert_contains(fx_out, "DMREMAP WARNING - backup-of-machine-11: 1 block has sectors");
	bar = strchr(fx_out, '|');
	assert_int_equal(count_values(bar + 1), 200 * 12);
	assert_in_range(bar - fx_out, 1000, 2200);
	/* Each is told whole, or counted. */
	*bar = '\0';
	more = strstr(fx_out, " And ");
	assert_non_null(more);
	assert_int_equal(sscanf(more, " And %d more. ", &left), 1);
	assert_true(!strncmp(more - 8, "written.", 8));
	for (char *p = fx_out; (p = strstr(p, "1 block has")); p++)
		left++;
	assert_int_equal(left, 190);
	assert_int_equal(fx_run("check", "--json", NULL), 1);
	for (left = 0, bar = fx_out; (bar = strstr(bar, "\"reason\"")); bar++)
		left++;
	assert_int_equal(left, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many),
		cmocka_unit_test(many_that_are_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
