/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data model of what a command prints. A command fills records that are
 * described by static views; the renderer prints them as screens and tables,
 * or as one JSON object: both from the same records.
 *
 *	{ "dmremap": { "version": 1, "command": "..." }, <group>... }
 *
 * A view of one record is an object in JSON, any other an array of objects. A
 * field without a value is null in JSON and "-" on a screen.
 */
#ifndef DMREMAP_OUTPUT_H
#define DMREMAP_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "message.h"

enum field_type {
	FIELD_TEXT,
	FIELD_NUMBER,
	FIELD_BYTES,		/* a number; on a screen as "3.6 TiB" */
	FIELD_SECTORS,		/* 512 bytes each; on a screen like FIELD_BYTES */
	FIELD_PERCENT,
	FIELD_BOOL,		/* on a screen "yes" and "no" */
	FIELD_TIME,		/* seconds since 1970; local time on a screen */
	FIELD_HEX,		/* a number; on a screen as 0x..., or "-" for 0 */
};

enum {
	FIELD_JSON = 1,		/* in JSON only */
	FIELD_SCREEN = 2,	/* on a screen only: sums up other fields */
	FIELD_OPTIONAL = 4,	/* on a screen only if it has a value */
	FIELD_TITLE = 8,	/* the heading of its record's screen */
	FIELD_BRIEF = 16,	/* a table may cut it short */
};

struct field {
	const char *key;	/* in JSON; NULL ends a list */
	const char *label;	/* on a screen; NULL only with FIELD_JSON */
	enum field_type type;
	unsigned int flags;	/* FIELD_... */
};

enum view_style {
	VIEW_TABLE,		/* one line a record */
	VIEW_SCREEN,		/* one line a field */
	VIEW_LIST,		/* a word, and the other fields as text behind it */
	VIEW_JSON,		/* in JSON only */
};

struct view {
	const char *key;
	const char *title;	/* line above it on a screen, or NULL */
	const char *empty;	/* said instead of an empty table, or NULL */
	enum view_style style;
	bool one;		/* exactly one record */
	bool raw;		/* in JSON a record is the text of its first field */
	const struct field *fields;
};

struct output;
struct group;
struct record;

struct output *output_new(void);
void output_free(struct output *out);

/* Add a group to the document, or to a record. Never fails: no memory ends
 * the program.
 */
struct group *output_group(struct output *out, const struct view *view);
struct group *record_group(struct record *r, const struct view *view);

struct record *group_add(struct group *g);

/* Shorthand for a group of one record. */
struct record *output_one(struct output *out, const struct view *view);
struct record *record_one(struct record *r, const struct view *view);

/* Set a field. The key must be one of the view's. */
void set_text(struct record *r, const char *key, const char *fmt, ...) PRINTF(3, 4);
void set_string(struct record *r, const char *key, const char *text);
void set_number(struct record *r, const char *key, uint64_t n);
void set_bool(struct record *r, const char *key, bool value);

/*
 * Print it. Only if the command is @complete, an empty table is said to be
 * empty. output_print_json() returns 0 or -1.
 */
void output_print_text(const struct output *out, bool complete, FILE *file);
int output_print_json(const struct output *out, const char *command, FILE *file);

/*
 * Put question marks for control characters and bytes that are not UTF-8. Text
 * may come from a disk: nothing of it may steer a terminal.
 */
void make_printable(char *text);

/* Columns of the terminal that @file is, or INT32_MAX. */
int screen_width(FILE *file);

/*
 * Print @text wrapped to @width columns. It begins in @column, where the pen
 * is, and goes on in lines indented by @indent.
 */
void print_wrapped(FILE *file, const char *text, int column, int indent, int width);

#endif /* DMREMAP_OUTPUT_H */
