// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The module's commands and dumps, one function for each. A dump is gathered whole
 * before its caller sees any of it, so that it can be repeated if a change overtook it.
 */
#include <limits.h>

#include "netlink.h"

#define TRIES	5

static void nl_msgp(struct nl_msg **msg)
{
	nlmsg_free(*msg);
}
#define _msg_	_cleanup_(nl_msgp)

static int no_memory(struct dmremap_error *err)
{
	return dmri_error(err, -ENOMEM, "Out of memory.");
}

/* --- Dumps --------------------------------------------------------------------- */

struct items {
	void *list;
	size_t nr, room, size;
	int (*parse)(struct nlmsghdr *nlh, void *item);
};

static void items_freep(struct items *items)
{
	free(items->list);
}
#define _items_	_cleanup_(items_freep)

static int add_item(struct nlmsghdr *nlh, void *arg)
{
	struct items *items = arg;
	void *list;
	int r;

	if (items->nr == items->room) {
		size_t room = items->room ? 2 * items->room : 8;

		list = reallocarray(items->list, room, items->size);
		if (!list)
			return -ENOMEM;
		items->list = list;
		items->room = room;
	}
	r = items->parse(nlh, (char *)items->list + items->nr * items->size);
	if (!r)
		items->nr++;
	return r;
}

static int dump(struct dmremap_nl *nl, unsigned int cmd, const char *name,
		struct items *items, struct dmremap_error *err)
{
	unsigned int i;
	int r = -EINTR;

	for (i = 0; i < TRIES && r == -EINTR; i++) {
		_msg_ struct nl_msg *msg = dmri_nl_message(cmd, true, name);

		if (!msg)
			return no_memory(err);
		items->nr = 0;
		r = dmri_nl_request(nl, name, msg, add_item, items, err);
	}
	return r;
}

static int parse_device(struct nlmsghdr *nlh, void *item)
{
	return dmri_nl_parse_device(nlh, item);
}

static int parse_spare(struct nlmsghdr *nlh, void *item)
{
	return dmri_nl_parse_spare(nlh, item);
}

static int parse_stats(struct nlmsghdr *nlh, void *item)
{
	return dmri_nl_parse_stats(nlh, item);
}

#define ITEMS(type, fn)	{ .size = sizeof(struct type), .parse = (fn) }

int dmremap_nl_spares(struct dmremap_nl *nl, const char *name, dmremap_nl_spare_fn fn,
		      void *arg, struct dmremap_error *err)
{
	_items_ struct items items = ITEMS(dmremap_nl_spare, parse_spare);
	int r = dump(nl, DMR_CMD_SPARE_GET, name, &items, err);
	size_t i;

	for (i = 0; i < items.nr && !r; i++)
		r = fn((struct dmremap_nl_spare *)items.list + i, arg);
	return r;
}

int dmremap_nl_stats(struct dmremap_nl *nl, const char *name, dmremap_nl_stats_fn fn,
		     void *arg, struct dmremap_error *err)
{
	_items_ struct items items = ITEMS(dmremap_nl_stats, parse_stats);
	int r = dump(nl, DMR_CMD_STATS_GET, name, &items, err);
	size_t i;

	for (i = 0; i < items.nr && !r; i++)
		r = fn((struct dmremap_nl_stats *)items.list + i, arg);
	return r;
}

/* --- Questions and commands ------------------------------------------------------- */

struct answer {
	int (*parse)(struct nlmsghdr *nlh, void *item);
	void *item;
	bool there;
};

static int take_answer(struct nlmsghdr *nlh, void *arg)
{
	struct answer *answer = arg;
	int r = answer->parse(nlh, answer->item);

	answer->there = !r;
	return r;
}

/* A request that is answered with one message. */
static int ask(struct dmremap_nl *nl, const char *name, struct nl_msg *msg,
	       int (*parse)(struct nlmsghdr *nlh, void *item), void *item,
	       struct dmremap_error *err)
{
	struct answer answer = { .parse = parse, .item = item };
	int r = dmri_nl_request(nl, name, msg, take_answer, &answer, err);

	if (!r && !answer.there)
		return dmri_error(err, -EBADMSG, "%s: the module dm-remap did not answer.", name);
	return r;
}

int dmremap_nl_device(struct dmremap_nl *nl, const char *name,
		      struct dmremap_nl_device *device, struct dmremap_error *err)
{
	_msg_ struct nl_msg *msg = dmri_nl_message(DMR_CMD_DEVICE_GET, false, name);

	return msg ? ask(nl, name, msg, parse_device, device, err) : no_memory(err);
}

int dmremap_nl_devices(struct dmremap_nl *nl, const char *name, dmremap_nl_device_fn fn,
		       void *arg, struct dmremap_error *err)
{
	_items_ struct items items = ITEMS(dmremap_nl_device, parse_device);
	int r = dump(nl, DMR_CMD_DEVICE_GET, name, &items, err);
	size_t i;

	for (i = 0; i < items.nr && !r; i++)
		r = fn((struct dmremap_nl_device *)items.list + i, arg);
	return r;
}

