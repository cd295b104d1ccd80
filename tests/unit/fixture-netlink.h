/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stand-in for the kernel's side of generic netlink: what libdmremap sends comes to
 * a function of the test, which puts datagrams into a queue that the library
 * receives from. No socket is used.
 */
#ifndef FIXTURE_NETLINK_H
#define FIXTURE_NETLINK_H

#include "fixture.h"
#include "netlink.h"

struct fx_nl {
	bool loaded;			/* is the family there? */
	int family;			/* its number */
	u32 group;			/* of its events */
	unsigned int lookups, requests;
	/* A request to the family, with all its bytes. */
	void (*answer)(struct nlmsghdr *request);
	unsigned int port;		/* what datagrams come from; the kernel is 0 */
};

extern struct fx_nl fx_nl;

/* Empty queues, loaded. */
void fx_nl_reset(void (*answer)(struct nlmsghdr *request));
void fx_nl_forget(void);

/* A message of the family as an answer to @request, or (NULL) as an event. */
struct nl_msg *fx_nl_new(struct nlmsghdr *request, unsigned int cmd, int flags);
/* Queue it; takes it over. To who asks, or to who listens. */
void fx_nl_send(struct nl_msg *msg);
void fx_nl_tell(struct nl_msg *msg);
/* An error (0: done) with a sentence or NULL; as a capped message or with the request. */
void fx_nl_error(struct nlmsghdr *request, int code, const char *sentence, bool capped);
/* The end of a dump. */
void fx_nl_end(struct nlmsghdr *request, int code, const char *sentence);
/* The kernel's notice that the family is gone, or is there. */
void fx_nl_notice(bool gone);
/* The next receive fails with this error of libnl. */
void fx_nl_fail(int nlerr);
void fx_nl_fail_listener(int nlerr);

#endif
