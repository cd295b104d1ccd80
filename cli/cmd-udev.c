// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * udev: what the udev rules import for each block device, as KEY=VALUE lines.
 * It has to be quick and quiet: it runs for every device that appears.
 */
#include <errno.h>
#include <stdio.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "set.h"

static const struct field udev_fields[] = { { .key = "key" }, { .key = "value" }, {} };

static const struct view udev_view = {
	.key = "properties", .style = VIEW_JSON, .fields = udev_fields,
};

struct properties {
	struct group *group;
	bool json;
};

static void property(struct properties *p, const char *key, const char *value)
{
	struct record *r;

	if (!*value)
		return;
	if (!p->json) {
		printf("%s=%s\n", key, value);
		return;
	}
	r = group_add(p->group);
	set_string(r, "key", key);
	set_string(r, "value", value);
}

/* Off a disk that anyone may have written: a name that is none is not passed on. */
static void name_property(struct properties *p, const char *key, const char *name)
{
	if (!dmremap_name_check(name, NULL))
		property(p, key, name);
}

static void member(struct properties *p, const struct dmremap_raw *raw)
{
	property(p, "DMREMAP_SET_UUID", raw->set_uuid);
	name_property(p, "DMREMAP_SET_NAME", raw->set_name);
	property(p, "DMREMAP_MEMBER_UUID", raw->member_uuid);
	/* A data device with a spare at its end is both; people look for its data. */
	property(p, "DMREMAP_ROLE", dmremap_role_name(raw->internal ? DMR_ROLE_DATA : raw->role));
	if (raw->adopted)
		property(p, "DMREMAP_ADOPTED", "1");
}

static void label(struct properties *p, const struct dmremap_label *l)
{
	char tier[16];

	property(p, "DMREMAP_LABEL_UUID", l->uuid);
	name_property(p, "DMREMAP_DOMAIN", l->domain);
	snprintf(tier, sizeof(tier), "%u", l->tier);
	property(p, "DMREMAP_TIER", tier);
}

static void describe(struct properties *p, const struct dmremap_raw *raw)
{
	switch (raw->kind) {
	case DMREMAP_RAW_NONE:
		return;
	case DMREMAP_RAW_MEMBER:
	case DMREMAP_RAW_ADOPTED:
		member(p, raw);
		break;
	case DMREMAP_RAW_LABEL:
		label(p, &raw->label);
		break;
	case DMREMAP_RAW_DAMAGED:
	case DMREMAP_RAW_NEWER:
		break;
	}
	property(p, "DMREMAP_KIND", raw->kind == DMREMAP_RAW_MEMBER ? "member" :
		 raw->kind == DMREMAP_RAW_ADOPTED ? "adopted" :
		 raw->kind == DMREMAP_RAW_LABEL ? "label" :
		 raw->kind == DMREMAP_RAW_NEWER ? "newer" : "damaged");
}

int cmd_udev(struct invocation *inv)
{
	struct properties p = { .json = inv->json };
	struct dmremap_error error = {};
	struct dmremap_raw raw;
	int err = dmremap_raw_probe(inv->args[0], &raw, &error);

	if (err < 0)
		return fail_lib(inv, err, &error);
	p.group = output_group(inv->out, &udev_view);
	describe(&p, &raw);
	if (!inv->json) {
		inv->printed = true;
		if (fflush(stdout))
			return fail_errno(-errno, "standard output");
	}
	return DONE;
}
