// SPDX-License-Identifier: GPL-2.0-only
/*
 * Activation, the part that only reads: which devices belong together, which of
 * their copies of the map is believed, and who joins or comes back (R7). open.c writes, when
 * all of it is proved. What a refusal means is said once, in the kernel log.
 */
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "load.h"

#define SCAN_FRAMES	128	/* read at once, twice in flight */

struct load {
	struct remap_set *set;
	unsigned int nr;
	struct found found[DMR_MAX_MEMBERS];
	struct dmr_assembly assembly;
	struct dmr_bounds bounds;
	u32 nr_pages;
};

/* --- Anchors ------------------------------------------------------------- */

enum dmr_fault read_anchor(struct found *f, struct dmr_anchor *anchor)
{
	static const sector_t place[] = { DMR_ANCHOR0_SECTOR, DMR_ANCHOR1_SECTOR };
	enum dmr_fault first = DMR_BAD_MAGIC, fault;
	unsigned int copy;

	f->unreadable = true;
	for (copy = 0; copy < DMR_ANCHOR_COPIES; copy++) {
		if (f->region + DMR_FRAMES_SECTOR > bdev_nr_sectors(f->bdev)) {
			f->unreadable = false;
			return DMR_BAD_MAGIC;
		}
		if (io_buffer(f->bdev, REQ_OP_READ, f->region + place[copy], anchor,
			      DMR_FRAME_SECTORS)) {
			fault = DMR_BAD_CSUM;
		} else {
			f->unreadable = false;
			fault = dmr_anchor_check(anchor, copy, f->region,
						 bdev_nr_sectors(f->bdev));
		}
		if (!fault && le32_to_cpu(anchor->role) == f->role)
			return DMR_OK;
		if (!copy || (first == DMR_BAD_MAGIC && fault))
			first = fault ? fault : DMR_BAD_LOCATION;
	}
	return first;
}

static int add_device(struct load *l, struct block_device *bdev, sector_t region,
		      enum dmr_role role)
{
	struct found *f = &l->found[l->nr++];
	struct dmr_anchor *anchor = kmalloc(sizeof(*anchor), GFP_NOIO);
	enum dmr_fault fault;

	f->bdev = bdev;
	f->region = region;
	f->role = role;
	if (!anchor)
		return -ENOMEM;
	fault = read_anchor(f, anchor);
	if (!fault) {
		f->anchor = anchor;
		f->nr_frames = le32_to_cpu(anchor->nr_frames);
		return 0;
	}
	kfree(anchor);
	/* An adopted data device has no anchor; the root page tells. */
	if (role == DMR_ROLE_DATA &&
	    (fault == DMR_BAD_MAGIC || fault == DMR_BAD_CSUM || fault == DMR_BAD_LOCATION))
		return 0;
	/* A dead disk is as good as none: whether the set may start without it is judged. */
	if (role == DMR_ROLE_SPARE && f->unreadable) {
		DMWARN("%s: %pg can not be read", l->set->name, bdev);
		return 0;
	}
	refuse(l->set, "%pg %s", bdev, dmr_fault_text(fault));
	return -EUCLEAN;
}

/* A spare's, if there is one: the data device may carry something older. */
static const struct found *first_anchor(const struct load *l)
{
	unsigned int i;

	for (i = 1; i < l->nr; i++)
		if (l->found[i].anchor)
			return &l->found[i];
	return l->found[0].anchor ? &l->found[0] : NULL;
}

