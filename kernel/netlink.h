/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of the netlink family, and by no other. */
#ifndef DM_REMAP_NETLINK_PRIVATE_H
#define DM_REMAP_NETLINK_PRIVATE_H

#include <net/genetlink.h>

#include "dm-remap.h"

extern struct genl_family netlink_family;

/* --- netlink-message.c: each 0, or -EMSGSIZE when the buffer is full ------ */

int nl_put_u64(struct sk_buff *skb, int attr, u64 value);
/* Name and UUID of the set, and the numbers of its device if @dev. */
int nl_put_set(struct sk_buff *skb, struct remap_set *set, bool dev);
int nl_put_device(struct sk_buff *skb, struct remap_set *set);
int nl_put_spare(struct sk_buff *skb, struct remap_set *set, const struct remap_member *m);
int nl_put_stats(struct sk_buff *skb, struct remap_set *set, struct remap_member *m);
int nl_put_policy(struct sk_buff *skb, struct remap_set *set);
int nl_put_scrub(struct sk_buff *skb, struct remap_set *set);
int nl_put_event(struct sk_buff *skb, struct remap_set *set, const struct event_record *r,
		 u64 seq);

/* --- netlink.c ------------------------------------------------------------ */

/* The text of an attribute; NULL if it is absent. */
const char *nl_text(struct nlattr **attrs, int attr);
/* The attribute by which a request names its set; NULL: it names none. */
struct nlattr *nl_named_by(struct nlattr **attrs);
/* Say why set_get() failed with @r, and return that. */
int nl_no_set(int r, struct nlattr **attrs, struct netlink_ext_ack *extack);
/* A range of blocks within the set; @whole: what is absent is to the end. */
int nl_take_range(const struct remap_set *set, struct nlattr **attrs,
		  struct netlink_ext_ack *extack, bool whole, u64 *first, u64 *count);

/* --- netlink-dump.c ------------------------------------------------------- */

int nl_device_dump(struct sk_buff *skb, struct netlink_callback *cb);
int nl_spare_dump(struct sk_buff *skb, struct netlink_callback *cb);
int nl_map_dump(struct sk_buff *skb, struct netlink_callback *cb);
int nl_unreadable_dump(struct sk_buff *skb, struct netlink_callback *cb);
int nl_stats_dump(struct sk_buff *skb, struct netlink_callback *cb);
int nl_policy_dump(struct sk_buff *skb, struct netlink_callback *cb);
int nl_scrub_dump(struct sk_buff *skb, struct netlink_callback *cb);

#endif /* DM_REMAP_NETLINK_PRIVATE_H */
