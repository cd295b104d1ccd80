/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Which metadata is believed: the checks of one block, and the choice among
 * the versions of all pages found on all members (R7). Pure functions without
 * I/O or allocation, so that the module, libdmremap and the fuzzers run the
 * same code. The includer provides, before including this file,
 *
 *	u32 dmr_crc32c(u32 crc, const void *data, size_t size);
 *
 * the raw CRC32C update (no inversion), and memcmp()/memchr_inv() or string.h.
 */
#ifndef DM_REMAP_ASSEMBLE_H
#define DM_REMAP_ASSEMBLE_H

#include "dm-remap-format.h"

/* Why a block, a member or a set is refused. */
enum dmr_fault {
	DMR_OK = 0,
	DMR_BAD_MAGIC,		/* not metadata of dm-remap at all */
	DMR_BAD_CSUM,		/* torn or damaged */
	DMR_BAD_VERSION,	/* written by a newer version */
	DMR_BAD_FEATURE,	/* uses a feature that this version does not know */
	DMR_BAD_LOCATION,	/* valid, but belongs to another place */
	DMR_BAD_SET,		/* valid, but of another set */
	DMR_BAD_GEOMETRY,	/* sizes that contradict each other or the device */
	DMR_BAD_RECORD,		/* a record that no commit can have written */
	DMR_NO_MAP,		/* no version of the root page */
	DMR_DIVERGED,		/* members with two different histories */
	DMR_INCOMPLETE,		/* a committed page is missing or out of date */
};

static inline const char *dmr_fault_text(enum dmr_fault fault)
{
	switch (fault) {
	case DMR_OK:
		return "valid";
	case DMR_BAD_MAGIC:
		return "carries no dm-remap metadata";
	case DMR_BAD_CSUM:
		return "metadata is damaged (checksum mismatch)";
	case DMR_BAD_VERSION:
		return "metadata has an unknown format version";
	case DMR_BAD_FEATURE:
		return "metadata uses features unknown to this version";
	case DMR_BAD_LOCATION:
		return "metadata was written for another place (moved or copied device)";
	case DMR_BAD_SET:
		return "belongs to another set";
	case DMR_BAD_GEOMETRY:
		return "metadata contradicts itself or the size of the device";
	case DMR_BAD_RECORD:
		return "map holds an impossible record";
	case DMR_NO_MAP:
		return "no valid map was found";
	case DMR_DIVERGED:
		return "members hold two different histories of the set";
	case DMR_INCOMPLETE:
		return "a committed part of the map is missing or out of date on all members";
	}
	return "unknown fault";
}

/* CRC32C of a 4096-byte block whose checksum field lies at offset csum_at. */
static inline __u32 dmr_block_csum(const void *block, unsigned int csum_at)
{
	static const __u8 zero[4];
	const __u8 *p = block;
	__u32 crc = ~0u;

	crc = dmr_crc32c(crc, p, csum_at);
	crc = dmr_crc32c(crc, zero, sizeof(zero));
	crc = dmr_crc32c(crc, p + csum_at + 4, DMR_FRAME_SIZE - csum_at - 4);
	return ~crc;
}

static inline __u32 dmr_anchor_csum(const struct dmr_anchor *a)
{
	return dmr_block_csum(a, 8);
}

static inline __u32 dmr_frame_csum(const struct dmr_frame_header *h)
{
	return dmr_block_csum(h, 4);
}

/* True if a set can have this many pages and frames. */
static inline int dmr_geometry_ok(__u32 nr_pages, __u32 nr_frames)
{
	return nr_pages >= 2 && nr_pages <= DMR_MAX_PAGES &&
	       nr_frames >= DMR_FRAME_COPIES * nr_pages + DMR_FRAME_SLACK &&
	       nr_frames <= 2 * (DMR_FRAME_COPIES * nr_pages + DMR_FRAME_SLACK);
}

static inline int dmr_block_sectors_ok(__u32 n)
{
	return n >= DMR_MIN_BLOCK_SECTORS && n <= DMR_MAX_BLOCK_SECTORS &&
	       !(n & (n - 1));
}

/*
 * Check copy number @copy of an anchor read from sector @region_start of a
 * device of @device_sectors.
 */
