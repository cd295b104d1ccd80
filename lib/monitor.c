// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Listening to the module. One socket is in two groups: the module's events, and the
 * kernel's notices of families, since a listener is not told otherwise that a family is
 * gone. So its descriptor polls readable for both, in their order.
 */
#include <linux/genetlink.h>
#include <netlink/genl/genl.h>
#include <sys/socket.h>

#include "netlink.h"

#define BUFFER_BYTES	(8 << 20)	/* a storm of several seconds */

struct dmremap_monitor {
	struct nl_sock *sk;
	int family;
	bool gone;
	unsigned char *buf;		/* what was received last, and is not told yet */
	struct nlmsghdr *next;
	int left;
};

enum { EVENTS, NOTICES, NR_GROUPS };

static void set_buffer(int fd)
{
	int bytes = BUFFER_BYTES;

	/* The first needs CAP_NET_ADMIN, the second stops at a limit of the system. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

static int lookup(struct nl_sock *sk, struct dmri_nl_group groups[NR_GROUPS],
		  struct dmremap_error *err)
{
	groups[EVENTS] = (struct dmri_nl_group){
		.family = DMR_GENL_NAME, .group = DMR_MCGRP_EVENTS,
	};
	groups[NOTICES] = (struct dmri_nl_group){ .family = "nlctrl", .group = "notify" };
	return dmri_nl_lookup(sk, groups, NR_GROUPS, err);
}

static int unloaded(struct dmremap_error *err)
{
	return dmri_error(err, -ENOENT, "The module dm-remap is not loaded.");
}

static int join(struct nl_sock *sk, u32 group, struct dmremap_error *err)
{
	int r = nl_socket_add_membership(sk, group);

	if (!r)
		return 0;
	/* Groups that are gone can not be joined, whatever errno says so. */
	if (r == -NLE_PERM || r == -NLE_NOACCESS)
		return dmri_error(err, -EPERM,
				  "Not permitted to listen to the module dm-remap; it needs CAP_NET_ADMIN.");
	return dmri_error(err, -EIO, "Can not listen to the module dm-remap: %s.",
			  nl_geterror(r));
}

/*
 * The socket that listens does not ask: answers would mix with events. Notices are
 * joined first: what happens to the family from then on is told.
 */
static int listen_to(struct dmremap_monitor *m, struct dmremap_error *err)
{
	struct dmri_nl_group groups[NR_GROUPS];
	struct nl_sock *asking = NULL;
	int r = dmri_nl_socket(&asking, err);

	if (!r)
		r = lookup(asking, groups, err);
	if (!r && !groups[EVENTS].group_id)
		r = unloaded(err);
	if (!r)
		r = dmri_nl_socket(&m->sk, err);
	if (!r && groups[NOTICES].group_id)
		r = join(m->sk, groups[NOTICES].group_id, err);
	/* Once more: it may have been unloaded, and loaded, before the notices were joined. */
	if (!r)
		r = lookup(asking, groups, err);
	if (!r && !groups[EVENTS].group_id)
		r = unloaded(err);
	if (!r)
		r = join(m->sk, groups[EVENTS].group_id, err);
	nl_socket_free(asking);
	if (r < 0)
		return r;
	m->family = groups[EVENTS].id;
	set_buffer(nl_socket_get_fd(m->sk));
	nl_socket_disable_seq_check(m->sk);
	nl_socket_disable_msg_peek(m->sk);
	return nl_socket_set_nonblocking(m->sk) < 0 ?
		dmri_error(err, -EIO, "Can not listen to the module dm-remap.") : 0;
}

int dmremap_monitor_open(struct dmremap_monitor **monitor, struct dmremap_error *err)
{
	struct dmremap_monitor *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return dmri_error(err, -ENOMEM, "Out of memory.");
	r = listen_to(m, err);
	if (r < 0) {
		dmremap_monitor_free(m);
		return r;
	}
	*monitor = m;
	return 0;
}

void dmremap_monitor_free(struct dmremap_monitor *m)
{
	if (!m)
		return;
	nl_socket_free(m->sk);
	free(m->buf);
	free(m);
}

int dmremap_monitor_fd(const struct dmremap_monitor *m)
{
	return nl_socket_get_fd(m->sk);
}

/* A notice of the kernel: is our family gone? */
static bool says_gone(struct dmremap_monitor *m, struct nlmsghdr *nlh)
{
	static struct nla_policy policy[CTRL_ATTR_MAX + 1] = {
		[CTRL_ATTR_FAMILY_ID] = { .type = NLA_U16 },
	};
	struct nlattr *tb[CTRL_ATTR_MAX + 1];

	return dmri_nl_command(nlh) == CTRL_CMD_DELFAMILY &&
	       !genlmsg_parse(nlh, 0, tb, CTRL_ATTR_MAX, policy) && tb[CTRL_ATTR_FAMILY_ID] &&
	       nla_get_u16(tb[CTRL_ATTR_FAMILY_ID]) == m->family;
}

/* Messages were lost, perhaps the notice too: ask whether the family is there. */
static int overrun(struct dmremap_monitor *m, struct dmremap_error *err)
{
	struct dmri_nl_group group = { .family = DMR_GENL_NAME };
	struct nl_sock *asking;

	if (!dmri_nl_socket(&asking, NULL)) {
		m->gone = !dmri_nl_lookup(asking, &group, 1, NULL) && group.id != m->family;
		nl_socket_free(asking);
	}
	if (m->gone)
		return unloaded(err);
	return dmri_error(err, -ENOBUFS,
			  "Events of the module dm-remap were lost, since they were not read fast enough.");
}

/* 1: there are messages; 0: none for now. */
static int receive(struct dmremap_monitor *m, struct dmremap_error *err)
{
	struct sockaddr_nl from = { 0 };
	int r;

	do {
		free(m->buf);
		m->buf = NULL;
		m->left = 0;
		r = nl_recv(m->sk, &from, &m->buf, NULL);
		/* Only the kernel's word counts. */
	} while (r > 0 && from.nl_pid);
	if (r > 0) {
		m->next = (struct nlmsghdr *)m->buf;
		m->left = r;
		return 1;
	}
	if (!r || r == -NLE_AGAIN)
		return 0;
	if (r == -NLE_NOMEM)
		return overrun(m, err);
	return dmri_error(err, -EIO, "Can not listen to the module dm-remap: %s.",
			  nl_geterror(r));
}

int dmremap_monitor_next(struct dmremap_monitor *m, struct dmremap_event *event,
			 struct dmremap_error *err)
{
	int r;

	for (;;) {
		struct nlmsghdr *nlh = m->next;

		if (m->gone)
			return unloaded(err);
		if (!m->left || !nlmsg_ok(nlh, m->left)) {
			r = receive(m, err);
			if (r <= 0)
				return r;
			continue;
		}
		m->next = nlmsg_next(nlh, &m->left);
		if (nlh->nlmsg_type == GENL_ID_CTRL) {
			m->gone = says_gone(m, nlh);
		} else if (nlh->nlmsg_type == m->family &&
			   dmri_nl_command(nlh) == DMR_CMD_EVENT) {
			/* One that is not understood is a gap in the numbers, like one lost. */
			if (!dmri_nl_parse_event(nlh, event))
				return 1;
		}
	}
}
