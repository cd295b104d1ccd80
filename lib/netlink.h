/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to the files of libdmremap that speak netlink: the connection, requests
 * and their answers (netlink-request.c), and what the module's messages mean
 * (netlink-parse.c). Parsers trust nothing: what does not fit is -EBADMSG, what is
 * not known is skipped.
 */
#ifndef DMREMAP_NETLINK_PRIVATE_H
#define DMREMAP_NETLINK_PRIVATE_H

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "private.h"

/* --- netlink-request.c ---------------------------------------------------- */

struct dmremap_nl {
	struct nl_sock *sk;
	int family;			/* 0: not looked up yet, or gone */
};

/* An answer's message; 0 or a negative errno, which ends the request. */
typedef int (*dmri_nl_fn)(struct nlmsghdr *nlh, void *arg);

/* A socket that prints nothing and asks for extended acks. */
int dmri_nl_socket(struct nl_sock **sk, struct dmremap_error *err);

struct dmri_nl_group {
	const char *family, *group;
	int id;				/* out: of the family; 0: there is none */
	u32 group_id;			/* out: 0: there is none */
};

/*
 * Look families and groups up, in one dump: asking by name would make the kernel
 * start modprobe for each that is missing.
 */
int dmri_nl_lookup(struct nl_sock *sk, struct dmri_nl_group *groups, unsigned int nr,
		   struct dmremap_error *err);

/*
 * A request for the set @name (device or UUID; NULL: none), to be filled further. NULL:
 * out of memory.
 */
struct nl_msg *dmri_nl_message(unsigned int cmd, bool dump, const char *name);

/*
 * Send it and hand each message of the answer to @fn (may be NULL). Looks the family
 * up anew if the module was loaded again since. A dump that was overtaken by a change
 * is -EINTR: @fn has seen what may be wrong.
 */
int dmri_nl_request(struct dmremap_nl *nl, const char *name, struct nl_msg *msg,
		    dmri_nl_fn fn, void *arg, struct dmremap_error *err);

/* --- netlink-parse.c ------------------------------------------------------ */

/* The command of a message of the family; 0 if it is too short for one. */
unsigned int dmri_nl_command(struct nlmsghdr *nlh);

/* All of them: -EBADMSG. They clear what they fill. */
int dmri_nl_parse_device(struct nlmsghdr *nlh, struct dmremap_nl_device *device);
int dmri_nl_parse_spare(struct nlmsghdr *nlh, struct dmremap_nl_spare *spare);
int dmri_nl_parse_stats(struct nlmsghdr *nlh, struct dmremap_nl_stats *stats);
int dmri_nl_parse_policy(struct nlmsghdr *nlh, struct dmremap_policy *policy);
int dmri_nl_parse_event(struct nlmsghdr *nlh, struct dmremap_event *event);

struct dmri_nl_result {
	struct dmremap_result result;	/* `moved` is in relocated */
	int code;			/* negative errno that ended it early, or 0 */
	unsigned int spare;		/* UINT_MAX: not told */
};

int dmri_nl_parse_result(struct nlmsghdr *nlh, struct dmri_nl_result *result);
int dmri_nl_put_policy(struct nl_msg *msg, const struct dmremap_policy *policy);

#endif /* DMREMAP_NETLINK_PRIVATE_H */
