/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What smartctl says of a drive, as one structure whatever the protocol, and what is to be
 * thought of it. Pure; smart.c asks.
 */
#ifndef DMREMAPD_SMART_H
#define DMREMAPD_SMART_H

#include "daemon.h"

#define SMART_OUTPUT_MAX	(1u << 20)	/* bytes of one answer */

enum smart_outcome {
	SMART_OK,
	SMART_ASLEEP,		/* was left asleep: nothing new */
	SMART_NONE,		/* has no SMART, or it is switched off */
};

/* -1: the drive does not tell. */
struct smart_values {
	char model[64], serial[DMR_ID_SIZE], protocol[16];
	int64_t passed;			/* its own verdict: 0 failing, 1 good */
	int64_t threshold_reached;	/* an attribute that foretells failure; 0, 1 */
	int64_t temperature;		/* degrees Celsius */
	int64_t power_on_hours;
	int64_t reallocated, pending, uncorrectable;	/* sectors */
	int64_t crc_errors;
	int64_t percentage_used, media_errors, spare, spare_threshold, critical_warning;
	int64_t grown_defects;
};

/*
 * @status: exit status of smartctl. enum smart_outcome, or -EBADMSG with a sentence: the
 * drive could not be asked, or the answer is none.
 */
int smart_parse(const char *text, size_t size, int status, struct smart_values *values,
		struct dmremap_error *err);
/* A new object with what is known. */
struct json_object *smart_to_json(const struct smart_values *values);
/* All numbers, from an object like that. */
void smart_from_json(struct json_object *object, struct smart_values *values);
/* Does the drive say that it fails? @why: a sentence. */
bool smart_says_failing(const struct smart_values *values, char *why, size_t size);
/* Have counts grown that should not, or is there what is always bad? */
bool smart_has_grown(const struct smart_values *values, const struct smart_values *before,
		     char *why, size_t size);

/*
 * smart.c: how long one answer may take, and how long a new drive waits, since at the
 * start other things come first. Tests are impatient.
 */
extern uint64_t smart_limit_usec, smart_first_usec;

#endif
