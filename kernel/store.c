// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commits: making changed pages of the map durable. A commit
 *
 *	1. flushes every member that holds data which the changes refer to,
 *	2. writes each changed page to two free frames on every member, durably,
 *	3. and then gives the frames of the older version free.
 *
 * Power lost in 1 or 2: the older version of each page is still there, and so is
 * whatever was written of the new one; load.c takes either, and both stay until the
 * next commit is complete. Lost after 2: the new version is there. What the pages
 * refer to was durable before them.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dm-remap.h"
#include "flush.h"

#define WRITE_ROUNDS	4	/* tries of one copy, each in another frame */

struct dmr_root *store_root(struct remap_set *set)
{
	return (struct dmr_root *)set->map.pages[0];
}

void store_mark(struct remap_set *set, u32 page)
{
	__set_bit(page, set->store.dirty);
}

void store_mark_first(struct remap_set *set, u32 page)
{
	__set_bit(page, set->store.dirty);
	__set_bit(page, set->store.dirty_first);
}

int store_init(struct remap_set *set, u32 nr_pages)
{
	struct remap_store *st = &set->store;
	unsigned int i;

	st->page_gen = kvcalloc(nr_pages, sizeof(u64), GFP_NOIO);
	st->page_session = kvcalloc(nr_pages, sizeof(u64), GFP_NOIO);
	st->dirty = kvcalloc(BITS_TO_LONGS(nr_pages), sizeof(long), GFP_NOIO);
	st->dirty_first = kvcalloc(BITS_TO_LONGS(nr_pages), sizeof(long), GFP_NOIO);
	if (!st->page_gen || !st->page_session || !st->dirty || !st->dirty_first)
		return -ENOMEM;
	init_completion(&st->written);
	for (i = 0; i < COMMIT_WRITES; i++) {
		st->writes[i].store = st;
		st->writes[i].buf = kmalloc(DMR_FRAME_SIZE, GFP_NOIO);
		if (!st->writes[i].buf)
			return -ENOMEM;
	}
	return 0;
}

void store_destroy(struct remap_set *set)
{
	struct remap_store *st = &set->store;
	unsigned int i;

	for (i = 0; i < COMMIT_WRITES; i++)
		kfree(st->writes[i].buf);
	kvfree(st->page_gen);
	kvfree(st->page_session);
	kvfree(st->dirty);
	kvfree(st->dirty_first);
}

/* One chunk of a commit: which pages, and what their frames will say. */
struct commit {
	u64 gen, before, after;
	unsigned int nr;
	u32 pages[COMMIT_PAGES];
};

/* The two copies of a page lie far apart, so that one bad spot does not hit both. */
static u32 frame_alloc(struct remap_member *m, unsigned int copy)
{
	u32 start = copy ? (m->next_frame + m->nr_frames / 2) % m->nr_frames : m->next_frame;
	u32 n = find_next_zero_bit(m->frames, m->nr_frames, start);

	if (n >= m->nr_frames)
		n = find_first_zero_bit(m->frames, m->nr_frames);
	if (n >= m->nr_frames)
		return NO_FRAME;
	__set_bit(n, m->frames);
	if (!copy)
		m->next_frame = n + 1;
	return n;
}

static sector_t frame_place(const struct remap_member *m, u32 frame)
{
	return m->region + DMR_FRAMES_SECTOR + (sector_t)frame * DMR_FRAME_SECTORS;
}

static void frame_endio(struct bio *bio)
{
	struct frame_write *w = bio->bi_private;

	w->written = !bio->bi_status;
	bio_put(bio);
	if (atomic_dec_and_test(&w->store->writing))
		complete(&w->store->written);
}

