// SPDX-License-Identifier: GPL-2.0-or-later
/* Table and status lines, sizes, names, policies: text that lib/ takes apart. */
#include "fuzz.h"
#include "private.h"

/* What was understood is written so that it is understood the same. */
static void table(const char *text)
{
	struct dmri_table table, again;
	char line[4096];

	if (dmri_table_parse(text, &table) < 0 ||
	    dmri_table_format(&table, line, sizeof(line)) < 0)
		return;
	require(!dmri_table_parse(line, &again));
	require(again.nr_spares == table.nr_spares && again.data_offset == table.data_offset);
	require(again.degraded == table.degraded);
	require(!strcmp(again.data, table.data) && !strcmp(again.set_uuid, table.set_uuid));
}

static void status(const char *text)
{
	struct dmremap_status status = { 0 };

	if (dmri_status_parse(text, &status) < 0)
		return;
	require(status.nr_spares <= DMR_MAX_MEMBERS);
	require(status.nr_counters <= DMREMAP_MAX_COUNTERS);
	require(status.block_size <= DMR_MAX_BLOCK_SECTORS * 512);
}

static void size_of_people(const char *text)
{
	struct dmremap_error err = { "" };
	uint64_t bytes, sectors;
	char shown[32];

	if (!dmremap_parse_sectors(text, &sectors, &err)) {
		require(!dmremap_parse_size(text, &bytes, &err));
		require(bytes == sectors * 512);
		dmremap_format_size(bytes, shown, sizeof(shown));
	}
	if (!dmremap_name_check(text, &err))
		require(*text && strlen(text) < DMREMAP_NAME_SIZE && !strchr(text, '/'));
}

static void policy(char *text)
{
	char *value = strchr(text, '=');
	struct dmremap_policy policy;
	struct dmremap_error err = { "" };

	if (!value)
		return;
	*value++ = '\0';
	dmri_policy_default(&policy);
	if (!dmremap_policy_parse(&policy, text, value, &err))
		require(!dmri_policy_check(&policy, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);
	unsigned int what = take(&in, 1);
	char *text = take_text(&in);

	switch (what) {
	case 't':
		table(text);
		break;
	case 's':
		status(text);
		break;
	case 'n':
		size_of_people(text);
		break;
	case 'p':
		policy(text);
		break;
	}
	free(text);
	return 0;
}
