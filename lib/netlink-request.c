// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The connection to the module: sockets, the lookup of the family, requests with
 * their answers, and errors in the module's own words. What the messages hold is
 * netlink-parse.c's.
 */
#include <linux/genetlink.h>
#include <netlink/genl/genl.h>
#include <sys/socket.h>
#include <uuid/uuid.h>

#include "netlink.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK	270
#endif

#define RECEIVE_BYTES	32768	/* the most that the kernel puts into one part of a dump */

static int nl_errno(int nlerr)
{
	switch (-nlerr) {
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_NOMEM:			/* also what libnl makes of ENOBUFS */
		return -ENOBUFS;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_INTR:
		return -EINTR;
	default:
		return -EIO;
	}
}

int dmri_nl_socket(struct nl_sock **sk, struct dmremap_error *err)
{
	/* Its own callbacks: the library's could be made to print by the environment. */
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	struct nl_sock *s = cb ? nl_socket_alloc_cb(cb) : NULL;
	int one = 1, r;

	if (cb)
		nl_cb_put(cb);
	if (!s)
		return dmri_error(err, -ENOMEM, "Out of memory.");
	r = genl_connect(s);
	if (r < 0) {
		nl_socket_free(s);
		return dmri_error(err, nl_errno(r), "Can not open a netlink socket: %s.",
				  nl_geterror(r));
	}
	/* Sentences in errors, errors without the request, strict dumps; all may be missing. */
	setsockopt(nl_socket_get_fd(s), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(nl_socket_get_fd(s), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(nl_socket_get_fd(s), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	nl_socket_set_msg_buf_size(s, RECEIVE_BYTES);
	*sk = s;
	return 0;
}

/* --- One exchange ------------------------------------------------------------ */

struct exchange {
	u32 seq;
	dmri_nl_fn fn;
	void *arg;
	bool done, interrupted;
	int code;			/* how the kernel, or @fn, ended it */
	char text[DMREMAP_TEXT_SIZE / 2];	/* the module's sentence */
};

/* The sentence in the attributes of an extended ack, @at bytes into the message. */
static void take_sentence(struct exchange *x, struct nlmsghdr *nlh, int at)
{
	struct nlattr *attr, *attrs = (struct nlattr *)((char *)nlh + at);
	int length = (int)nlh->nlmsg_len - at, rest;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) || length <= 0)
		return;
	nla_for_each_attr(attr, attrs, length, rest)
		if (nla_type(attr) == NLMSGERR_ATTR_MSG)
			dmri_copy_text(x->text, sizeof(x->text), nla_data(attr), nla_len(attr));
}

static void take_error(struct exchange *x, struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = nlmsg_data(nlh);
	int at = NLMSG_HDRLEN + sizeof(*e);

	x->done = true;
	if (nlmsg_datalen(nlh) < (int)sizeof(*e)) {
		x->code = -EBADMSG;
		return;
	}
	/* The request that it answers follows, unless it is left out. */
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len > NLMSG_HDRLEN) {
		if (e->msg.nlmsg_len > nlh->nlmsg_len - (unsigned int)at + NLMSG_HDRLEN)
			at = nlh->nlmsg_len;
		else
			at += NLMSG_ALIGN(e->msg.nlmsg_len - NLMSG_HDRLEN);
	}
	if (!x->code)
		x->code = e->error > 0 ? -EBADMSG : e->error;
	take_sentence(x, nlh, at);
}

/* The end of a dump, which may tell why it ended. */
static void take_done(struct exchange *x, struct nlmsghdr *nlh)
{
	int code = 0;

	x->done = true;
	if (nlmsg_datalen(nlh) >= (int)sizeof(code))
		memcpy(&code, nlmsg_data(nlh), sizeof(code));
	if (!x->code && code < 0)
		x->code = code;
	take_sentence(x, nlh, NLMSG_HDRLEN + sizeof(code));
}

static void take_message(struct exchange *x, struct nlmsghdr *nlh)
{
	/* What is left of a request that was given up. */
	if (nlh->nlmsg_seq != x->seq)
		return;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		x->interrupted = true;
	switch (nlh->nlmsg_type) {
	case NLMSG_ERROR:
		take_error(x, nlh);
		break;
	case NLMSG_DONE:
		take_done(x, nlh);
		break;
	case NLMSG_NOOP:
	case NLMSG_OVERRUN:
		break;
	default:
		if (!x->code && x->fn)
			x->code = x->fn(nlh, x->arg);
	}
}

static void nl_msgp(struct nl_msg **msg)
{
	nlmsg_free(*msg);
}

