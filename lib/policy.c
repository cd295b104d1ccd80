// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The policy of a set: the one table of its values with their names, ranges and
 * defaults, and their form on disk.
 */
#include "netlink-names.h"
#include "private.h"

#define KEY(field, key)						\
	.name = key, .offset = offsetof(struct dmremap_policy, field),	\
	.disk = offsetof(struct dmr_policy, field)
#define WORDS(list)	.words = list, .max = ARRAY_SIZE(list) - 1

const struct dmri_policy_key dmri_policy_keys[] = {
	{ KEY(heal, "heal"), .attr = DMR_A_POLICY_HEAL, WORDS(dmr_nl_heal_names) },
	{ KEY(unreadable, "unreadable"), .attr = DMR_A_POLICY_UNREADABLE,
	  WORDS(dmr_nl_unreadable_names) },
	{ KEY(ioerr, "ioerr"), .attr = DMR_A_POLICY_IOERR, WORDS(dmr_nl_ioerr_names) },
	{ KEY(retries, "retries"), .attr = DMR_A_POLICY_RETRIES, .max = DMR_MAX_RETRIES,
	  .standard = DMR_DEFAULT_RETRIES },
	{ KEY(slow_ms, "slow-ms"), .attr = DMR_A_POLICY_SLOW_MS, .max = DMR_MAX_SLOW_MS },
	{ KEY(sample, "sample"), .attr = DMR_A_POLICY_SAMPLE, .max = DMR_MAX_SAMPLE },
	{ KEY(breaker_streak, "breaker-streak"), .attr = DMR_A_POLICY_BREAKER_STREAK,
	  .min = 1, .max = DMR_MAX_STREAK, .standard = DMR_DEFAULT_STREAK },
	{ KEY(breaker_ms, "breaker-ms"), .attr = DMR_A_POLICY_BREAKER_MS,
	  .min = DMR_MIN_BREAKER_MS, .max = DMR_MAX_BREAKER_MS,
	  .standard = DMR_DEFAULT_BREAKER_MS },
	{ KEY(relocate_rate, "relocate-rate"), .attr = DMR_A_POLICY_RELOCATE_RATE,
	  .max = UINT32_MAX },
	{ KEY(scrub_rate, "scrub-rate"), .attr = DMR_A_POLICY_SCRUB_RATE,
	  .min = DMR_MIN_SCRUB_RATE, .max = UINT32_MAX, .standard = DMR_DEFAULT_SCRUB_RATE },
	{ KEY(spare_low, "spare-low"), .attr = DMR_A_POLICY_SPARE_LOW, .max = 100,
	  .standard = DMR_DEFAULT_SPARE_LOW, .added = 1 },
	{ KEY(lifetime, "lifetime"), .attr = DMR_A_POLICY_LIFETIME, .max = DMR_MAX_LIFETIME },
};

#define NAME_OF(name, words)						\
const char *name(unsigned int n)					\
{									\
	return n < ARRAY_SIZE(words) ? words[n] : "unknown";		\
}

NAME_OF(dmremap_heal_name, dmr_nl_heal_names)
NAME_OF(dmremap_unreadable_name, dmr_nl_unreadable_names)
NAME_OF(dmremap_ioerr_name, dmr_nl_ioerr_names)

const unsigned int dmri_nr_policy_keys = ARRAY_SIZE(dmri_policy_keys);

u32 *dmri_policy_value(struct dmremap_policy *policy, const struct dmri_policy_key *key)
{
	return (u32 *)((char *)policy + key->offset);
}

static u32 value_of(const struct dmremap_policy *policy, const struct dmri_policy_key *key)
{
	return *(const u32 *)((const char *)policy + key->offset);
}

const struct dmri_policy_key *dmri_policy_key(const char *name)
{
	unsigned int i;

	for (i = 0; i < dmri_nr_policy_keys; i++)
		if (!strcmp(dmri_policy_keys[i].name, name))
			return &dmri_policy_keys[i];
	return NULL;
}

void dmri_policy_default(struct dmremap_policy *policy)
{
	unsigned int i;

	memset(policy, 0, sizeof(*policy));
	for (i = 0; i < dmri_nr_policy_keys; i++)
		*dmri_policy_value(policy, &dmri_policy_keys[i]) = dmri_policy_keys[i].standard;
}

static int refuse(const struct dmri_policy_key *key, const char *value,
		  struct dmremap_error *err)
{
	if (key->words)
		return dmri_error(err, -EINVAL, "\"%.64s\" is no value of %s; use %s or %s.",
				  value, key->name, key->words[0], key->words[1]);
	return dmri_error(err, -EINVAL, "\"%.64s\" is no value of %s; use %u to %u.", value,
			  key->name, key->min, key->max);
}

