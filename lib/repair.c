/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Giving back lost redundancy of an inactive set: a damaged copy of an anchor
 * from the other, a missing copy of a page from any that is left. Good copies go
 * to free frames and are durable before anything damaged is zeroed; nothing here
 * changes what the map says.
 */
#include "private.h"

struct repair {
	struct dmremap_set *set;
	struct dmri_opened opened;
	struct dmri_image *image;
	bool frames[DMREMAP_MAX_MEMBERS];	/* this source is to be repaired */
};

static void repair_release(struct dmremap_plan *plan)
{
	struct repair *x = plan->data;

	if (!x)
		return;
	dmri_image_free(x->image);
	dmri_opened_close(&x->opened);
	free(x);
}

/* An internal spare whose locator is gone is found by the header of its data device alone. */
static bool locator_lost(const struct repair *x, unsigned int n)
{
	const struct dmri_found *f = &x->set->found[n];

	return f->internal && !dmri_locator_leads(x->opened.sources[n].dev, f->region_start);
}

static int repair_anchors(struct repair *x, unsigned int n, struct dmremap_error *err)
{
	struct dmri_found *f = &x->set->found[n];
	bool lost = locator_lost(x, n);
	int r = 0;

	if (!f->anchors.fault[0] && !f->anchors.fault[1] && !lost)
		return 0;
	/*
	 * Both copies are written again from the good one, the damaged place
	 * first: the good one must be there until the other is. The locator comes last.
	 */
	if (f->anchors.fault[0] != DMR_OK) {
		_free_ struct dmr_anchor *a = dmri_alloc(sizeof(*a));

		if (!a)
			return dmri_error_sys(err, -ENOMEM, "%s", f->path);
		*a = f->anchors.anchor;
		dmri_anchor_seal(a, 0);
		r = dmri_dev_write(x->opened.sources[n].dev, f->region_start + DMR_ANCHOR0_SECTOR,
				   a, sizeof(*a));
		if (!r)
			r = dmri_dev_flush(x->opened.sources[n].dev);
	}
	if (!r && (f->anchors.fault[0] == DMR_OK || lost))
		r = dmri_anchors_write(x->opened.sources[n].dev, &f->anchors.anchor, f->internal);
	return r < 0 ? dmri_error_sys(err, r, "The anchor on %s can not be written", f->path) : 0;
}

/*
 * When the last commit was cut short, the versions before it prove that it was:
 * without them the set would be incomplete.
 */
static bool is_needed(const struct dmri_image *image, const struct dmri_frame *f)
{
	const struct dmr_candidate *c = &image->candidates[f->page];

	return dmri_frame_is_current(image, f) ||
	       (image->assembly.torn && f->kind == DMRI_FRAME_VALID &&
		c->gen == image->assembly.gen && f->gen == c->prev_gen &&
		f->session == c->prev_session);
}

/* A free frame of the member, far from that of the page's other copy, if it has one. */
static int next_free(const struct dmri_image *image, const struct dmri_source *s, u32 page,
		     u32 *at)
{
	u32 nr = image->nr_frames, start = 0, i;

	for (i = 0; i < nr; i++)
		if (s->frames[i].page == page && dmri_frame_is_current(image, &s->frames[i]))
			start = i + nr / 2;
	for (i = 0; i < nr; i++) {
		*at = (start + i) % nr;
		if (s->frames[*at].kind != DMRI_FRAME_UNREADABLE &&
		    !is_needed(image, &s->frames[*at]))
			return 0;
	}
	return -ENOSPC;
}

static int write_copies(struct repair *x, unsigned int n, const uint8_t *copies,
			unsigned int index)
{
	struct dmri_source *s = &x->opened.sources[n];
	struct dmri_image *image = x->image;
	_free_ void *buf = dmri_alloc(DMR_FRAME_SIZE);
	unsigned int have;
	u32 p, at = 0;
	int r = buf ? 0 : -ENOMEM;

	for (p = 0; p < image->nr_pages && !r; p++) {
		if (!image->candidates[p].gen)
			continue;
		for (have = copies[p]; have < DMR_FRAME_COPIES && !r; have++) {
			r = dmri_image_page(image, p, buf);
			if (!r)
				r = next_free(image, s, p, &at);
			if (r < 0)
				break;
			dmri_frame_seal(buf, image->set_uuid, index, at);
			r = dmri_dev_write(s->dev, dmri_frame_sector(s, at), buf,
					   DMR_FRAME_SIZE);
			s->frames[at] = (struct dmri_frame){
				.kind = DMRI_FRAME_VALID, .page = p,
				.gen = image->candidates[p].gen,
				.session = image->candidates[p].session,
			};
		}
	}
	return r ? r : dmri_dev_flush(s->dev);
}

