// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Errors, warnings, advice and results in words, on the screen at once and
 * kept for the JSON object; and the one place that asks a person anything.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "output.h"

enum severity {
	SEVERITY_INFO,
	SEVERITY_WARNING,
	SEVERITY_ERROR,
};

static const char *const severity_names[] = { "info", "warning", "error" };

struct message {
	enum severity severity;
	char *text;
	char *advice;
	struct message *next;
};

static struct message *messages, **messages_end = &messages, *last_message;
static bool json_mode;

void messages_init(bool json)
{
	json_mode = json;
}

static int out_of_memory = FAILED;

void no_memory_status(int status)
{
	out_of_memory = status;
}

void no_memory(void)
{
	fputs(PROGRAM ": out of memory\n", stderr);
	exit(out_of_memory);
}

static char *format(const char *fmt, va_list args)
{
	char *text;

	if (vasprintf(&text, fmt, args) < 0)
		no_memory();
	return text;
}

/* Standard error is the journal's: what systemd sets tells so. */
static bool to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == device && st.st_ino == inode;
}

/* To a person, or to the journal with its level: see sd-daemon(3). */
static void print_error(enum severity severity, const char *prefix, const char *text)
{
	int column;

	fflush(stdout);
	if (to_journal())
		fputs(severity == SEVERITY_WARNING ? "<4>" : "<3>", stderr);
	column = fprintf(stderr, "%s", prefix);
	print_wrapped(stderr, text, column, 0, screen_width(stderr));
}

/* Takes @text over. */
static void keep(enum severity severity, char *text)
{
	struct message *m = calloc(1, sizeof(*m));

	if (!m)
		no_memory();
	make_printable(text);
	m->severity = severity;
	m->text = text;
	*messages_end = m;
	messages_end = &m->next;
	last_message = m;
	if (severity == SEVERITY_INFO) {
		if (!json_mode)
			print_wrapped(stdout, text, 0, 0, screen_width(stdout));
		return;
	}
	print_error(severity, severity == SEVERITY_WARNING ? PROGRAM ": warning: " : PROGRAM ": ",
		    text);
}

#define KEEP(severity, fmt)				\
	do {						\
		va_list args;				\
							\
		va_start(args, fmt);			\
		keep(severity, format(fmt, args));	\
		va_end(args);				\
	} while (0)

int fail(const char *fmt, ...)
{
	KEEP(SEVERITY_ERROR, fmt);
	return FAILED;
}

int wrong_usage(const char *fmt, ...)
{
	KEEP(SEVERITY_ERROR, fmt);
	return WRONG_USAGE;
}

void warn(const char *fmt, ...)
{
	KEEP(SEVERITY_WARNING, fmt);
}

void say(const char *fmt, ...)
{
	KEEP(SEVERITY_INFO, fmt);
}

int fail_errno(int err, const char *fmt, ...)
{
	char *what, *text;
	va_list args;

	va_start(args, fmt);
	what = format(fmt, args);
	va_end(args);
	if (asprintf(&text, "%s: %s", what, strerror(-err)) < 0)
		no_memory();
	free(what);
	keep(SEVERITY_ERROR, text);
	if (err == -EACCES || err == -EPERM)
		advise("This needs the rights of root.");
	return FAILED;
}

void advise(const char *fmt, ...)
{
	va_list args;
	char *text, *both;

	va_start(args, fmt);
	text = format(fmt, args);
	va_end(args);
	make_printable(text);
	if (last_message && last_message->severity == SEVERITY_INFO) {
		if (!json_mode)
			print_wrapped(stdout, text, 0, 0, screen_width(stdout));
	} else {
		print_error(last_message ? last_message->severity : SEVERITY_ERROR, "", text);
	}
	if (!last_message) {
		free(text);
		return;
	}
	if (last_message->advice) {
		if (asprintf(&both, "%s %s", last_message->advice, text) < 0)
			no_memory();
		free(last_message->advice);
		free(text);
		text = both;
	}
	last_message->advice = text;
}

static const struct field message_fields[] = {
	{ .key = "severity" }, { .key = "text" }, { .key = "advice" }, {},
};

static const struct view message_view = {
	.key = "messages", .style = VIEW_JSON, .fields = message_fields,
};

void messages_describe(struct output *out)
{
	struct group *g = output_group(out, &message_view);

	while (messages) {
		struct message *m = messages;
		struct record *r = group_add(g);

		set_string(r, "severity", severity_names[m->severity]);
		set_string(r, "text", m->text);
		set_string(r, "advice", m->advice);
		messages = m->next;
		free(m->text);
		free(m->advice);
		free(m);
	}
	messages_end = &messages;
	last_message = NULL;
}

int confirm(const char *flag, const char *fmt, ...)
{
	char *question, *answer = NULL;
	size_t size = 0;
	va_list args;
	bool yes;

	va_start(args, fmt);
	question = format(fmt, args);
	va_end(args);

	if (json_mode || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		keep(SEVERITY_ERROR, question);
		advise("Not asked, since there is no terminal: give %s to agree.", flag);
		return FAILED;
	}
	fflush(stdout);
	fprintf(stderr, "%s [y/N] ", question);
	free(question);
	yes = getline(&answer, &size, stdin) > 0 &&
	      (!strcasecmp(answer, "y\n") || !strcasecmp(answer, "yes\n"));
	free(answer);
	if (yes)
		return DONE;
	return fail("Nothing was done.");
}
