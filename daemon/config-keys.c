// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every setting of dmremapd, once: where it is written, what is allowed, what holds
 * without it, and what it means. Parsing, printing and the example file are made of this.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

#define DAY	86400ULL
#define YEAR	(366 * DAY)
#define SIZE_OF(type, field) sizeof(((type *)0)->field)
#define GLOBAL(field)	.offset = offsetof(struct config, field), \
			.size = SIZE_OF(struct config, field)
#define SET(field)	.of_set = true, .offset = offsetof(struct set_config, field), \
			.size = SIZE_OF(struct set_config, field)

const struct config_key config_keys[] = {
	{ "daemon", "lock-memory", CONFIG_BOOL, GLOBAL(lock_memory), .value = "on",
	  .help = "Keep the daemon in memory, since swap may lie on a device that it watches." },

	{ "policy", "send-policy", CONFIG_BOOL, SET(policy), .value = "on",
	  .help = "Send the values below to the module. Off: only what was set by hand holds." },
	{ "policy", "policy-health", CONFIG_BOOL, SET(policy_health), .value = "on",
	  .help = "While the data device's drive says that it fails: heal = spare, since what is "
		  "written there now may not last." },
	{ "policy", "heal", CONFIG_WORD, SET(values.heal), .words = "in-place|spare",
	  .value = "in-place",
	  .help = "Where a write of lost sectors goes: back in place if that holds, or to a spare at once." },
	{ "policy", "unreadable", CONFIG_WORD, SET(values.unreadable), .words = "fail|retry",
	  .value = "fail",
	  .help = "What a read of lost sectors gets: an error at once, or another try on the medium." },
	{ "policy", "ioerr", CONFIG_WORD, SET(values.ioerr), .words = "probe|pass",
	  .value = "probe",
	  .help = "What is made of an error without a class: look closer, or pass it up." },
	{ "policy", "retries", CONFIG_NUMBER, SET(values.retries), .max = DMR_MAX_RETRIES,
	  .value = "0", .help = "Tries beyond the first before a block counts as bad." },
	{ "policy", "slow-ms", CONFIG_NUMBER, SET(values.slow_ms), .max = 600000,
	  .value = "250", .help = "Milliseconds after which an I/O is slow; 0: never." },
	{ "policy", "sample", CONFIG_NUMBER, SET(values.sample), .max = 65536, .value = "16",
	  .help = "One of so many I/Os is measured for the statistics; 0: none." },
	{ "policy", "breaker-streak", CONFIG_NUMBER, SET(values.breaker_streak), .min = 1,
	  .max = 4096, .value = "16",
	  .help = "Bad blocks in a row after which the whole device is suspected." },
	{ "policy", "breaker-ms", CONFIG_NUMBER, SET(values.breaker_ms), .min = 100,
	  .max = 600000, .value = "1000",
	  .help = "How often to look, in milliseconds, whether a device that was gone is back." },
	{ "policy", "relocate-rate", CONFIG_NUMBER, SET(values.relocate_rate),
	  .max = UINT32_MAX, .value = "0",
	  .help = "Blocks a second that requests may move; 0: without limit." },
	{ "policy", "scrub-rate", CONFIG_NUMBER, SET(values.scrub_rate), .min = 64,
	  .max = UINT32_MAX, .value = "10240",
	  .help = "KiB a second that a scrub reads; an eighth of it while others use the device." },
	{ "policy", "spare-low", CONFIG_NUMBER, SET(values.spare_low), .max = 100,
	  .value = "10", .help = "Percent of free spare blocks below which it is told." },
	{ "policy", "lifetime", CONFIG_DURATION32, SET(values.lifetime), .max = 365 * DAY,
	  .value = "1d",
	  .help = "After so long without the daemon, risky settings (unreadable, retries) end. Off: never." },

	{ "scrub", "scrub-interval", CONFIG_DURATION, SET(scrub_interval), .max = 10 * YEAR,
	  .value = "30d", .help = "Read a set through so often, to find what is bad. Off: never." },

	{ "relocate", "relocate-slow", CONFIG_BOOL, SET(relocate_slow), .value = "on",
	  .help = "Move blocks that turned slow while they can still be read." },
	{ "relocate", "relocate-neighbours", CONFIG_BOOL, SET(relocate_neighbours),
	  .value = "on", .help = "Move the readable blocks beside those that failed." },
	{ "relocate", "neighbour-distance", CONFIG_NUMBER, SET(neighbour_distance), .min = 1,
	  .max = 65536, .value = "8", .help = "Blocks to each side that are neighbours." },
	{ "relocate", "relocate-budget", CONFIG_COUNT, SET(relocate_budget),
	  .max = UINT32_MAX, .value = "4096",
	  .help = "Blocks that are moved in advance within a day; 0: none." },
	{ "relocate", "relocate-reserve", CONFIG_NUMBER, SET(relocate_reserve), .max = 100,
	  .value = "20", .help = "Percent of spare blocks that are kept for real failures." },

	{ "start", "start-degraded", CONFIG_BOOL, SET(start_degraded), .value = "off",
	  .help = "At boot: start a set without spares that did not appear in time (30 s, dm-remap-degraded@.timer)." },

	{ "spares", "spare-auto", CONFIG_BOOL, SET(spare_auto), .value = "on",
	  .help = "Add labelled spares (dmremapctl spare label) when a set runs out." },
	{ "spares", "spare-threshold", CONFIG_NUMBER, SET(spare_threshold), .max = 100,
	  .value = "20", .help = "Percent of free spare blocks below which one is added." },
	{ "spares", "spare-domain", CONFIG_TEXT, SET(spare_domain), .value = "",
	  .help = "Only spares with this domain in their label; empty: those without one." },
	{ "spares", "spare-max-tier", CONFIG_NUMBER, SET(spare_max_tier), .max = UINT32_MAX,
	  .value = "4294967295", .help = "No spares of a higher tier than this." },

	{ "smart", "smart", CONFIG_BOOL, GLOBAL(smart), .value = "on",
	  .help = "Ask the drives of all members for SMART; sleeping ones are left asleep." },
	{ "smart", "smart-interval", CONFIG_DURATION, GLOBAL(smart_interval), .min = 60,
	  .max = YEAR, .value = "30m", .help = "How often." },
	{ "smart", "smartctl", CONFIG_PATH, GLOBAL(smartctl), .value = "/usr/sbin/smartctl",
	  .help = "The program of smartmontools." },

	{ "alerts", "reminder-interval", CONFIG_DURATION, GLOBAL(reminder_interval),
	  .max = YEAR, .value = "1d",
	  .help = "Tell again, while it lasts, what needs someone to act. Off: once only." },
	{ "alerts", "hook-directory", CONFIG_PATH, GLOBAL(hook_directory),
	  .value = "/etc/dm-remap/hooks.d",
	  .help = "Every executable in it is run for each alert, with its fields in the environment." },
	{ "alerts", "hook-timeout", CONFIG_DURATION, GLOBAL(hook_timeout), .min = 1,
	  .max = 3600, .value = "30s", .help = "One that runs longer is killed." },

	{ "history", "history", CONFIG_BOOL, GLOBAL(history), .value = "on",
	  .help = "Keep events and samples (dmremapctl event list)." },
	{ "history", "history-max", CONFIG_SIZE, GLOBAL(history_max), .min = 1 << 20,
	  .max = 1ULL << 50, .value = "64MiB", .help = "The oldest go when it is larger." },
	{ "history", "sample-interval", CONFIG_DURATION, GLOBAL(sample_interval), .min = 0,
	  .max = YEAR, .value = "1h",
	  .help = "How often the statistics of each set are kept. Off: never." },
	{ NULL }
};

