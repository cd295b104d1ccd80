// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy of a set: from its form on disk to what the I/O path reads, by name
 * for messages, and its end. What is decided with it is decided elsewhere.
 */
#include <linux/slab.h>

#include "dm-remap.h"

void policy_take(struct remap_set *set, const struct dmr_policy *disk)
{
	struct remap_policy *p = &set->policy;
	u32 slow = le32_to_cpu(disk->slow_ms);

	spin_lock(&p->lock);
	p->disk = *disk;
	spin_unlock(&p->lock);
	WRITE_ONCE(p->heal_to_spare, le32_to_cpu(disk->heal) == DMR_HEAL_SPARE);
	WRITE_ONCE(p->retry_unreadable, le32_to_cpu(disk->unreadable) == DMR_UNREADABLE_RETRY);
	WRITE_ONCE(p->pass_ioerr, le32_to_cpu(disk->ioerr) == DMR_IOERR_PASS);
	WRITE_ONCE(p->tries, 1 + le32_to_cpu(disk->retries));
	WRITE_ONCE(p->slow_us, slow ? slow * USEC_PER_MSEC : U32_MAX);
	WRITE_ONCE(set->slow_jiffies, slow ? msecs_to_jiffies(slow) : U32_MAX);
	WRITE_ONCE(set->sample, policy_value(disk->sample, NO_SAMPLE));
	/* After what it is about: who sees it too early or too late misses one I/O. */
	WRITE_ONCE(set->timed, slow || disk->sample);
	WRITE_ONCE(p->breaker_streak, policy_value(disk->breaker_streak, DMR_DEFAULT_STREAK));
	WRITE_ONCE(p->breaker_jiffies,
		   msecs_to_jiffies(policy_value(disk->breaker_ms, DMR_DEFAULT_BREAKER_MS)));
	WRITE_ONCE(p->relocate_rate, le32_to_cpu(disk->relocate_rate));
	WRITE_ONCE(p->scrub_rate, policy_value(disk->scrub_rate, DMR_DEFAULT_SCRUB_RATE));
	WRITE_ONCE(p->spare_low, policy_value(disk->spare_low, DMR_DEFAULT_SPARE_LOW + 1) - 1);
}

void policy_copy(struct remap_set *set, struct dmr_policy *disk)
{
	spin_lock(&set->policy.lock);
	*disk = set->policy.disk;
	spin_unlock(&set->policy.lock);
}

/*
 * What is left of the lifetime counts on while the set is not in use. A clock that was
 * set back does not make it longer than it was.
 */
void policy_arm(struct remap_set *set)
{
	u64 life = le32_to_cpu(set->policy.disk.lifetime);
	s64 left = le64_to_cpu(set->policy.disk.expires) - ktime_get_real_seconds();

	if (life)
		mod_delayed_work(remap_wq, &set->policy_work,
				 min_t(u64, clamp_t(s64, left, 0, life) * HZ, MAX_JIFFY_OFFSET));
	else
		cancel_delayed_work(&set->policy_work);
}

int policy_set(struct remap_set *set, struct dmr_policy *policy, enum dmr_nl_reason reason)
{
	struct remap_request rq = { .kind = REQUEST_POLICY };
	u64 now = le64_to_cpu(set->policy.disk.version);
	int r;

	lockdep_assert_held(&set->change_lock);
	if (!policy->version)
		policy->version = cpu_to_le64(now + 1);
	else if (le64_to_cpu(policy->version) <= now)
		return -ESTALE;
	if (le64_to_cpu(policy->version) == U64_MAX)
		return -ERANGE;
	policy->expires = policy->lifetime ?
		cpu_to_le64(ktime_get_real_seconds() + le32_to_cpu(policy->lifetime)) : 0;
	rq.policy = *policy;
	r = remap_request(set, &rq);
	if (!r)
		event_policy(set, reason);
	return r;
}

