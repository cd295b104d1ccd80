// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The stand-in for generic netlink: see fixture-netlink.h.
 */
#include <linux/genetlink.h>
#include <netlink/genl/genl.h>

#include "fixture-netlink.h"

#define ROOM	64
#define NOTIFY	16	/* group of the kernel's notices */

struct fx_nl fx_nl;

struct queue {
	struct {
		unsigned char *bytes;
		int length;		/* negative: an error of libnl */
		unsigned int port;
	} items[ROOM];
	unsigned int nr, at;
};

static struct queue answers, events;
static struct nl_sock *listener;
static bool listens;

static void push(struct queue *q, const void *bytes, int length)
{
	assert_true(q->nr < ROOM);
	q->items[q->nr].bytes = NULL;
	q->items[q->nr].length = length;
	q->items[q->nr].port = fx_nl.port;
	if (length > 0) {
		/* No byte more, so that a sanitizer sees what is read behind the end. */
		q->items[q->nr].bytes = malloc(length);
		memcpy(q->items[q->nr].bytes, bytes, length);
	}
	q->nr++;
}

static void forget(struct queue *q)
{
	for (; q->at < q->nr; q->at++)
		free(q->items[q->at].bytes);
	q->nr = q->at = 0;
}

void fx_nl_forget(void)
{
	forget(&answers);
	forget(&events);
}

void fx_nl_reset(void (*answer)(struct nlmsghdr *request))
{
	fx_nl_forget();
	fx_nl = (struct fx_nl){ .loaded = true, .family = 30, .group = 7, .answer = answer };
	listener = NULL;
	listens = false;
}

/* --- Sending --------------------------------------------------------------------- */

struct nl_msg *fx_nl_new(struct nlmsghdr *request, unsigned int cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	assert_non_null(genlmsg_put(msg, request ? request->nlmsg_pid : 0,
				    request ? request->nlmsg_seq : 0, fx_nl.family, 0, flags,
				    cmd, DMR_GENL_VERSION));
	return msg;
}

static void send_to(struct queue *q, struct nl_msg *msg)
{
	push(q, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len);
	nlmsg_free(msg);
}

void fx_nl_send(struct nl_msg *msg)
{
	send_to(&answers, msg);
}

void fx_nl_tell(struct nl_msg *msg)
{
	if (listens)
		send_to(&events, msg);
	else
		nlmsg_free(msg);
}

static void put_sentence(struct nl_msg *msg, const char *sentence)
{
	if (!sentence)
		return;
	nlmsg_hdr(msg)->nlmsg_flags |= NLM_F_ACK_TLVS;
	assert_int_equal(nla_put_string(msg, NLMSGERR_ATTR_MSG, sentence), 0);
	assert_int_equal(nla_put_u32(msg, NLMSGERR_ATTR_OFFS, 20), 0);
}

void fx_nl_error(struct nlmsghdr *request, int code, const char *sentence, bool capped)
{
	struct nl_msg *msg = nlmsg_alloc();
	struct nlmsgerr e = { .error = code, .msg = *request };
	u32 length = request->nlmsg_len;

	assert_non_null(nlmsg_put(msg, request->nlmsg_pid, request->nlmsg_seq, NLMSG_ERROR, 0,
				  capped ? NLM_F_CAPPED : 0));
	assert_int_equal(nlmsg_append(msg, &e, sizeof(e), NLMSG_ALIGNTO), 0);
	if (!capped && code)
		assert_int_equal(nlmsg_append(msg, request + 1, length - NLMSG_HDRLEN,
					      NLMSG_ALIGNTO), 0);
	put_sentence(msg, sentence);
	fx_nl_send(msg);
}

void fx_nl_end(struct nlmsghdr *request, int code, const char *sentence)
{
	struct nl_msg *msg = nlmsg_alloc();

	assert_non_null(nlmsg_put(msg, request->nlmsg_pid, request->nlmsg_seq, NLMSG_DONE, 0,
				  NLM_F_MULTI));
	assert_int_equal(nlmsg_append(msg, &code, sizeof(code), NLMSG_ALIGNTO), 0);
	put_sentence(msg, sentence);
	fx_nl_send(msg);
}

void fx_nl_fail(int nlerr)
{
	push(&answers, NULL, nlerr);
}