static const struct {
	const char *unit;
	uint64_t seconds;
} units[] = {
	{ "s", 1 }, { "min", 60 }, { "m", 60 }, { "h", 3600 }, { "d", DAY }, { "w", 7 * DAY },
	{ "", 1 },
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static int parse_number(const char *text, uint64_t *value, const char **end)
{
	char *after;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*value = strtoull(text, &after, 10);
	*end = after;
	return errno ? -ERANGE : 0;
}

static int parse_duration(const char *text, uint64_t *value)
{
	const char *end;
	size_t i;
	int ret;

	if (!strcmp(text, "off")) {
		*value = 0;
		return 0;
	}
	ret = parse_number(text, value, &end);
	if (ret < 0)
		return ret;
	while (*end == ' ')
		end++;
	for (i = 0; i < NR(units); i++)
		if (!strcmp(end, units[i].unit))
			return __builtin_mul_overflow(*value, units[i].seconds, value) ?
			       -ERANGE : 0;
	return -EINVAL;
}

static int parse_bool(const char *text, bool *value)
{
	static const char *const yes[] = { "on", "yes", "true", "1" };
	static const char *const no[] = { "off", "no", "false", "0" };
	size_t i;

	for (i = 0; i < NR(yes); i++) {
		if (!strcasecmp(text, yes[i]) || !strcasecmp(text, no[i])) {
			*value = !strcasecmp(text, yes[i]);
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_word(const char *words, const char *text, uint64_t *value)
{
	size_t length = strlen(text);

	for (*value = 0; words; (*value)++) {
		if (length && !strncmp(words, text, length) &&
		    (words[length] == '|' || !words[length]))
			return 0;
		words = strchr(words, '|');
		words = words ? words + 1 : NULL;
	}
	return -EINVAL;
}

static void format_duration(uint64_t value, char *buf, size_t size)
{
	size_t i;

	if (!value) {
		snprintf(buf, size, "off");
		return;
	}
	for (i = NR(units) - 2; value % units[i].seconds; i--)
		;
	snprintf(buf, size, "%" PRIu64 "%s", value / units[i].seconds, units[i].unit);
}

static void format_words(const char *words, char *buf, size_t size)
{
	const char *bar;
	size_t used = 0;

	for (buf[0] = '\0'; words && used < size; words = bar ? bar + 1 : NULL) {
		bar = strchr(words, '|');
		used += snprintf(buf + used, size - used, "%s\"%.*s\"", used ? " or " : "",
				 bar ? (int)(bar - words) : (int)strlen(words), words);
	}
}

/* What may stand there, as the end of "... must be ". */
static void format_allowed(const struct config_key *key, char *buf, size_t size)
{
	char min[32], max[32];

	switch (key->type) {
	case CONFIG_BOOL:
		snprintf(buf, size, "\"on\" or \"off\"");
		break;
	case CONFIG_NUMBER:
	case CONFIG_COUNT:
		snprintf(buf, size, "a number from %" PRIu64 " to %" PRIu64, key->min, key->max);
		break;
	case CONFIG_DURATION:
	case CONFIG_DURATION32:
		format_duration(key->min, min, sizeof(min));
		format_duration(key->max, max, sizeof(max));
		snprintf(buf, size, "%sa time from %s to %s, with s, m, h, d or w",
			 key->min ? "" : "\"off\" or ", key->min ? min : "1s", max);
		break;
	case CONFIG_SIZE:
		dmremap_format_size(key->min, min, sizeof(min));
		dmremap_format_size(key->max, max, sizeof(max));
		snprintf(buf, size, "a size from %s to %s, such as 64MiB", min, max);
		break;
	case CONFIG_WORD:
		format_words(key->words, buf, size);
		break;
	case CONFIG_TEXT:
		snprintf(buf, size, "a text of at most %zu bytes", key->size - 1);
		break;
	case CONFIG_PATH:
		snprintf(buf, size, "an absolute path of at most %zu bytes", key->size - 1);
		break;
	}
}

static int parse(const struct config_key *key, const char *text, uint64_t *value)
{
	const char *end = "";
	bool on = false;
	int ret;

	switch (key->type) {
	case CONFIG_BOOL:
		ret = parse_bool(text, &on);
		*value = on;
		return ret;
	case CONFIG_NUMBER:
	case CONFIG_COUNT:
		ret = parse_number(text, value, &end);
		if (!ret && *end == '%' && key->max == 100)
			end++;
		return ret < 0 || *end ? -EINVAL : 0;
	case CONFIG_DURATION:
	case CONFIG_DURATION32:
		return parse_duration(text, value);
	case CONFIG_SIZE:
		return dmremap_parse_size(text, value, NULL);
	case CONFIG_WORD:
		return parse_word(key->words, text, value);
	case CONFIG_PATH:
	case CONFIG_TEXT:
		*value = 0;
		if (strlen(text) >= key->size || (key->type == CONFIG_PATH && text[0] != '/'))
			return -EINVAL;
		return 0;
	}
	return -EINVAL;
}

int config_parse(const struct config_key *key, const char *text, void *base,
		 char *allowed, size_t size)
{
	bool ranged = key->type != CONFIG_BOOL && key->type != CONFIG_WORD &&
		      key->type != CONFIG_TEXT && key->type != CONFIG_PATH;
	void *field = (char *)base + key->offset;
	uint64_t value;

	if (parse(key, text, &value) < 0 ||
	    (ranged && (value < key->min || value > key->max))) {
		format_allowed(key, allowed, size);
		return -EINVAL;
	}
	switch (key->type) {
	case CONFIG_BOOL:
		*(bool *)field = value;
		break;
	case CONFIG_NUMBER:
	case CONFIG_DURATION32:
	case CONFIG_WORD:
		*(uint32_t *)field = value;
		break;
	case CONFIG_COUNT:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		*(uint64_t *)field = value;
		break;
	case CONFIG_TEXT:
	case CONFIG_PATH:
		strcpy(field, text);
		break;
	}
	return 0;
}

void config_format(const struct config_key *key, const void *base, char *buf, size_t size)
{
	const void *field = (const char *)base + key->offset;
	const char *word = key->words;
	uint32_t n;

	switch (key->type) {
	case CONFIG_BOOL:
		snprintf(buf, size, "%s", *(const bool *)field ? "on" : "off");
		break;
	case CONFIG_NUMBER:
		snprintf(buf, size, "%" PRIu32, *(const uint32_t *)field);
		break;
	case CONFIG_DURATION32:
		format_duration(*(const uint32_t *)field, buf, size);
		break;
	case CONFIG_WORD:
		for (n = *(const uint32_t *)field; n; n--)
			word = strchr(word, '|') + 1;
		snprintf(buf, size, "%.*s", (int)strcspn(word, "|"), word);
		break;
	case CONFIG_COUNT:
		snprintf(buf, size, "%" PRIu64, *(const uint64_t *)field);
		break;
	case CONFIG_DURATION:
		format_duration(*(const uint64_t *)field, buf, size);
		break;
	case CONFIG_SIZE:
		snprintf(buf, size, *(const uint64_t *)field % (1 << 20) ?
			 "%" PRIu64 : "%" PRIu64 "MiB",
			 *(const uint64_t *)field % (1 << 20) ? *(const uint64_t *)field :
			 *(const uint64_t *)field >> 20);
		break;
	case CONFIG_TEXT:
	case CONFIG_PATH:
		snprintf(buf, size, "%s", (const char *)field);
		break;
	}
}
