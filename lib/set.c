/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One set: what its anchors say of it, and reading its map from the devices
 * that were found. What the map means for a start is judged in judge.c.
 */
#include "private.h"

#define ACTIVE_TRIES	5	/* of reading beside a module that commits */

const struct dmr_anchor *dmri_set_anchor(const struct dmremap_set *set)
{
	unsigned int i;

	for (i = 0; i < set->nr_found; i++)
		if (set->found[i].anchors.found)
			return &set->found[i].anchors.anchor;
	return NULL;
}

void dmri_set_from_anchor(struct dmremap_set_info *info, const struct dmr_anchor *a)
{
	dmri_copy_text(info->name, sizeof(info->name), a->label, sizeof(a->label));
	dmri_uuid_text(a->set_uuid, info->uuid);
	info->data_sectors = le64_to_cpu(a->data_sectors);
	info->block_size = le32_to_cpu(a->block_sectors) * 512;
	info->nr_pages = le32_to_cpu(a->nr_pages);
	info->nr_frames = le32_to_cpu(a->nr_frames);
	info->created = le64_to_cpu(a->created);
}

int dmri_set_writable(const struct dmremap_set *set, struct dmremap_error *err)
{
	const struct dmr_anchor *first = dmri_set_anchor(set);
	unsigned int i;

	if (*set->ambiguous)
		return dmri_error(err, -ENOTUNIQ, "%s", set->ambiguous);
	for (i = 0; i < set->nr_found; i++)
		if (!dmri_same_geometry(&set->found[i].anchors.anchor, first))
			return dmri_error(err, -EUCLEAN,
					  "%s and %s are of one set but disagree about its sizes; nothing is written to them.",
					  set->found[0].path, set->found[i].path);
	return 0;
}

void dmri_set_free(struct dmremap_set *set)
{
	if (!set)
		return;
	dmri_image_free(set->image);
	free(set);
}

const struct dmremap_set_info *dmremap_set_info(const struct dmremap_set *set)
{
	return &set->info;
}

void dmri_opened_close(struct dmri_opened *opened)
{
	unsigned int i;

	for (i = 0; i < opened->nr; i++) {
		dmri_source_release(&opened->sources[i]);
		dmri_dev_close(opened->sources[i].dev);
	}
	opened->nr = 0;
}

/* The internal spare lies on a device that may be open already. */
static bool opened_before(const struct dmremap_set *set, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!strcmp(set->found[i].path, set->found[n].path))
			return true;
	return false;
}

/* A name can go to another device, or somebody make another set of it, after the scan. */
static int check_same(const struct dmri_found *f, struct dmri_dev *dev, struct dmremap_error *err)
{
	const struct dmr_anchor *then = &f->anchors.anchor;
	struct dmri_anchors now;
	int r = dmri_anchors_read(dev, f->region_start, &now);

	if (r < 0)
		return dmri_error_sys(err, r, "%s can not be read", f->path);
	if (now.found && !memcmp(now.anchor.set_uuid, then->set_uuid, sizeof(then->set_uuid)) &&
	    !memcmp(now.anchor.member_uuid, then->member_uuid, sizeof(then->member_uuid)))
		return 0;
	return dmri_error(err, -EAGAIN, "%s changed while it was looked at.", f->path);
}

int dmri_set_open(struct dmremap_set *set, unsigned int flags,
		  struct dmri_opened *opened, struct dmremap_error *err)
{
	unsigned int i;
	int r;

	opened->nr = 0;
	for (i = 0; i < set->nr_found; i++) {
		struct dmri_found *f = &set->found[i];
		struct dmri_source *s = &opened->sources[i];

		memset(s, 0, sizeof(*s));
		r = dmri_dev_open(f->path, opened_before(set, i) ? flags & ~DMRI_EXCL : flags,
				  &s->dev, err);
		if (!r)
			opened->nr = i + 1;
		if (!r && s->dev->sectors != f->device_sectors)
			r = dmri_error(err, -EAGAIN, "%s changed while it was looked at.",
				       f->path);
		/* Nobody else writes to it from now on. */
		if (!r && flags & DMRI_WRITE)
			r = check_same(f, s->dev, err);
		if (r < 0) {
			dmri_opened_close(opened);
			return r;
		}
		s->region_start = f->region_start;
	}
	return 0;
}

/* Beside a module that commits, a reader can meet half of a commit: again. */
static int read_image(struct dmremap_set *set, struct dmri_opened *opened,
		      struct dmri_image **image)
{
	int tries, r;

	for (tries = 1;; tries++) {
		r = dmri_image_read(set->uuid, set->info.nr_pages, set->info.nr_frames,
				    opened->sources, opened->nr, NULL, NULL, image);
		if (r < 0 || !set->info.active)
			return r;
		r = dmri_image_records(*image);
		if (r < 0 || !(*image)->fault || tries == ACTIVE_TRIES)
			return r;
		dmri_image_freep(image);
		usleep(20000);
	}
}

/* An internal spare lies on the data device and so tells which it is. */
static const char *internal_path(const struct dmremap_set *set)
{
	unsigned int i;

	for (i = 0; i < set->nr_found; i++)
		if (set->found[i].internal)
			return set->found[i].path;
	return NULL;
}

int dmremap_set_load(struct dmremap_set *set, const char *data, struct dmremap_error *err)
{
	_cleanup_(dmri_opened_close) struct dmri_opened opened = { 0 };
	_cleanup_(dmri_image_freep) struct dmri_image *image = NULL;
	_cleanup_(dmri_dev_closep) struct dmri_dev *dev = NULL;
	struct dmremap_error why = { "" };
	int r;

	if (!set->nr_found)
		return 0;	/* active, and its members can not be read */
	/* Named once, it stays named for what loads the set again. */
	if (data)
		dmri_copy(set->data_path, sizeof(set->data_path), data);
	else if (*set->data_path)
		data = set->data_path;
	r = dmri_set_open(set, 0, &opened, err);
	if (r < 0)
		return r;
	r = read_image(set, &opened, &image);
	if (r < 0)
		return dmri_error_sys(err, r, "Reading the map of %s", set->info.name);
	if (image->have_root &&
	    le32_to_cpu(image->root.members[0].flags) & DMR_MEMBER_NO_METADATA) {
		if (!data && internal_path(set))
			dmri_dev_open(internal_path(set), 0, &dev, &why);
		else
			dmri_find_data(&image->root, data, &dev, &why);
	}
	r = dmri_set_judge(set, &opened, dev, why.text, &image, err);
	if (r < 0)
		return r;
	if (set->info.active) {
		set->info.verdict = DMREMAP_ACTIVE;
		set->info.reason[0] = '\0';
		set->code = -EALREADY;
	}
	image->sources = NULL;
	set->image = image;
	image = NULL;
	return 0;
}
