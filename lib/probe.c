/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a device holds, so that it is named before anything overwrites it: our
 * own anchors first, then all that libblkid knows.
 */
#include <blkid/blkid.h>
#include <fcntl.h>

#include "private.h"

#define MAX_SIGNATURES	100	/* wiped off one device; a bound, not a guess */

static void probe_freep(blkid_probe *pr)
{
	if (*pr)
		blkid_free_probe(*pr);
}

static blkid_probe probe_new(int fd)
{
	blkid_probe pr = blkid_new_probe();

	if (!pr || blkid_probe_set_device(pr, fd, 0, 0) < 0) {
		probe_freep(&pr);
		return NULL;
	}
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
					  BLKID_SUBLKS_UUID | BLKID_SUBLKS_USAGE |
					  BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(pr, 1);
	blkid_probe_set_partitions_flags(pr, BLKID_PARTS_MAGIC);
	return pr;
}

static const char *value(blkid_probe pr, const char *name)
{
	const char *data;

	return blkid_probe_lookup_value(pr, name, &data, NULL) ? "" : data;
}

static enum dmremap_holds usage_kind(const char *usage)
{
	if (!strcmp(usage, "filesystem"))
		return DMREMAP_HOLDS_FILESYSTEM;
	if (!strcmp(usage, "raid"))
		return DMREMAP_HOLDS_RAID;
	if (!strcmp(usage, "crypto"))
		return DMREMAP_HOLDS_CRYPTO;
	return DMREMAP_HOLDS_SWAP;
}

static const char *kind_noun(enum dmremap_holds holds)
{
	switch (holds) {
	case DMREMAP_HOLDS_FILESYSTEM:
		return "file system";
	case DMREMAP_HOLDS_RAID:
		return "volume member";
	case DMREMAP_HOLDS_CRYPTO:
		return "encrypted volume";
	case DMREMAP_HOLDS_TABLE:
		return "partition table";
	default:
		return "signature";
	}
}

static void describe(struct dmremap_device *d)
{
	dmri_text(d->text, sizeof(d->text), "holds %s %.60s %s%s%s%s%s%s",
		  strchr("aeioAEIO", d->holds_type[0]) ? "an" : "a", d->holds_type,
		  kind_noun(d->holds), *d->holds_label ? " \"" : "", d->holds_label,
		  *d->holds_label ? "\"" : "", *d->holds_uuid ? ", UUID " : "", d->holds_uuid);
}

static int probe_blkid(struct dmri_dev *dev, struct dmremap_device *d,
		       struct dmremap_error *err)
{
	_cleanup_(probe_freep) blkid_probe pr = NULL;
	_close_ int fd = dmri_dev_reopen(dev, O_RDONLY);
	int r;

	if (fd < 0)
		return dmri_error_sys(err, fd, "%s can not be opened", dev->path);
	pr = probe_new(fd);
	if (!pr)
		return dmri_error(err, -EIO, "libblkid can not examine %s.", dev->path);
	r = blkid_do_safeprobe(pr);
	if (r == 1)
		return 0;
	if (r == -2) {
		d->holds = DMREMAP_HOLDS_OTHER;
		dmri_copy(d->holds_type, sizeof(d->holds_type), "several");
		dmri_text(d->text, sizeof(d->text),
			  "holds signatures of several things (see \"wipefs %s\")", dev->path);
		return 0;
	}
	if (r < 0)
		return dmri_error(err, -EIO, "%s can not be read to see what it holds.",
				  dev->path);
	if (*value(pr, "TYPE")) {
		d->holds = usage_kind(value(pr, "USAGE"));
		dmri_copy(d->holds_type, sizeof(d->holds_type), value(pr, "TYPE"));
		dmri_copy_text(d->holds_label, sizeof(d->holds_label), value(pr, "LABEL"),
			       sizeof(d->holds_label));
		dmri_copy(d->holds_uuid, sizeof(d->holds_uuid), value(pr, "UUID"));
	} else if (*value(pr, "PTTYPE")) {
		d->holds = DMREMAP_HOLDS_TABLE;
		dmri_copy(d->holds_type, sizeof(d->holds_type), value(pr, "PTTYPE"));
		dmri_copy(d->holds_uuid, sizeof(d->holds_uuid), value(pr, "PTUUID"));
	} else {
		d->holds = DMREMAP_HOLDS_OTHER;
		dmri_copy(d->holds_type, sizeof(d->holds_type), "unknown");
	}
	describe(d);
	return 0;
}