/* Returns what is wrong with the connection; how the kernel answered is in @x. */
static int exchange(struct nl_sock *sk, struct nl_msg *msg, struct exchange *x)
{
	struct nlmsghdr *request = nlmsg_hdr(msg);
	int r;

	request->nlmsg_seq = NL_AUTO_SEQ;
	request->nlmsg_pid = NL_AUTO_PORT;
	if (!(request->nlmsg_flags & NLM_F_DUMP))
		request->nlmsg_flags |= NLM_F_ACK;
	r = nl_send_auto(sk, msg);
	if (r < 0)
		return nl_errno(r);
	x->seq = request->nlmsg_seq;
	while (!x->done) {
		_free_ unsigned char *buf = NULL;
		struct sockaddr_nl from = { 0 };
		struct nlmsghdr *nlh;

		r = nl_recv(sk, &from, &buf, NULL);
		if (r <= 0)
			return r < 0 ? nl_errno(r) : -EIO;
		/* Only the kernel's word counts. */
		if (from.nl_pid)
			continue;
		for (nlh = (struct nlmsghdr *)buf; !x->done && nlmsg_ok(nlh, r);
		     nlh = nlmsg_next(nlh, &r))
			take_message(x, nlh);
	}
	return 0;
}

/* --- Families ----------------------------------------------------------------- */

struct lookup {
	struct dmri_nl_group *groups;
	unsigned int nr;
};

static void take_groups(struct nlattr *list, struct dmri_nl_group *wanted)
{
	struct nlattr *entry, *tb[CTRL_ATTR_MCAST_GRP_MAX + 1];
	static struct nla_policy policy[CTRL_ATTR_MCAST_GRP_MAX + 1] = {
		[CTRL_ATTR_MCAST_GRP_NAME] = { .type = NLA_STRING },
		[CTRL_ATTR_MCAST_GRP_ID] = { .type = NLA_U32 },
	};
	int rest;

	nla_for_each_nested(entry, list, rest) {
		if (nla_parse_nested(tb, CTRL_ATTR_MCAST_GRP_MAX, entry, policy) < 0 ||
		    !tb[CTRL_ATTR_MCAST_GRP_NAME] || !tb[CTRL_ATTR_MCAST_GRP_ID])
			continue;
		if (!strcmp(nla_get_string(tb[CTRL_ATTR_MCAST_GRP_NAME]), wanted->group))
			wanted->group_id = nla_get_u32(tb[CTRL_ATTR_MCAST_GRP_ID]);
	}
}

static int take_family(struct nlmsghdr *nlh, void *arg)
{
	static struct nla_policy policy[CTRL_ATTR_MAX + 1] = {
		[CTRL_ATTR_FAMILY_NAME] = { .type = NLA_STRING },
		[CTRL_ATTR_FAMILY_ID] = { .type = NLA_U16 },
		[CTRL_ATTR_MCAST_GROUPS] = { .type = NLA_NESTED },
	};
	struct nlattr *tb[CTRL_ATTR_MAX + 1];
	struct lookup *lookup = arg;
	unsigned int i;

	if (genlmsg_parse(nlh, 0, tb, CTRL_ATTR_MAX, policy) < 0 ||
	    !tb[CTRL_ATTR_FAMILY_NAME] || !tb[CTRL_ATTR_FAMILY_ID])
		return 0;
	for (i = 0; i < lookup->nr; i++) {
		struct dmri_nl_group *wanted = &lookup->groups[i];

		if (strcmp(nla_get_string(tb[CTRL_ATTR_FAMILY_NAME]), wanted->family))
			continue;
		wanted->id = nla_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
		if (wanted->group && tb[CTRL_ATTR_MCAST_GROUPS])
			take_groups(tb[CTRL_ATTR_MCAST_GROUPS], wanted);
	}
	return 0;
}

int dmri_nl_lookup(struct nl_sock *sk, struct dmri_nl_group *groups, unsigned int nr,
		   struct dmremap_error *err)
{
	struct lookup lookup = { groups, nr };
	unsigned int i, tries;
	int r = -ENOMEM;

	for (tries = 0; tries < 5; tries++) {
		struct exchange x = { .fn = take_family, .arg = &lookup };
		_cleanup_(nl_msgp) struct nl_msg *msg = nlmsg_alloc();

		for (i = 0; i < nr; i++)
			groups[i].id = groups[i].group_id = 0;
		if (!msg || !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, GENL_ID_CTRL, 0,
					 NLM_F_REQUEST | NLM_F_DUMP, CTRL_CMD_GETFAMILY, 1))
			return dmri_error(err, -ENOMEM, "Out of memory.");
		r = exchange(sk, msg, &x);
		if (!r)
			r = x.code;
		if (r < 0 || !x.interrupted)
			break;
	}
	if (r < 0)
		return dmri_error_sys(err, r, "Can not ask the kernel for its netlink families");
	return 0;
}

static int find_family(struct dmremap_nl *nl, struct dmremap_error *err)
{
	struct dmri_nl_group group = { .family = DMR_GENL_NAME };
	int r = dmri_nl_lookup(nl->sk, &group, 1, err);

	nl->family = group.id;
	if (!r && !group.id)
		r = dmri_error(err, -ENOENT, "The module dm-remap is not loaded.");
	return r;
}