/* All anchors must tell of one set with one geometry. */
static int check_anchors(struct load *l, const struct remap_target *rt)
{
	struct remap_set *set = l->set;
	const struct found *from = first_anchor(l);
	const struct dmr_anchor *first;
	unsigned int i, j;

	if (!from) {
		refuse(set, "%pg %s", l->found[0].bdev, dmr_fault_text(DMR_BAD_MAGIC));
		return -EUCLEAN;
	}
	first = from->anchor;

	for (i = 0; i < l->nr; i++) {
		const struct dmr_anchor *a = l->found[i].anchor;

		if (!a)
			continue;
		if (memcmp(a->set_uuid, rt->has_uuid ? rt->uuid : first->set_uuid, 16)) {
			/* Something older at the start of an adopted device is not ours. */
			if (!i && !rt->data_offset && from != &l->found[0]) {
				kfree(a);
				l->found[0].anchor = NULL;
				continue;
			}
			refuse(set, "%pg %s", l->found[i].bdev, dmr_fault_text(DMR_BAD_SET));
			return -EUCLEAN;
		}
		if (a->nr_pages != first->nr_pages || a->block_sectors != first->block_sectors ||
		    a->data_sectors != first->data_sectors) {
			refuse(set, "%pg has another geometry than %pg of the same set",
			       l->found[i].bdev, from->bdev);
			return -EUCLEAN;
		}
		for (j = 0; j < i; j++) {
			if (l->found[j].anchor &&
			    !memcmp(a->member_uuid, l->found[j].anchor->member_uuid, 16)) {
				refuse(set, "%pg and %pg are copies of one member",
				       l->found[j].bdev, l->found[i].bdev);
				return -EUCLEAN;
			}
		}
	}

	l->nr_pages = le32_to_cpu(first->nr_pages);
	memcpy(set->store.set_uuid, first->set_uuid, 16);
	set->block_sectors = le32_to_cpu(first->block_sectors);
	set->block_shift = ilog2(set->block_sectors);
	set->data_sectors = le64_to_cpu(first->data_sectors);
	if (set->ti->len != set->data_sectors) {
		refuse(set, "the table has %llu sectors, the set has %llu",
		       (u64)set->ti->len, set->data_sectors);
		return -EINVAL;
	}
	return 0;
}

/* --- Frames -------------------------------------------------------------- */

struct scan_buffer {
	struct bio *bio;
	struct completion done;
	blk_status_t status;
	u32 first, nr;
	struct page *pages[SCAN_FRAMES];
};

static void scan_endio(struct bio *bio)
{
	struct scan_buffer *b = bio->bi_private;

	b->status = bio->bi_status;
	complete(&b->done);
}

sector_t frame_sector(const struct found *f, u32 frame)
{
	return f->region + DMR_FRAMES_SECTOR + (sector_t)frame * DMR_FRAME_SECTORS;
}

static void scan_submit(struct load *l, struct found *f, struct scan_buffer *b, u32 first)
{
	u32 i;

	b->first = first;
	b->nr = min_t(u32, SCAN_FRAMES, f->nr_frames - first);
	init_completion(&b->done);
	b->bio = bio_alloc_bioset(f->bdev, SCAN_FRAMES, REQ_OP_READ | REQ_META, GFP_NOIO,
				  &l->set->bios);
	b->bio->bi_iter.bi_sector = frame_sector(f, first);
	b->bio->bi_private = b;
	b->bio->bi_end_io = scan_endio;
	for (i = 0; i < b->nr; i++)
		__bio_add_page(b->bio, b->pages[i], DMR_FRAME_SIZE, 0);
	submit_bio(b->bio);
}

/* Keep a frame's content if it is the newest version of its page so far. */
static int take_frame(struct load *l, struct found *f, u32 frame,
		      const struct dmr_frame_header *h)
{
	struct dmr_page **image;
	u32 page = le32_to_cpu(h->page);
	u64 gen = le64_to_cpu(h->gen), session = le64_to_cpu(h->session);
	enum dmr_fault fault;

	fault = dmr_frame_check(h, l->set->store.set_uuid, le32_to_cpu(h->member), frame,
				l->nr_pages);
	if (fault == DMR_BAD_CSUM && page < l->nr_pages &&
	    !memcmp(h->set_uuid, l->set->store.set_uuid, sizeof(h->set_uuid))) {
		f->frames[frame].page = page;
		f->frames[frame].gen = gen;
		f->frames[frame].session = session;
		f->frames[frame].torn = true;
	}
	if (fault)
		return 0;
	if (!f->newest.gen)
		f->index = le32_to_cpu(h->member);
	else if (f->index != le32_to_cpu(h->member))
		return 0;
	dmr_newest_add(&f->newest, h);
	if (!page && gen > f->root_gen) {
		f->root_gen = gen;
		f->root_frame = frame;
	}
	f->frames[frame].page = page;
	f->frames[frame].gen = gen;
	f->frames[frame].session = session;
	if (f->aside || !dmr_assembly_add(&l->assembly, h))
		return 0;

	image = &l->set->map.pages[page];
	if (!*image)
		*image = kmalloc_node(PAGE_SIZE, GFP_NOIO, l->set->node);
	if (!*image)
		return -ENOMEM;
	memcpy(*image, h, DMR_FRAME_SIZE);
	return 0;
}

