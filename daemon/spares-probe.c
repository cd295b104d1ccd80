/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading labels off devices. Any of them may never answer: a path-less multipath device,
 * one that is suspended, a disk that hangs. So each is a job of its own, in one of a few
 * lanes, and one that hangs keeps its lane and nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "spares.h"

#define MAX_WAITING	8192		/* devices to be looked at */
#define RETRY_USEC	USEC_PER_SEC

struct job {
	struct place place;
	unsigned int lane;
	uint64_t begun;			/* CLOCK_MONOTONIC, microseconds */
	bool told;			/* that it takes long */
};

struct probes {
	struct daemon *daemon;
	probes_fn fn;
	sd_event_source *timer;
	struct job *jobs[WORKER_PROBES];	/* by lane; on their way */
	struct place *waiting;		/* a ring would save little: they are few */
	size_t nr, room;
};

uint64_t probes_patience_usec = 30 * USEC_PER_SEC;

static uint64_t monotonic(struct probes *probes)
{
	uint64_t usec = 0;

	sd_event_now(probes->daemon->event, CLOCK_MONOTONIC, &usec);
	return usec;
}

static bool on_its_way(const struct probes *probes, const char *path)
{
	unsigned int i;

	for (i = 0; i < WORKER_PROBES; i++)
		if (probes->jobs[i] && !strcmp(probes->jobs[i]->place.path, path))
			return true;
	return false;
}

static int read_label(struct worker *worker, void *arg, struct dmremap_error *err)
{
	struct job *job = arg;

	job->place.labelled = dmremap_label_read(job->place.path, &job->place.label, NULL);
	return 0;
}

static void next(struct probes *probes);

static void label_read(struct daemon *daemon, void *arg, int result,
		       const struct dmremap_error *err)
{
	struct probes *probes = daemon->probes;
	struct job *job = arg;

	if (probes) {
		probes->jobs[job->lane] = NULL;
		if (job->told)
			log_notice("%s answers again.", job->place.path);
		if (result >= 0)
			probes->fn(daemon, &job->place);
		if (result != -ECANCELED)
			next(probes);
	}
	free(job);
}

static int submit(struct probes *probes, unsigned int lane, const struct place *place)
{
	struct job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	job->place = *place;
	job->lane = lane;
	job->begun = monotonic(probes);
	r = worker_submit(probes->daemon, WORKER_PROBE + lane, read_label, job, label_read);
	if (r < 0) {
		free(job);
		return r;
	}
	probes->jobs[lane] = job;
	return 0;
}

static void arm(struct probes *probes, uint64_t usec)
{
	sd_event_source_set_time_relative(probes->timer, usec);
	sd_event_source_set_enabled(probes->timer, SD_EVENT_ONESHOT);
}

/* What hangs and is told of again waits until it answers. */
static void next(struct probes *probes)
{
	bool failed = false, busy = false;
	unsigned int lane;
	size_t i;

	for (lane = 0; lane < WORKER_PROBES; lane++) {
		for (i = 0; !probes->jobs[lane] && !failed && i < probes->nr; i++) {
			if (on_its_way(probes, probes->waiting[i].path))
				continue;
			failed = submit(probes, lane, &probes->waiting[i]) < 0;
			if (!failed)
				memmove(&probes->waiting[i], &probes->waiting[i + 1],
					(--probes->nr - i) * sizeof(probes->waiting[0]));
			break;
		}
		busy |= probes->jobs[lane] && !probes->jobs[lane]->told;
	}
	if (!probes->nr) {
		free(probes->waiting);
		probes->waiting = NULL;
		probes->room = 0;
	}
	if (failed || busy)
		arm(probes, failed ? RETRY_USEC : probes_patience_usec);
	else
		sd_event_source_set_enabled(probes->timer, SD_EVENT_OFF);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct probes *probes = arg;
	uint64_t now = monotonic(probes);
	unsigned int i;

	for (i = 0; i < WORKER_PROBES; i++) {
		struct job *job = probes->jobs[i];

		if (!job || job->told || now - job->begun < probes_patience_usec)
			continue;
		job->told = true;
		log_warning("%s does not answer: whether it is labelled as a spare is not known.",
			    job->place.path);
	}
	next(probes);
	/* Who waits for all to have been looked at need not wait for that one. */
	probes->fn(probes->daemon, NULL);
	return 0;
}

void probes_want(struct probes *probes, const struct place *place)
{
	size_t i;

	for (i = 0; i < probes->nr; i++)
		if (!strcmp(probes->waiting[i].path, place->path))
			return;
	if (probes->nr == probes->room) {
		size_t room = probes->room ? 2 * probes->room : 16;
		struct place *more = room > MAX_WAITING ? NULL :
				     reallocarray(probes->waiting, room, sizeof(*more));

		if (!more)
			return;
		probes->waiting = more;
		probes->room = room;
	}
	probes->waiting[probes->nr++] = *place;
	next(probes);
}

bool probes_settled(const struct probes *probes)
{
	unsigned int i;

	for (i = 0; i < WORKER_PROBES; i++)
		if (probes->jobs[i] && !probes->jobs[i]->told)
			return false;
	for (i = 0; i < probes->nr; i++)
		if (!on_its_way(probes, probes->waiting[i].path))
			return false;
	return true;
}

int probes_new(struct daemon *daemon, probes_fn fn)
{
	struct probes *probes = calloc(1, sizeof(*probes));
	int r;

	if (!probes)
		return -ENOMEM;
	probes->daemon = daemon;
	probes->fn = fn;
	r = sd_event_add_time_relative(daemon->event, &probes->timer, CLOCK_MONOTONIC, 0,
				       USEC_PER_SEC / 10, on_timer, probes);
	if (r < 0) {
		free(probes);
		return r;
	}
	sd_event_source_set_enabled(probes->timer, SD_EVENT_OFF);
	daemon->probes = probes;
	return 0;
}

void probes_free(struct daemon *daemon)
{
	struct probes *probes = daemon->probes;

	if (!probes)
		return;
	sd_event_source_disable_unref(probes->timer);
	free(probes->waiting);
	free(probes);
	daemon->probes = NULL;
}
