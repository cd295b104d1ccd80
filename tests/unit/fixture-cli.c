/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See fixture-cli.h. */
#include <unistd.h>

#include "fixture-cli.h"
#include "message.h"
#include "output.h"

char *fx_out, *fx_err;

/* Of main.c, which is not linked. */
int plugin_usage(const struct invocation *inv)
{
	return PLUGIN_UNKNOWN;
}

/* What goes to @fd goes to the file; returns what it was. */
static int redirect(int fd, FILE *file)
{
	int saved = dup(fd);

	assert_true(saved >= 0 && dup2(fileno(file), fd) == fd);
	return saved;
}

static char *restore(int fd, int saved, FILE *file)
{
	long size;
	char *text;

	assert_int_equal(dup2(saved, fd), fd);
	close(saved);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	rewind(file);
	text = calloc(1, size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, size, file), size);
	fclose(file);
	return text;
}

static int run(struct invocation *inv, int argc, char **argv)
{
	int status = parse_invocation(inv, inv->command, argc, argv);

	if (!status)
		status = inv->command->run(inv);
	if (inv->json && !inv->printed) {
		messages_describe(inv->out);
		assert_int_equal(output_print_json(inv->out, inv->command->name, stdout), 0);
	} else if (!inv->printed) {
		output_print_text(inv->out, status == DONE, stdout);
	}
	fflush(stdout);
	return status;
}

int fx_run(const char *name, ...)
{
	struct invocation inv = { .out = output_new() };
	FILE *out = tmpfile(), *err = tmpfile();
	int argc = 1, status, saved_out, saved_err;
	char *argv[32] = { (char *)name };
	va_list args;

	for (const struct command *c = commands; c->name; c++)
		if (!strcmp(c->name, name))
			inv.command = c;
	assert_non_null(inv.command);
	va_start(args, name);
	while ((argv[argc] = va_arg(args, char *))) {
		inv.json |= !strcmp(argv[argc], "--json");
		argc++;
		assert_true(argc < 32);
	}
	va_end(args);

	messages_init(inv.json);
	assert_true(out && err);
	fflush(stdout);
	saved_out = redirect(STDOUT_FILENO, out);
	saved_err = redirect(STDERR_FILENO, err);
	status = run(&inv, argc, argv);
	free(fx_out);
	free(fx_err);
	fx_out = restore(STDOUT_FILENO, saved_out, out);
	fx_err = restore(STDERR_FILENO, saved_err, err);
	free_invocation(&inv);
	output_free(inv.out);
	return status;
}

void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" is in \"%s\"", part, text);
}