static int scan_take(struct load *l, struct found *f, struct scan_buffer *b)
{
	int r = 0;
	u32 i;

	wait_for_completion_io(&b->done);
	bio_put(b->bio);
	for (i = 0; i < b->nr && !r; i++) {
		void *frame = page_address(b->pages[i]);

		/* Part of it did not read: each frame for itself. */
		if (b->status &&
		    io_buffer(f->bdev, REQ_OP_READ, frame_sector(f, b->first + i), frame,
			      DMR_FRAME_SECTORS))
			continue;
		r = take_frame(l, f, b->first + i, frame);
	}
	cond_resched();
	return r;
}

static void scan_buffer_free(struct scan_buffer *b)
{
	u32 i;

	for (i = 0; b && i < SCAN_FRAMES; i++)
		if (b->pages[i])
			__free_page(b->pages[i]);
	kfree(b);
}

static struct scan_buffer *scan_buffer_alloc(void)
{
	struct scan_buffer *b = kzalloc(sizeof(*b), GFP_NOIO);
	u32 i;

	for (i = 0; b && i < SCAN_FRAMES; i++) {
		b->pages[i] = alloc_page(GFP_NOIO);
		if (!b->pages[i]) {
			scan_buffer_free(b);
			return NULL;
		}
	}
	return b;
}

/* Read all frames of one member, the next chunk while this one is looked at. */
static int scan_frames(struct load *l, struct found *f)
{
	struct scan_buffer *now = scan_buffer_alloc(), *next = scan_buffer_alloc();
	int r = -ENOMEM;
	u32 first;

	f->frames = kvcalloc(f->nr_frames, sizeof(*f->frames), GFP_NOIO);
	if (!f->frames || !now || !next)
		goto out;

	r = 0;
	scan_submit(l, f, now, 0);
	for (first = 0; first < f->nr_frames; first += SCAN_FRAMES) {
		bool more = first + SCAN_FRAMES < f->nr_frames;
		int taken;

		if (more)
			scan_submit(l, f, next, first + SCAN_FRAMES);
		taken = scan_take(l, f, now);
		if (!r)
			r = taken;
		swap(now, next);
		if (r && more) {
			scan_take(l, f, now);
			break;
		}
	}
out:
	scan_buffer_free(now);
	scan_buffer_free(next);
	return r;
}

static int scan_members(struct load *l, enum dmr_fault *fault)
{
	unsigned int i;
	int r;

	l->assembly.nr_pages = l->nr_pages;
	l->assembly.pages = kvcalloc(l->nr_pages, sizeof(struct dmr_candidate), GFP_NOIO);
	if (!l->assembly.pages)
		return -ENOMEM;
	for (i = 0; i < l->nr; i++) {
		if (!l->found[i].anchor)
			continue;
		r = scan_frames(l, &l->found[i]);
		if (r)
			return r;
	}
	*fault = dmr_assembly_finish(&l->assembly);
	return 0;
}

/*
 * Those that a newest root knows as out. There may be two of one commit: that of the members
 * which went on without one, and its own, which never was complete. 0: there are
 * none, or each knows the other as out; 1: some; or -ENOMEM.
 */
