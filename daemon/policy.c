// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Policy: what each set should do by the configuration, compared with what is in force,
 * and sent if it differs. A policy that somebody else set after ours is left alone until the
 * configuration is loaded again. Risky settings are sent with a lifetime and renewed
 * at half of it, so that they end with the daemon.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"

#define STATE_KEY	"policy"
#define RETRY_USEC	(60 * USEC_PER_SEC)

struct set_policy {
	struct dmremap_policy in_force;
	bool known;			/* in_force is */
	bool busy, again;
	bool foreign;			/* told, once until ours is in force again */
	bool insist;			/* the configuration was loaded anew */
	uint64_t refused;		/* version in force when ours was refused */
	uint64_t renewed;		/* CLOCK_BOOTTIME, microseconds; 0: not in this run */
	sd_event_source *timer;
	struct daemon *daemon;
	char uuid[DMREMAP_UUID_SIZE];
};

struct policy_job {
	char name[DMREMAP_NAME_SIZE], uuid[DMREMAP_UUID_SIZE];
	struct dmremap_policy policy;
	bool renewal;
	bool health;			/* it is not what the configuration alone asks for */
};

/* --- What was sent last, in the state ---------------------------------------------- */

static bool sent_version(struct daemon *daemon, const char *uuid, uint64_t *version)
{
	struct json_object *all = state_get(daemon, STATE_KEY);

	*version = json_get_number(all, uuid);
	return json_get(all, uuid);
}

static void remember_version(struct daemon *daemon, const char *uuid, uint64_t version)
{
	struct json_object *all = state_get(daemon, STATE_KEY);
	uint64_t before;

	if (sent_version(daemon, uuid, &before) && before == version)
		return;
	all = json_object_is_type(all, json_type_object) ? json_object_get(all) :
							    json_new();
	json_add_number(all, uuid, version);
	state_put(daemon, STATE_KEY, all);
}

/* --- What should hold ------------------------------------------------------------------ */

static bool risky(const struct dmremap_policy *p)
{
	return p->unreadable != DMR_NL_UNREADABLE_FAIL || p->retries != DMR_DEFAULT_RETRIES;
}

/* The configuration's word, and what is known of the health of the drive below. */
static bool wanted(struct daemon *daemon, const struct watched_set *set,
		   struct dmremap_policy *policy)
{
	const struct set_config *config = config_of(daemon->config, set->device.name,
						    set->device.uuid);

	*policy = config->values;
	policy->version = 0;
	if (config->policy_health &&
	    smart_failing(daemon, set->device.data_major, set->device.data_minor))
		policy->heal = DMR_NL_HEAL_SPARE;
	/* Nothing to end, nothing to renew, no commit twice a day. */
	if (!risky(policy))
		policy->lifetime = 0;
	return config->policy;
}

static bool same_values(const struct dmremap_policy *a, const struct dmremap_policy *b)
{
	struct dmremap_policy x = *a, y = *b;

	x.version = y.version = 0;
	return !memcmp(&x, &y, sizeof(x));
}

/* Is @now what the module makes of @ours when its lifetime has ended? */
static bool expired_form(const struct dmremap_policy *ours, const struct dmremap_policy *now)
{
	struct dmremap_policy expired = *ours;

	expired.unreadable = DMR_NL_UNREADABLE_FAIL;
	expired.retries = DMR_DEFAULT_RETRIES;
	expired.lifetime = 0;
	return same_values(&expired, now);
}

static struct set_policy *get(struct daemon *daemon, struct watched_set *set)
{
	if (!set->policy) {
		set->policy = calloc(1, sizeof(*set->policy));
		if (!set->policy)
			return NULL;
		set->policy->daemon = daemon;
		snprintf(set->policy->uuid, sizeof(set->policy->uuid), "%s", set->device.uuid);
	}
	return set->policy;
}

static struct policy_job *new_job(const struct watched_set *set)
{
	struct policy_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	snprintf(job->name, sizeof(job->name), "%s", set->device.name);
	snprintf(job->uuid, sizeof(job->uuid), "%s", set->device.uuid);
	return job;
}

/* --- Asking ------------------------------------------------------------------------------ */

static int ask_job(struct worker *worker, void *arg, struct dmremap_error *err)
{
	struct policy_job *job = arg;
	struct dmremap_nl *nl;
	int ret;

	ret = worker_nl(worker, &nl, err);
	if (!ret)
		ret = dmremap_nl_policy_get(nl, job->uuid, &job->policy, err);
	if (ret == -ENOENT)
		worker_nl_drop(worker);
	return ret;
}

static void retry_later(struct daemon *daemon, struct set_policy *sp);