static inline enum dmr_fault
dmr_anchor_check(const struct dmr_anchor *a, unsigned int copy,
		 __u64 region_start, __u64 device_sectors)
{
	__u64 payload, sectors, region;
	__u32 block, role;

	if (memcmp(a->magic, DMR_ANCHOR_MAGIC, sizeof(a->magic)))
		return DMR_BAD_MAGIC;
	if (le32_to_cpu(a->csum) != dmr_anchor_csum(a))
		return DMR_BAD_CSUM;
	if (le32_to_cpu(a->version) != DMR_FORMAT_VERSION)
		return DMR_BAD_VERSION;
	if (le32_to_cpu(a->incompat) & ~DMR_INCOMPAT_KNOWN ||
	    le32_to_cpu(a->ro_compat) & ~DMR_RO_COMPAT_KNOWN)
		return DMR_BAD_FEATURE;
	if (le32_to_cpu(a->copy) != copy ||
	    le64_to_cpu(a->region_start) != region_start)
		return DMR_BAD_LOCATION;

	role = le32_to_cpu(a->role);
	block = le32_to_cpu(a->block_sectors);
	region = le64_to_cpu(a->region_sectors);
	payload = le64_to_cpu(a->payload_start);
	sectors = le64_to_cpu(a->payload_sectors);
	if ((role != DMR_ROLE_DATA && role != DMR_ROLE_SPARE) ||
	    !dmr_block_sectors_ok(block) ||
	    !dmr_geometry_ok(le32_to_cpu(a->nr_pages), le32_to_cpu(a->nr_frames)) ||
	    region_start > device_sectors ||
	    region > device_sectors - region_start ||
	    payload > region || sectors > region - payload || !sectors ||
	    payload < DMR_FRAMES_SECTOR +
		      (__u64)le32_to_cpu(a->nr_frames) * DMR_FRAME_SECTORS ||
	    !a->data_sectors ||
	    le64_to_cpu(a->data_sectors) / block >= DMR_MAX_BLOCKS ||
	    (role == DMR_ROLE_DATA && sectors < le64_to_cpu(a->data_sectors)))
		return DMR_BAD_GEOMETRY;
	return DMR_OK;
}

/* Check a frame read from place @frame of member @member of set @set_uuid. */
static inline enum dmr_fault
dmr_frame_check(const struct dmr_frame_header *h, const __u8 set_uuid[16],
		__u32 member, __u32 frame, __u32 nr_pages)
{
	if (le32_to_cpu(h->magic) != DMR_FRAME_MAGIC)
		return DMR_BAD_MAGIC;
	if (le32_to_cpu(h->csum) != dmr_frame_csum(h))
		return DMR_BAD_CSUM;
	if (memcmp(h->set_uuid, set_uuid, 16))
		return DMR_BAD_SET;
	if (le32_to_cpu(h->member) != member || le32_to_cpu(h->frame) != frame)
		return DMR_BAD_LOCATION;
	if (le32_to_cpu(h->page) >= nr_pages || !h->gen || le64_to_cpu(h->gen) >> 63)
		return DMR_BAD_GEOMETRY;
	return DMR_OK;
}

/* What the records of a set may refer to. */
struct dmr_bounds {
	__u64 data_sectors;
	__u32 block_sectors;
	__u32 slots[DMR_MAX_MEMBERS];	/* 0: not a spare of this set */
	__u32 removed;			/* bit n: member n was one; it may have bad slots */
};

/* Check one record; a free one is valid. */
static inline enum dmr_fault
dmr_record_check(const struct dmr_record *r, const struct dmr_bounds *b)
{
	__u64 key = le64_to_cpu(r->key);
	__u32 slot = le32_to_cpu(r->slot), invalid = le32_to_cpu(r->invalid);
	unsigned int state = dmr_key_state(key), member = dmr_key_member(key);
	__u64 first = dmr_key_block(key) * b->block_sectors;

	if (state == DMR_RECORD_FREE)
		return key || slot || invalid ? DMR_BAD_RECORD : DMR_OK;
	if (key & DMR_KEY_RESERVED || member >= DMR_MAX_MEMBERS)
		return DMR_BAD_RECORD;
	if (key & DMR_KEY_FORGOTTEN && state != DMR_RECORD_LOST)
		return DMR_BAD_RECORD;
	if (b->block_sectors < 32 && invalid >> b->block_sectors)
		return DMR_BAD_RECORD;

	switch (state) {
	case DMR_RECORD_REMAPPED:
		if (first >= b->data_sectors || slot >= b->slots[member])
			return DMR_BAD_RECORD;
		return DMR_OK;
	case DMR_RECORD_LOST:
		if (first >= b->data_sectors || !invalid || member || slot)
			return DMR_BAD_RECORD;
		return DMR_OK;
	case DMR_RECORD_BAD_SLOT:
		if (dmr_key_block(key) || invalid)
			return DMR_BAD_RECORD;
		if (slot >= b->slots[member] && !(b->removed >> member & 1))
			return DMR_BAD_RECORD;
		return DMR_OK;
	}
	return DMR_BAD_RECORD;
}

