// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * udev: what the udev rules import for each block device, as KEY=VALUE lines; in JSON
 * the same as one object.
 * It has to be quick and quiet: it runs for every device that appears.
 */
#include <errno.h>
#include <stdio.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "set.h"

static const struct field udev_fields[] = {
	{ .key = "kind" },
	{ .key = "role" },
	{ .key = "adopted", .type = FIELD_BOOL },
	{ .key = "set_uuid" },
	{ .key = "set_name" },
	{ .key = "member_uuid" },
	{ .key = "label_uuid" },
	{ .key = "domain" },
	{ .key = "tier", .type = FIELD_NUMBER },
	{},
};

static const struct view udev_view = {
	.key = "device", .style = VIEW_JSON, .one = true, .fields = udev_fields,
};

struct properties {
	struct record *record;
	bool json;
};

/* "DMREMAP_SET_UUID=..." for "set_uuid" */
static void print_property(const char *key, const char *value)
{
	printf("DMREMAP_");
	for (; *key; key++)
		putchar(*key >= 'a' && *key <= 'z' ? *key - 'a' + 'A' : *key);
	printf("=%s\n", value);
}

static void property(struct properties *p, const char *key, const char *value)
{
	if (!*value)
		return;
	set_string(p->record, key, value);
	if (!p->json)
		print_property(key, value);
}

/* Off a disk that anyone may have written: a name that is none is not passed on. */
static void name_property(struct properties *p, const char *key, const char *name)
{
	if (!dmremap_name_check(name, NULL))
		property(p, key, name);
}

static void member(struct properties *p, const struct dmremap_raw *raw)
{
	property(p, "set_uuid", raw->set_uuid);
	name_property(p, "set_name", raw->set_name);
	property(p, "member_uuid", raw->member_uuid);
	/* A data device with a spare at its end is both; people look for its data. */
	property(p, "role", dmremap_role_name(raw->internal ? DMR_ROLE_DATA : raw->role));
	set_bool(p->record, "adopted", raw->adopted);
	if (raw->adopted && !p->json)
		print_property("adopted", "1");
}

static void label(struct properties *p, const struct dmremap_label *l)
{
	char tier[16];

	property(p, "label_uuid", l->uuid);
	name_property(p, "domain", l->domain);
	set_number(p->record, "tier", l->tier);
	snprintf(tier, sizeof(tier), "%u", l->tier);
	if (!p->json)
		print_property("tier", tier);
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
	property(p, "kind", raw->kind == DMREMAP_RAW_MEMBER ? "member" :
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
	p.record = output_one(inv->out, &udev_view);
	describe(&p, &raw);
	if (!inv->json) {
		inv->printed = true;
		if (fflush(stdout))
			return fail_errno(-errno, "standard output");
	}
	return DONE;
}