static void hold_member(struct dmremap_device *d, const struct dmr_anchor *a, bool internal)
{
	struct dmremap_set_info *info = calloc(1, sizeof(*info));

	d->holds = DMREMAP_HOLDS_MEMBER;
	dmri_text(d->holds_type, sizeof(d->holds_type), "dm-remap %s",
		  dmremap_role_name(le32_to_cpu(a->role)));
	if (!info)
		return;
	dmri_set_from_anchor(info, a);
	dmri_copy(d->holds_label, sizeof(d->holds_label), info->name);
	dmri_copy(d->holds_uuid, sizeof(d->holds_uuid), info->uuid);
	dmri_text(d->text, sizeof(d->text), "is %s of the dm-remap set \"%s\" (%s)",
		  le32_to_cpu(a->role) == DMR_ROLE_DATA ? "the data device" :
		  internal ? "the data device, with an internal spare," : "a spare",
		  info->name, info->uuid);
	free(info);
}

/* True if there is anything of ours. */
static bool probe_anchors(struct dmri_dev *dev, struct dmremap_device *d)
{
	_free_ struct dmri_anchors *a = malloc(sizeof(*a));
	u64 region;
	unsigned int i;

	if (!a)
		return false;
	if (dmri_anchors_read(dev, 0, a) < 0)
		return false;
	if (a->found) {
		hold_member(d, &a->anchor, false);
		return true;
	}
	for (i = 0; i < DMR_ANCHOR_COPIES; i++) {
		switch (a->fault[i]) {
		case DMR_BAD_VERSION:
		case DMR_BAD_FEATURE:
			d->holds = DMREMAP_HOLDS_NEWER;
			dmri_copy(d->holds_type, sizeof(d->holds_type), "dm-remap");
			dmri_text(d->text, sizeof(d->text),
				  "holds dm-remap metadata of a newer version than this one knows");
			return true;
		case DMR_BAD_CSUM:
		case DMR_BAD_GEOMETRY:
		case DMR_BAD_LOCATION:
			d->holds = DMREMAP_HOLDS_DAMAGED;
			dmri_copy(d->holds_type, sizeof(d->holds_type), "dm-remap");
			dmri_text(d->text, sizeof(d->text),
				  "holds dm-remap metadata that %s",
				  a->fault[i] == DMR_BAD_CSUM ? "is damaged" :
				  "does not fit this device");
			break;
		default:
			break;
		}
	}
	if (d->holds == DMREMAP_HOLDS_DAMAGED)
		return true;
	if (!dmri_locator_read(dev, &region) && !dmri_anchors_read(dev, region, a) && a->found) {
		hold_member(d, &a->anchor, true);
		return true;
	}
	return false;
}

/* A label counts only if there is nothing else. True if what is there settles it. */
static bool probe_label(struct dmri_dev *dev, struct dmr_label *label,
			struct dmremap_device *d)
{
	enum dmr_fault fault;

	if (dmri_label_get(dev, label, &fault) < 0)
		return false;
	switch (fault) {
	case DMR_OK:
		d->holds = DMREMAP_HOLDS_LABEL;
		dmri_copy(d->holds_type, sizeof(d->holds_type), "dm-remap label");
		dmri_uuid_text(label->uuid, d->holds_uuid);
		dmri_label_text(label, d->text, sizeof(d->text));
		return false;
	case DMR_BAD_MAGIC:
		return false;
	case DMR_BAD_VERSION:
		d->holds = DMREMAP_HOLDS_NEWER;
		dmri_copy(d->holds_type, sizeof(d->holds_type), "dm-remap label");
		dmri_text(d->text, sizeof(d->text),
			  "carries a label of a newer version than this one knows");
		return true;
	default:
		d->holds = DMREMAP_HOLDS_DAMAGED;
		dmri_copy(d->holds_type, sizeof(d->holds_type), "dm-remap label");
		dmri_text(d->text, sizeof(d->text),
			  fault == DMR_BAD_LOCATION ?
			  "carries a label that was written for a device of another size" :
			  "carries a damaged label of a spare");
		return false;
	}
}

int dmri_probe_contents(struct dmri_dev *dev, struct dmremap_device *d,
			struct dmremap_error *err)
{
	_free_ struct dmremap_device *labelled = malloc(sizeof(*labelled));
	_free_ struct dmr_label *label = malloc(sizeof(*label));
	int r;