static void frame_submit(struct remap_set *set, struct remap_member *m,
			 const struct commit *c, struct frame_write *w)
{
	struct dmr_frame_header *h = w->buf;
	blk_opf_t opf = REQ_OP_WRITE | REQ_SYNC | REQ_META;
	struct bio *bio;

	memcpy(w->buf, set->map.pages[w->page], DMR_FRAME_SIZE);
	memset(h, 0, sizeof(*h));
	h->magic = cpu_to_le32(DMR_FRAME_MAGIC);
	memcpy(h->set_uuid, set->store.set_uuid, sizeof(h->set_uuid));
	h->member = cpu_to_le32(m->index);
	h->frame = cpu_to_le32(w->frame);
	h->page = cpu_to_le32(w->page);
	h->gen = cpu_to_le64(c->gen);
	h->session = cpu_to_le64(set->store.session);
	h->digest_before = cpu_to_le64(c->before);
	h->digest_after = cpu_to_le64(c->after);
	h->csum = cpu_to_le32(dmr_frame_csum(h));

	if (bdev_fua(m->bdev))
		opf |= REQ_FUA;
	bio = bio_alloc_bioset(m->bdev, 1, opf, GFP_NOIO, &set->bios);
	bio->bi_iter.bi_sector = frame_place(m, w->frame);
	bio->bi_private = w;
	bio->bi_end_io = frame_endio;
	__bio_add_page(bio, virt_to_page(w->buf), DMR_FRAME_SIZE, offset_in_page(w->buf));
	submit_bio(bio);
}

/* Write those of the first @nr writes that are not written yet. False: some need other frames. */
static bool write_round(struct remap_set *set, struct remap_member *m,
			const struct commit *c, unsigned int nr)
{
	struct remap_store *st = &set->store;
	unsigned int i;
	bool ok = true;

	atomic_set(&st->writing, 1);
	reinit_completion(&st->written);
	for (i = 0; i < nr; i++) {
		if (st->writes[i].written)
			continue;
		atomic_inc(&st->writing);
		frame_submit(set, m, c, &st->writes[i]);
	}
	if (!atomic_dec_and_test(&st->writing))
		wait_for_completion_io(&st->written);
	for (i = 0; i < nr; i++) {
		if (!st->writes[i].written) {
			st->writes[i].frame = NO_FRAME;
			remap_count(set, C_METADATA_ERRORS, 1);
			ok = false;
		}
	}
	return ok;
}

/*
 * Make all that is written durable. False: that failed, and all must be written again, in the
 * same frames: a second place for it could not be told from the one that lasts.
 */
static bool flush_writes(struct remap_set *set, struct remap_member *m, unsigned int nr,
			 int *errors)
{
	unsigned int i;

	if (bdev_fua(m->bdev) || flush_member(set, m, *errors))
		return true;
	for (i = 0; i < nr; i++)
		set->store.writes[i].written = false;
	*errors = atomic_read(&m->user_flush_errors);
	return false;
}

/*
 * All copies of the pages on one member, each in a frame of its own; @again: in that which
 * holds it, if there is one. A frame that can not be written stays taken, and another is
 * used instead.
 */
static bool write_member(struct remap_set *set, struct remap_member *m,
			 const struct commit *c, bool again)
{
	struct remap_store *st = &set->store;
	unsigned int nr = c->nr * DMR_FRAME_COPIES, round, i;
	int errors = atomic_read(&m->user_flush_errors);

	for (i = 0; i < nr; i++) {
		u32 page = c->pages[i / DMR_FRAME_COPIES];

		st->writes[i].page = page;
		st->writes[i].frame = again ? m->copies[page][i % DMR_FRAME_COPIES] : NO_FRAME;
		st->writes[i].written = false;
	}
	for (round = 0; round < WRITE_ROUNDS; round++) {
		for (i = 0; i < nr; i++) {
			if (st->writes[i].frame != NO_FRAME)
				continue;
			st->writes[i].frame = frame_alloc(m, i % DMR_FRAME_COPIES);
			if (st->writes[i].frame == NO_FRAME)
				return false;
		}
		if (write_round(set, m, c, nr) && flush_writes(set, m, nr, &errors))
			break;
	}
	if (round == WRITE_ROUNDS)
		return false;
	for (i = 0; i < nr; i++)
		st->new_frames[m->index][i / DMR_FRAME_COPIES][i % DMR_FRAME_COPIES] =
			st->writes[i].frame;
	return true;
}

