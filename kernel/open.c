// SPDX-License-Identifier: GPL-2.0-only
/*
 * Activation, the part that writes: the set is marked as in use, and members that
 * join or come back are given the map; at the end it is marked as cleanly stopped. And a spare
 * that joins a running set. The order of the commits is in docs/architecture.md.
 */
#include <linux/random.h>
#include <linux/slab.h>

#include "flush.h"
#include "load.h"

/* Pages that some member lacks a copy of; all, for one that joins or returns. */
static void mark_repairs(struct remap_set *set)
{
	unsigned int i;
	u32 p;

	for (i = 0; i < set->nr_members; i++) {
		struct remap_member *m = set->members[i];

		if (!m || !m->metadata)
			continue;
		for (p = 0; p < set->map.nr_pages; p++)
			if (set->store.page_gen[p] && m->copies[p][1] == NO_FRAME)
				store_mark(set, p);
	}
}

/*
 * What the root says, until all is done, of members that are not there, and of
 * those that come back.
 */
static void mark_out(struct remap_set *set, u64 session)
{
	struct dmr_root *root = store_root(set);
	unsigned int i;

	for (i = 0; i < set->nr_members; i++) {
		struct remap_member *m = set->members[i];
		struct dmr_member *d = &root->members[i];

		if (!m)
			continue;
		if (m->state == MEMBER_JOINING && le32_to_cpu(d->state) == DMR_MEMBER_OUT) {
			if (!store_settle(set, m)) {
				m->metadata = false;
				continue;
			}
			d->join_session = cpu_to_le64(session);
			/* And as it is now, should it not come to that. */
			d->out_gen = cpu_to_le64(m->newest ? m->newest : le64_to_cpu(d->out_gen));
			if (m->newest)
				d->out_session = cpu_to_le64(m->newest_session);
		}
		if (m->state != MEMBER_MISSING || le32_to_cpu(d->state) != DMR_MEMBER_ACTIVE)
			continue;
		DMWARN("%s: activated without spare %u (%pU)", set->name, i, m->uuid);
		d->state = cpu_to_le32(DMR_MEMBER_OUT);
		d->out_gen = cpu_to_le64(set->store.gen);
		d->out_session = cpu_to_le64(set->store.session);
	}
}

static int finish_joins(struct remap_set *set)
{
	struct dmr_root *root = store_root(set);
	unsigned int i;

	for (i = 0; i < set->nr_members; i++) {
		struct remap_member *m = set->members[i];
		struct dmr_member *d = &root->members[i];

		if (!m || m->state != MEMBER_JOINING)
			continue;
		if (!m->metadata && le32_to_cpu(d->state) == DMR_MEMBER_OUT) {
			/* Still not fit to hold the map; what is on it is served. */
			m->state = MEMBER_OUT;
			continue;
		}
		if (!m->metadata) {
			refuse(set, "%pg can not be written to", m->bdev);
			return -EIO;
		}
		m->state = MEMBER_ACTIVE;
		memcpy(d->uuid, m->uuid, sizeof(d->uuid));
		d->state = cpu_to_le32(DMR_MEMBER_ACTIVE);
		d->sectors = cpu_to_le64(m->payload_sectors);
		d->tier = cpu_to_le32(m->tier);
		d->out_gen = 0;
		d->out_session = 0;
		d->join_session = 0;
		DMINFO("%s: %pg takes part as member %u", set->name, m->bdev, i);
		m->joined = true;
	}
	root->nr_members = cpu_to_le32(max(le32_to_cpu(root->nr_members), set->nr_members));
	return 0;
}

/* It is durable now. */
static void tell_joins(struct remap_set *set)
{
	unsigned int i;

	for (i = 0; i < set->nr_members; i++) {
		if (!set->members[i] || !set->members[i]->joined)
			continue;
		set->members[i]->joined = false;
		event_edge(set, DMR_NL_EVENT_SPARE_JOINED, i);
	}
}

static int commit_state(struct remap_set *set, enum dmr_set_state state)
{
	store_root(set)->state = cpu_to_le32(state);
	store_mark_first(set, 0);
	return store_commit(set);
}

