// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finding sets, telling the library's errors, carrying out its plans.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message.h"
#include "output.h"
#include "set.h"

/* --- Errors --------------------------------------------------------------------- */

static bool has_option(const struct invocation *inv, const char *name)
{
	for (const struct option_spec *s = inv->command->options; s && s->name; s++)
		if (!strcmp(s->name, name))
			return !option_given(inv, name);
	return false;
}

int fail_lib(const struct invocation *inv, int err, const struct dmremap_error *error)
{
	if (!error->text[0])
		return fail_errno(err, "%s", inv->command->name);
	fail("%s", error->text);
	switch (err) {
	case -ENOTEMPTY:
		if (has_option(inv, "force") && !strstr(error->text, "--force"))
			advise("If that may be lost, give --force.");
		break;
	case -EUCLEAN:
		if (strncmp(inv->command->name, "metadata ", 9))
			advise("See " PROGRAM " metadata verify.");
		break;
	case -ENODEV:
		advise("See " PROGRAM " doctor.");
		break;
	case -EACCES:
	case -EPERM:
		advise("This needs the rights of root.");
		break;
	}
	return FAILED;
}

int fail_module(const struct invocation *inv, const char *name, int err,
		const struct dmremap_error *error)
{
	struct dmremap_status status;
	struct dmremap_error why = {};
	int r;

	switch (err) {
	case -ENODEV:
		r = dmremap_status(name, &status, NULL);
		if (!r)
			r = dmremap_status_answers(&status, &why);
		if (r < 0 && why.text[0])
			return fail_lib(inv, r, &why);
		fail("%s", error->text);
		advise("If it is stopped: " PROGRAM " start %s", name);
		return FAILED;
	case -ENOENT:
		fail("%s", error->text);
		advise("See " PROGRAM " doctor.");
		return FAILED;
	default:
		return fail_lib(inv, err, error);
	}
}

int open_module(const struct invocation *inv, struct dmremap_nl **nl)
{
	struct dmremap_error error = {};
	int err = dmremap_nl_open(nl, &error);

	return err == -ENOENT ? fail_module(inv, "", err, &error) :
	       err < 0 ? fail_lib(inv, err, &error) : DONE;
}

/* --- Finding -------------------------------------------------------------------- */

int scan_sets(const struct invocation *inv, unsigned int flags,
	      struct dmremap_scan **scan)
{
	struct dmremap_error error = {};
	const char **paths = NULL;
	int n = 0, fd, err;

	if (option_given(inv, "device")) {
		paths = calloc((size_t)inv->nr_values + 1, sizeof(*paths));
		if (!paths)
			return fail_errno(-ENOMEM, "%s", inv->command->name);
		while ((paths[n] = option_nth(inv, "device", n))) {
			/* The scan skips what it can not open; here it was asked for. */
			fd = open(paths[n], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
			if (fd < 0) {
				err = fail_errno(-errno, "%s", paths[n]);
				free(paths);
				return err;
			}
			close(fd);
			n++;
		}
	}
	err = dmremap_scan_new(flags, paths, scan, &error);
	free(paths);
	return err < 0 ? fail_lib(inv, err, &error) : DONE;
}

int find_set(const struct invocation *inv, const char *name,
	     struct dmremap_scan **scan, struct dmremap_set **set)
{
	struct dmremap_error error = {};
	int err = scan_sets(inv, 0, scan);

	if (err)
		return err;
	err = dmremap_scan_find(*scan, name, set, &error);
	if (!err)
		err = dmremap_set_load(*set, NULL, &error);
	if (err < 0) {
		dmremap_scan_free(*scan);
		*scan = NULL;
		return fail_lib(inv, err, &error);
	}
	return DONE;
}

/* --- Plans ---------------------------------------------------------------------- */

int show_progress(uint64_t done, uint64_t total, void *arg)
{
	progress_update(arg, done, total);
	return interrupted();
}

static const char *const plan_kinds[] = {
	[DMREMAP_PLAN_STEP] = "step",
	[DMREMAP_PLAN_NOTE] = "note",
	[DMREMAP_PLAN_LOSS] = "LOSS",
};

static const struct field plan_fields[] = {
	{ .key = "kind", .label = "" }, { .key = "text", .label = "" }, {},
};

static const struct view plan_view = {
	.key = "plan", .style = VIEW_LIST, .fields = plan_fields,
	.empty = "There is nothing to do.",
};

/* Adds the plan to the output; returns how many things it destroys. */
static int describe_plan(struct invocation *inv, struct dmremap_plan *plan)
{
	struct group *g = output_group(inv->out, &plan_view);
	enum dmremap_plan_kind kind;
	const char *text;
	int losses = 0;

	dmremap_plan_rewind(plan);
	while (dmremap_plan_next(plan, &kind, &text) == 1) {
		struct record *r = group_add(g);

		set_string(r, "kind", kind == DMREMAP_PLAN_LOSS && inv->json ?
					      "loss" : plan_kinds[kind]);
		set_string(r, "text", text);
		losses += kind == DMREMAP_PLAN_LOSS;
	}
	return losses;
}

int run_plan(struct invocation *inv, struct dmremap_plan *plan,
	     const char *question, bool *done)
{
	struct dmremap_error error = {};
	struct progress progress;
	enum dmremap_plan_kind kind;
	const char *text;
	int losses, err;

	*done = false;
	losses = describe_plan(inv, plan);
	if (option_given(inv, "dry-run")) {
		dmremap_plan_free(plan);
		say("Nothing is written (--dry-run). What would be done:");
		return DONE;
	}
	if (!inv->json) {
		/* Losses and notes are told before the question, the steps are not. */
		output_free(inv->out);
		inv->out = output_new();
	}
	dmremap_plan_rewind(plan);
	while ((losses || question) && dmremap_plan_next(plan, &kind, &text) == 1) {
		if (kind == DMREMAP_PLAN_LOSS)
			warn("%s", text);
		else if (kind == DMREMAP_PLAN_NOTE)
			say("%s", text);
	}
	if ((question || losses) && !option_given(inv, "force")) {
		err = confirm("--force", "%s", question ? question : "Go on?");
		if (err) {
			dmremap_plan_free(plan);
			return err;
		}
	}

	progress_begin(&progress, inv->command->name, PROGRESS_STEPS, inv->json);
	err = dmremap_plan_commit(plan, show_progress, &progress, &error);
	progress_end(&progress);
	dmremap_plan_free(plan);
	if (err < 0) {
		fail_lib(inv, err, &error);
		if (err == -ECANCELED)
			advise("Give the same command again to do it from the start.");
		return FAILED;
	}
	*done = true;
	return DONE;
}