static inline int dmr_policy_ok(const struct dmr_policy *p)
{
	return le32_to_cpu(p->heal) <= DMR_HEAL_SPARE &&
	       le32_to_cpu(p->unreadable) <= DMR_UNREADABLE_RETRY &&
	       le32_to_cpu(p->retries) <= DMR_MAX_RETRIES &&
	       le32_to_cpu(p->ioerr) <= DMR_IOERR_PASS &&
	       le32_to_cpu(p->slow_ms) <= DMR_MAX_SLOW_MS &&
	       le32_to_cpu(p->sample) <= DMR_MAX_SAMPLE &&
	       le32_to_cpu(p->breaker_streak) <= DMR_MAX_STREAK &&
	       (!p->breaker_ms || le32_to_cpu(p->breaker_ms) >= DMR_MIN_BREAKER_MS) &&
	       le32_to_cpu(p->breaker_ms) <= DMR_MAX_BREAKER_MS &&
	       (!p->scrub_rate || le32_to_cpu(p->scrub_rate) >= DMR_MIN_SCRUB_RATE) &&
	       le32_to_cpu(p->spare_low) <= 101 &&
	       le32_to_cpu(p->lifetime) <= DMR_MAX_LIFETIME;
}

/* Records that blocks on spares leave to lost blocks and bad slots: a quarter. */
static inline __u32 dmr_reserved_records(__u32 nr_pages)
{
	return (nr_pages - 1) * DMR_PAGE_RECORDS / 4;
}

/* Slots that a spare with this payload offers to a set of nr_pages. */
static inline __u32
dmr_slots(__u64 payload_sectors, __u32 block_sectors, __u32 nr_pages)
{
	__u64 slots = payload_sectors / block_sectors;
	__u64 records = (__u64)(nr_pages - 1) * DMR_PAGE_RECORDS -
			dmr_reserved_records(nr_pages);

	return slots < records ? slots : records;
}

/* Check a root page whose frame is valid, and fill @b from it. */
static inline enum dmr_fault
dmr_root_check(const struct dmr_root *r, __u32 nr_pages, struct dmr_bounds *b)
{
	__u32 n = le32_to_cpu(r->nr_members), i;

	if (le32_to_cpu(r->nr_pages) != nr_pages || !n || n > DMR_MAX_MEMBERS ||
	    le32_to_cpu(r->state) > DMR_SET_CLOSING || !r->data_sectors ||
	    !dmr_block_sectors_ok(le32_to_cpu(r->block_sectors)) ||
	    !dmr_policy_ok(&r->policy))
		return DMR_BAD_GEOMETRY;

	b->data_sectors = le64_to_cpu(r->data_sectors);
	b->block_sectors = le32_to_cpu(r->block_sectors);
	if (b->data_sectors / b->block_sectors >= DMR_MAX_BLOCKS)
		return DMR_BAD_GEOMETRY;
	b->removed = 0;
	for (i = 0; i < DMR_MAX_MEMBERS; i++) {
		__u32 state = le32_to_cpu(r->members[i].state);

		b->slots[i] = 0;
		if (state > DMR_MEMBER_REMOVED || (i >= n && state != DMR_MEMBER_NONE))
			return DMR_BAD_GEOMETRY;
		if (i && state == DMR_MEMBER_REMOVED)
			b->removed |= (__u32)1 << i;
		if (!i || state == DMR_MEMBER_NONE || state == DMR_MEMBER_REMOVED)
			continue;
		b->slots[i] = dmr_slots(le64_to_cpu(r->members[i].sectors),
					b->block_sectors, nr_pages);
	}
	return DMR_OK;
}

/* --- Who still belongs ------------------------------------------------------ */

/*
 * A member that took part until the end holds the last commit (@gen), or, if power
 * went during it, the one before. Since every start and every stop make two
 * commits, an older copy of a member is always further behind. @newest: the newest
 * frame on the member.
 */
static inline int dmr_member_current(__u64 newest, __u64 gen)
{
	return newest + 1 >= gen;
}

/*
 * A member's newest version. @opening: it is the root of a start, which is a commit of its own
 * that says DMR_SET_OPENING: nothing has used the set since.
 */
struct dmr_newest {
	__u64 gen, session;
	__u8 opening;
};

/* Take a valid frame of a member into account. */
static inline void dmr_newest_add(struct dmr_newest *n, const struct dmr_frame_header *h)
{
	const struct dmr_root *root = (const struct dmr_root *)h;
	__u8 opening = !h->page && le32_to_cpu(root->state) == DMR_SET_OPENING;
	__u64 gen = le64_to_cpu(h->gen);

	if (gen < n->gen)
		return;
	n->opening = opening && (gen > n->gen || n->opening);
	n->gen = gen;
	n->session = le64_to_cpu(h->session);
}

