/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internal to config.c and config-keys.c: the table of all settings. */
#ifndef DMREMAPD_CONFIG_H
#define DMREMAPD_CONFIG_H

#include "daemon.h"

enum config_type {
	CONFIG_BOOL,		/* bool */
	CONFIG_NUMBER,		/* uint32_t */
	CONFIG_COUNT,		/* uint64_t */
	CONFIG_DURATION,	/* uint64_t, seconds; "off" is 0 if min is 0 */
	CONFIG_DURATION32,	/* uint32_t, likewise */
	CONFIG_SIZE,		/* uint64_t, bytes */
	CONFIG_WORD,		/* uint32_t: place in words */
	CONFIG_TEXT,		/* char[] */
	CONFIG_PATH,		/* char[DMREMAP_PATH_SIZE], absolute */
};

struct config_key {
	const char *section, *name;
	enum config_type type;
	bool of_set;			/* in struct set_config, may be in `[set NAME]` */
	size_t offset, size;
	uint64_t min, max;
	const char *words;		/* "fail|retry" */
	const char *value;		/* the default, as one would write it */
	const char *help;
};

struct named_config {
	char name[DMREMAP_NAME_SIZE];	/* or UUID */
	struct set_config config;
};

/* Ended by one without a name. */
extern const struct config_key config_keys[];

/* Parse @text into @base + offset. On -EINVAL @allowed says what may stand there. */
int config_parse(const struct config_key *key, const char *text, void *base,
		 char *allowed, size_t size);
/* As one would write it. */
void config_format(const struct config_key *key, const void *base, char *buf, size_t size);

#endif
