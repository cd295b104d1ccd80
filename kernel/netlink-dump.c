// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps: all sets or one, told message by message over as many buffers as it takes. A
 * set is held only while a buffer is filled; if what is told changed
 * between two buffers, the dump is marked as inconsistent.
 */
#include <linux/sched/mm.h>

#include "netlink.h"

struct dump {
	u32 set;		/* id of the set that is told, or the last that was */
	u32 bumped;		/* something was told that may not have come to be */
	u64 next;		/* member or block to be told next */
	u64 end;		/* of blocks */
	bool begun;
	bool maps;		/* it tells of blocks */
};

static struct nlattr **dump_attrs(struct netlink_callback *cb)
{
	return genl_info_dump(cb)->attrs;
}

/*
 * What the messages of a dump are compared by: told again with each buffer, and with
 * the end. An odd number is never zero, which would mean that nothing is known.
 */
static void set_seq(struct netlink_callback *cb, const struct remap_set *set)
{
	struct dump *d = (struct dump *)cb->ctx;
	u32 seq = sets_version(d->maps && !set);

	if (d->maps && set)
		seq += READ_ONCE(set->map.version);
	cb->seq = (seq + d->bumped) << 1 | 1;
}

/* The set to go on with; NULL: all are told. */
static struct remap_set *dump_set(struct netlink_callback *cb)
{
	struct dump *d = (struct dump *)cb->ctx;
	struct nlattr **attrs = dump_attrs(cb);
	bool named = nl_named_by(attrs), amid = d->begun && d->next;
	struct remap_set *set;

	BUILD_BUG_ON(sizeof(struct dump) > sizeof(cb->ctx));
	if (named)
		set = set_get(nl_text(attrs, DMR_A_NAME), nl_text(attrs, DMR_A_UUID), 0);
	else
		set = set_get(NULL, NULL, amid ? d->set - 1 : d->set);
	if (IS_ERR(set) && !named && PTR_ERR(set) == -ENODEV && !amid) {
		set_seq(cb, NULL);
		return NULL;
	}
	if (IS_ERR(set)) {
		nl_no_set(PTR_ERR(set), attrs, cb->extack);
		return set;
	}
	set_seq(cb, named ? set : NULL);
	if (amid && set->id != d->set) {
		/* Half of it was told, and it is gone, or was begun anew. */
		set_put(set);
		NL_SET_ERR_MSG(cb->extack, "the set was stopped meanwhile; ask again");
		return ERR_PTR(-EAGAIN);
	}
	/* One set, and it is told. */
	if (named && d->begun && !d->next) {
		set_put(set);
		return NULL;
	}
	d->begun = true;
	d->set = set->id;
	return set;
}

/* One message; -EMSGSIZE: no room, to be told again in the next buffer. */
static int dump_message(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd,
			struct remap_set *set,
			int (*fill)(struct sk_buff *skb, struct remap_set *set, const void *arg),
			const void *arg)
{
	void *header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				   &netlink_family, NLM_F_MULTI, cmd);
	int r;

	if (!header)
		return -EMSGSIZE;
	r = fill(skb, set, arg);
	if (r) {
		genlmsg_cancel(skb, header);
		return r;
	}
	genl_dump_check_consistent(cb, header);
	genlmsg_end(skb, header);
	return 0;
}

static int fill_device(struct sk_buff *skb, struct remap_set *set, const void *arg)
{
	return nl_put_device(skb, set);
}

static int fill_policy(struct sk_buff *skb, struct remap_set *set, const void *arg)
{
	return nl_put_set(skb, set, false) || nl_put_policy(skb, set) ? -EMSGSIZE : 0;
}

static int fill_scrub(struct sk_buff *skb, struct remap_set *set, const void *arg)
{
	return nl_put_set(skb, set, false) || nl_put_scrub(skb, set) ? -EMSGSIZE : 0;
}

static int fill_spare(struct sk_buff *skb, struct remap_set *set, const void *arg)
{
	return nl_put_spare(skb, set, arg);
}

static int fill_stats(struct sk_buff *skb, struct remap_set *set, const void *arg)
{
	return nl_put_stats(skb, set, (struct remap_member *)arg);
}

