/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How output.c keeps what commands fill in, for the two that print it:
 * output-json.c and output-text.c. Nobody else includes this.
 */
#ifndef DMREMAP_OUTPUT_MODEL_H
#define DMREMAP_OUTPUT_MODEL_H

#include "output.h"

struct value {
	bool set;
	uint64_t number;
	char *text;
};

struct record {
	const struct view *view;
	struct value *values;
	struct group *groups, **groups_end;
	struct record *next;
};

struct group {
	const struct view *view;
	struct record *records, **records_end;
	struct group *next;
};

struct output {
	struct group *groups, **groups_end;
};

#endif /* DMREMAP_OUTPUT_MODEL_H */