/* The commit is complete: its frames are the current ones, the older are free. */
static void adopt_frames(struct remap_set *set, struct remap_member *m,
			 const struct commit *c)
{
	unsigned int i, copy;

	for (i = 0; i < c->nr; i++) {
		for (copy = 0; copy < DMR_FRAME_COPIES; copy++) {
			u32 *current_frame = &m->copies[c->pages[i]][copy];

			if (*current_frame != NO_FRAME)
				__clear_bit(*current_frame, m->frames);
			*current_frame = set->store.new_frames[m->index][i][copy];
			__set_bit(*current_frame, m->frames);
		}
	}
}

/* Of the commit that was the last one at the activation. */
static void drop_kept(struct remap_member *m)
{
	while (m->nr_kept)
		__clear_bit(m->kept[--m->nr_kept], m->frames);
}

static bool takes_commits(const struct remap_member *m)
{
	return m && m->metadata;
}

static int commit_pages(struct remap_set *set, struct commit *c)
{
	struct remap_store *st = &set->store;
	unsigned int i, good = 0;

	c->gen = st->gen + 1;
	c->before = st->digest;
	c->after = st->digest;
	for (i = 0; i < c->nr; i++) {
		u32 p = c->pages[i];

		if (st->page_gen[p])
			c->after -= dmr_page_digest(p, st->page_gen[p], st->page_session[p]);
		c->after += dmr_page_digest(p, c->gen, st->session);
	}

	st->gen = c->gen;
	/* Those that prove something first; then those that only begin to. */
	for (i = 0; i < 2 * set->nr_members; i++) {
		struct remap_member *m = set->members[i % set->nr_members];

		bool joins = m && m->state == MEMBER_JOINING;
		bool second = i >= set->nr_members;

		if (!takes_commits(m) || joins != second)
			continue;
		/* A spare that joins must not know more than those that prove it. */
		if (second && !good)
			break;
		st->begun = true;
		if (write_member(set, m, c, false)) {
			/* A spare that joins is no proof of anything yet. */
			good += m->state == MEMBER_ACTIVE;
		} else if (m->state == MEMBER_JOINING) {
			m->metadata = false;
		} else {
			member_out(set, m, "its copy of the map can not be written");
		}
	}
	if (!good) {
		DMCRIT("%s: the map can not be written to any device; it is frozen",
		       set->name);
		st->frozen = true;
		set->event = true;
		event_edge(set, DMR_NL_EVENT_FROZEN, -1);
		return -EIO;
	}
	for (i = 0; i < set->nr_members; i++) {
		if (!takes_commits(set->members[i]))
			continue;
		adopt_frames(set, set->members[i], c);
		drop_kept(set->members[i]);
	}
	for (i = 0; i < c->nr; i++) {
		st->page_gen[c->pages[i]] = c->gen;
		st->page_session[c->pages[i]] = st->session;
	}
	st->digest = c->after;
	remap_count(set, C_COMMITS, 1);
	return 0;
}

/*
 * The header first, which is one block and can not tear: zeroes elsewhere might be just what
 * such a frame lacks. One that can not be erased stays taken, and a member that joins with
 * one does not.
 */
static void erase_torn(struct remap_set *set, struct remap_member *m)
{
	unsigned int header = bdev_logical_block_size(m->bdev) >> SECTOR_SHIFT;
	int errors = atomic_read(&m->user_flush_errors);
	void *buf = set->store.writes[0].buf;
	bool ok = true;
	u32 i;

	memset(buf, 0, DMR_FRAME_SIZE);
	for_each_set_bit(i, m->torn, m->nr_frames)
		if (io_buffer(m->bdev, REQ_OP_WRITE | REQ_SYNC | REQ_META, frame_place(m, i),
			      buf, header))
			ok = false;
	ok = ok && flush_member(set, m, errors);
	if (!ok && m->state == MEMBER_JOINING)
		m->metadata = false;
	if (!ok)
		return;
	for_each_set_bit(i, m->torn, m->nr_frames) {
		io_buffer(m->bdev, REQ_OP_WRITE | REQ_SYNC | REQ_META, frame_place(m, i), buf,
			  DMR_FRAME_SECTORS);
		__clear_bit(i, m->frames);
	}
}