/* A set that is one message. If there is no room, it is begun again: next is 1. */
static int dump_one(struct sk_buff *skb, struct remap_set *set, struct dump *d,
		    struct netlink_callback *cb, u8 cmd,
		    int (*fill)(struct sk_buff *skb, struct remap_set *set, const void *arg))
{
	int r = dump_message(skb, cb, cmd, set, fill, NULL);

	d->next = r ? 1 : 0;
	return r;
}

static int dump_device(struct sk_buff *skb, struct remap_set *set, struct dump *d,
		       struct netlink_callback *cb)
{
	return dump_one(skb, set, d, cb, DMR_CMD_DEVICE_GET, fill_device);
}

static int dump_policy(struct sk_buff *skb, struct remap_set *set, struct dump *d,
		       struct netlink_callback *cb)
{
	return dump_one(skb, set, d, cb, DMR_CMD_POLICY_GET, fill_policy);
}

static int dump_scrub(struct sk_buff *skb, struct remap_set *set, struct dump *d,
		      struct netlink_callback *cb)
{
	return dump_one(skb, set, d, cb, DMR_CMD_SCRUB_GET, fill_scrub);
}

/* Members from @first on: next is the number of the one to be told, plus one. */
static int dump_members(struct sk_buff *skb, struct remap_set *set, struct dump *d,
			struct netlink_callback *cb, u8 cmd, unsigned int first,
			int (*fill)(struct sk_buff *skb, struct remap_set *set,
				    const void *arg))
{
	unsigned int i;
	int r;

	for (i = d->next ? d->next - 1 : first; i < set->nr_members; i++) {
		d->next = i + 1;
		if (!set->members[i])
			continue;
		r = dump_message(skb, cb, cmd, set, fill, set->members[i]);
		if (r)
			return r;
	}
	d->next = 0;
	return 0;
}

static int dump_spares(struct sk_buff *skb, struct remap_set *set, struct dump *d,
		       struct netlink_callback *cb)
{
	return dump_members(skb, set, d, cb, DMR_CMD_SPARE_GET, 1, fill_spare);
}

static int dump_stats(struct sk_buff *skb, struct remap_set *set, struct dump *d,
		      struct netlink_callback *cb)
{
	return dump_members(skb, set, d, cb, DMR_CMD_STATS_GET, 0, fill_stats);
}

struct told_entry {
	const char *name;		/* of the set; the same for all of a buffer */
	struct map_entry e;
	u64 sector, count;		/* or a run of sectors */
};

static int fill_entry(struct sk_buff *skb, struct remap_set *set, const void *arg)
{
	const struct told_entry *t = arg;
	const struct map_entry *e = &t->e;
	bool moved = e->state == DMR_RECORD_REMAPPED;

	if (nla_put_string(skb, DMR_A_NAME, t->name) ||
	    nl_put_u64(skb, DMR_A_BLOCK, e->block) ||
	    (moved && (nla_put_u32(skb, DMR_A_SPARE, e->member) ||
		       nla_put_u32(skb, DMR_A_SLOT, e->slot))) ||
	    nla_put_u32(skb, DMR_A_INVALID, e->invalid) ||
	    (e->forgotten && nla_put_flag(skb, DMR_A_FORGOTTEN)))
		return -EMSGSIZE;
	return 0;
}

static int fill_unreadable(struct sk_buff *skb, struct remap_set *set, const void *arg)
{
	const struct told_entry *t = arg;

	if (nla_put_string(skb, DMR_A_NAME, t->name) ||
	    nl_put_u64(skb, DMR_A_SECTOR, t->sector) ||
	    nl_put_u64(skb, DMR_A_SECTOR_COUNT, t->count))
		return -EMSGSIZE;
	return 0;
}

/* The range of blocks that a dump of the map is about. */
static int dump_range(struct remap_set *set, struct dump *d, struct netlink_callback *cb)
{
	u64 first, count;
	int r;

	if (d->next)
		return 0;
	r = nl_take_range(set, dump_attrs(cb), cb->extack, true, &first, &count);
	d->next = first + 1;
	d->end = first + count;
	return r;
}

