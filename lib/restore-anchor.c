/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Giving a member back its anchors from a backup. The frames that are still on
 * the device prove which member it is.
 */
#include <strings.h>

#include "private.h"

struct anchor_restore {
	struct dmri_dev *dev;
	struct dmr_anchor anchor;
	bool internal;
};

static void anchor_release(struct dmremap_plan *plan)
{
	struct anchor_restore *x = plan->data;

	if (x)
		dmri_dev_close(x->dev);
	free(x);
}

static void backup_freep(struct dmri_backup **b)
{
	dmri_backup_free(*b);
}

static int anchor_commit(struct dmremap_plan *plan, dmremap_progress_fn progress, void *arg,
			 struct dmremap_error *err)
{
	struct anchor_restore *x = plan->data;
	struct dmri_anchors a;
	int r;

	if (progress && progress(0, 1, arg))
		return dmri_error(err, -ECANCELED, "Stopped before anything was done.");
	r = dmri_anchors_write(x->dev, &x->anchor, x->internal);
	if (!r)
		r = dmri_anchors_read(x->dev, le64_to_cpu(x->anchor.region_start), &a);
	if (!r && (a.fault[0] || a.fault[1]))
		r = -EIO;
	return r < 0 ? dmri_error_sys(err, r, "The anchors on %s can not be written",
				      x->dev->path) : 0;
}

/* Number of the member that this anchor belongs to, by the map of the backup. */
static unsigned int anchor_index(const struct dmri_backup *b, const struct dmr_anchor *a)
{
	const struct dmr_root *root = &b->image->root;
	unsigned int i;

	for (i = 0; i < le32_to_cpu(root->nr_members); i++)
		if (!memcmp(root->members[i].uuid, a->member_uuid, sizeof(a->member_uuid)))
			return i;
	return DMREMAP_NOT_JOINED;
}

static bool is_wanted(const struct dmr_anchor *a, unsigned int index, const char *member)
{
	char uuid[DMREMAP_UUID_SIZE], number[16];

	dmri_uuid_text(a->member_uuid, uuid);
	dmri_text(number, sizeof(number), "%u", index);
	return !member || !strcasecmp(uuid, member) || !strcmp(number, member);
}

/* Does the device carry frames of this member where they should be? */
static bool has_frames(struct dmri_dev *dev, const struct dmr_anchor *a, unsigned int index)
{
	_free_ struct dmr_frame_header *h = dmri_alloc(DMR_FRAME_SIZE);
	struct dmri_source s = { .dev = dev, .region_start = le64_to_cpu(a->region_start) };
	u32 i;

	for (i = 0; h && i < le32_to_cpu(a->nr_frames); i++)
		if (!dmri_dev_read(dev, dmri_frame_sector(&s, i), h, DMR_FRAME_SIZE) &&
		    dmr_frame_check(h, a->set_uuid, index, i, le32_to_cpu(a->nr_pages)) == DMR_OK)
			return true;
	return false;
}

static int choose(struct anchor_restore *x, const struct dmri_backup *b, const char *member,
		  unsigned int flags, struct dmremap_plan *plan, struct dmremap_error *err)
{
	const struct dmr_anchor *named = NULL, *proved = NULL, *fits = NULL;
	unsigned int i, index;

	for (i = 0; i < b->nr_anchors; i++) {
		const struct dmr_anchor *a = &b->anchors[i];

		index = anchor_index(b, a);
		if (!is_wanted(a, index, member))
			continue;
		named = a;
		if (dmr_anchor_check(a, 0, le64_to_cpu(a->region_start), x->dev->sectors))
			continue;
		fits = a;
		if (has_frames(x->dev, a, index))
			proved = a;
	}
	if (!named)
		return dmri_error(err, -ENOENT, "The backup holds no member \"%.64s\".", member);
	if (member && !fits)
		return dmri_error(err, -ENOSPC, "%s is too small to be that member.",
				  x->dev->path);
	if (!proved && (!member || !(flags & DMREMAP_FORCE)))
		return dmri_error(err, -ESTALE,
				  "Nothing on %s proves that it is a member of set %s. If you know which one it is, name it and use --force.",
				  x->dev->path, b->info.name);
	if (!proved)
		dmri_plan_add(plan, DMREMAP_PLAN_LOSS,
			      "Nothing on %s proves that it is this member.", x->dev->path);
	x->anchor = proved ? *proved : *fits;
	x->internal = x->anchor.region_start != 0;
	return 0;
}