static int zero_damaged(struct repair *x, unsigned int n)
{
	struct dmri_source *s = &x->opened.sources[n];
	u32 i;
	int r = 0;

	for (i = 0; i < x->image->nr_frames && !r; i++)
		if (s->frames[i].kind == DMRI_FRAME_DAMAGED ||
		    s->frames[i].kind == DMRI_FRAME_FOREIGN ||
		    s->frames[i].kind == DMRI_FRAME_UNREADABLE)
			r = dmri_dev_zero(s->dev, dmri_frame_sector(s, i), DMR_FRAME_SECTORS);
	return r ? r : dmri_dev_flush(s->dev);
}

static uint8_t *count_copies(const struct dmri_image *image, const struct dmri_source *s)
{
	uint8_t *copies = calloc(image->nr_pages, 1);
	u32 i;

	for (i = 0; copies && i < image->nr_frames; i++)
		if (dmri_frame_is_current(image, &s->frames[i]) &&
		    copies[s->frames[i].page] < DMR_FRAME_COPIES)
			copies[s->frames[i].page]++;
	return copies;
}

static unsigned int member_index(const struct dmremap_set *set, unsigned int found)
{
	unsigned int i;

	for (i = 0; i < set->info.nr_members; i++)
		if (set->member_found[i] == (int)found && set->member_usable[i] &&
		    set->info.members[i].state == DMR_MEMBER_ACTIVE)
			return set->info.members[i].index;
	return DMREMAP_NOT_JOINED;
}

static int repair_frames(struct repair *x, unsigned int n, struct dmremap_error *err)
{
	struct dmri_source *s = &x->opened.sources[n];
	_free_ uint8_t *copies = NULL;
	int r;

	if (!x->frames[n])
		return 0;
	copies = count_copies(x->image, s);
	r = copies ? write_copies(x, n, copies, member_index(x->set, n)) : -ENOMEM;
	if (!r)
		r = zero_damaged(x, n);
	return r < 0 ? dmri_error_sys(err, r, "The map on %s can not be repaired", s->dev->path)
		     : 0;
}

/* Is everything there twice, as it will be told? */
static int read_back(struct repair *x, struct dmremap_error *err)
{
	_cleanup_(dmri_image_freep) struct dmri_image *image = NULL;
	unsigned int n;
	u32 p;
	int r = dmri_image_read(x->set->uuid, x->image->nr_pages, x->image->nr_frames,
				x->opened.sources, x->opened.nr, NULL, NULL, &image);

	if (!r && image->fault != x->image->fault)
		return dmri_error(err, -EIO, "What was written does not read back: %s.",
				  image->reason);
	for (n = 0; n < x->opened.nr && !r; n++) {
		_free_ uint8_t *copies = x->frames[n] ?
			count_copies(image, &x->opened.sources[n]) : NULL;
		struct dmri_anchors a;

		if (x->frames[n] && !copies)
			r = -ENOMEM;
		for (p = 0; copies && p < image->nr_pages && !r; p++)
			if (image->candidates[p].gen && copies[p] < DMR_FRAME_COPIES)
				r = -EIO;
		if (!r)
			r = dmri_anchors_read(x->opened.sources[n].dev,
					      x->opened.sources[n].region_start, &a);
		if (!r && (a.fault[0] || a.fault[1] || locator_lost(x, n)))
			r = -EIO;
		if (r < 0)
			return dmri_error_sys(err, r, "What was written to %s does not read back",
					      x->opened.sources[n].dev->path);
	}
	return r < 0 ? dmri_error_sys(err, r, "Reading back") : 0;
}

static int repair_commit(struct dmremap_plan *plan, dmremap_progress_fn progress, void *arg,
			 struct dmremap_error *err)
{
	struct repair *x = plan->data;
	unsigned int n;
	int r = 0;

