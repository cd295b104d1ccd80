// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Samples of the statistics of every set for the history, so that it can be told later
 * how errors and latencies grew. Counts are those since activation, as the module has
 * them: "session" tells which.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"

struct samples {
	sd_event_source *timer;
};

struct sample_job {
	unsigned int nr;
	struct sampled_set {
		char uuid[DMREMAP_UUID_SIZE];
		struct json_object *json;
	} sets[];
};

static struct json_object *numbers(const uint64_t *values, unsigned int nr)
{
	struct json_object *list = json_new_list();
	unsigned int i;

	for (i = 0; i < nr; i++)
		json_append_number(list, values[i]);
	return list;
}

static struct json_object *errors(const uint64_t *values)
{
	struct json_object *o = json_new();
	unsigned int i;

	for (i = 0; i < DMREMAP_NL_CLASSES; i++)
		if (values[i])
			json_add_number(o, dmremap_class_name(i), values[i]);
	return o;
}

static struct json_object *direction(const struct dmremap_nl_stats *stats, unsigned int d)
{
	struct json_object *o = json_new();
	unsigned int nr = DMR_NL_BUCKETS;

	if (!stats->member) {
		json_add(o, "ios", numbers(stats->ios[d], DMREMAP_NL_PATHS));
		json_add(o, "sectors", numbers(stats->sectors[d], DMREMAP_NL_PATHS));
	}
	json_add(o, "errors", errors(stats->errors[d]));
	while (nr && !stats->latency[d][nr - 1])
		nr--;
	json_add(o, "latency", numbers(stats->latency[d], nr));
	return o;
}

static int add_member(const struct dmremap_nl_stats *stats, void *arg)
{
	struct json_object *members = arg, *o = json_new();

	json_add_number(o, "member", stats->member);
	json_add(o, "read", direction(stats, 0));
	json_add(o, "write", direction(stats, 1));
	json_append(members, o);
	return 0;
}

static void add_device(struct json_object *o, const struct dmremap_nl_device *device)
{
	json_add_text(o, "name", device->name);
	json_add_number(o, "session", device->session);
	json_add_number(o, "slots", device->slots);
	json_add_number(o, "slots-used", device->slots_used);
	json_add_number(o, "remapped", device->remapped);
	json_add_number(o, "lost", device->lost);
}

static int sample_set(struct dmremap_nl *nl, struct sampled_set *set, struct dmremap_error *err)
{
	struct json_object *o = json_new(), *members = json_new_list();
	struct dmremap_nl_device device;
	int ret;

	json_add(o, "members", members);
	ret = dmremap_nl_device(nl, set->uuid, &device, err);
	if (ret >= 0) {
		add_device(o, &device);
		ret = dmremap_nl_stats(nl, set->uuid, add_member, members, err);
	}
	if (ret < 0)
		json_object_put(o);
	else
		set->json = o;
	return ret;
}

static int sample_job(struct worker *worker, void *arg, struct dmremap_error *err)
{
	struct sample_job *job = arg;
	struct dmremap_nl *nl;
	unsigned int i;
	int ret;

	ret = worker_nl(worker, &nl, err);
	for (i = 0; i < job->nr && ret >= 0 && !worker_stopping(worker); i++) {
		ret = sample_set(nl, &job->sets[i], err);
		if (ret == -ENODEV)
			ret = 0;
	}
	if (ret == -ENOENT)
		worker_nl_drop(worker);
	return ret;
}

static void sample_done(struct daemon *daemon, void *arg, int result,
			const struct dmremap_error *err)
{
	struct sample_job *job = arg;
	unsigned int i;

	for (i = 0; i < job->nr; i++) {
		if (job->sets[i].json && daemon->record)
			record_sample(daemon, "stats", job->sets[i].uuid, job->sets[i].json);
		json_object_put(job->sets[i].json);
	}
	if (result < 0 && result != -ECANCELED && result != -ENOENT)
		log_warning("Can not ask for statistics: %s", err->text);
	free(job);
}

static void submit(struct daemon *daemon)
{
	struct watched_set *set;
	struct sample_job *job;
	unsigned int nr = 0;

	LIST_FOREACH(set, &daemon->sets, link)
		nr++;
	job = nr ? calloc(1, sizeof(*job) + nr * sizeof(job->sets[0])) : NULL;
	if (!job)
		return;
	LIST_FOREACH(set, &daemon->sets, link)
		memcpy(job->sets[job->nr++].uuid, set->device.uuid, DMREMAP_UUID_SIZE);
	if (worker_submit(daemon, WORKER_QUERY, sample_job, job, sample_done) < 0)
		free(job);
}

static void arm(struct daemon *daemon)
{
	uint64_t interval = daemon->config->history ? daemon->config->sample_interval : 0;

	sd_event_source_set_time_relative(daemon->samples->timer, interval * USEC_PER_SEC);
	sd_event_source_set_time_accuracy(daemon->samples->timer,
					  interval * USEC_PER_SEC / 16 + 1);
	sd_event_source_set_enabled(daemon->samples->timer,
				    interval ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	submit(arg);
	arm(arg);
	return 0;
}

int sample_start(struct daemon *daemon)
{
	struct samples *samples = calloc(1, sizeof(*samples));
	int ret;

	if (!samples)
		return -ENOMEM;
	ret = sd_event_add_time_relative(daemon->event, &samples->timer, CLOCK_BOOTTIME, 0, 0,
					 on_timer, daemon);
	if (ret < 0) {
		free(samples);
		return ret;
	}
	daemon->samples = samples;
	arm(daemon);
	return 0;
}

void sample_reload(struct daemon *daemon)
{
	arm(daemon);
}

void sample_stop(struct daemon *daemon)
{
	if (!daemon->samples)
		return;
	sd_event_source_disable_unref(daemon->samples->timer);
	free(daemon->samples);
	daemon->samples = NULL;
}