static int put_aside(struct load *l)
{
	struct dmr_root *root = kmalloc(sizeof(*root), GFP_NOIO);
	u32 out = 0, by = 0;
	unsigned int i, j;

	if (!root)
		return -ENOMEM;
	for (i = 0; i < l->nr; i++) {
		struct found *f = &l->found[i];

		if (!f->root_gen || f->root_gen != l->assembly.pages[0].gen ||
		    io_buffer(f->bdev, REQ_OP_READ, frame_sector(f, f->root_frame), root,
			      DMR_FRAME_SECTORS) ||
		    dmr_frame_check(&root->header, l->set->store.set_uuid, f->index,
				    f->root_frame, l->nr_pages))
			continue;
		for (j = 0; j < l->nr; j++) {
			const struct found *other = &l->found[j];

			if (!other->newest.gen ||
			    !dmr_member_left(root, other->index, &other->newest))
				continue;
			out |= BIT(j);
			by |= i == j ? 0 : BIT(i);
		}
	}
	kfree(root);
	if (!out || out & by)
		return 0;
	for (j = 0; j < l->nr; j++)
		l->found[j].aside = out & BIT(j);
	return 1;
}

static void forget_scan(struct load *l)
{
	struct remap_map *map = &l->set->map;
	unsigned int i;
	u32 p;

	for (i = 0; i < l->nr; i++) {
		kvfree(l->found[i].frames);
		l->found[i].frames = NULL;
		memset(&l->found[i].newest, 0, sizeof(l->found[i].newest));
		l->found[i].root_gen = 0;
	}
	for (p = 0; p < l->nr_pages; p++) {
		kfree(map->pages[p]);
		map->pages[p] = NULL;
	}
	kvfree(l->assembly.pages);
	memset(&l->assembly, 0, sizeof(l->assembly));
}

static int assemble(struct load *l)
{
	enum dmr_fault fault;
	int r = scan_members(l, &fault);

	if (!r && (fault == DMR_INCOMPLETE || fault == DMR_DIVERGED))
		r = put_aside(l);
	if (r > 0) {
		forget_scan(l);
		r = scan_members(l, &fault);
	}
	if (r)
		return r;
	if (!fault)
		fault = dmr_root_check(store_root(l->set), l->nr_pages, &l->bounds);
	if (fault) {
		refuse(l->set, "%s", dmr_fault_text(fault));
		return -EUCLEAN;
	}
	if (l->assembly.torn)
		DMWARN("%s: the last commit was cut short", l->set->name);
	return 0;
}

/* --- Members ------------------------------------------------------------- */

struct remap_member *member_new(unsigned int index, int node)
{
	struct remap_member *m = kzalloc_node(sizeof(*m), GFP_NOIO, node);

	if (!m)
		return NULL;
	m->latency = alloc_percpu_gfp(struct remap_latency, GFP_NOIO);
	if (!m->latency) {
		kfree(m);
		return NULL;
	}
	m->index = index;
	m->state = MEMBER_MISSING;
	m->unit = 1;
	return m;
}

void member_publish(struct remap_set *set, struct remap_member *m)
{
	/* Status and flushes look at all members while a spare joins. */
	smp_store_release(&set->members[m->index], m);
	if (set->nr_members <= m->index)
		WRITE_ONCE(set->nr_members, m->index + 1);
}

struct remap_member *member_alloc(struct remap_set *set, unsigned int index)
{
	struct remap_member *m = member_new(index, set->node);

	if (m)
		member_publish(set, m);
	return m;
}

void member_free(struct remap_member *m)
{
	if (!m)
		return;
	kvfree(m->slots);
	kvfree(m->bad_slots);
	kvfree(m->frames);
	kvfree(m->torn);
	kvfree(m->copies);
	free_percpu(m->latency);
	kfree(m);
}