bool store_settle(struct remap_set *set, struct remap_member *m)
{
	int errors = atomic_read(&m->user_flush_errors);
	struct dmr_frame_header *h = set->store.writes[0].buf;
	u32 frame;

	/* The only ones that are taken: load.c. The same bytes, which no power cut can tear. */
	for_each_set_bit(frame, m->frames, m->nr_frames) {
		sector_t sector = frame_place(m, frame);

		if (io_buffer(m->bdev, REQ_OP_READ, sector, h, DMR_FRAME_SECTORS) ||
		    dmr_frame_check(h, set->store.set_uuid, m->index, frame, set->map.nr_pages) ||
		    le64_to_cpu(h->gen) != m->newest ||
		    io_buffer(m->bdev, REQ_OP_WRITE | REQ_SYNC | REQ_META, sector, h,
			      DMR_FRAME_SECTORS))
			return false;
	}
	return flush_member(set, m, errors);
}

void store_level(struct remap_set *set)
{
	struct remap_store *st = &set->store;
	struct commit c = {
		.gen = st->gen, .before = st->loaded_before, .after = st->loaded_after,
	};
	unsigned int i;
	u32 p;

	for (p = 0; p < set->map.nr_pages && c.nr < COMMIT_PAGES; p++)
		if (st->page_gen[p] == c.gen)
			c.pages[c.nr++] = p;
	for (i = 0; i < set->nr_members; i++)
		if (takes_commits(set->members[i]) &&
		    !bitmap_empty(set->members[i]->torn, set->members[i]->nr_frames))
			erase_torn(set, set->members[i]);
	for (i = 0; i < set->nr_members; i++) {
		struct remap_member *m = set->members[i];

		if (!takes_commits(m) || m->state != MEMBER_ACTIVE)
			continue;
		/*
		 * What it holds of that commit reads well, but a flush may have failed behind it,
		 * and it may be gone without power; and it may lack a page of it. Where it
		 * has a place it is written there again: a second one could not be told
		 * from that which lasts.
		 */
		if (!write_member(set, m, &c, m->newest >= c.gen)) {
			member_out(set, m, "its copy of the map can not be written");
			continue;
		}
		adopt_frames(set, m, &c);
		m->newest = c.gen;
	}
}

/* Data before the map that refers to it. */
static int flush_data(struct remap_set *set)
{
	unsigned int i;

	for (i = 0; i < set->nr_members; i++) {
		struct remap_member *m = set->members[i];

		if (!m || !m->dirty)
			continue;
		m->dirty = false;
		if (flush_member(set, m, m->dirty_since))
			continue;
		if (!i)
			return -EREMOTEIO;
		member_out(set, m, "it failed a flush");
		return -EAGAIN;
	}
	return 0;
}

/*
 * Up to COMMIT_PAGES dirty pages, those that must come first alone; and before all
 * of them, in a commit of its own, a root that says who belongs.
 */
static unsigned int take_dirty(struct remap_set *set, u32 *pages)
{
	struct remap_store *st = &set->store;
	u32 nr_pages = set->map.nr_pages, p;
	const unsigned long *from = st->dirty_first;
	unsigned int nr = 0;

	if (test_bit(0, from)) {
		__clear_bit(0, st->dirty);
		__clear_bit(0, st->dirty_first);
		pages[0] = 0;
		return 1;
	}
	if (bitmap_empty(from, nr_pages))
		from = st->dirty;
	for_each_set_bit(p, from, nr_pages) {
		if (nr == COMMIT_PAGES)
			break;
		__clear_bit(p, st->dirty);
		__clear_bit(p, st->dirty_first);
		pages[nr++] = p;
	}
	return nr;
}

/*
 * After one in which a member was put out follows another: that member may have had a part of
 * it, and, started alone, take those that went on for one commit ahead, of which
 * nothing was acknowledged (dmr_member_returns()). Two ahead they are another history.
 */
int store_commit(struct remap_set *set)
{
	int r;

	set->store.begun = false;
	if (set->store.frozen)
		return -EIO;
	r = flush_data(set);
	while (!r) {
		struct commit c = { };

		/* Putting a member out marks the root again: until nothing is left. */
		c.nr = take_dirty(set, c.pages);
		if (!c.nr && set->store.confirm) {
			set->store.confirm = false;
			store_mark_first(set, 0);
			continue;
		}
		if (!c.nr)
			break;
		r = commit_pages(set, &c);
	}
	return r;
}