int set_open(struct remap_set *set)
{
	struct dmr_root *root = store_root(set);
	u64 session = get_random_u64();
	int r;

	store_level(set);
	mark_out(set, session);
	mark_repairs(set);
	set->store.session = session;
	root->activations = cpu_to_le64(le64_to_cpu(root->activations) + 1);
	r = commit_state(set, DMR_SET_OPENING);
	if (!r)
		r = finish_joins(set);
	if (!r)
		r = commit_state(set, DMR_SET_OPEN);
	if (!r)
		tell_joins(set);
	if (r == -EIO)
		refuse(set, "the map can not be written");
	return r;
}

static void set_fingerprint(struct remap_set *set)
{
	struct dmr_identity *id = &store_root(set)->identity;
	u32 bytes = DMR_FINGERPRINT_BYTES, sum;

	if (bytes >> SECTOR_SHIFT > set->data_sectors)
		bytes = round_down(set->data_sectors << SECTOR_SHIFT, DMR_FRAME_SIZE);
	id->fingerprint = 0;
	id->fingerprint_bytes = 0;
	/* What a flush lost that failed may read well until power goes. */
	if (set->members[0]->metadata || flush_has_failed(set) ||
	    !fingerprint(set, bytes, &sum))
		return;
	id->fingerprint = cpu_to_le32(sum);
	id->fingerprint_bytes = cpu_to_le32(bytes);
}

void set_close(struct remap_set *set)
{
	unsigned int i;

	for (i = 0; i < set->nr_members; i++) {
		struct remap_member *m = set->members[i];

		if (!m || !m->bdev || spare_gone(m))
			continue;
		flush_before_write(m);
		m->dirty = true;
	}
	store_root(set)->scrub = set->scrub.now;
	if (set->store.frozen || commit_state(set, DMR_SET_CLOSING))
		goto dirty;
	set_fingerprint(set);
	if (commit_state(set, DMR_SET_CLEAN))
		goto dirty;
	return;
dirty:
	DMWARN("%s: could not be marked as cleanly stopped", set->name);
}

/* --- Hot join ------------------------------------------------------------ */

/*
 * A spare that took part before may hold commits that say more than its anchor. What can
 * not be read is no proof that it did not.
 */
static int check_frames(struct remap_set *set, struct found *f, void *buf, const char **why)
{
	u32 frame;

	for (frame = 0; frame < f->nr_frames; frame++) {
		const struct dmr_frame_header *h = buf;

		*why = "can not be checked: interrupted, or the set is being suspended";
		if (READ_ONCE(set->stopping) || fatal_signal_pending(current))
			return -EINTR;
		*why = "can not be read";
		if (io_buffer(f->bdev, REQ_OP_READ, frame_sector(f, frame), buf,
			      DMR_FRAME_SECTORS))
			return -EIO;
		*why = "has taken part before, and that needs a reload of the table";
		if (!dmr_frame_check(h, set->store.set_uuid, le32_to_cpu(h->member), frame,
				     set->map.nr_pages))
			return -EOPNOTSUPP;
		cond_resched();
	}
	return 0;
}

static int check_join(struct remap_set *set, struct found *f, struct dmr_anchor *a,
		      const char **why)
{
	const struct dmr_root *root = store_root(set);
	enum dmr_fault fault = read_anchor(f, a);
	unsigned int i;

	if (fault) {
		*why = dmr_fault_text(fault);
		return -EUCLEAN;
	}
	if (memcmp(a->set_uuid, set->store.set_uuid, sizeof(a->set_uuid))) {
		*why = dmr_fault_text(DMR_BAD_SET);
		return -EUCLEAN;
	}
	if (le32_to_cpu(a->nr_pages) != set->map.nr_pages ||
	    le32_to_cpu(a->block_sectors) != set->block_sectors ||
	    le64_to_cpu(a->data_sectors) != set->data_sectors) {
		*why = "has another geometry than the set";
		return -EUCLEAN;
	}
	for (i = 0; i < DMR_MAX_MEMBERS; i++) {
		enum dmr_member_state state = le32_to_cpu(root->members[i].state);

		if (state == DMR_MEMBER_NONE ||
		    memcmp(root->members[i].uuid, a->member_uuid, sizeof(a->member_uuid)))
			continue;
		if (state == DMR_MEMBER_ACTIVE) {
			*why = "is a member already";
			return -EEXIST;
		}
		*why = state == DMR_MEMBER_REMOVED ?
		       "was removed from the set; add it anew as a spare" :
		       "comes back, and that needs a reload of the table";
		return state == DMR_MEMBER_REMOVED ? -EUCLEAN : -EOPNOTSUPP;
	}
	f->nr_frames = le32_to_cpu(a->nr_frames);
	return 0;
}