static void finished(struct daemon *daemon, struct watched_set *set)
{
	bool again = set->policy->again;

	set->policy->busy = set->policy->again = false;
	if (again || set->policy->insist)
		policy_update(daemon, set);
}

static void ask_done(struct daemon *daemon, void *arg, int result,
		     const struct dmremap_error *err)
{
	_cleanup_free_ struct policy_job *job = arg;
	struct watched_set *set = set_find(daemon, job->uuid);

	if (!set || !set->policy)
		return;
	if (result >= 0) {
		/* An event may have told of a newer one meanwhile. */
		if (!set->policy->known || job->policy.version > set->policy->in_force.version)
			set->policy->in_force = job->policy;
		set->policy->known = true;
		set->policy->again = true;
	} else if (result != -ECANCELED && result != -ENODEV && result != -ENOENT) {
		log_warning("Can not ask for the policy of set %s: %s", job->name, err->text);
		retry_later(daemon, set->policy);
	}
	finished(daemon, set);
}

static void ask(struct daemon *daemon, struct watched_set *set)
{
	struct policy_job *job = new_job(set);

	if (job && worker_submit(daemon, WORKER_QUERY, ask_job, job, ask_done) >= 0) {
		set->policy->busy = true;
		return;
	}
	free(job);
	retry_later(daemon, set->policy);
}

/* --- Sending ------------------------------------------------------------------------------- */

static int send_job(struct worker *worker, void *arg, struct dmremap_error *err)
{
	struct policy_job *job = arg;
	struct dmremap_nl *nl;
	int ret;

	ret = worker_nl(worker, &nl, err);
	if (!ret)
		ret = dmremap_nl_policy_set(nl, job->uuid, &job->policy, err);
	if (ret == -ENOENT)
		worker_nl_drop(worker);
	return ret;
}

static void renew_later(struct daemon *daemon, struct set_policy *sp);

static void sent(struct daemon *daemon, struct watched_set *set, const struct policy_job *job)
{
	struct set_policy *sp = set->policy;

	remember_version(daemon, set->device.uuid, job->policy.version);
	if (!sp->known || job->policy.version >= sp->in_force.version)
		sp->in_force = job->policy;
	sp->known = true;
	sp->refused = 0;
	sp->foreign = false;
	sd_event_now(daemon->event, CLOCK_BOOTTIME, &sp->renewed);
	renew_later(daemon, sp);
	if (job->renewal)
		log_debug("The policy of set %s was renewed, version %" PRIu64 ".", job->name,
			  job->policy.version);
	else
		alert_tell(daemon, &(struct alert){
			.kind = ALERT_POLICY_SENT, .name = job->name, .uuid = job->uuid,
			.reason = job->health ? "health" : "configuration",
			.count = job->policy.version });
}

static void send_done(struct daemon *daemon, void *arg, int result,
		      const struct dmremap_error *err)
{
	_cleanup_free_ struct policy_job *job = arg;
	struct watched_set *set = set_find(daemon, job->uuid);

	if (!set || !set->policy)
		return;
	if (result >= 0) {
		sent(daemon, set, job);
	} else if (result == -ESTALE) {
		/* Somebody was quicker: see what it is. */
		set->policy->known = false;
		set->policy->again = true;
	} else if (result != -ECANCELED && result != -ENODEV && result != -ENOENT) {
		alert_tell(daemon, &(struct alert){
			.kind = ALERT_POLICY_REFUSED, .name = job->name, .uuid = job->uuid,
			.detail = err->text });
		/* Not again before something changes: it would be refused again. */
		set->policy->refused = set->policy->in_force.version + 1;
	}
	finished(daemon, set);
}

static void send(struct daemon *daemon, struct watched_set *set,
		 const struct dmremap_policy *policy)
{
	struct policy_job *job = new_job(set);
	struct set_policy *sp = set->policy;

	if (job) {
		job->policy = *policy;
		job->policy.version = sp->in_force.version + 1;
		job->renewal = same_values(policy, &sp->in_force);
		job->health = policy->heal != config_of(daemon->config, set->device.name,
							set->device.uuid)->values.heal;
		if (worker_submit(daemon, WORKER_CHANGE, send_job, job, send_done) >= 0) {
			sp->busy = true;
			sp->insist = false;
			return;
		}
	}
	free(job);
	retry_later(daemon, sp);
}

/* --- Time ------------------------------------------------------------------------------------- */

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct set_policy *sp = arg;
	struct watched_set *set = set_find(sp->daemon, sp->uuid);

	if (set)
		policy_update(sp->daemon, set);
	return 0;
}