/* The next entry from d->next on that is not only held. */
static bool dump_entry(struct remap_set *set, struct dump *d, struct map_entry *e)
{
	while (map_next(&set->map, d->next - 1, e) && e->block < d->end) {
		/* What it is now may be undone. */
		d->bumped += e->busy;
		if (e->state != DMR_RECORD_FREE)
			return true;
		d->next = e->block + 2;
	}
	return false;
}

static int dump_map(struct sk_buff *skb, struct remap_set *set, struct dump *d,
		    struct netlink_callback *cb)
{
	char name[DM_NAME_LEN];
	struct told_entry t = { .name = name };
	int r = dump_range(set, d, cb);

	set_dm_name(set, name);
	while (!r && dump_entry(set, d, &t.e)) {
		r = dump_message(skb, cb, DMR_CMD_MAP_GET, set, fill_entry, &t);
		if (!r)
			d->next = t.e.block + 2;
	}
	if (!r)
		d->next = 0;
	return r;
}

/* The next run of lost sectors at or after t->sector, over as many blocks as it takes. */
static bool next_lost(struct remap_set *set, struct dump *d, struct told_entry *t)
{
	u64 at = t->sector, end = d->end << set->block_shift;
	struct map_entry *e = &t->e;

	t->count = 0;
	while (at < end && map_next(&set->map, at >> set->block_shift, e)) {
		u64 block = e->block << set->block_shift;
		unsigned int first, nr;
		u32 mask = e->invalid;

		cond_resched();
		if (block >= end)
			break;
		d->bumped += e->busy;
		/* What lies before is told. */
		if (block < at)
			mask &= ~map_block_mask(0, at - block);
		if (!mask) {
			at = block + set->block_sectors;
			continue;
		}
		first = __ffs(mask);
		for (nr = 1; first + nr < 32 && mask & BIT(first + nr); nr++)
			;
		if (t->count && t->sector + t->count != block + first)
			break;
		if (!t->count)
			t->sector = block + first;
		t->count += nr;
		at = t->sector + t->count;
	}
	return t->count;
}

/* Here d->next is in sectors. */
static int dump_unreadable(struct sk_buff *skb, struct remap_set *set, struct dump *d,
			   struct netlink_callback *cb)
{
	char name[DM_NAME_LEN];
	struct told_entry t = { .name = name };
	bool begins = !d->next;
	int r = dump_range(set, d, cb);

	if (!r && begins)
		d->next = ((d->next - 1) << set->block_shift) + 1;
	set_dm_name(set, name);
	t.sector = d->next - 1;
	while (!r && next_lost(set, d, &t)) {
		r = dump_message(skb, cb, DMR_CMD_UNREADABLE_GET, set, fill_unreadable, &t);
		if (r)
			break;
		t.sector += t.count;
		d->next = t.sector + 1;
	}
	if (!r)
		d->next = 0;
	return r;
}

typedef int (*put_fn)(struct sk_buff *skb, struct remap_set *set, struct dump *d,
		      struct netlink_callback *cb);

/*
 * All sets, or the one that is named, each told by @put, which keeps in d->next where
 * to go on and sets it to 0 when it is done.
 */
static int dump_sets(struct sk_buff *skb, struct netlink_callback *cb, put_fn put)
{
	struct dump *d = (struct dump *)cb->ctx;
	struct remap_set *set;
	unsigned int noio;
	int r = 0;

	d->maps = put == dump_map || put == dump_unreadable;
	while (!r) {
		set = dump_set(cb);
		if (IS_ERR(set))
			return PTR_ERR(set);
		if (!set)
			return skb->len;
		noio = memalloc_noio_save();
		r = put(skb, set, d, cb);
		memalloc_noio_restore(noio);
		set_put(set);
	}
	return r == -EMSGSIZE && skb->len ? skb->len : r;
}

int nl_device_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_sets(skb, cb, dump_device);
}

int nl_spare_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_sets(skb, cb, dump_spares);
}

int nl_map_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_sets(skb, cb, dump_map);
}

int nl_unreadable_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_sets(skb, cb, dump_unreadable);
}

int nl_stats_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_sets(skb, cb, dump_stats);
}

int nl_policy_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_sets(skb, cb, dump_policy);
}

int nl_scrub_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_sets(skb, cb, dump_scrub);
}
