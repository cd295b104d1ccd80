// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * policy show and set.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "set.h"

static const struct field policy_fields[] = {
	{ .key = "name", .flags = FIELD_TITLE },
	{ .key = "heal", .label = "heal" },
	{ .key = "unreadable", .label = "unreadable" },
	{ .key = "ioerr", .label = "ioerr" },
	{ .key = "retries", .label = "retries", .type = FIELD_NUMBER },
	{ .key = "slow_ms", .label = "slow-ms", .type = FIELD_NUMBER },
	{ .key = "sample", .label = "sample", .type = FIELD_NUMBER },
	{ .key = "breaker_streak", .label = "breaker-streak", .type = FIELD_NUMBER },
	{ .key = "breaker_ms", .label = "breaker-ms", .type = FIELD_NUMBER },
	{ .key = "relocate_rate", .label = "relocate-rate", .type = FIELD_NUMBER },
	{ .key = "scrub_rate", .label = "scrub-rate", .type = FIELD_NUMBER },
	{ .key = "spare_low", .label = "spare-low", .type = FIELD_NUMBER },
	{ .key = "lifetime", .label = "lifetime", .type = FIELD_NUMBER },
	{ .key = "version", .label = "(version)", .type = FIELD_NUMBER },
	{},
};

static const struct view policy_view = {
	.key = "policy", .style = VIEW_SCREEN, .one = true, .fields = policy_fields,
};

static void describe_policy(struct invocation *inv, const struct dmremap_policy *policy)
{
	struct record *r = output_one(inv->out, &policy_view);

	set_string(r, "name", inv->args[0]);
	set_string(r, "heal", dmremap_heal_name(policy->heal));
	set_string(r, "unreadable", dmremap_unreadable_name(policy->unreadable));
	set_string(r, "ioerr", dmremap_ioerr_name(policy->ioerr));
	set_number(r, "retries", policy->retries);
	set_number(r, "slow_ms", policy->slow_ms);
	set_number(r, "sample", policy->sample);
	set_number(r, "breaker_streak", policy->breaker_streak);
	set_number(r, "breaker_ms", policy->breaker_ms);
	set_number(r, "relocate_rate", policy->relocate_rate);
	set_number(r, "scrub_rate", policy->scrub_rate);
	set_number(r, "spare_low", policy->spare_low);
	set_number(r, "lifetime", policy->lifetime);
	set_number(r, "version", policy->version);
}

int cmd_policy_show(struct invocation *inv)
{
	struct dmremap_error error = {};
	struct dmremap_policy policy;
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	const struct dmremap_set_info *info;
	int err;

	if (!option_given(inv, "device")) {
		err = dmremap_policy_get(inv->args[0], &policy, &error);
		if (!err) {
			describe_policy(inv, &policy);
			return DONE;
		}
		if (err != -ENOTCONN && err != -ENODEV)
			return fail_lib(inv, err, &error);
	}
	err = find_set(inv, inv->args[0], &scan, &set);
	if (err)
		return err;
	info = dmremap_set_info(set);
	if (info->loaded)
		describe_policy(inv, &info->policy);
	else
		err = fail("Set %s: %s", info->name, info->reason);
	dmremap_scan_free(scan);
	return err;
}

int cmd_policy_set(struct invocation *inv)
{
	struct dmremap_error error = {};
	struct dmremap_policy policy = {}, now;
	int err;

	/* A typing error is told before anything is asked of the module. */
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 1; i < inv->nr_args; i++) {
			const char *value = strchr(inv->args[i], '=');
			char *key;

			if (!value)
				return wrong_usage("policy set: %s is not of the form KEY=VALUE",
						   inv->args[i]);
			key = strndup(inv->args[i], (size_t)(value - inv->args[i]));
			if (!key)
				no_memory();
			err = dmremap_policy_parse(&policy, key, value + 1, &error);
			free(key);
			if (err < 0)
				return wrong_usage("policy set: %s", error.text);
		}
		if (pass)
			break;
		err = dmremap_policy_get(inv->args[0], &policy, &error);
		if (err < 0)
			return fail_lib(inv, err, &error);
	}
	/* The one behind that in force, whichever that is by now. */
	policy.version = 0;
	err = dmremap_policy_set(inv->args[0], &policy, &error);
	if (!err)
		err = dmremap_policy_get(inv->args[0], &now, &error);
	if (err < 0)
		return fail_lib(inv, err, &error);
	describe_policy(inv, &now);
	policy.version = now.version;
	if (memcmp(&now, &policy, sizeof(now)))
		return fail("Not all values are in force; has somebody else set the policy just now?");
	return DONE;
}
