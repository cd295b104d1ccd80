/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What udev asks of each block device: is it raw material of dm-remap, so that
 * nothing else may take it for what it seems to hold. Reads a few blocks, opens
 * nothing exclusively, and asks neither device-mapper nor libblkid: it runs for
 * every device of the machine, beside programs that want theirs for themselves.
 */
#include "private.h"

static void from_anchor(struct dmremap_raw *raw, const struct dmr_anchor *a)
{
	raw->kind = DMREMAP_RAW_MEMBER;
	raw->role = le32_to_cpu(a->role);
	dmri_copy_text(raw->set_name, sizeof(raw->set_name), a->label, sizeof(a->label));
	dmri_uuid_text(a->set_uuid, raw->set_uuid);
	dmri_uuid_text(a->member_uuid, raw->member_uuid);
}

/* Of our magic, but of no use. */
static enum dmremap_raw_kind spoilt(const struct dmri_anchors *a)
{
	enum dmremap_raw_kind kind = DMREMAP_RAW_NONE;
	unsigned int i;

	for (i = 0; i < DMR_ANCHOR_COPIES; i++) {
		if (a->fault[i] == DMR_BAD_VERSION || a->fault[i] == DMR_BAD_FEATURE)
			return DMREMAP_RAW_NEWER;
		if (a->read[i] && a->fault[i] != DMR_BAD_MAGIC)
			kind = DMREMAP_RAW_DAMAGED;
	}
	return kind;
}

/* The set that runs on top of it: "DMREMAP-<uuid>" in its holders. */
static bool find_holder(unsigned int major, unsigned int minor, struct dmremap_raw *raw)
{
	_dir_ DIR *dir = NULL;
	char path[64], attr[300], uuid[160];
	struct dirent *e;

	dmri_text(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major, minor);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		dmri_text(attr, sizeof(attr), "holders/%s/dm/uuid", e->d_name);
		if (dmri_sysfs_read(major, minor, attr, uuid, sizeof(uuid)) < 0 ||
		    strncmp(uuid, "DMREMAP-", 8))
			continue;
		dmri_copy(raw->set_uuid, sizeof(raw->set_uuid), uuid + 8);
		dmri_text(attr, sizeof(attr), "holders/%s/dm/name", e->d_name);
		dmri_sysfs_read(major, minor, attr, raw->set_name, sizeof(raw->set_name));
		return true;
	}
	return false;
}

static bool find_adopted(struct dmri_dev *dev, struct dmremap_raw *raw)
{
	struct dmremap_device d = { .sectors = dev->sectors };

	if (!dev->block)
		return false;
	if (find_holder(dev->major, dev->minor, raw))
		return true;
	dmri_identify(dev->major, dev->minor, &d);
	return dmri_known_match(&d, raw);
}

/* What an anchor tells, at its beginning or at its end. True if it is known then. */
static bool find_member(struct dmri_dev *dev, struct dmri_anchors *a, struct dmremap_raw *raw)
{
	u64 region;

	if (a->found) {
		from_anchor(raw, &a->anchor);
		return true;
	}
	raw->kind = spoilt(a);
	if (raw->kind)
		return true;
	if (dmri_locator_read(dev, &region) || dmri_anchors_read(dev, region, a) || !a->found)
		return false;
	/* Nothing at its beginning is ours: the data is as it was. */
	from_anchor(raw, &a->anchor);
	raw->internal = true;
	raw->adopted = true;
	return true;
}

/*
 * A disk whose beginning can not be read is one of those that sets are made of: an
 * adopted one is told by other means, and only if it is none the error is.
 */
int dmremap_raw_probe(const char *path, struct dmremap_raw *raw, struct dmremap_error *err)
{
	_cleanup_(dmri_dev_closep) struct dmri_dev *dev = NULL;
	_free_ struct dmri_anchors *a = calloc(1, sizeof(*a));
	struct dmremap_error why;
	int r, unread;

	memset(raw, 0, sizeof(*raw));
	if (!a)
		return dmri_error_sys(err, -ENOMEM, "%s", path);
	r = dmri_dev_open(path, 0, &dev, err);
	if (r < 0)
		return r;
	unread = dmri_anchors_read(dev, 0, a);
	if (unread < 0)
		dmri_error_sys(&why, unread, "%s can not be read", path);
	if (find_member(dev, a, raw))
		return 0;
	r = dmremap_label_read(path, &raw->label, unread < 0 ? NULL : &why);
	if (r < 0 && !unread)
		unread = r;
	if (r > 0) {
		raw->kind = DMREMAP_RAW_LABEL;
	} else if (find_adopted(dev, raw)) {
		raw->kind = DMREMAP_RAW_ADOPTED;
		raw->role = DMR_ROLE_DATA;
		raw->adopted = true;
	} else if (unread < 0) {
		return dmri_error(err, unread, "%s", why.text);
	}
	return 0;
}