void fx_nl_fail_listener(int nlerr)
{
	push(&events, NULL, nlerr);
}

/* --- The kernel's own family --------------------------------------------------------- */

static struct nl_msg *family(u32 seq, unsigned int cmd, const char *name, int id,
			     const char *group, u32 group_id)
{
	struct nl_msg *msg = nlmsg_alloc();
	struct nlattr *groups, *entry;

	assert_non_null(genlmsg_put(msg, 0, seq, GENL_ID_CTRL, 0, seq ? NLM_F_MULTI : 0, cmd,
				    2));
	assert_int_equal(nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, name), 0);
	assert_int_equal(nla_put_u16(msg, CTRL_ATTR_FAMILY_ID, id), 0);
	groups = nla_nest_start(msg, CTRL_ATTR_MCAST_GROUPS);
	entry = nla_nest_start(msg, 1);
	assert_int_equal(nla_put_u32(msg, CTRL_ATTR_MCAST_GRP_ID, group_id), 0);
	assert_int_equal(nla_put_string(msg, CTRL_ATTR_MCAST_GRP_NAME, group), 0);
	nla_nest_end(msg, entry);
	nla_nest_end(msg, groups);
	return msg;
}

void fx_nl_notice(bool gone)
{
	fx_nl_tell(family(0, gone ? CTRL_CMD_DELFAMILY : CTRL_CMD_NEWFAMILY, DMR_GENL_NAME,
			  fx_nl.family, DMR_MCGRP_EVENTS, fx_nl.group));
}

static void tell_families(struct nlmsghdr *request)
{
	fx_nl.lookups++;
	fx_nl_send(family(request->nlmsg_seq, CTRL_CMD_NEWFAMILY, "nlctrl", GENL_ID_CTRL,
			  "notify", NOTIFY));
	if (fx_nl.loaded)
		fx_nl_send(family(request->nlmsg_seq, CTRL_CMD_NEWFAMILY, DMR_GENL_NAME,
				  fx_nl.family, DMR_MCGRP_EVENTS, fx_nl.group));
	fx_nl_send(family(request->nlmsg_seq, CTRL_CMD_NEWFAMILY, "other", 99, "events", 3));
	fx_nl_end(request, 0, NULL);
}

/* --- In place of libnl's ---------------------------------------------------------------- */

int __wrap_genl_connect(struct nl_sock *sk)
{
	return 0;
}

int __wrap_nl_socket_set_nonblocking(const struct nl_sock *sk)
{
	return 0;
}

int __wrap_nl_socket_add_membership(struct nl_sock *sk, int group)
{
	listens = true;
	listener = sk;
	return group == NOTIFY || (fx_nl.loaded && (u32)group == fx_nl.group) ? 0 : -NLE_INVAL;
}

int __wrap_nl_send_auto(struct nl_sock *sk, struct nl_msg *msg)
{
	struct nlmsghdr *request = nlmsg_hdr(msg);

	nl_complete_msg(sk, msg);
	assert_true(request->nlmsg_flags & NLM_F_REQUEST);
	if (request->nlmsg_type == GENL_ID_CTRL) {
		tell_families(request);
	} else if (fx_nl.loaded && request->nlmsg_type == fx_nl.family) {
		fx_nl.requests++;
		if (fx_nl.answer)
			fx_nl.answer(request);
		else
			fx_nl_error(request, -EINVAL, NULL, true);
	} else {
		fx_nl_error(request, -ENOENT, NULL, true);
	}
	return request->nlmsg_len;
}

int __wrap_nl_recv(struct nl_sock *sk, struct sockaddr_nl *from, unsigned char **buf,
		   struct ucred **creds)
{
	struct queue *q = sk == listener ? &events : &answers;
	int length;

	if (q->at == q->nr) {
		if (sk == listener)
			return -NLE_AGAIN;
		fail_msg("The library waits for an answer for ever.");
	}
	*buf = q->items[q->at].bytes;
	length = q->items[q->at].length;
	memset(from, 0, sizeof(*from));
	from->nl_family = AF_NETLINK;
	from->nl_pid = q->items[q->at].port;
	if (++q->at == q->nr)
		q->at = q->nr = 0;
	return length;
}
