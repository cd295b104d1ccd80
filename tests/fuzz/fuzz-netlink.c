// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module's messages as lib/ reads them. An event that is understood goes through
 * the form in which the history keeps it, and comes back as it was.
 */
#include "fuzz.h"
#include "netlink.h"

static void event(struct nlmsghdr *nlh)
{
	struct dmremap_event event, again;
	struct dmremap_error err = { "" };
	char text[512], *json;

	if (dmri_nl_parse_event(nlh, &event) < 0)
		return;
	require(event.nr_extents <= DMREMAP_EVENT_EXTENTS);
	dmremap_event_text(&event, text, sizeof(text));
	if (dmremap_event_to_json(&event, &json) < 0)
		return;
	require(!dmremap_event_from_json(json, &again, &err));
	require(again.kind == event.kind && again.nr_extents == event.nr_extents);
	require(!strcmp(again.name, event.name));
	free(json);
}

static void parse(struct nlmsghdr *nlh)
{
	static struct dmremap_nl_device device;
	static struct dmremap_nl_spare spare;
	static struct dmremap_nl_stats stats;
	struct dmremap_policy policy;
	struct dmri_nl_result result;

	dmri_nl_command(nlh);
	if (!dmri_nl_parse_device(nlh, &device))
		require(strnlen(device.name, sizeof(device.name)) < sizeof(device.name));
	if (!dmri_nl_parse_spare(nlh, &spare))
		require(strnlen(spare.uuid, sizeof(spare.uuid)) < sizeof(spare.uuid));
	dmri_nl_parse_stats(nlh, &stats);
	dmri_nl_parse_policy(nlh, &policy);
	dmri_nl_parse_result(nlh, &result);
	event(nlh);
}

/* As nl_recv() hands them on: the length is that of what came. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nlmsghdr *nlh = malloc(NLMSG_HDRLEN + size);

	require(nlh);
	*nlh = (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN + size, .nlmsg_type = 30 };
	if (size)
		memcpy(nlh + 1, data, size);
	parse(nlh);
	free(nlh);
	return 0;
}