/* Where no member was, nor is one known. */
static unsigned int free_index(struct remap_set *set)
{
	unsigned int i;

	for (i = 1; i < DMR_MAX_MEMBERS; i++)
		if (!set->members[i] &&
		    le32_to_cpu(store_root(set)->members[i].state) == DMR_MEMBER_NONE)
			break;
	return i;
}

static struct remap_member *joining_member(struct remap_set *set, struct block_device *bdev,
					   const struct dmr_anchor *a)
{
	struct remap_member *m = member_new(0, set->node);

	if (!m)
		return NULL;
	m->bdev = bdev;
	m->state = MEMBER_JOINING;
	m->metadata = true;
	m->payload = le64_to_cpu(a->payload_start);
	m->payload_sectors = le64_to_cpu(a->payload_sectors);
	m->tier = le32_to_cpu(a->tier);
	m->unit = max(media_unit(set, bdev), set->sector_align);
	memcpy(m->uuid, a->member_uuid, sizeof(m->uuid));
	m->nr_frames = le32_to_cpu(a->nr_frames);
	m->frames = kvcalloc(BITS_TO_LONGS(m->nr_frames), sizeof(long), GFP_NOIO);
	m->copies = kvmalloc_array(set->map.nr_pages, sizeof(*m->copies), GFP_NOIO);
	if (!m->frames || !m->copies ||
	    spare_init(m, dmr_slots(m->payload_sectors, set->block_sectors, set->map.nr_pages))) {
		member_free(m);
		return NULL;
	}
	memset(m->copies, 0xff, set->map.nr_pages * sizeof(*m->copies));
	return m;
}

int set_check_spare(struct remap_set *set, struct block_device *bdev,
		    struct dmr_anchor *anchor, struct remap_member **m, const char **why)
{
	struct found f = { .bdev = bdev, .role = DMR_ROLE_SPARE };
	void *buf = kmalloc(DMR_FRAME_SIZE, GFP_NOIO);
	int r = -ENOMEM;

	*why = "can not be checked: out of memory";
	if (buf)
		r = check_join(set, &f, anchor, why);
	if (!r)
		r = check_frames(set, &f, buf, why);
	kfree(buf);
	if (r)
		return r;
	*m = joining_member(set, bdev, anchor);
	*why = "can not join: out of memory";
	return *m ? 0 : -ENOMEM;
}

/* It is not in the root, and nothing lives on it: as if it were not there. */
static void join_fails(struct remap_member *m)
{
	m->metadata = false;
	m->leaving = true;
	m->state = MEMBER_OUT;
	m->joined = false;
	WRITE_ONCE(m->bdev, NULL);
}

/* Each time that it is to be done again, another member is out. */
static int commit_join(struct remap_set *set)
{
	int r;

	do {
		r = store_commit(set);
	} while (r == -EAGAIN);
	return r;
}

/*
 * As at an activation: the map to the new spare, which proves nothing yet, and then
 * the root that says that it belongs. Power lost in between leaves a spare
 * with an anchor that the root does not know: the next activation joins it anew.
 */
int set_join(struct remap_set *set, struct remap_member *m)
{
	int r;

	/* Done, but its slice is repeated. */
	if (m->index)
		return m->state == MEMBER_ACTIVE ? 0 : -EIO;
	m->index = free_index(set);
	if (m->index == DMR_MAX_MEMBERS) {
		m->index = 0;
		return -ENOSPC;
	}
	member_publish(set, m);
	mark_repairs(set);
	r = commit_join(set);
	if (r || !m->metadata) {
		join_fails(m);
		return r ? r : -EIO;
	}
	r = finish_joins(set);
	if (r)
		return r;
	store_mark_first(set, 0);
	set->event = true;
	r = commit_join(set);
	if (r && !set->store.frozen) {
		/* Nothing was written. */
		memset(&store_root(set)->members[m->index], 0, sizeof(struct dmr_member));
		join_fails(m);
	}
	if (!r && m->state != MEMBER_ACTIVE) {
		/* It failed this one, which says so, on the others. */
		join_fails(m);
		r = -EIO;
	}
	if (!r)
		tell_joins(set);
	sets_changed(false);
	return r;
}