unsigned int media_unit(const struct remap_set *set, struct block_device *bdev)
{
	unsigned int unit = max(bdev_logical_block_size(bdev), bdev_physical_block_size(bdev));

	return clamp_t(unsigned int, unit >> SECTOR_SHIFT, 1, set->block_sectors);
}

/*
 * The last commit may have been cut short. Until another one is complete, it is
 * believed because of the versions that it was to replace: they stay, as they do
 * during a commit. No more than one commit writes, so there are frames for the next.
 */
static void keep_previous(const struct load *l, struct remap_member *m, const struct found *f,
			  u32 frame)
{
	const struct dmr_candidate *c = &l->assembly.pages[f->frames[frame].page];

	if (c->gen != l->assembly.gen || f->frames[frame].gen != c->prev_gen ||
	    m->nr_kept == COMMIT_WRITES)
		return;
	m->kept[m->nr_kept++] = frame;
	__set_bit(frame, m->frames);
}

/* Is what a frame holds, or holds in part, newer than what is true of its page? */
static bool is_ahead(const struct load *l, const struct found *f, u32 frame)
{
	const struct dmr_candidate *c = &l->assembly.pages[f->frames[frame].page];
	u64 gen = f->frames[frame].gen;

	return gen > c->gen || (gen && gen == c->gen && f->frames[frame].session != c->session);
}

/*
 * Frames of a version that is newer than what is whole of their page. Most of their sectors are
 * the same in the next version that is written there: if that is cut short, it may make the
 * old one whole, of a commit that went another way since. store_level() erases them.
 */
static void take_torn(const struct load *l, struct remap_member *m, const struct found *f)
{
	u32 i;

	for (i = 0; i < f->nr_frames; i++) {
		if (!f->frames[i].torn || !is_ahead(l, f, i))
			continue;
		__set_bit(i, m->frames);
		__set_bit(i, m->torn);
	}
}

/*
 * One that joins or comes back: what proves where it stood stays until it has something
 * newer. But nothing of a number that it was to have when it did not come to that, nor what
 * never was true because power went before another member had it: those are erased.
 */
static void take_place(const struct load *l, struct remap_member *m, const struct found *f)
{
	u32 i;

	m->newest = 0;
	for (i = 0; i < f->nr_frames; i++) {
		if (!f->frames[i].gen || f->frames[i].torn)
			continue;
		if (f->index != m->index || is_ahead(l, f, i)) {
			__set_bit(i, m->frames);
			__set_bit(i, m->torn);
		} else if (f->frames[i].gen > m->newest) {
			m->newest = f->frames[i].gen;
			m->newest_session = f->frames[i].session;
		}
	}
	/* Nor what would be its newest, should the next that is cut short bring what it lacks. */
	for (i = 0; i < f->nr_frames; i++) {
		if (f->frames[i].torn && f->frames[i].gen > m->newest)
			__set_bit(i, m->torn);
		else if (f->frames[i].torn || !f->frames[i].gen ||
			 f->frames[i].gen != m->newest)
			continue;
		__set_bit(i, m->frames);
	}
}

/*
 * Which frames of the member hold the chosen versions, and those before the last commit;
 * all others are free.
 */
static int take_copies(struct load *l, struct remap_member *m, const struct found *f)
{
	u32 i;

	m->nr_frames = f->nr_frames;
	m->frames = kvcalloc(BITS_TO_LONGS(m->nr_frames), sizeof(long), GFP_NOIO);
	m->copies = kvmalloc_array(l->nr_pages, sizeof(*m->copies), GFP_NOIO);
	m->torn = kvcalloc(BITS_TO_LONGS(m->nr_frames), sizeof(long), GFP_NOIO);
	if (!m->frames || !m->copies || !m->torn)
		return -ENOMEM;
	memset(m->copies, 0xff, l->nr_pages * sizeof(*m->copies));
	take_torn(l, m, f);
	if (m->state != MEMBER_ACTIVE) {
		take_place(l, m, f);
		return 0;
	}
	for (i = 0; i < f->nr_frames; i++) {
		u32 *copies = m->copies[f->frames[i].page];
		u64 gen = f->frames[i].gen;

		if (!gen || f->frames[i].torn)
			continue;
		if (gen != l->assembly.pages[f->frames[i].page].gen) {
			keep_previous(l, m, f, i);
			continue;
		}
		if (copies[0] == NO_FRAME)
			copies[0] = i;
		else if (copies[1] == NO_FRAME)
			copies[1] = i;
		else
			continue;
		__set_bit(i, m->frames);
	}
	return 0;
}

