/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a command of dmremapctl is made of: its row in the command table, the
 * parsed command line that it is called with, and how it reports. cli/ depends
 * on lib/ and on nothing else of this tree.
 */
#ifndef DMREMAP_CLI_H
#define DMREMAP_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRAM		"dmremapctl"
#define JSON_VERSION	1	/* of the object that --json prints */

/* Exit codes. */
enum {
	DONE = 0,
	FAILED = 1,
	WRONG_USAGE = 2,
	PLUGIN_UNKNOWN = 3,	/* of a command for monitoring */
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* --- The command table --------------------------------------------------- */

enum {
	OPTION_REPEAT = 1,	/* may be given more than once */
	OPTION_REQUIRED = 2,
	OPTION_HIDDEN = 4,	/* for tests: not in help, man page or completion */
};

struct option_spec {
	const char *name;	/* without the dashes; NULL ends a list */
	const char *value;	/* placeholder of its value; NULL: a flag */
	const char *help;
	unsigned int flags;	/* OPTION_... */
};

struct example {
	const char *line;	/* NULL ends a list */
	const char *what;
};

struct invocation;

struct command {
	const char *name;	/* "create", "spare add" */
	const char *args;	/* as the synopsis shows them, without options */
	const char *summary;	/* one line */
	const char *details;	/* paragraphs separated by "\n\n", or NULL */
	int min_args, max_args;	/* max_args -1: any number */
	const struct option_spec *options;
	const struct example *examples;
	int (*run)(struct invocation *inv);
	bool plugin;		/* exit codes of monitoring plugins: 3 for wrong usage */
};

/* All commands, in the order of the help; the last has no name. */
extern const struct command commands[];

/* Options of every command. */
extern const struct option_spec common_options[];

/* --- A parsed command line ------------------------------------------------ */

struct option_value {
	const struct option_spec *spec;
	const char *value;	/* NULL for a flag */
};

struct output;

struct invocation {
	const struct command *command;
	const char *const *args;
	int nr_args;
	struct option_value *values;
	int nr_values;
	bool json;
	bool help;
	bool printed;		/* the command wrote its own output */
	struct output *out;
};

/*
 * Parse what follows the command's name. Returns DONE, or WRONG_USAGE after
 * having said what is wrong. free_invocation() releases what was allocated.
 */
int parse_invocation(struct invocation *inv, const struct command *command,
		     int argc, char **argv);
void free_invocation(struct invocation *inv);

/* True if the option was given. Its name must be one of the command's. */
bool option_given(const struct invocation *inv, const char *name);

/* The value of an option given once, or NULL. */
const char *option_text(const struct invocation *inv, const char *name);

/* The @nth value (from 0) of an option that may repeat, or NULL. */
const char *option_nth(const struct invocation *inv, const char *name, int nth);

/*
 * The value of an option as a size in bytes. Leaves *@bytes alone if it was
 * not given. Returns DONE or, after a message, WRONG_USAGE.
 */
int option_size(const struct invocation *inv, const char *name, uint64_t *bytes);

/* The same in sectors of 512 bytes. */
int option_sectors(const struct invocation *inv, const char *name, uint64_t *sectors);

/* The same for a plain number between @min and @max. */
int option_number(const struct invocation *inv, const char *name,
		  uint64_t min, uint64_t max, uint64_t *n);

/*
 * The position of an option's value in @names, which ends with NULL. Leaves
 * *@choice alone if it was not given. Returns DONE or WRONG_USAGE.
 */
int option_choice(const struct invocation *inv, const char *name,
		  const char *const *names, int *choice);

/* The candidate most like @word, or NULL if none is close. */
const char *closest(const char *word, const char *const *candidates, int nr);

/* Wrong usage of a command for monitoring, after the message. Returns PLUGIN_UNKNOWN. */
int plugin_usage(const struct invocation *inv);

/* --- Help, made from the table -------------------------------------------- */

void print_overview(void);
void print_command_help(const struct command *command);

/* The commands whose first word is @group. Returns how many there are. */
int print_group_help(const char *group);

/* The table itself, for the man page and the completion. */
void describe_commands(struct output *out);

#endif /* DMREMAP_CLI_H */
