// SPDX-License-Identifier: GPL-2.0-or-later
/* Command lines: which command, its options, and numbers as people type them. */
#include <getopt.h>
#include <stdlib.h>

#include "cli.h"
#include "fuzz.h"
#include "message.h"
#include "parse.h"

#define MAX_WORDS	40

/* In place of message.c and main.c: nothing is said. */
int plugin_usage(const struct invocation *inv)
{
	return PLUGIN_UNKNOWN;
}

int confirm(const char *flag, const char *fmt, ...)
{
	return FAILED;
}

void say(const char *fmt, ...)
{
}

void warn(const char *fmt, ...)
{
}

int wrong_usage(const char *fmt, ...)
{
	return WRONG_USAGE;
}

void advise(const char *fmt, ...)
{
}

int fail(const char *fmt, ...)
{
	return FAILED;
}

int fail_errno(int err, const char *fmt, ...)
{
	return FAILED;
}

void no_memory(void)
{
	abort();
}

static void numbers(const char *text)
{
	uint64_t n, first, count;
	uint32_t tier;
	char *path;

	if (!parse_number(text, &n))
		require(*text >= '0' && *text <= '9');
	parse_time(text, &n);
	if (!parse_range(text, &first, &count))
		require(count && first + (count - 1) >= first);
	if (!parse_spare(text, &path, &tier)) {
		require(*path && !strncmp(path, text, strlen(path)));
		free(path);
	}
}

static void options(const struct invocation *inv)
{
	static const char *const words[] = { "badblocks", "json", NULL };
	const struct option_spec *s;
	int choice = 0;
	uint64_t n;

	for (s = inv->command->options; s && s->name; s++) {
		require(!option_given(inv, s->name) || !s->value || option_text(inv, s->name));
		if (!s->value)
			continue;
		option_size(inv, s->name, &n);
		option_sectors(inv, s->name, &n);
		option_number(inv, s->name, 1, 100, &n);
		option_choice(inv, s->name, words, &choice);
	}
}

/* The first byte chooses the command; words end with a NUL. */
static void command_line(const struct command *command, char *text, size_t size)
{
	char *argv[MAX_WORDS + 2] = { "command" }, *at;
	struct invocation inv = { 0 };
	int argc = 1;

	/* getopt() remembers where in a word the run before ended. */
	optind = 0;
	getopt(1, argv, "");
	for (at = text; at < text + size && argc <= MAX_WORDS; at += strlen(at) + 1)
		argv[argc++] = at;
	if (parse_invocation(&inv, command, argc, argv) == DONE && !inv.help) {
		require(inv.nr_args >= command->min_args);
		require(command->max_args < 0 || inv.nr_args <= command->max_args);
		options(&inv);
	}
	free_invocation(&inv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);
	unsigned int nr = 0, what = take(&in, 1);
	size_t left = in.end - in.at;
	char *text = take_text(&in);

	while (commands[nr].name)
		nr++;
	if (what < nr)
		command_line(&commands[what], text, left);
	else
		numbers(text);
	free(text);
	return 0;
}