static int attach(struct load *l, struct remap_member *m, struct found *f,
		  enum member_state state)
{
	const struct dmr_anchor *a = f->anchor;

	f->used = true;
	m->newest = f->newest.gen;
	m->newest_session = f->newest.session;
	m->bdev = f->bdev;
	m->state = state;
	m->region = f->region;
	m->unit = media_unit(l->set, f->bdev);
	if (!a)
		return 0;
	m->payload = f->region + le64_to_cpu(a->payload_start);
	m->payload_sectors = le64_to_cpu(a->payload_sectors);
	m->tier = le32_to_cpu(a->tier);
	memcpy(m->uuid, a->member_uuid, sizeof(m->uuid));
	m->metadata = state != MEMBER_OUT;
	return take_copies(l, m, f);
}

/* The device that the root knows by this UUID. */
static struct found *find_device(struct load *l, const u8 *uuid)
{
	unsigned int i;

	for (i = 0; i < l->nr; i++)
		if (l->found[i].anchor &&
		    !memcmp(l->found[i].anchor->member_uuid, uuid, 16))
			return &l->found[i];
	return NULL;
}

static int match_member(struct load *l, unsigned int i)
{
	struct remap_set *set = l->set;
	const struct dmr_member *d = &store_root(set)->members[i];
	enum dmr_member_state state = le32_to_cpu(d->state);
	struct found *f = find_device(l, d->uuid);
	struct remap_member *m;
	int r;

	if (state == DMR_MEMBER_NONE)
		return 0;
	if (state == DMR_MEMBER_REMOVED) {
		if (!f)
			return 0;
		/* One that left while this table was in use is no intruder, nor does it join. */
		if (f->left) {
			f->used = true;
			return 0;
		}
		refuse(set, "%pg was removed from the set; add it anew as a spare", f->bdev);
		return -EUCLEAN;
	}
	m = member_alloc(set, i);
	if (!m)
		return -ENOMEM;
	memcpy(m->uuid, d->uuid, sizeof(m->uuid));
	m->tier = le32_to_cpu(d->tier);
	r = spare_init(m, l->bounds.slots[i]);
	if (r)
		return r;
	if (!f) {
		if (state == DMR_MEMBER_ACTIVE && !set->degraded_ok) {
			refuse(set, "spare %u (%pU) is missing", i, d->uuid);
			return -ENXIO;
		}
		return 0;
	}
	if (f->newest.gen && f->index != i) {
		refuse(set, "%pg: %s", f->bdev, dmr_fault_text(DMR_BAD_LOCATION));
		return -EUCLEAN;
	}
	if (le64_to_cpu(d->sectors) > le64_to_cpu(f->anchor->payload_sectors)) {
		refuse(set, "%pg: %s", f->bdev, dmr_fault_text(DMR_BAD_GEOMETRY));
		return -EUCLEAN;
	}
	if (state == DMR_MEMBER_ACTIVE && dmr_member_current(f->newest.gen, l->assembly.gen))
		return attach(l, m, f, MEMBER_ACTIVE);
	if (state == DMR_MEMBER_OUT && dmr_member_returns(d, &f->newest))
		return attach(l, m, f, MEMBER_JOINING);
	if (state == DMR_MEMBER_OUT && !i && set->degraded_ok)
		return attach(l, m, f, MEMBER_OUT);
	refuse(set, "%pg is out of date: it holds commit %llu, the set is at %llu",
	       f->bdev, f->newest.gen, l->assembly.gen);
	return -ESTALE;
}