int dmri_policy_check(const struct dmremap_policy *policy, struct dmremap_error *err)
{
	unsigned int i;
	char text[16];

	for (i = 0; i < dmri_nr_policy_keys; i++) {
		const struct dmri_policy_key *key = &dmri_policy_keys[i];
		u32 value = value_of(policy, key);

		if (value >= key->min && value <= key->max)
			continue;
		dmri_text(text, sizeof(text), "%u", value);
		return refuse(key, text, err);
	}
	return 0;
}

int dmri_policy_parse_word(const struct dmri_policy_key *key, const char *value, u32 *n)
{
	u32 i;

	for (i = 0; key->words && i <= key->max; i++) {
		if (!strcmp(value, key->words[i])) {
			*n = i;
			return 0;
		}
	}
	return -EINVAL;
}

int dmremap_policy_parse(struct dmremap_policy *policy, const char *key, const char *value,
			 struct dmremap_error *err)
{
	const struct dmri_policy_key *k = dmri_policy_key(key);
	char list[DMREMAP_TEXT_SIZE / 2] = "", *end;
	unsigned long long n;
	unsigned int i;

	if (!k) {
		for (i = 0; i < dmri_nr_policy_keys; i++)
			dmri_text(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
				  !i ? "" : i + 1 < dmri_nr_policy_keys ? ", " : " or ",
				  dmri_policy_keys[i].name);
		return dmri_error(err, -EINVAL, "There is no policy \"%.64s\"; use %s.", key,
				  list);
	}
	if (k->words)
		return dmri_policy_parse_word(k, value, dmri_policy_value(policy, k)) < 0 ?
			refuse(k, value, err) : 0;
	errno = 0;
	n = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || n < k->min || n > k->max)
		return refuse(k, value, err);
	*dmri_policy_value(policy, k) = n;
	return 0;
}

/* --- On disk --------------------------------------------------------------- */

void dmri_policy_get(const struct dmr_policy *p, struct dmremap_policy *policy)
{
	unsigned int i;

	memset(policy, 0, sizeof(*policy));
	for (i = 0; i < dmri_nr_policy_keys; i++) {
		const struct dmri_policy_key *key = &dmri_policy_keys[i];
		u32 n = le32_to_cpu(*(const __le32 *)((const char *)p + key->disk));

		/* A set made before there was this value holds 0. */
		*dmri_policy_value(policy, key) = n ? n - key->added : key->standard;
	}
	policy->version = le64_to_cpu(p->version);
}

void dmri_policy_put(const struct dmremap_policy *policy, struct dmr_policy *p)
{
	unsigned int i;

	memset(p, 0, sizeof(*p));
	for (i = 0; i < dmri_nr_policy_keys; i++) {
		const struct dmri_policy_key *key = &dmri_policy_keys[i];

		*(__le32 *)((char *)p + key->disk) =
			cpu_to_le32(value_of(policy, key) + key->added);
	}
	p->version = cpu_to_le64(policy->version);
}

/* --- Of a running set -------------------------------------------------------- */

static void nl_freep(struct dmremap_nl **nl)
{
	dmremap_nl_free(*nl);
}

/* These are told as for all running sets, whatever way the module is asked. */
static int running(int r, const char *name, struct dmremap_error *err)
{
	if (r == -ENOENT)
		return dmri_error(err, -ENODEV, "The module dm-remap is not loaded.");
	if (r == -ENODEV)
		return dmri_dm_inactive(name, err);
	return r;
}

int dmremap_policy_get(const char *name, struct dmremap_policy *policy,
		       struct dmremap_error *err)
{
	_cleanup_(nl_freep) struct dmremap_nl *nl = NULL;
	int r = dmremap_nl_open(&nl, err);

	if (!r)
		r = dmremap_nl_policy_get(nl, name, policy, err);
	return running(r, name, err);
}

int dmremap_policy_set(const char *name, const struct dmremap_policy *policy,
		       struct dmremap_error *err)
{
	_cleanup_(nl_freep) struct dmremap_nl *nl = NULL;
	struct dmremap_policy now = *policy;
	int r = dmri_policy_check(policy, err);

	if (!r)
		r = dmremap_nl_open(&nl, err);
	if (!r)
		r = dmremap_nl_policy_set(nl, name, &now, err);
	return running(r, name, err);
}