static void set_timer(struct daemon *daemon, struct set_policy *sp, uint64_t usec)
{
	uint64_t accuracy = usec / 16;

	if (sp->timer) {
		sd_event_source_set_time_relative(sp->timer, usec);
		sd_event_source_set_time_accuracy(sp->timer, accuracy);
		sd_event_source_set_enabled(sp->timer, SD_EVENT_ONESHOT);
	} else {
		sd_event_add_time_relative(daemon->event, &sp->timer, CLOCK_BOOTTIME, usec,
					   accuracy, on_timer, sp);
	}
}

static void retry_later(struct daemon *daemon, struct set_policy *sp)
{
	set_timer(daemon, sp, RETRY_USEC);
}

static void renew_later(struct daemon *daemon, struct set_policy *sp)
{
	if (sp->in_force.lifetime)
		set_timer(daemon, sp, sp->in_force.lifetime * USEC_PER_SEC / 2);
	else if (sp->timer)
		sd_event_source_set_enabled(sp->timer, SD_EVENT_OFF);
}

/* Ours is in force; is half of its lifetime over, or unknown after a restart? */
static bool to_be_renewed(struct daemon *daemon, const struct set_policy *sp)
{
	uint64_t now;

	if (!sp->in_force.lifetime)
		return false;
	sd_event_now(daemon->event, CLOCK_BOOTTIME, &now);
	return !sp->renewed ||
	       now - sp->renewed >= sp->in_force.lifetime * USEC_PER_SEC * 7 / 16;
}

/* --- For others --------------------------------------------------------------------------------- */

/*
 * Did somebody else set what is in force? Version 0 was never set at all. What equals
 * the expired form of ours was ours.
 */
static bool is_foreign(struct daemon *daemon, const struct watched_set *set,
		       const struct dmremap_policy *ours)
{
	const struct dmremap_policy *now = &set->policy->in_force;
	uint64_t version;

	if (!now->version || expired_form(ours, now))
		return false;
	return !sent_version(daemon, set->device.uuid, &version) || version != now->version;
}

void policy_update(struct daemon *daemon, struct watched_set *set)
{
	struct set_policy *sp = get(daemon, set);
	struct dmremap_policy policy;

	if (!sp || !set->known)
		return;
	if (sp->busy) {
		sp->again = true;
		return;
	}
	if (!sp->known) {
		ask(daemon, set);
		return;
	}
	if (!wanted(daemon, set, &policy))
		return;
	if (same_values(&policy, &sp->in_force)) {
		sp->insist = sp->foreign = false;
		remember_version(daemon, set->device.uuid, sp->in_force.version);
		if (to_be_renewed(daemon, sp))
			send(daemon, set, &policy);
		return;
	}
	if (!sp->insist && is_foreign(daemon, set, &policy)) {
		if (!sp->foreign)
			alert_tell(daemon, &(struct alert){
				.kind = ALERT_POLICY_FOREIGN, .name = set->device.name,
				.uuid = set->device.uuid, .count = sp->in_force.version });
		sp->foreign = true;
		return;
	}
	if (sp->refused == sp->in_force.version + 1 && !sp->insist)
		return;
	send(daemon, set, &policy);
}

void policy_event(struct daemon *daemon, struct watched_set *set,
		  const struct dmremap_event *event)
{
	struct set_policy *sp = get(daemon, set);

	if (!sp || !event->has_policy)
		return;
	if (event->reason == DMR_NL_REASON_LOADED || !sp->known ||
	    event->policy.version > sp->in_force.version) {
		sp->in_force = event->policy;
		sp->known = true;
	}
	if (event->reason == DMR_NL_REASON_EXPIRED)
		alert_tell(daemon, &(struct alert){
			.kind = ALERT_POLICY_EXPIRED, .name = set->device.name,
			.uuid = set->device.uuid, .count = event->policy.version });
	policy_update(daemon, set);
}

uint32_t policy_spare_low(struct daemon *daemon, const struct watched_set *set)
{
	if (set->policy && set->policy->known)
		return set->policy->in_force.spare_low;
	return config_of(daemon->config, set->device.name, set->device.uuid)->values.spare_low;
}

void policy_health_changed(struct daemon *daemon)
{
	struct watched_set *set;

	LIST_FOREACH(set, &daemon->sets, link)
		policy_update(daemon, set);
}

void policy_reload(struct daemon *daemon)
{
	struct watched_set *set;

	LIST_FOREACH(set, &daemon->sets, link) {
		if (!get(daemon, set))
			continue;
		set->policy->insist = true;
		policy_update(daemon, set);
	}
}

void policy_set_gone(struct daemon *daemon, struct watched_set *set)
{
	if (set->policy)
		sd_event_source_disable_unref(set->policy->timer);
	free(set->policy);
	set->policy = NULL;
}
