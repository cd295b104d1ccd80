/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding an adopted data device, which carries nothing of ours: by its size
 * and what the hardware says of itself. A path alone proves nothing, so it is
 * believed only if the first bytes are those of the clean stop.
 */
#include "private.h"

/* 1: both known and equal, -1: both known and different, 0: nothing to compare. */
static int compare(const char *a, const char *b)
{
	if (!*a || !*b)
		return 0;
	return strncmp(a, b, DMR_ID_SIZE - 1) ? -1 : 1;
}

enum dmri_match dmri_identity_match(const struct dmr_identity *id,
				    const struct dmremap_device *d)
{
	int serial = compare(id->serial, d->serial);
	int wwn = compare(id->wwn, d->wwn);
	int part = compare(id->partuuid, d->partuuid);

	if (le64_to_cpu(id->device_sectors) != d->sectors)
		return DMRI_DIFFERS;
	if (serial < 0 || wwn < 0 || part < 0 || (*id->partuuid && !*d->partuuid))
		return DMRI_DIFFERS;
	/* A partition's UUID is its own; serial and WWN are those of the disk. */
	if (*id->partuuid ? part > 0 : serial > 0 || wwn > 0)
		return DMRI_SAME;
	return DMRI_UNKNOWN;
}

int dmri_fingerprint(struct dmri_dev *dev, u64 data_offset, u32 bytes, u32 *sum)
{
	_free_ char *buf = dmri_alloc(bytes);
	u64 skip = data_offset % DMR_FRAME_SECTORS * 512;
	_free_ char *wide = NULL;
	int r;

	if (!buf)
		return -ENOMEM;
	if (!skip) {
		r = dmri_dev_read(dev, data_offset, buf, bytes);
	} else {
		wide = dmri_alloc((size_t)bytes + DMR_FRAME_SIZE);
		if (!wide)
			return -ENOMEM;
		r = dmri_dev_read(dev, data_offset - skip / 512, wide,
				  (size_t)bytes + DMR_FRAME_SIZE);
		if (!r)
			memcpy(buf, wide + skip, bytes);
	}
	if (!r)
		*sum = ~dmr_crc32c(~0u, buf, bytes);
	return r;
}

static bool fingerprint_fits(const struct dmr_root *root, struct dmri_dev *dev)
{
	u32 bytes = le32_to_cpu(root->identity.fingerprint_bytes), sum;

	return le32_to_cpu(root->state) == DMR_SET_CLEAN && bytes &&
	       bytes <= DMR_FINGERPRINT_BYTES && !(bytes % DMR_FRAME_SIZE) &&
	       !dmri_fingerprint(dev, le64_to_cpu(root->data_offset), bytes, &sum) &&
	       sum == le32_to_cpu(root->identity.fingerprint);
}

static void describe(const struct dmr_identity *id, char *buf, size_t size)
{
	const struct {
		const char *name, *value;
	} parts[] = {
		{ "serial", id->serial },
		{ "WWN", id->wwn },
		{ "PARTUUID", id->partuuid },
		{ "last seen as", id->path },
	};
	char value[64];
	unsigned int i;
	size_t at;

	dmremap_format_size(le64_to_cpu(id->device_sectors) * 512, value, sizeof(value));
	dmri_text(buf, size, "size %s", value);
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!*parts[i].value)
			continue;
		dmri_copy_text(value, sizeof(value), parts[i].value, DMR_ID_SIZE);
		at = strlen(buf);
		dmri_text(buf + at, size - at, ", %s %s", parts[i].name, value);
	}
}

/* The device is named by a person: it must not be provably another one. */
static int check_explicit(const struct dmr_root *root, struct dmri_dev *dev,
			  struct dmremap_error *err)
{
	struct dmremap_device d = { .sectors = dev->sectors };
	char text[400];

	describe(&root->identity, text, sizeof(text));
	if (dev->sectors != le64_to_cpu(root->identity.device_sectors))
		return dmri_error(err, -ESTALE,
				  "%s is not the data device of this set: it has %llu sectors. The data device has: %s.",
				  dev->path, (unsigned long long)dev->sectors, text);
	if (dev->block)
		dmri_identify(dev->major, dev->minor, &d);
	if (dmri_identity_match(&root->identity, &d) == DMRI_DIFFERS &&
	    !fingerprint_fits(root, dev))
		return dmri_error(err, -ESTALE,
				  "%s is not the data device of this set: its serial number, WWN or partition UUID differ, and its content does not prove it either. The data device has: %s.",
				  dev->path, text);
	return 0;
}

struct search {
	struct dmri_devno found;
	unsigned int nr;
	char names[300];
};

