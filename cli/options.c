// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line of one command, parsed by its row of the command table, and
 * the access to what it holds.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "dm-remap.h"
#include "message.h"
#include "parse.h"

/* --- Suggestions -------------------------------------------------------------- */

#define WORD_MAX 31

/* Levenshtein distance, with swapped neighbours counted as one. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int d[WORD_MAX + 2][WORD_MAX + 2];
	size_t la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = (unsigned int)i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			unsigned int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[la][lb];
}

const char *closest(const char *word, const char *const *candidates, int nr)
{
	unsigned int best = strlen(word) < 4 ? 2 : 3;	/* one more than allowed */
	const char *found = NULL;

	for (int i = 0; i < nr; i++) {
		unsigned int d = distance(word, candidates[i]);

		if (d < best) {
			best = d;
			found = candidates[i];
		}
	}
	if (found)
		return found;
	for (int i = 0; i < nr && strlen(word) > 1; i++)
		if (!strncmp(word, candidates[i], strlen(word)))
			return candidates[i];
	return NULL;
}

/* --- Parsing ------------------------------------------------------------------- */

#define OPTIONS_MAX 32

/* The option with this number: the command's first, then the common ones. */
static const struct option_spec *spec_at(const struct command *command, int n)
{
	const struct option_spec *s = command->options;

	for (; s && s->name; s++)
		if (!n--)
			return s;
	for (s = common_options; s->name; s++)
		if (!n--)
			return s;
	return NULL;
}

static int unknown_option(const struct command *command, const char *word)
{
	const char *names[OPTIONS_MAX], *found;
	char *name = strndup(word, strcspn(word, "="));
	const struct option_spec *s;
	int n = 0;

	while (n < OPTIONS_MAX && (s = spec_at(command, n))) {
		names[n] = s->name;
		n++;
	}
	while (name && name[0] == '-')
		memmove(name, name + 1, strlen(name));
	found = name ? closest(name, names, n) : NULL;
	free(name);
	wrong_usage("%s: unknown option %.*s", command->name,
		    (int)strcspn(word, "="), word);
	if (found)
		advise("Did you mean --%s?", found);
	else
		advise("See " PROGRAM " %s --help.", command->name);
	return WRONG_USAGE;
}

static int add_value(struct invocation *inv, const struct option_spec *spec,
		     const char *value)
{
	struct option_value *grown;

	if (!(spec->flags & OPTION_REPEAT) && option_given(inv, spec->name))
		return wrong_usage("%s: --%s was given twice",
				   inv->command->name, spec->name);
	grown = realloc(inv->values, (size_t)(inv->nr_values + 1) * sizeof(*grown));
	if (!grown)
		return fail_errno(-ENOMEM, "%s", inv->command->name);
	inv->values = grown;
	grown[inv->nr_values++] = (struct option_value){ spec, value };
	return DONE;
}

static int check_arguments(const struct invocation *inv)
{
	const struct command *command = inv->command;

	if (inv->nr_args < command->min_args) {
		wrong_usage("%s: %s is missing", command->name,
			    command->min_args == 1 || !inv->nr_args ?
				    command->args : "an argument");
		advise("Usage: " PROGRAM " %s %s", command->name, command->args);
		return WRONG_USAGE;
	}
	if (command->max_args >= 0 && inv->nr_args > command->max_args) {
		wrong_usage("%s: \"%s\" is one argument too many", command->name,
			    inv->args[command->max_args]);
		advise("See " PROGRAM " %s --help.", command->name);
		return WRONG_USAGE;
	}
	for (const struct option_spec *s = command->options; s && s->name; s++) {
		if (!(s->flags & OPTION_REQUIRED) || option_given(inv, s->name))
			continue;
		wrong_usage("%s: --%s %s is missing", command->name, s->name, s->value);
		advise("See " PROGRAM " %s --help.", command->name);
		return WRONG_USAGE;
	}
	return DONE;
}