/* --- Requests -------------------------------------------------------------------- */

struct nl_msg *dmri_nl_message(unsigned int cmd, bool dump, const char *name)
{
	struct nl_msg *msg = nlmsg_alloc_size(2048);
	char text[DMREMAP_UUID_SIZE];
	int attr = DMR_A_NAME;
	uuid_t uuid;

	/* The family is filled in when it is sent. */
	if (!msg || !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, 0, 0,
				 NLM_F_REQUEST | (dump ? NLM_F_DUMP : 0), cmd,
				 DMR_GENL_VERSION))
		goto failed;
	if (name && !uuid_parse(name, uuid)) {
		uuid_unparse_lower(uuid, text);
		attr = DMR_A_UUID;
		name = text;
	}
	if (name && nla_put_string(msg, attr, name) < 0)
		goto failed;
	return msg;
failed:
	nlmsg_free(msg);
	return NULL;
}

static int refused(struct exchange *x, const char *name, struct dmremap_error *err)
{
	const char *set = name ? name : "dm-remap";
	size_t length = strlen(x->text);

	if (length && x->code != -EINTR)
		return dmri_error(err, x->code, "%s: %s%s", set, x->text,
				  strchr(".!?", x->text[length - 1]) ? "" : ".");
	switch (x->code) {
	case -ENODEV:
		return dmri_error(err, x->code, "%s is not active.", set);
	case -EPERM:
	case -EACCES:
		return dmri_error(err, -EPERM,
				  "Not permitted to talk to the module dm-remap; it needs CAP_NET_ADMIN.");
	case -EOPNOTSUPP:
		return dmri_error(err, x->code,
				  "%s: the module dm-remap does not know this command; is it older than this program?",
				  set);
	case -EBADMSG:
		return dmri_error(err, x->code,
				  "%s: the answer of the module dm-remap is not understood; do they fit together?",
				  set);
	case -ENOMEM:
		return dmri_error(err, x->code, "Out of memory.");
	default:
		return dmri_error_sys(err, x->code, "%s", set);
	}
}

/* What is still under way on the old socket goes with it. */
static int reopen(struct dmremap_nl *nl, struct dmremap_error *err)
{
	struct nl_sock *sk;
	int r = dmri_nl_socket(&sk, err);

	if (r < 0)
		return r;
	nl_socket_free(nl->sk);
	nl->sk = sk;
	return 0;
}

int dmri_nl_request(struct dmremap_nl *nl, const char *name, struct nl_msg *msg,
		    dmri_nl_fn fn, void *arg, struct dmremap_error *err)
{
	struct exchange x;
	bool again;
	int r;

	for (again = false;; again = true) {
		x = (struct exchange){ .fn = fn, .arg = arg };
		if (!nl->family || again) {
			r = find_family(nl, err);
			if (r < 0)
				return r;
		}
		nlmsg_hdr(msg)->nlmsg_type = nl->family;
		r = exchange(nl->sk, msg, &x);
		if (r == -ENOBUFS && nlmsg_hdr(msg)->nlmsg_flags & NLM_F_DUMP) {
			x.interrupted = true;
			r = reopen(nl, err);
			if (r < 0)
				return r;
		}
		if (r < 0)
			return dmri_error_sys(err, r, "Can not talk to the module dm-remap");
		/* A family that is gone is told without a sentence; another may be there now. */
		if (x.code != -ENOENT || x.text[0] || again)
			break;
	}
	if (x.code < 0)
		return refused(&x, name, err);
	if (x.interrupted)
		return dmri_error(err, -EINTR,
				  "%s: what was asked for changed while it was told; ask again.",
				  name ? name : "dm-remap");
	return 0;
}

/* --- Opening ---------------------------------------------------------------------- */

void dmremap_nl_free(struct dmremap_nl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sk);
	free(nl);
}

/* The kernel judges the rights before anything else of a request. */
static int check_rights(struct dmremap_nl *nl, struct dmremap_error *err)
{
	_cleanup_(nl_msgp) struct nl_msg *msg = dmri_nl_message(DMR_CMD_DEVICE_GET, false, NULL);
	struct dmremap_error why = { "" };
	int r;

	if (!msg)
		return dmri_error(err, -ENOMEM, "Out of memory.");
	r = dmri_nl_request(nl, NULL, msg, NULL, NULL, &why);
	return r == -EPERM || r == -ENOENT ? dmri_error(err, r, "%s", why.text) : 0;
}

int dmremap_nl_open(struct dmremap_nl **nl, struct dmremap_error *err)
{
	struct dmremap_nl *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return dmri_error(err, -ENOMEM, "Out of memory.");
	r = dmri_nl_socket(&n->sk, err);
	if (!r)
		r = find_family(n, err);
	if (!r)
		r = check_rights(n, err);
	if (r < 0) {
		dmremap_nl_free(n);
		return r;
	}
	*nl = n;
	return 0;
}
