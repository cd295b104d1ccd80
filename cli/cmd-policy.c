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
	{ .key = "retries", .label = "retries", .type = FIELD_NUMBER },
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
	set_number(r, "retries", policy->retries);
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
				abort();
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
	err = dmremap_policy_set(inv->args[0], &policy, &error);
	if (!err)
		err = dmremap_policy_get(inv->args[0], &now, &error);
	if (err < 0)
		return fail_lib(inv, err, &error);
	describe_policy(inv, &now);
	if (memcmp(&now, &policy, sizeof(now)))
		return fail("The module has not taken all values.");
	return DONE;
}