/* What could stall I/O or use up spares does not outlive who asked for it. */
void policy_expires(struct work_struct *work)
{
	struct remap_set *set = container_of(to_delayed_work(work), struct remap_set,
					     policy_work);
	struct dmr_policy policy;

	mutex_lock(&set->change_lock);
	policy = set->policy.disk;
	/* Another one came into force while this waited? */
	if (policy.lifetime && !delayed_work_pending(&set->policy_work)) {
		policy.version = 0;
		policy.lifetime = 0;
		policy.unreadable = cpu_to_le32(DMR_UNREADABLE_FAIL);
		policy.retries = cpu_to_le32(DMR_DEFAULT_RETRIES);
		if (policy_set(set, &policy, DMR_NL_REASON_EXPIRED)) {
			/* It can not be kept, but it can be over. */
			WRITE_ONCE(set->policy.retry_unreadable, false);
			WRITE_ONCE(set->policy.tries, 1 + DMR_DEFAULT_RETRIES);
			mod_delayed_work(remap_wq, &set->policy_work, 10 * HZ);
		}
	}
	mutex_unlock(&set->change_lock);
}

/* --- By name ------------------------------------------------------------- */

struct policy_word {
	const char *name;
	size_t offset;
	u32 min, max, standard;
	u32 added;			/* to the value, on disk */
	const char *words[2];		/* values that have names */
};

#define WORD(key, field) .name = key, .offset = offsetof(struct dmr_policy, field)

static const struct policy_word policy_words[] = {
	{ WORD("heal", heal), .max = 1, .words = { "in-place", "spare" } },
	{ WORD("unreadable", unreadable), .max = 1, .words = { "fail", "retry" } },
	{ WORD("ioerr", ioerr), .max = 1, .words = { "probe", "pass" } },
	{ WORD("retries", retries), .max = DMR_MAX_RETRIES },
	{ WORD("slow-ms", slow_ms), .max = DMR_MAX_SLOW_MS },
	{ WORD("sample", sample), .max = DMR_MAX_SAMPLE },
	{ WORD("breaker-streak", breaker_streak), .min = 1, .max = DMR_MAX_STREAK,
	  .standard = DMR_DEFAULT_STREAK },
	{ WORD("breaker-ms", breaker_ms), .min = DMR_MIN_BREAKER_MS,
	  .max = DMR_MAX_BREAKER_MS, .standard = DMR_DEFAULT_BREAKER_MS },
	{ WORD("relocate-rate", relocate_rate), .max = U32_MAX },
	{ WORD("scrub-rate", scrub_rate), .min = DMR_MIN_SCRUB_RATE, .max = U32_MAX,
	  .standard = DMR_DEFAULT_SCRUB_RATE },
	{ WORD("spare-low", spare_low), .max = 100, .added = 1,
	  .standard = DMR_DEFAULT_SPARE_LOW },
	{ WORD("lifetime", lifetime), .max = DMR_MAX_LIFETIME },
};

int policy_parse(struct dmr_policy *policy, const char *name, const char *value)
{
	unsigned int i;
	u32 n;

	for (i = 0; i < ARRAY_SIZE(policy_words); i++) {
		const struct policy_word *w = &policy_words[i];

		if (strcmp(name, w->name))
			continue;
		if (w->words[0]) {
			for (n = 0; n < ARRAY_SIZE(w->words); n++)
				if (!strcmp(value, w->words[n]))
					break;
		} else if (kstrtou32(value, 10, &n)) {
			return -EINVAL;
		}
		if (n < w->min || n > w->max)
			return -EINVAL;
		*(__le32 *)((void *)policy + w->offset) = cpu_to_le32(n + w->added);
		return 0;
	}
	return -EINVAL;
}

int policy_print(const struct dmr_policy *policy, char *buf, size_t size)
{
	unsigned int i;
	int used = 0;

	for (i = 0; i < ARRAY_SIZE(policy_words); i++) {
		const struct policy_word *w = &policy_words[i];
		u32 n = le32_to_cpu(*(const __le32 *)((const void *)policy + w->offset));

		n = n ? n - w->added : w->standard;
		if (w->words[0])
			used += scnprintf(buf + used, size - used, "%s %s ", w->name,
					  w->words[n]);
		else
			used += scnprintf(buf + used, size - used, "%s %u ", w->name, n);
	}
	return used + scnprintf(buf + used, size - used, "version %llu",
				le64_to_cpu(policy->version));
}