static void take_candidate(struct search *s, struct dmri_devno devno)
{
	char path[DMREMAP_PATH_SIZE];
	size_t at = strlen(s->names);

	dmri_devno_path(devno.major, devno.minor, path, sizeof(path));
	dmri_text(s->names + at, sizeof(s->names) - at, "%s%s", at ? ", " : "", path);
	/* A path of a multipath device, a leg of a mirror: take what is on top. */
	if (s->nr && dmri_has_holders(devno.major, devno.minor) &&
	    !dmri_has_holders(s->found.major, s->found.minor))
		return;
	if (s->nr && !dmri_has_holders(devno.major, devno.minor) &&
	    dmri_has_holders(s->found.major, s->found.minor))
		s->nr = 0;
	s->found = devno;
	s->nr++;
}

static int search(const struct dmr_identity *id, struct search *s, struct dmremap_error *err)
{
	_free_ struct dmri_devno *list = NULL;
	size_t nr, i;
	int r = dmri_block_devices(&list, &nr, err);

	for (i = 0; i < nr && !r; i++) {
		struct dmremap_device d = { 0 };

		if (dmri_sysfs_u64(list[i].major, list[i].minor, "size", &d.sectors) < 0 ||
		    d.sectors != le64_to_cpu(id->device_sectors))
			continue;
		dmri_identify(list[i].major, list[i].minor, &d);
		if (dmri_identity_match(id, &d) == DMRI_SAME)
			take_candidate(s, list[i]);
	}
	return r;
}

int dmri_find_data(const struct dmr_root *root, const char *explicit_path,
		   struct dmri_dev **ret, struct dmremap_error *err)
{
	const struct dmr_identity *id = &root->identity;
	_cleanup_(dmri_dev_closep) struct dmri_dev *dev = NULL;
	char path[DMREMAP_PATH_SIZE], text[400];
	struct search s = { 0 };
	int r;

	if (explicit_path) {
		r = dmri_dev_open(explicit_path, 0, &dev, err);
		if (!r)
			r = check_explicit(root, dev, err);
		goto out;
	}
	describe(id, text, sizeof(text));
	r = search(id, &s, err);
	if (r < 0)
		return r;
	if (s.nr > 1)
		return dmri_error(err, -ENOTUNIQ,
				  "Several devices answer to the data device of this set: %s. Name the right one with --data.",
				  s.names);
	if (s.nr) {
		dmri_devno_path(s.found.major, s.found.minor, path, sizeof(path));
		r = dmri_dev_open(path, 0, &dev, err);
		goto out;
	}
	dmri_copy_text(path, sizeof(path), id->path, sizeof(id->path));
	if (!*path || dmri_dev_open(path, 0, &dev, NULL) < 0 ||
	    dev->sectors != le64_to_cpu(id->device_sectors))
		return dmri_error(err, -ENXIO,
				  "The data device was not found (%s). Attach it, or name it with --data.",
				  text);
	if (!fingerprint_fits(root, dev))
		return dmri_error(err, -ENXIO,
				  "The data device was not found (%s), and nothing proves that %s is still the same disk. If you know that it is, name it with --data.",
				  text, path);
	r = 0;
out:
	if (r < 0)
		return r;
	*ret = dev;
	dev = NULL;
	return 0;
}

static int refuse_adopted(const struct dmremap_device *d, const char *name, const char *uuid,
			  unsigned int flags, struct dmremap_plan *plan,
			  struct dmremap_error *err)
{
	if (!(flags & DMREMAP_FORCE))
		return dmri_error(err, -ENOTEMPTY,
				  "%s is the data device that set %s (%s) has adopted. Destroy that set first, or use --force if it is of no more use.",
				  d->path, name, uuid);
	dmri_plan_add(plan, DMREMAP_PLAN_LOSS,
		      "%s is the data device that set %s has adopted; that set must not be started again.",
		      d->path, name);
	return 0;
}

int dmri_check_adopted_by(const struct dmremap_set *set, const struct dmremap_device *d,
			  unsigned int flags, struct dmremap_plan *plan,
			  struct dmremap_error *err)
{
	struct dmremap_raw raw = { .kind = DMREMAP_RAW_NONE };

	if (!set->info.loaded || !set->info.adopted || set->info.active ||
	    dmri_identity_match(&set->root.identity, d) != DMRI_SAME)
		return 0;
	/* Told by dmri_known_overwrite(). */
	if (dmri_known_match(d, &raw) && !strcmp(raw.set_uuid, set->info.uuid))
		return 0;
	return refuse_adopted(d, set->info.name, set->info.uuid, flags, plan, err);
}

int dmri_known_overwrite(const struct dmremap_device *d, unsigned int flags,
			 struct dmremap_plan *plan, struct dmremap_error *err)
{
	struct dmremap_raw raw = { .kind = DMREMAP_RAW_NONE };
	int r;

	if (!dmri_known_match(d, &raw))
		return 0;
	r = refuse_adopted(d, raw.set_name, raw.set_uuid, flags, plan, err);
	if (!r && plan->nr_forget < ARRAY_SIZE(plan->forget))
		dmri_copy(plan->forget[plan->nr_forget++], sizeof(plan->forget[0]), raw.set_uuid);
	return r;
}
