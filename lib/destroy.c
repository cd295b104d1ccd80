/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Destroying a set. Each member's anchors are wiped before its frames, spares
 * before the data device: interrupted, what is left is an incomplete set that is
 * refused, and can be destroyed again. What this machine knows of an adopted data device goes
 * first: once the anchors are gone, nobody finds the set any more to forget it.
 */
#include "private.h"

struct destruction {
	struct dmri_opened opened;
	unsigned int nr;
	struct {
		struct dmri_dev *dev;
		u64 region_start;
		u32 nr_frames;
		bool internal, data;
	} members[DMREMAP_MAX_MEMBERS];
};

static void destruction_release(struct dmremap_plan *plan)
{
	struct destruction *d = plan->data;

	if (d)
		dmri_opened_close(&d->opened);
	free(d);
}

static int wipe_member(struct destruction *d, unsigned int i, struct dmremap_error *err)
{
	struct dmri_dev *dev = d->members[i].dev;
	u64 start = d->members[i].region_start;
	struct dmri_anchors back;
	int r = dmri_anchors_wipe(dev, start, d->members[i].internal);

	if (!r)
		r = dmri_dev_zero(dev, start + DMR_FRAMES_SECTOR,
				  (u64)d->members[i].nr_frames * DMR_FRAME_SECTORS);
	if (!r)
		r = dmri_dev_flush(dev);
	if (!r)
		r = dmri_anchors_read(dev, start, &back);
	if (!r && back.found)
		r = -EIO;
	return r < 0 ? dmri_error_sys(err, r, "%s can not be wiped", dev->path) : 0;
}

static int destroy_commit(struct dmremap_plan *plan, dmremap_progress_fn progress,
			  void *arg, struct dmremap_error *err)
{
	struct destruction *d = plan->data;
	unsigned int pass, i, done = 0;
	int r = 0;

	dmri_known_forget(plan->info.uuid);
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < d->nr && !r; i++) {
			if (d->members[i].data != pass)
				continue;
			r = wipe_member(d, i, err);
			if (!r && progress && progress(++done, d->nr, arg) && done < d->nr)
				r = dmri_error(err, -ECANCELED,
					       "Stopped; what is left of the set can not be started. Destroy it again.");
		}
	}
	if (!r && plan->info.adopted && plan->info.members[0].present)
		dmri_udev_change(plan->info.members[0].major, plan->info.members[0].minor);
	return r;
}

static int judge_losses(struct dmremap_plan *plan, const struct dmremap_set_info *info,
			unsigned int flags, struct dmremap_error *err)
{
	bool force = flags & DMREMAP_FORCE;
	char size[32];

	if (info->fault || !info->loaded) {
		if (!force)
			return dmri_error(err, -ENOTEMPTY,
					  "The map of %s can not be read, so it is not known what would be lost (%.300s). Use --force to destroy it all the same.",
					  info->name, info->reason);
		dmri_plan_add(plan, DMREMAP_PLAN_LOSS,
			      "The map of %s can not be read; blocks that live on spares will be lost.",
			      info->name);
		return 0;
	}
	dmremap_format_size(info->remapped * info->block_size, size, sizeof(size));
	if (info->remapped && !force)
		return dmri_error(err, -ENOTEMPTY,
				  "%llu blocks (%s) of %s live on its spares and would be lost. Copy the data away, or start the set and release them first (\"dmremapctl map release\"); or use --force.",
				  (unsigned long long)info->remapped, size, info->name);
	if (info->remapped)
		dmri_plan_add(plan, DMREMAP_PLAN_LOSS,
			      "The content of %llu blocks (%s) that live on spares will be lost; the data device holds older or damaged content in their place.",
			      (unsigned long long)info->remapped, size);
	if (info->lost)
		dmri_plan_add(plan, DMREMAP_PLAN_LOSS,
			      "That %llu blocks hold lost sectors will be forgotten.",
			      (unsigned long long)info->lost);
	return 0;
}

static void add_lines(struct dmremap_plan *plan, const struct dmremap_set_info *info)
{
	unsigned int i;

	for (i = info->nr_members; i-- > 0;) {
		const struct dmremap_member_info *m = &info->members[i];

		if (!m->present && m->state == DMR_MEMBER_REMOVED)
			continue;
		if (!m->present)
			dmri_plan_add(plan, DMREMAP_PLAN_NOTE,
				      "%s %s is not there; it will keep its metadata.",
				      m->index ? "A spare," : "The data device,",
				      *m->path ? m->path : m->uuid);
		else if (m->no_metadata)
			dmri_plan_add(plan, DMREMAP_PLAN_NOTE,
				      "%s carries no metadata and stays as it is.", m->path);
		else
			dmri_plan_add(plan, DMREMAP_PLAN_STEP, "Wipe the metadata off %s%s.",
				      m->internal ? "the internal spare of " : "", m->path);
	}
	if (!info->adopted && info->loaded)
		dmri_plan_add(plan, DMREMAP_PLAN_NOTE,
			      "The data begins at sector %llu of %s and has %llu sectors; without its header nothing else will find it there.",
			      (unsigned long long)info->data_offset, info->members[0].path,
			      (unsigned long long)info->data_sectors);
}

int dmremap_destroy_plan(struct dmremap_set *set, unsigned int flags,
			 struct dmremap_plan **ret, struct dmremap_error *err)
{
	_cleanup_(dmri_plan_freep) struct dmremap_plan *plan = NULL;
	struct destruction *d;
	unsigned int i;
	int r;

	if (set->info.active)
		return dmri_error(err, -EALREADY, "%s is active; stop it first.",
				  set->info.device);
	if (*set->ambiguous)
		return dmri_error(err, -ENOTUNIQ, "%s", set->ambiguous);
	r = dmremap_set_load(set, NULL, err);
	if (r < 0)
		return r;
	d = calloc(1, sizeof(*d));
	if (!d || dmri_plan_new(&plan) < 0) {
		free(d);
		return dmri_error_sys(err, -ENOMEM, "Planning");
	}
	plan->data = d;
	plan->release = destruction_release;
	plan->commit = destroy_commit;
	plan->info = set->info;
	r = judge_losses(plan, &set->info, flags, err);
	if (!r)
		r = dmri_set_open(set, DMRI_WRITE | DMRI_EXCL, &d->opened, err);
	if (r < 0)
		return r;
	for (i = 0; i < set->nr_found; i++) {
		const struct dmr_anchor *a = &set->found[i].anchors.anchor;

		d->members[i].dev = d->opened.sources[i].dev;
		d->members[i].region_start = set->found[i].region_start;
		d->members[i].nr_frames = le32_to_cpu(a->nr_frames);
		d->members[i].internal = set->found[i].internal;
		d->members[i].data = le32_to_cpu(a->role) == DMR_ROLE_DATA;
	}
	d->nr = set->nr_found;
	add_lines(plan, &set->info);
	*ret = plan;
	plan = NULL;
	return 0;
}
