// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Help texts, made from the command table alone, and the table as data for
 * those who write the man page and the completion.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "output.h"

#define WIDTH	79

/* The next paragraph of *@text, allocated, or NULL. Moves *@text behind it. */
static char *next_paragraph(const char **text)
{
	const char *end;
	char *paragraph;

	if (!*text || !**text)
		return NULL;
	end = strstr(*text, "\n\n");
	paragraph = end ? strndup(*text, (size_t)(end - *text)) : strdup(*text);
	if (!paragraph)
		no_memory();
	*text = end ? end + 2 : NULL;
	return paragraph;
}

static void print_paragraphs(const char *text)
{
	char *paragraph;

	while ((paragraph = next_paragraph(&text))) {
		putchar('\n');
		print_wrapped(stdout, paragraph, 0, 0, WIDTH);
		free(paragraph);
	}
}

/* A name in a column of @width, and a text behind or below it. */
static void print_entry(const char *name, int width, const char *text)
{
	if ((int)strlen(name) > width)
		printf("  %s\n%*s", name, width + 4, "");
	else
		printf("  %-*s  ", width, name);
	print_wrapped(stdout, text, width + 4, width + 4, WIDTH);
}

void print_overview(void)
{
	printf("Usage: " PROGRAM " COMMAND [ARGUMENT...] [--json] [--help]\n");
	print_paragraphs("Keeps a disk with bad blocks usable: a block that can no "
			 "longer be written moves to a spare, one that can not be "
			 "read is reported and kept off the medium. A data device, "
			 "its spares and the map between them are a set.");
	printf("\nCommands:\n");
	for (const struct command *c = commands; c->name; c++)
		print_entry(c->name, 16, c->summary);
	printf("\n" PROGRAM " COMMAND --help tells more about one of them.\n"
	       "Exit status: 0 done, 1 failed, 2 wrong usage.\n");
}

int print_group_help(const char *group)
{
	size_t length = strlen(group);
	int found = 0;

	for (const struct command *c = commands; c->name; c++) {
		if (strncmp(c->name, group, length) || c->name[length] != ' ')
			continue;
		if (!found++)
			printf("Usage: " PROGRAM " %s COMMAND [ARGUMENT...]\n\nCommands:\n",
			       group);
		print_entry(c->name, 16, c->summary);
	}
	return found;
}

static void print_options(const struct option_spec *options)
{
	char name[64];

	for (const struct option_spec *s = options; s && s->name; s++) {
		if (s->flags & OPTION_HIDDEN)
			continue;
		snprintf(name, sizeof(name), "--%s%s%s%s", s->name, s->value ? " " : "",
			 s->value ? s->value : "", s->flags & OPTION_REPEAT ? "..." : "");
		print_entry(name, 22, s->help);
	}
}

/* The synopsis: arguments, then what must be given, then the rest. */
static void synopsis(const struct command *command, char *buf, size_t size)
{
	int n = snprintf(buf, size, PROGRAM " %s", command->name);
	bool more = false;

	if (*command->args)
		n += snprintf(buf + n, size - (size_t)n, " %s", command->args);
	for (const struct option_spec *s = command->options; s && s->name; s++) {
		if (s->flags & OPTION_REQUIRED)
			n += snprintf(buf + n, size - (size_t)n, " --%s %s%s", s->name, s->value,
				      s->flags & OPTION_REPEAT ? "..." : "");
		else if (!(s->flags & OPTION_HIDDEN))
			more = true;
	}
	if (more)
		snprintf(buf + n, size - (size_t)n, " [OPTION...]");
}

void print_command_help(const struct command *command)
{
	char line[256];

	synopsis(command, line, sizeof(line));
	printf("Usage: ");
	print_wrapped(stdout, line, 7, 7, WIDTH);
	printf("\n");
	print_wrapped(stdout, command->summary, 0, 0, WIDTH);
	print_paragraphs(command->details);
	printf("\nOptions:\n");
	print_options(command->options);
	print_options(common_options);
	if (command->examples && command->examples->line)
		printf("\nExamples:\n");
	for (const struct example *e = command->examples; e && e->line; e++) {
		printf("  " PROGRAM " %s\n      ", e->line);
		print_wrapped(stdout, e->what, 6, 6, WIDTH);
	}
}

/* --- The table as data ---------------------------------------------------------- */

static const struct field option_fields[] = {
	{ .key = "name" }, { .key = "value" }, { .key = "help" },
	{ .key = "required", .type = FIELD_BOOL },
	{ .key = "repeat", .type = FIELD_BOOL }, {},
};

static const struct view option_view = {
	.key = "options", .style = VIEW_JSON, .fields = option_fields,
};

static const struct field example_fields[] = {
	{ .key = "line" }, { .key = "what" }, {},
};

static const struct view example_view = {
	.key = "examples", .style = VIEW_JSON, .fields = example_fields,
};

static const struct field command_fields[] = {
	{ .key = "name", .label = "COMMAND" }, { .key = "args" },
	{ .key = "synopsis" }, { .key = "summary", .label = "SUMMARY" },
	{},
};

static const struct field paragraph_fields[] = { { .key = "text" }, {} };

static const struct view paragraph_view = {
	.key = "details", .style = VIEW_JSON, .fields = paragraph_fields,
};

static const struct view command_view = {
	.key = "commands", .style = VIEW_TABLE, .fields = command_fields,
};

static void describe_options(struct group *g, const struct option_spec *options)
{
	for (const struct option_spec *s = options; s && s->name; s++) {
		struct record *r;

		if (s->flags & OPTION_HIDDEN)
			continue;
		r = group_add(g);
		set_string(r, "name", s->name);
		set_string(r, "value", s->value);
		set_string(r, "help", s->help);
		set_bool(r, "required", s->flags & OPTION_REQUIRED);
		set_bool(r, "repeat", s->flags & OPTION_REPEAT);
	}
}

void describe_commands(struct output *out)
{
	struct group *list = output_group(out, &command_view);

	for (const struct command *c = commands; c->name; c++) {
		struct record *r = group_add(list);
		struct group *details, *options, *examples;
		const char *text = c->details;
		char line[256], *paragraph;

		synopsis(c, line, sizeof(line));
		set_string(r, "name", c->name);
		set_string(r, "args", c->args);
		set_string(r, "synopsis", line);
		set_string(r, "summary", c->summary);
		details = record_group(r, &paragraph_view);
		while ((paragraph = next_paragraph(&text))) {
			set_string(group_add(details), "text", paragraph);
			free(paragraph);
		}
		options = record_group(r, &option_view);
		describe_options(options, c->options);
		describe_options(options, common_options);
		examples = record_group(r, &example_view);
		for (const struct example *e = c->examples; e && e->line; e++) {
			struct record *example = group_add(examples);

			set_string(example, "line", e->line);
			set_string(example, "what", e->what);
		}
	}
}