	for (n = 0; n < x->opened.nr && !r; n++) {
		r = repair_anchors(x, n, err);
		if (!r)
			r = repair_frames(x, n, err);
		if (!r && progress && progress(n + 1, x->opened.nr, arg) && n + 1 < x->opened.nr)
			r = dmri_error(err, -ECANCELED, "Stopped; what was repaired stays so.");
	}
	return r ? r : read_back(x, err);
}

static int plan_member(struct repair *x, unsigned int n, struct dmremap_plan *plan)
{
	const struct dmri_anchors *a = &x->set->found[n].anchors;
	struct dmri_source *s = &x->opened.sources[n];
	_free_ uint8_t *copies = NULL;
	u32 missing = 0, damaged, p;
	unsigned int i;

	for (i = 0; i < DMR_ANCHOR_COPIES; i++)
		if (a->fault[i])
			dmri_plan_add(plan, DMREMAP_PLAN_STEP,
				      "Write copy %u of the anchor on %s again from copy %u.", i,
				      s->dev->path, 1 - i);
	if (locator_lost(x, n))
		dmri_plan_add(plan, DMREMAP_PLAN_STEP,
			      "Write the locator of the internal spare again, in the last 4 KiB of %s.",
			      s->dev->path);
	if (x->image->fault || member_index(x->set, n) == DMREMAP_NOT_JOINED)
		return 0;
	copies = count_copies(x->image, s);
	if (!copies)
		return -ENOMEM;
	for (p = 0; p < x->image->nr_pages; p++)
		if (x->image->candidates[p].gen)
			missing += DMR_FRAME_COPIES - copies[p];
	damaged = s->kinds[DMRI_FRAME_DAMAGED] + s->kinds[DMRI_FRAME_FOREIGN] +
		  s->kinds[DMRI_FRAME_UNREADABLE];
	if (missing)
		dmri_plan_add(plan, DMREMAP_PLAN_STEP,
			      "Write %u copies of pages that are missing on %s.", missing,
			      s->dev->path);
	if (damaged)
		dmri_plan_add(plan, DMREMAP_PLAN_STEP, "Zero %u damaged frames on %s.", damaged,
			      s->dev->path);
	x->frames[n] = missing || damaged;
	return 0;
}

int dmremap_repair_plan(struct dmremap_set *set, unsigned int flags,
			struct dmremap_plan **ret, struct dmremap_error *err)
{
	_cleanup_(dmri_plan_freep) struct dmremap_plan *plan = NULL;
	struct repair *x;
	unsigned int n;
	int r;

	if (set->info.active)
		return dmri_error(err, -EALREADY,
				  "%s is active; the module repairs what it writes. Stop it first.",
				  set->info.device);
	r = dmri_set_writable(set, err);
	if (!r)
		r = dmremap_set_load(set, NULL, err);
	if (r < 0)
		return r;
	x = calloc(1, sizeof(*x));
	if (!x || dmri_plan_new(&plan) < 0) {
		free(x);
		return dmri_error_sys(err, -ENOMEM, "Planning");
	}
	plan->data = x;
	plan->release = repair_release;
	plan->commit = repair_commit;
	plan->info = set->info;
	x->set = set;
	r = dmri_set_open(set, DMRI_WRITE | DMRI_EXCL, &x->opened, err);
	if (r < 0)
		return r;
	r = dmri_image_read(set->uuid, set->info.nr_pages, set->info.nr_frames,
			    x->opened.sources, x->opened.nr, NULL, NULL, &x->image);
	for (n = 0; n < x->opened.nr && !r; n++) {
		r = dmri_anchors_read(x->opened.sources[n].dev, set->found[n].region_start,
				      &set->found[n].anchors);
		if (!r && !set->found[n].anchors.found)
			r = -EUCLEAN;
		if (!r)
			r = plan_member(x, n, plan);
	}
	if (r < 0)
		return dmri_error_sys(err, r, "Reading the map of %s", set->info.name);
	if (x->image->fault && !plan->nr)
		return dmri_error(err, dmri_fault_errno(x->image->fault),
				  "Nothing is left to repair the map of %s from: %s. Restore a backup (\"metadata restore\").",
				  set->info.name, x->image->reason);
	if (x->image->fault)
		dmri_plan_add(plan, DMREMAP_PLAN_NOTE,
			      "The map itself stays unusable: %s. Restore a backup after this.",
			      x->image->reason);
	*ret = plan;
	plan = NULL;
	return 0;
}