/* Member 0 is there even where it carries no metadata. */
static int match_data(struct load *l, const struct remap_target *rt)
{
	struct remap_set *set = l->set;
	struct dmr_root *root = store_root(set);
	const struct dmr_member *d = &root->members[0];
	struct found *f = &l->found[0];
	struct remap_member *m;
	int r;

	if (le64_to_cpu(root->data_offset) != rt->data_offset) {
		refuse(set, "the data begins at sector %llu of its device, not at %llu",
		       le64_to_cpu(root->data_offset), (u64)rt->data_offset);
		return -EINVAL;
	}
	if (le64_to_cpu(root->data_sectors) != set->data_sectors ||
	    le32_to_cpu(root->block_sectors) != set->block_sectors) {
		refuse(set, "%s", dmr_fault_text(DMR_BAD_GEOMETRY));
		return -EUCLEAN;
	}
	if (!(le32_to_cpu(d->flags) & DMR_MEMBER_NO_METADATA)) {
		if (!f->anchor || memcmp(f->anchor->member_uuid, d->uuid, 16)) {
			refuse(set, "%pg is not the data device of this set", f->bdev);
			return -EUCLEAN;
		}
		r = match_member(l, 0);
		if (r)
			return r;
		m = set->members[0];
		if (m->payload != rt->data_offset) {
			refuse(set, "%pg: %s", f->bdev, dmr_fault_text(DMR_BAD_GEOMETRY));
			return -EUCLEAN;
		}
		return 0;
	}
	if (bdev_nr_sectors(f->bdev) != le64_to_cpu(root->identity.device_sectors)) {
		refuse(set, "%pg has %llu sectors, the data device of this set has %llu",
		       f->bdev, (u64)bdev_nr_sectors(f->bdev),
		       le64_to_cpu(root->identity.device_sectors));
		return -EUCLEAN;
	}
	kfree(f->anchor);
	f->anchor = NULL;
	m = member_alloc(set, 0);
	if (!m)
		return -ENOMEM;
	m->payload = rt->data_offset;
	m->payload_sectors = set->data_sectors;
	return attach(l, m, f, MEMBER_ACTIVE);
}

/* Spares with an anchor of this set that the root does not know. */
static int join_members(struct load *l)
{
	struct remap_set *set = l->set;
	struct dmr_root *root = store_root(set);
	unsigned int i, index;

	for (i = 1; i < l->nr; i++) {
		struct found *f = &l->found[i];
		struct remap_member *m;
		int r;

		if (f->used || !f->anchor)
			continue;
		for (index = 1; index < DMR_MAX_MEMBERS; index++)
			if (!set->members[index] &&
			    le32_to_cpu(root->members[index].state) == DMR_MEMBER_NONE)
				break;
		if (index == DMR_MAX_MEMBERS) {
			refuse(set, "%pg can not join: the set has had %u members",
			       f->bdev, DMR_MAX_MEMBERS);
			return -ENOSPC;
		}
		m = member_alloc(set, index);
		if (!m)
			return -ENOMEM;
		r = attach(l, m, f, MEMBER_JOINING);
		if (!r)
			r = spare_init(m, dmr_slots(m->payload_sectors, set->block_sectors,
						    l->nr_pages));
		if (r)
			return r;
	}
	return 0;
}

/* --- The fingerprint of an adopted data device --------------------------- */

bool fingerprint(struct remap_set *set, u32 bytes, u32 *sum)
{
	struct remap_member *data = set->members[0];
	void *buf = kmalloc(DMR_FRAME_SIZE, GFP_NOIO);
	u32 crc = ~0u, at;
	bool ok = buf;

	for (at = 0; at < bytes && ok; at += DMR_FRAME_SIZE) {
		ok = !io_buffer(data->bdev, REQ_OP_READ,
				data->payload + (at >> SECTOR_SHIFT), buf,
				DMR_FRAME_SECTORS);
		crc = crc32c(crc, buf, DMR_FRAME_SIZE);
	}
	kfree(buf);
	*sum = ~crc;
	return ok;
}

