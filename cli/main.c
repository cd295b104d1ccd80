// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmremapctl: finds the command in the table, runs it and prints what it left
 * in its output. Works without daemon, udev or D-Bus.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "dm-remap.h"
#include "message.h"
#include "output.h"

/*
 * The command that argv names, in one word or two; *words of them. NULL if
 * there is none.
 */
static const struct command *find_command(int argc, char **argv, int *words)
{
	for (const struct command *c = commands; c->name; c++) {
		size_t length = strcspn(c->name, " ");
		const char *second = c->name[length] ? c->name + length + 1 : NULL;

		if (strlen(argv[1]) != length || strncmp(argv[1], c->name, length))
			continue;
		if (second && (argc < 3 || strcmp(argv[2], second)))
			continue;
		*words = second ? 2 : 1;
		return c;
	}
	return NULL;
}

/* Say what is wrong with a command that is not in the table. */
static int unknown_command(int argc, char **argv)
{
	const char *names[64], *first[64], *found;
	size_t length = strlen(argv[1]);
	int n = 0, group = 0;

	for (const struct command *c = commands; c->name && n < 64; c++) {
		bool member = !strncmp(c->name, argv[1], length) && c->name[length] == ' ';

		first[n] = strndup(c->name, strcspn(c->name, " "));
		if (!first[n])
			no_memory();
		names[n++] = member ? c->name + length + 1 : "";
		group += member;
	}
	if (group && argc > 2) {
		found = closest(argv[2], names, n);
		wrong_usage("unknown command \"%s %s\"", argv[1], argv[2]);
		if (found)
			advise("Did you mean \"%s %s\"?", argv[1], found);
		else
			advise("See " PROGRAM " %s --help.", argv[1]);
	} else if (group) {
		wrong_usage("%s: a command is missing", argv[1]);
		advise("See " PROGRAM " %s --help.", argv[1]);
	} else {
		found = closest(argv[1], first, n);
		wrong_usage("unknown command \"%s\"", argv[1]);
		if (found)
			advise("Did you mean \"%s\"?", found);
		else
			advise("See " PROGRAM " --help.");
	}
	while (n)
		free((char *)first[--n]);
	return WRONG_USAGE;
}

/* What goes without a command; -1 if it is something else. */
static int run_without_command(int argc, char **argv)
{
	if (argc < 2) {
		wrong_usage("a command is missing");
		advise("See " PROGRAM " --help.");
		return WRONG_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_overview();
		return DONE;
	}
	if (!strcmp(argv[1], "--version")) {
		printf(PROGRAM " %s\n", dmremap_version());
		return DONE;
	}
	/* For the generators of man page and completion, and for the curious. */
	if (!strcmp(argv[1], "--commands")) {
		struct output *out = output_new();
		int err = DONE;

		describe_commands(out);
		if (argc > 2 && !strcmp(argv[2], "--json"))
			err = output_print_json(out, NULL, stdout) ? FAILED : DONE;
		else
			output_print_text(out, true, stdout);
		output_free(out);
		return err;
	}
	if (argc == 3 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h")) &&
	    print_group_help(argv[1]))
		return DONE;
	return -1;
}

static bool json_wanted(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--json"))
			return true;
	return false;
}

/* To a monitoring system 2 would mean critical. */
int plugin_usage(const struct invocation *inv)
{
	if (!inv->json)
		puts("DMREMAP UNKNOWN - wrong usage");
	return PLUGIN_UNKNOWN;
}

/* Print what the command left, also when it failed. */
static int finish(struct invocation *inv, int status)
{
	int err = 0;

	if (inv->json && !inv->printed) {
		messages_describe(inv->out);
		err = output_print_json(inv->out, inv->command ? inv->command->name : NULL,
					stdout);
	} else if (!inv->printed) {
		output_print_text(inv->out, status == DONE, stdout);
	}
	if (!fflush(stdout) && !ferror(stdout) && !err)
		return status;
	status = fail_errno(-EIO, "standard output");
	return inv->command && inv->command->plugin ? PLUGIN_UNKNOWN : status;
}

int main(int argc, char **argv)
{
	struct invocation inv = {};
	int words = 0, status;

	inv.json = json_wanted(argc, argv);
	messages_init(inv.json);
	inv.out = output_new();
	if (argc > 1)
		inv.command = find_command(argc, argv, &words);
	if (!inv.command) {
		status = run_without_command(argc, argv);
		inv.printed = status == DONE;
		if (status < 0)
			status = unknown_command(argc, argv);
	} else {
		if (inv.command->plugin)
			no_memory_status(PLUGIN_UNKNOWN);
		status = parse_invocation(&inv, inv.command, argc - words, argv + words);
		if (!status && inv.help) {
			print_command_help(inv.command);
			inv.printed = true;
		} else if (!status) {
			status = inv.command->run(&inv);
		} else if (inv.command->plugin) {
			status = plugin_usage(&inv);
		}
	}
	status = finish(&inv, status);
	free_invocation(&inv);
	output_free(inv.out);
	return status;
}
