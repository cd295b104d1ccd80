/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plans: lines of text for people, and the function that carries them out.
 */
#include "private.h"

int dmri_plan_new(struct dmremap_plan **plan)
{
	*plan = calloc(1, sizeof(**plan));
	return *plan ? 0 : -ENOMEM;
}

void dmremap_plan_free(struct dmremap_plan *plan)
{
	size_t i;

	if (!plan)
		return;
	if (plan->release)
		plan->release(plan);
	for (i = 0; i < plan->nr; i++)
		free(plan->texts[i]);
	free(plan->texts);
	free(plan->kinds);
	free(plan);
}

void dmri_plan_freep(struct dmremap_plan **plan)
{
	dmremap_plan_free(*plan);
	*plan = NULL;
}

void dmri_plan_add(struct dmremap_plan *plan, enum dmremap_plan_kind kind,
		   const char *fmt, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	if (plan->nr == plan->allocated) {
		size_t room = plan->allocated ? 2 * plan->allocated : 16;
		char **texts = reallocarray(plan->texts, room, sizeof(*texts));
		enum dmremap_plan_kind *kinds;

		if (texts)
			plan->texts = texts;
		kinds = reallocarray(plan->kinds, room, sizeof(*kinds));
		if (kinds)
			plan->kinds = kinds;
		if (!texts || !kinds) {
			plan->failed = true;
			return;
		}
		plan->allocated = room;
	}
	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0) {
		plan->failed = true;
		return;
	}
	plan->texts[plan->nr] = text;
	plan->kinds[plan->nr++] = kind;
}

int dmremap_plan_next(struct dmremap_plan *plan, enum dmremap_plan_kind *kind,
		      const char **text)
{
	if (plan->next >= plan->nr)
		return 0;
	*kind = plan->kinds[plan->next];
	*text = plan->texts[plan->next++];
	return 1;
}

void dmremap_plan_rewind(struct dmremap_plan *plan)
{
	plan->next = 0;
}

const struct dmremap_set_info *dmremap_plan_info(const struct dmremap_plan *plan)
{
	return &plan->info;
}

int dmremap_plan_commit(struct dmremap_plan *plan, dmremap_progress_fn progress,
			void *arg, struct dmremap_error *err)
{
	unsigned int i;
	int r;

	if (plan->done)
		return dmri_error(err, -EALREADY, "This plan was carried out already.");
	/* A loss that could not be named must not happen. */
	if (plan->failed)
		return dmri_error_sys(err, -ENOMEM, "The plan is incomplete");
	plan->done = true;
	r = plan->commit(plan, progress, arg, err);
	for (i = 0; !r && i < plan->nr_forget; i++)
		dmri_known_forget(plan->forget[i]);
	return r;
}