	if (!labelled || !label)
		return dmri_error_sys(err, -ENOMEM, "%s", dev->path);
	d->holds = DMREMAP_HOLDS_NOTHING;
	if (probe_anchors(dev, d))
		return 0;
	*labelled = *d;
	if (probe_label(dev, label, labelled)) {
		*d = *labelled;
		return 0;
	}
	r = probe_blkid(dev, d, err);
	if (!r && d->holds == DMREMAP_HOLDS_NOTHING)
		*d = *labelled;
	return r;
}

int dmri_wipe_signatures(const struct dmri_dev *dev, struct dmremap_error *err)
{
	_cleanup_(probe_freep) blkid_probe pr = NULL;
	_close_ int fd = dmri_dev_reopen(dev, O_RDWR);
	unsigned int i;

	if (fd < 0)
		return dmri_error_sys(err, fd, "%s can not be opened", dev->path);
	pr = probe_new(fd);
	if (!pr)
		return dmri_error(err, -EIO, "libblkid can not examine %s.", dev->path);
	for (i = 0; i < MAX_SIGNATURES && blkid_do_probe(pr) == 0; i++)
		if (blkid_do_wipe(pr, 0) < 0)
			return dmri_error(err, -EIO,
					  "What %s holds can not be wiped; see \"wipefs\".",
					  dev->path);
	return fsync(fd) < 0 ? dmri_error_sys(err, -errno, "%s can not be written", dev->path) :
			       0;
}

/* --- How far a file system reaches ------------------------------------------- */

#ifdef BLKID_SUBLKS_FSINFO
/* libblkid 2.39 and newer knows. */
static int blkid_filesystem_sectors(struct dmri_dev *dev, u64 *sectors)
{
	_cleanup_(probe_freep) blkid_probe pr = NULL;
	_close_ int fd = dmri_dev_reopen(dev, O_RDONLY);
	u64 blocks, size;

	if (fd < 0)
		return fd;
	pr = probe_new(fd);
	if (!pr)
		return -EIO;
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_FSINFO);
	if (blkid_do_safeprobe(pr))
		return -ENODATA;
	blocks = strtoull(value(pr, "FSLASTBLOCK"), NULL, 10);
	size = strtoull(value(pr, "FSBLOCKSIZE"), NULL, 10);
	if (!blocks || size < 512 || blocks > UINT64_MAX / size)
		return -ENODATA;
	*sectors = blocks * (size / 512);
	return 0;
}
#else
static int blkid_filesystem_sectors(struct dmri_dev *dev, u64 *sectors)
{
	(void)dev;
	(void)sectors;
	return -ENODATA;
}
#endif

static u32 le32_at(const unsigned char *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
}

static u32 be32_at(const unsigned char *p)
{
	return p[3] | p[2] << 8 | p[1] << 16 | (u32)p[0] << 24;
}

int dmri_filesystem_sectors(struct dmri_dev *dev, const char *type, u64 *sectors)
{
	_free_ unsigned char *b = dmri_alloc(8192);
	u64 blocks, size;
	int r;

	if (!b)
		return -ENOMEM;
	if (!blkid_filesystem_sectors(dev, sectors))
		return 0;
	r = dmri_dev_read(dev, strcmp(type, "btrfs") ? 0 : 128, b, 8192);
	if (r < 0)
		return r;
	if (!strncmp(type, "ext", 3)) {
		const unsigned char *sb = b + 1024;
		unsigned int shift = le32_at(sb + 24);

		blocks = le32_at(sb + 4);
		if (le32_at(sb + 96) & 0x80)	/* 64bit */
			blocks |= (u64)le32_at(sb + 0x150) << 32;
		if (shift > 6)
			return -ENODATA;
		size = 1024u << shift;
	} else if (!strcmp(type, "xfs")) {
		size = be32_at(b + 4);
		blocks = (u64)be32_at(b + 8) << 32 | be32_at(b + 12);
	} else if (!strcmp(type, "btrfs")) {
		/* dev_item.total_bytes: the part on this device */
		blocks = le32_at(b + 0xd1) | (u64)le32_at(b + 0xd5) << 32;
		blocks /= 512;
		size = 512;
	} else {
		return -ENODATA;
	}
	if (size < 512 || size % 512 || !blocks || blocks > UINT64_MAX / size)
		return -ENODATA;
	*sectors = blocks * (size / 512);
	return 0;
}