static int parse_policy(struct nlmsghdr *nlh, void *item)
{
	return dmri_nl_parse_policy(nlh, item);
}

int dmremap_nl_policy_get(struct dmremap_nl *nl, const char *name,
			  struct dmremap_policy *policy, struct dmremap_error *err)
{
	_msg_ struct nl_msg *msg = dmri_nl_message(DMR_CMD_POLICY_GET, false, name);

	return msg ? ask(nl, name, msg, parse_policy, policy, err) : no_memory(err);
}

int dmremap_nl_policy_set(struct dmremap_nl *nl, const char *name,
			  struct dmremap_policy *policy, struct dmremap_error *err)
{
	_msg_ struct nl_msg *msg = dmri_nl_message(DMR_CMD_POLICY_SET, false, name);
	struct dmremap_policy now;
	int r = dmri_policy_check(policy, err);

	if (r < 0)
		return r;
	if (!msg || dmri_nl_put_policy(msg, policy) < 0)
		return no_memory(err);
	r = ask(nl, name, msg, parse_policy, &now, err);
	if (!r)
		*policy = now;
	return r;
}

static int parse_result(struct nlmsghdr *nlh, void *item)
{
	return dmri_nl_parse_result(nlh, item);
}

int dmremap_nl_relocate(struct dmremap_nl *nl, const char *name, uint64_t first,
			uint64_t count, bool slow_only, struct dmremap_result *result,
			struct dmremap_error *err)
{
	_msg_ struct nl_msg *msg = dmri_nl_message(DMR_CMD_RELOCATE, false, name);
	struct dmri_nl_result answer = { 0 };
	int r;

	if (!msg || nla_put_u64(msg, DMR_A_FIRST, first) < 0 ||
	    nla_put_u64(msg, DMR_A_COUNT, count) < 0 ||
	    (slow_only && nla_put_flag(msg, DMR_A_SLOW_ONLY) < 0))
		return no_memory(err);
	r = ask(nl, name, msg, parse_result, &answer, err);
	if (result)
		*result = answer.result;
	if (r < 0 || !answer.code)
		return r;
	return dmri_error_sys(err, answer.code,
			      "%s: moving blocks stopped early, and what has moved stays", name);
}

int dmremap_nl_scrub(struct dmremap_nl *nl, const char *name,
		     enum dmremap_scrub_command command, uint64_t first, uint64_t count,
		     struct dmremap_error *err)
{
	static const unsigned int cmds[] = {
		[DMREMAP_SCRUB_START] = DMR_CMD_SCRUB_START,
		[DMREMAP_SCRUB_PAUSE] = DMR_CMD_SCRUB_PAUSE,
		[DMREMAP_SCRUB_RESUME] = DMR_CMD_SCRUB_RESUME,
		[DMREMAP_SCRUB_CANCEL] = DMR_CMD_SCRUB_CANCEL,
	};
	_msg_ struct nl_msg *msg = NULL;

	if (command >= ARRAY_SIZE(cmds))
		return dmri_error(err, -EINVAL, "There is no such command for a scrub.");
	msg = dmri_nl_message(cmds[command], false, name);
	if (!msg)
		return no_memory(err);
	if (command == DMREMAP_SCRUB_START &&
	    (nla_put_u64(msg, DMR_A_FIRST, first) < 0 ||
	     (count && nla_put_u64(msg, DMR_A_COUNT, count) < 0)))
		return no_memory(err);
	return dmri_nl_request(nl, name, msg, NULL, NULL, err);
}

int dmremap_nl_spare_add(struct dmremap_nl *nl, const char *name, unsigned int major,
			 unsigned int minor, unsigned int *member, struct dmremap_error *err)
{
	_msg_ struct nl_msg *msg = dmri_nl_message(DMR_CMD_SPARE_ADD, false, name);
	struct dmri_nl_result answer;
	int r;

	if (!msg || nla_put_u32(msg, DMR_A_SPARE_MAJOR, major) < 0 ||
	    nla_put_u32(msg, DMR_A_SPARE_MINOR, minor) < 0)
		return no_memory(err);
	r = ask(nl, name, msg, parse_result, &answer, err);
	if (!r && answer.spare == UINT_MAX)
		r = dmri_error(err, -EBADMSG,
			       "%s: the module dm-remap did not tell the number of the spare.",
			       name);
	if (!r && member)
		*member = answer.spare;
	return r;
}

int dmremap_nl_spare_retire(struct dmremap_nl *nl, const char *name, unsigned int member,
			    struct dmremap_error *err)
{
	_msg_ struct nl_msg *msg = dmri_nl_message(DMR_CMD_SPARE_RETIRE, false, name);

	if (!msg || nla_put_u32(msg, DMR_A_SPARE, member) < 0)
		return no_memory(err);
	return dmri_nl_request(nl, name, msg, NULL, NULL, err);
}