/*
 * Is this the member that left, as it was when it left, or one commit before? Or was it being
 * written the map anew when power went, while nothing used the set?
 *
 * It may also be one commit behind that, with which power went before any other member had
 * it: nothing that needed it was acknowledged, for that takes all, and after a member has
 * failed one commit more. It may have been started without the others, as long
 * as it was not used then, or it has a history of its own.
 */
static inline int dmr_member_returns(const struct dmr_member *d, const struct dmr_newest *n)
{
	__u64 out = le64_to_cpu(d->out_gen);

	if (d->join_session && n->session == le64_to_cpu(d->join_session))
		return 1;
	if (n->gen + 1 == out)
		return 1;
	return (n->gen == out || n->gen == out + 1) &&
	       (n->session == le64_to_cpu(d->out_session) || n->opening);
}

/*
 * Does the newest root say that member @index is out, and is this that member? Then its
 * versions are no part of the map: one may be newer than what is true, and was
 * never part of anything.
 */
static inline int dmr_member_left(const struct dmr_root *root, __u32 index,
				  const struct dmr_newest *n)
{
	return index < DMR_MAX_MEMBERS &&
	       le32_to_cpu(root->members[index].state) == DMR_MEMBER_OUT &&
	       dmr_member_returns(&root->members[index], n);
}

/* --- Choosing among versions -------------------------------------------- */

/* The two newest versions of a page; gen 0: none. */
struct dmr_candidate {
	__u64 gen, session;
	__u64 prev_gen, prev_session;
};

/*
 * One assembly. The caller sets pages (nr_pages zeroed candidates) and
 * nr_pages, zeroes the rest, adds every valid frame of every member, then
 * finishes. If that says incomplete or diverged, and the newest root says of some members
 * dmr_member_left(), then it is done once more without those.
 */
struct dmr_assembly {
	struct dmr_candidate *pages;
	__u32 nr_pages;
	__u8 diverged;
	__u8 torn;		/* out: the last commit was cut short */
	__u64 gen;		/* newest commit seen */
	__u64 session, before, after;	/* what its frames say */
	__u64 digest;		/* out: of the chosen versions */
};

/*
 * Take a valid frame into account. Returns 1 if it is now the newest version
 * of its page (the caller keeps its content), else 0.
 */
static inline int
dmr_assembly_add(struct dmr_assembly *a, const struct dmr_frame_header *h)
{
	struct dmr_candidate *c = &a->pages[le32_to_cpu(h->page)];
	__u64 gen = le64_to_cpu(h->gen), session = le64_to_cpu(h->session);

	if (gen > a->gen) {
		a->gen = gen;
		a->session = session;
		a->before = le64_to_cpu(h->digest_before);
		a->after = le64_to_cpu(h->digest_after);
	} else if (gen == a->gen &&
		   (session != a->session ||
		    a->before != le64_to_cpu(h->digest_before) ||
		    a->after != le64_to_cpu(h->digest_after))) {
		a->diverged = 1;
	}

	if (gen > c->gen) {
		c->prev_gen = c->gen;
		c->prev_session = c->session;
		c->gen = gen;
		c->session = session;
		return 1;
	}
	if (gen == c->gen) {
		if (session != c->session)
			a->diverged = 1;
	} else if (gen > c->prev_gen) {
		c->prev_gen = gen;
		c->prev_session = session;
	}
	return 0;
}

/*
 * Judge what was added. The newest version of each page is the map if the
 * digest says that all commits are there; or if it says that all but the last
 * are, for then the last was cut short before anything that needed it was
 * acknowledged, and each page of it stands for itself. A commit whose
 * digest_before fits nothing is only believed whole.
 */
static inline enum dmr_fault dmr_assembly_finish(struct dmr_assembly *a)
{
	__u64 now = 0, before = 0;
	__u32 i;

	if (!a->pages[0].gen)
		return DMR_NO_MAP;
	if (a->diverged)
		return DMR_DIVERGED;
	for (i = 0; i < a->nr_pages; i++) {
		const struct dmr_candidate *c = &a->pages[i];

		if (!c->gen)
			continue;
		now += dmr_page_digest(i, c->gen, c->session);
		if (c->gen != a->gen)
			before += dmr_page_digest(i, c->gen, c->session);
		else if (c->prev_gen)
			before += dmr_page_digest(i, c->prev_gen, c->prev_session);
	}
	a->digest = now;
	a->torn = now != a->after;
	if (a->torn && before != a->before)
		return DMR_INCOMPLETE;
	return DMR_OK;
}

#endif /* DM_REMAP_ASSEMBLE_H */
