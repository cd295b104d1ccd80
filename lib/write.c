/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing pages as one commit, by the rule of the module: into free frames, on
 * every member, two copies each.
 *
 * A commit of the module may be believed in part, since each of its pages stands
 * for itself. What is written here may not (a restored map must not mix with the
 * old one), so its frames say a digest_before that no state of the set has:
 * from the first frame that lands until all pages have landed on some member, the
 * set is refused as incomplete; then it is the new one. The frames of the old
 * versions are left alone as long as there are others.
 *
 * Order: all members' frames; flush each; only then, if asked for, zero what is
 * not part of the new map.
 */
#include "private.h"

#define WRITE_ROUNDS	4	/* tries of one copy, each in another frame, as the module's */

struct cursor {			/* one member's frames */
	struct dmri_source *s;
	bool *taken;		/* holds a version that is needed, or the new one */
	u32 next;
};

static void cursor_release(struct cursor *c)
{
	free(c->taken);
}

/* What became of a frame in this commit. */
enum mark { OTHER, MINE, FAILED };

/* Frames with the newest version of a page, or what would be it, are taken. */
static int cursor_init(struct cursor *c, const struct dmri_commit *commit,
		       struct dmri_source *s)
{
	u32 i;

	c->s = s;
	c->taken = calloc(commit->image->nr_frames, sizeof(*c->taken));
	if (!c->taken)
		return -ENOMEM;
	for (i = 0; s->frames && i < commit->image->nr_frames; i++)
		c->taken[i] = s->frames[i].kind == DMRI_FRAME_UNREADABLE ||
			      dmri_frame_is_current(commit->image, &s->frames[i]);
	return 0;
}

/* The two copies of a page lie far apart, so that one bad spot does not hit both. */
static int free_frame(struct cursor *c, u32 nr_frames, unsigned int copy, u32 *frame)
{
	u32 start = copy ? c->next + nr_frames / 2 : c->next, i, n;

	for (i = 0; i < nr_frames; i++) {
		n = (start + i) % nr_frames;
		if (c->taken[n])
			continue;
		c->taken[n] = true;
		if (!copy)
			c->next = n + 1;
		*frame = n;
		return 0;
	}
	return -ENOSPC;
}

/* The old versions of pages that this commit has written already may go. */
static int reclaim(struct cursor *c, const struct dmri_commit *commit, u32 done,
		   const uint8_t *marks)
{
	u32 i;
	int r = dmri_dev_flush(c->s->dev);

	for (i = 0; c->s->frames && i < commit->image->nr_frames; i++)
		if (marks[i] == OTHER && c->s->frames[i].kind == DMRI_FRAME_VALID &&
		    c->s->frames[i].page < done && commit->pages[c->s->frames[i].page])
			c->taken[i] = false;
	return r;
}

/* What direct I/O says of a bad sector. */
static bool may_be_the_frame(int r)
{
	return r == -EIO || r == -ENODATA || r == -EILSEQ;
}

/* One copy; in another frame, if one can not be written. */
static int write_copy(struct dmri_commit *commit, struct cursor *c, unsigned int index,
		      u32 page, unsigned int copy, struct dmr_frame_header *buf, uint8_t *marks)
{
	unsigned int round;
	u32 frame = 0;
	int r = -EIO;

	for (round = 0; round < WRITE_ROUNDS && may_be_the_frame(r); round++) {
		r = free_frame(c, commit->image->nr_frames, copy, &frame);
		if (r == -ENOSPC) {
			r = reclaim(c, commit, page, marks);
			if (!r)
				r = free_frame(c, commit->image->nr_frames, copy, &frame);
		}
		if (r < 0)
			return r;
		memset(buf, 0, sizeof(*buf));
		buf->page = cpu_to_le32(page);
		buf->gen = cpu_to_le64(commit->gen);
		buf->session = cpu_to_le64(commit->session);
		buf->digest_before = cpu_to_le64(commit->digest_before);
		buf->digest_after = cpu_to_le64(commit->digest_after);
		dmri_frame_seal(buf, commit->image->set_uuid, index, frame);
		r = dmri_dev_write(c->s->dev, dmri_frame_sector(c->s, frame), buf,
				   DMR_FRAME_SIZE);
		marks[frame] = r < 0 ? FAILED : MINE;
	}
	return r;
}