static int check_fingerprint(struct remap_set *set)
{
	const struct dmr_root *root = store_root(set);
	u32 bytes = le32_to_cpu(root->identity.fingerprint_bytes), sum;

	if (set->members[0]->metadata || le32_to_cpu(root->state) != DMR_SET_CLEAN || !bytes)
		return 0;
	if (bytes > DMR_FINGERPRINT_BYTES || bytes % DMR_FRAME_SIZE ||
	    bytes >> SECTOR_SHIFT > set->data_sectors) {
		refuse(set, "%s", dmr_fault_text(DMR_BAD_GEOMETRY));
		return -EUCLEAN;
	}
	if (!fingerprint(set, bytes, &sum)) {
		DMWARN("%s: the start of %pg can not be read to recognise it", set->name,
		       set->members[0]->bdev);
		return 0;
	}
	if (sum != le32_to_cpu(root->identity.fingerprint)) {
		refuse(set, "%pg is another disk, or was written to while the set was stopped",
		       set->members[0]->bdev);
		return -ESTALE;
	}
	return 0;
}

/* --- All of it ----------------------------------------------------------- */

static int load_members(struct load *l, const struct remap_target *rt)
{
	struct remap_set *set = l->set;
	unsigned int i;
	int r;

	r = match_data(l, rt);
	for (i = 1; i < DMR_MAX_MEMBERS && !r; i++)
		r = match_member(l, i);
	if (!r)
		r = map_load(set, &l->bounds);
	for (i = 1; i < set->nr_members && !r; i++) {
		struct remap_member *m = set->members[i];

		if (m && m->state == MEMBER_MISSING && m->used && !set->degraded_ok) {
			refuse(set, "spare %u (%pU) is missing and holds %u blocks", i,
			       m->uuid, m->used);
			r = -ENXIO;
		}
	}
	if (!r)
		r = join_members(l);
	if (!r)
		r = check_fingerprint(set);
	return r;
}

static void take_assembly(struct load *l)
{
	struct remap_store *st = &l->set->store;
	u32 i;

	st->gen = l->assembly.gen;
	st->session = l->assembly.session;
	st->digest = l->assembly.digest;
	st->loaded_before = l->assembly.before;
	st->loaded_after = l->assembly.after;
	for (i = 0; i < l->nr_pages; i++) {
		st->page_gen[i] = l->assembly.pages[i].gen;
		st->page_session[i] = l->assembly.pages[i].session;
	}
}

int set_load(struct remap_set *set, struct remap_target *rt)
{
	struct load *l = kvzalloc(sizeof(*l), GFP_NOIO);
	unsigned int i;
	int r;

	if (!l)
		return -ENOMEM;
	l->set = set;
	r = add_device(l, rt->data->bdev, 0, DMR_ROLE_DATA);
	for (i = 0; i < rt->nr_spares && !r; i++) {
		r = add_device(l, rt->spares[i]->bdev, 0, DMR_ROLE_SPARE);
		if (!r)
			l->found[l->nr - 1].left = test_bit(i, rt->left);
	}
	if (!r && rt->internal) {
		r = add_device(l, rt->data->bdev, rt->internal_start, DMR_ROLE_SPARE);
		if (!r)
			l->found[l->nr - 1].left = rt->internal_left;
	}
	if (!r)
		r = check_anchors(l, rt);
	if (!r)
		r = map_init(&set->map, l->nr_pages, set->node);
	if (!r)
		r = store_init(set, l->nr_pages);
	if (!r)
		r = assemble(l);
	if (!r)
		r = load_members(l, rt);
	if (!r) {
		take_assembly(l);
		policy_take(set, &store_root(set)->policy);
	}
	for (i = 0; i < l->nr; i++) {
		kvfree(l->found[i].frames);
		kfree(l->found[i].anchor);
	}
	kvfree(l->assembly.pages);
	kvfree(l);
	return r;
}
