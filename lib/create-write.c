/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing a new set, in this order, each step durable before the next:
 *
 *	1. old signatures off, anchors, probe blocks and frames zeroed, everywhere;
 *	2. the first version of the root page, twice, on every member with metadata;
 *	3. anchors: spares first, the data device last.
 *
 * Power lost in 1 or 2 leaves no anchor, so nothing that looks like a set. Lost
 * in 3, what is found lacks members and is refused, creating again needs --force;
 * or, at the very end, all is there but the second copy of one anchor.
 * At the end all is read back and judged as for a start.
 */
#include "create.h"

static int write_roots(struct creation *c, struct dmremap_error *err)
{
	_free_ struct dmr_root *root = dmri_alloc(sizeof(*root));
	unsigned int i, n = 1, index, frame;
	u64 session;
	int r = root ? dmri_random(&session, sizeof(session)) : -ENOMEM;

	if (r < 0)
		return dmri_error_sys(err, r, "Writing the map");
	for (i = 0; i < c->nr; i++) {
		struct dmri_source s = {
			.dev = c->members[i].dev,
			.region_start = le64_to_cpu(c->members[i].anchor.region_start),
		};

		index = le32_to_cpu(c->members[i].anchor.role) == DMR_ROLE_DATA ? 0 : n++;
		for (frame = 0; frame < DMR_FRAME_COPIES && !r; frame++) {
			*root = c->root;
			root->header.gen = cpu_to_le64(1);
			root->header.session = cpu_to_le64(session);
			root->header.digest_after = cpu_to_le64(dmr_page_digest(0, 1, session));
			dmri_frame_seal(root, c->uuid, index, frame);
			r = dmri_dev_write(s.dev, dmri_frame_sector(&s, frame), root,
					   sizeof(*root));
		}
		if (!r)
			r = dmri_dev_flush(s.dev);
		if (r < 0)
			return dmri_error_sys(err, r, "The map can not be written to %s",
					      s.dev->path);
	}
	return 0;
}

static int write_anchors(struct creation *c, struct dmremap_error *err)
{
	unsigned int i, n;
	int r;

	for (i = c->nr; i-- > 0;) {
		/* Backwards: the data device is the first and comes last. */
		r = dmri_anchors_write(c->members[i].dev, &c->members[i].anchor,
				       c->members[i].internal);
		if (r < 0) {
			r = dmri_error_sys(err, r, "%s can not be written",
					   c->members[i].dev->path);
			for (n = i; n < c->nr; n++)
				dmri_anchors_wipe(c->members[n].dev,
					le64_to_cpu(c->members[n].anchor.region_start),
					c->members[n].internal);
			return r;
		}
	}
	return 0;
}

static int verify(struct creation *c, struct dmremap_error *err)
{
	_free_ struct dmremap_set *set = calloc(1, sizeof(*set));
	_free_ struct dmri_opened *opened = calloc(1, sizeof(*opened));
	_cleanup_(dmri_image_freep) struct dmri_image *image = NULL;
	unsigned int i;
	int r = 0;

	if (!set || !opened)
		return dmri_error_sys(err, -ENOMEM, "Reading the set back");
	memcpy(set->uuid, c->uuid, sizeof(set->uuid));
	for (i = 0; i < c->nr && !r; i++) {
		struct dmri_found *f = &set->found[i];
		u64 start = le64_to_cpu(c->members[i].anchor.region_start);

		r = dmri_anchors_read(c->members[i].dev, start, &f->anchors);
		if (!r && (!f->anchors.found || f->anchors.fault[0] || f->anchors.fault[1]))
			r = -EIO;
		dmri_copy(f->path, sizeof(f->path), c->members[i].dev->path);
		f->internal = c->members[i].internal;
		opened->sources[i].dev = c->members[i].dev;
		opened->sources[i].region_start = start;
	}
	if (r < 0)
		return dmri_error_sys(err, r, "What was written to %s does not read back",
				      c->members[i - 1].dev->path);
	set->nr_found = opened->nr = c->nr;
	r = dmri_set_judge(set, opened, c->data, "", &image, err);
	if (!r && set->info.verdict != DMREMAP_READY)
		r = dmri_error(err, -EIO, "What was written does not read back as a set: %.300s",
			       set->info.reason);
	for (i = 0; i < opened->nr; i++)
		dmri_source_release(&opened->sources[i]);
	return r;
}

int dmri_creation_write(struct dmremap_plan *plan, dmremap_progress_fn progress, void *arg,
			struct dmremap_error *err)
{
	struct creation *c = plan->data;
	u64 done = 0, total = 0;
	unsigned int i;
	int r = 0;

	for (i = 0; i < c->nr; i++)
		total += dmri_member_clear_sectors(&c->members[i]);
	for (i = 0; i < c->nr && !r; i++)
		r = dmri_member_clear(&c->members[i], progress, arg, &done, total, err);
	if (!r)
		r = write_roots(c, err);
	if (!r)
		r = write_anchors(c, err);
	return r ? r : verify(c, err);
}