static int write_page(struct dmri_commit *commit, struct cursor *c, unsigned int index,
		      u32 page, struct dmr_frame_header *buf, uint8_t *marks)
{
	unsigned int copy;
	int r = 0;

	for (copy = 0; copy < DMR_FRAME_COPIES && !r; copy++)
		r = write_copy(commit, c, index, page, copy, buf, marks);
	return r;
}

static int write_source(struct dmri_commit *commit, unsigned int n, uint8_t *marks,
			struct dmremap_error *err)
{
	_cleanup_(cursor_release) struct cursor c = { 0 };
	_free_ void *buf = dmri_alloc(DMR_FRAME_SIZE);
	struct dmri_source *s = &commit->sources[n];
	u32 nr_pages = commit->image->nr_pages, p;
	int r = buf ? cursor_init(&c, commit, s) : -ENOMEM;

	for (p = 0; p < nr_pages && !r; p++) {
		if (!commit->pages[p])
			continue;
		r = commit->content(commit->arg, p, buf);
		if (!r)
			r = write_page(commit, &c, commit->indexes[n], p, buf, marks);
		if (!r && commit->progress && commit->progress((u64)n * nr_pages + p,
			(u64)commit->nr_sources * nr_pages, commit->progress_arg))
			r = -ECANCELED;
	}
	if (!r)
		r = dmri_dev_flush(s->dev);
	if (r == -ECANCELED)
		return dmri_error(err, r,
				  "Stopped; the set can not be started until this is run again.");
	if (r < 0)
		return dmri_error_sys(err, r, "The map can not be written to %s", s->dev->path);
	return 0;
}

static bool is_bad(const struct dmri_source *s, const uint8_t *marks, u32 frame)
{
	return marks[frame] == FAILED ||
	       (s->frames && s->frames[frame].kind == DMRI_FRAME_UNREADABLE);
}

static int wipe_source(struct dmri_commit *commit, struct dmri_source *s, const uint8_t *marks,
		       struct dmremap_error *err)
{
	u32 nr = commit->image->nr_frames, first, end;
	int r = 0;

	for (first = 0; first < nr && !r; first = end) {
		end = first + 1;
		/* It may be good again after this; if not, it can not be read either. */
		if (is_bad(s, marks, first))
			dmri_dev_zero(s->dev, dmri_frame_sector(s, first), DMR_FRAME_SECTORS);
		if (marks[first] == MINE || is_bad(s, marks, first))
			continue;
		while (end < nr && marks[end] == OTHER && !is_bad(s, marks, end))
			end++;
		r = dmri_dev_zero(s->dev, dmri_frame_sector(s, first),
				  (u64)(end - first) * DMR_FRAME_SECTORS);
	}
	if (!r)
		r = dmri_dev_flush(s->dev);
	return r < 0 ? dmri_error_sys(err, r, "Old copies of the map on %s can not be removed",
				      s->dev->path) : 0;
}

int dmri_commit_write(struct dmri_commit *commit, struct dmremap_error *err)
{
	u32 nr = commit->image->nr_frames;
	_free_ uint8_t *marks = calloc((size_t)nr * commit->nr_sources, sizeof(*marks));
	unsigned int i;
	int r = 0;

	if (!marks)
		return dmri_error_sys(err, -ENOMEM, "Writing the map");
	for (i = 0; i < commit->nr_sources && !r; i++)
		r = write_source(commit, i, marks + (size_t)nr * i, err);
	for (i = 0; i < commit->nr_sources && !r && commit->wipe_others; i++)
		r = wipe_source(commit, &commit->sources[i], marks + (size_t)nr * i, err);
	return r;
}