/* --- Public -------------------------------------------------------------------- */

void dmri_fill_device(const struct dmri_dev *dev, struct dmremap_device *d)
{
	memset(d, 0, sizeof(*d));
	dmri_copy(d->path, sizeof(d->path), dev->path);
	d->sectors = dev->sectors;
	d->logical_block = dev->logical;
	d->physical_block = dev->physical;
	if (dev->block)
		dmri_identify(dev->major, dev->minor, d);
}

int dmremap_device_probe(const char *path, struct dmremap_device *d,
			 struct dmremap_error *err)
{
	_cleanup_(dmri_dev_closep) struct dmri_dev *dev = NULL, *excl = NULL;
	int r = dmri_dev_open(path, 0, &dev, err);

	if (r < 0)
		return r;
	dmri_fill_device(dev, d);
	d->in_use = dmri_dev_open(path, DMRI_EXCL, &excl, NULL) == -EBUSY;
	return dmri_probe_contents(dev, d, err);
}

/* No signature tells what a regular file is; one that begins with zeroes is an image. */
static int probe_file(struct dmri_dev *dev, struct dmremap_device *d,
		      struct dmremap_error *err)
{
	_free_ void *start = dmri_alloc(DMR_FRAME_SIZE);
	int r = start ? 0 : -ENOMEM;

	if (!r && dev->sectors >= DMR_FRAME_SECTORS)
		r = dmri_dev_read(dev, 0, start, DMR_FRAME_SIZE);
	if (r < 0)
		return dmri_error_sys(err, r, "%s can not be read", dev->path);
	if (dmri_is_zero(start, DMR_FRAME_SIZE))
		return 0;
	d->holds = DMREMAP_HOLDS_OTHER;
	dmri_copy(d->holds_type, sizeof(d->holds_type), "unknown");
	dmri_text(d->text, sizeof(d->text), "is a regular file that is not empty");
	return 0;
}

int dmri_plan_device(struct dmremap_plan *plan, const char *path, unsigned int flags,
		     const char *what, struct dmri_dev **ret,
		     struct dmremap_device *d, struct dmremap_error *err)
{
	_cleanup_(dmri_dev_closep) struct dmri_dev *dev = NULL;
	int r = dmri_dev_open(path, DMRI_WRITE | DMRI_EXCL, &dev, err);
	bool lost;

	if (r < 0)
		return r;
	dmri_fill_device(dev, d);
	if (d->read_only)
		return dmri_error(err, -EROFS, "%s is read-only.", path);
	if (d->zoned)
		return dmri_error(err, -EOPNOTSUPP,
				  "%s is a zoned device; those can not be used.", path);
	if (dev->logical > DMR_FRAME_SIZE)
		return dmri_error(err, -EOPNOTSUPP,
				  "%s has logical blocks of %u bytes; metadata needs %d or less.",
				  path, dev->logical, DMR_FRAME_SIZE);
	r = dmri_probe_contents(dev, d, err);
	if (!r && !dev->block && d->holds == DMREMAP_HOLDS_NOTHING)
		r = probe_file(dev, d, err);
	if (r < 0)
		return r;
	if (d->holds == DMREMAP_HOLDS_NEWER)
		return dmri_error(err, -EPROTONOSUPPORT,
				  "%s %s. It is not touched; use the newer version of the tools.",
				  path, d->text);
	r = dmri_known_overwrite(d, flags, plan, err);
	if (r < 0)
		return r;
	lost = d->holds != DMREMAP_HOLDS_NOTHING && d->holds != DMREMAP_HOLDS_LABEL;
	if (lost && !(flags & DMREMAP_FORCE))
		return dmri_error(err, -ENOTEMPTY,
				  "%s %s. As %s it would be overwritten; use --force if that is meant.",
				  path, d->text, what);
	if (lost)
		dmri_plan_add(plan, DMREMAP_PLAN_LOSS, "%s %s; it will be destroyed.", path,
			      d->text);
	if (d->holds == DMREMAP_HOLDS_LABEL)
		dmri_plan_add(plan, DMREMAP_PLAN_NOTE, "%s %s; the label gives way.", path,
			      d->text);
	*ret = dev;
	dev = NULL;
	return 0;
}