/* An internal spare is found by what lies in the device's last block. */
static bool is_found(const struct anchor_restore *x)
{
	return !x->internal ||
	       dmri_locator_leads(x->dev, le64_to_cpu(x->anchor.region_start));
}

static int check_contents(struct anchor_restore *x, unsigned int flags,
			  struct dmremap_plan *plan, struct dmremap_error *err)
{
	_free_ struct dmremap_device *d = calloc(1, sizeof(*d));
	_free_ struct dmri_anchors *a = calloc(1, sizeof(*a));
	int r = d && a ? dmri_probe_contents(x->dev, d, err) : -ENOMEM;

	if (!r)
		r = dmri_anchors_read(x->dev, le64_to_cpu(x->anchor.region_start), a);
	if (r < 0)
		return dmri_error_sys(err, r, "%s can not be examined", x->dev->path);
	if (a->found && !memcmp(&a->anchor.member_uuid, x->anchor.member_uuid, 16) && is_found(x))
		return dmri_error(err, -EEXIST,
				  "%s still has an anchor; \"metadata repair\" restores the other copy.",
				  x->dev->path);
	if (d->holds == DMREMAP_HOLDS_NEWER)
		return dmri_error(err, -EPROTONOSUPPORT, "%s %s. It is not touched.",
				  x->dev->path, d->text);
	/* An internal spare lies behind the data, which may well hold something. */
	if (x->internal || d->holds == DMREMAP_HOLDS_NOTHING || d->holds == DMREMAP_HOLDS_DAMAGED)
		return 0;
	if (!(flags & DMREMAP_FORCE))
		return dmri_error(err, -ENOTEMPTY,
				  "%s %s, which the anchors would damage; use --force if that is meant.",
				  x->dev->path, d->text);
	dmri_plan_add(plan, DMREMAP_PLAN_LOSS, "%s %s; it will be damaged.", x->dev->path,
		      d->text);
	return 0;
}

int dmremap_restore_anchor_plan(const char *path, const char *device, const char *member,
				unsigned int flags, struct dmremap_plan **ret,
				struct dmremap_error *err)
{
	_cleanup_(dmri_plan_freep) struct dmremap_plan *plan = NULL;
	_cleanup_(backup_freep) struct dmri_backup *b = NULL;
	struct anchor_restore *x = calloc(1, sizeof(*x));
	char uuid[DMREMAP_UUID_SIZE];
	int r;

	if (!x || dmri_plan_new(&plan) < 0) {
		free(x);
		return dmri_error_sys(err, -ENOMEM, "Planning");
	}
	plan->data = x;
	plan->release = anchor_release;
	plan->commit = anchor_commit;
	r = dmri_backup_open(path, &b, err);
	if (!r)
		r = dmri_dev_open(device, DMRI_WRITE | DMRI_EXCL, &x->dev, err);
	if (!r)
		r = choose(x, b, member, flags, plan, err);
	if (!r)
		r = check_contents(x, flags, plan, err);
	if (r < 0)
		return r;
	dmri_set_from_anchor(&plan->info, &x->anchor);
	dmri_uuid_text(x->anchor.member_uuid, uuid);
	dmri_plan_add(plan, DMREMAP_PLAN_STEP,
		      "Write the anchors of the %s of set %s (member %s) to %s.",
		      le32_to_cpu(x->anchor.role) == DMR_ROLE_DATA ? "data device" : "spare",
		      b->info.name, uuid, device);
	*ret = plan;
	plan = NULL;
	return 0;
}