int parse_invocation(struct invocation *inv, const struct command *command,
		     int argc, char **argv)
{
	struct option options[OPTIONS_MAX + 1] = {};
	const struct option_spec *s;
	int n = 0, c, at, err;

	inv->command = command;
	while (n < OPTIONS_MAX && (s = spec_at(command, n))) {
		options[n].name = s->name;
		options[n].has_arg = s->value ? required_argument : no_argument;
		options[n].val = n;
		n++;
	}
	opterr = 0;
	optind = 1;
	for (;;) {
		const char *word;

		at = optind;
		c = getopt_long(argc, argv, ":h", options, NULL);
		if (c == -1)
			break;
		/* getopt moves what it skipped; its option lies just behind. */
		word = optind > at && optind <= argc ? argv[optind - 1] : argv[at];
		if (c == 'h') {
			inv->help = true;
			continue;
		}
		if (c == ':')
			return wrong_usage("%s: %s needs a value", command->name, word);
		if (c == '?') {
			if (optopt && optopt < n && spec_at(command, optopt) &&
			    strchr(word, '='))
				return wrong_usage("%s: --%s takes no value", command->name,
						   spec_at(command, optopt)->name);
			return unknown_option(command, word);
		}
		s = spec_at(command, c);
		err = add_value(inv, s, optarg);
		if (err)
			return err;
	}
	inv->args = (const char *const *)argv + optind;
	inv->nr_args = argc - optind;
	if (option_given(inv, "help"))
		inv->help = true;
	inv->json = option_given(inv, "json");
	return inv->help ? DONE : check_arguments(inv);
}

void free_invocation(struct invocation *inv)
{
	free(inv->values);
	inv->values = NULL;
	inv->nr_values = 0;
}

/* --- Access --------------------------------------------------------------------- */

static const struct option_value *find_option(const struct invocation *inv,
					      const char *name, int nth)
{
	for (int i = 0; i < inv->nr_values; i++)
		if (!strcmp(inv->values[i].spec->name, name) && !nth--)
			return &inv->values[i];
	return NULL;
}

bool option_given(const struct invocation *inv, const char *name)
{
	return find_option(inv, name, 0);
}

const char *option_nth(const struct invocation *inv, const char *name, int nth)
{
	const struct option_value *v = find_option(inv, name, nth);

	return v ? v->value : NULL;
}

const char *option_text(const struct invocation *inv, const char *name)
{
	return option_nth(inv, name, 0);
}

int option_size(const struct invocation *inv, const char *name, uint64_t *bytes)
{
	const char *text = option_text(inv, name);
	struct dmremap_error error = {};

	if (text && dmremap_parse_size(text, bytes, &error) < 0)
		return wrong_usage("--%s: %s", name, error.text);
	return DONE;
}

int option_sectors(const struct invocation *inv, const char *name, uint64_t *sectors)
{
	const char *text = option_text(inv, name);
	struct dmremap_error error = {};

	if (text && dmremap_parse_sectors(text, sectors, &error) < 0)
		return wrong_usage("--%s: %s", name, error.text);
	return DONE;
}

int option_number(const struct invocation *inv, const char *name,
		  uint64_t min, uint64_t max, uint64_t *n)
{
	const char *text = option_text(inv, name);
	uint64_t value;

	if (!text)
		return DONE;
	if (parse_number(text, &value) || value < min || value > max)
		return wrong_usage("--%s %s: a number from %" PRIu64 " to %" PRIu64
				   " is needed", name, text, min, max);
	*n = value;
	return DONE;
}

int option_choice(const struct invocation *inv, const char *name,
		  const char *const *names, int *choice)
{
	const char *text = option_text(inv, name), *found;
	int n;

	if (!text)
		return DONE;
	for (n = 0; names[n]; n++) {
		if (!strcmp(names[n], text)) {
			*choice = n;
			return DONE;
		}
	}
	found = closest(text, names, n);
	wrong_usage("--%s %s: unknown", name, text);
	if (found)
		advise("Did you mean %s?", found);
	else
		advise("See " PROGRAM " %s --help.", inv->command->name);
	return WRONG_USAGE;
}
