/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Labels: the first 4 KiB of a device that the daemon may make a spare. A label is
 * worth nothing unless every byte of it is right and the device has the length that
 * it had when it was labelled: an image that was copied onto a larger disk is no
 * licence to overwrite that.
 */
#include <time.h>
#include <uuid/uuid.h>

#include "private.h"

struct labelling {
	struct dmri_dev *dev;
	bool wipe;			/* it holds something */
	struct dmr_label label;		/* all zero: none any more */
};

/* The magic does not end with a NUL and so can not be compared as a string. */
enum dmr_fault dmri_label_check(const struct dmr_label *l, u64 device_sectors)
{
	size_t n;

	if (memcmp(l->magic, DMR_LABEL_MAGIC, sizeof(l->magic)))
		return DMR_BAD_MAGIC;
	if (le32_to_cpu(l->csum) != dmr_block_csum(l, offsetof(struct dmr_label, csum)))
		return DMR_BAD_CSUM;
	if (le32_to_cpu(l->version) != DMR_LABEL_VERSION)
		return DMR_BAD_VERSION;
	n = strnlen(l->domain, sizeof(l->domain));
	if (n == sizeof(l->domain) || !dmri_is_zero(l->domain + n, sizeof(l->domain) - n) ||
	    dmri_is_zero(l->uuid, sizeof(l->uuid)) || l->reserved0 ||
	    !dmri_is_zero(l->reserved, sizeof(l->reserved)))
		return DMR_BAD_GEOMETRY;
	return le64_to_cpu(l->device_sectors) == device_sectors ? DMR_OK : DMR_BAD_LOCATION;
}

int dmri_label_get(struct dmri_dev *dev, struct dmr_label *label, enum dmr_fault *fault)
{
	_free_ struct dmr_label *buf = dmri_alloc(sizeof(*buf));
	int r;

	*fault = DMR_BAD_MAGIC;
	if (!buf)
		return -ENOMEM;
	if (dev->sectors < DMR_FRAME_SECTORS)
		return 0;
	r = dmri_dev_read(dev, 0, buf, sizeof(*buf));
	if (r < 0)
		return r;
	*label = *buf;
	*fault = dmri_label_check(label, dev->sectors);
	return 0;
}

int dmri_label_put(struct dmri_dev *dev, const struct dmr_label *label)
{
	_free_ struct dmr_label *buf = dmri_alloc(sizeof(*buf));
	int r;

	if (!buf)
		return -ENOMEM;
	*buf = *label;
	r = dmri_dev_write(dev, 0, buf, sizeof(*buf));
	if (!r)
		r = dmri_dev_flush(dev);
	memset(buf, 0, sizeof(*buf));
	if (!r)
		r = dmri_dev_read(dev, 0, buf, sizeof(*buf));
	return !r && memcmp(buf, label, sizeof(*buf)) ? -EIO : r;
}

static void describe_label(const struct dmr_label *l, struct dmremap_label *label)
{
	memset(label, 0, sizeof(*label));
	dmri_uuid_text(l->uuid, label->uuid);
	dmri_copy_text(label->domain, sizeof(label->domain), l->domain, sizeof(l->domain));
	label->tier = le32_to_cpu(l->tier);
	label->created = le64_to_cpu(l->created);
	label->bytes = le64_to_cpu(l->device_sectors) * 512;
}

void dmri_label_text(const struct dmr_label *l, char *buf, size_t size)
{
	struct dmremap_label label;

	describe_label(l, &label);
	dmri_text(buf, size, "is free, labelled as a spare (%s%s%stier %u)",
		  *label.domain ? "domain \"" : "", label.domain, *label.domain ? "\", " : "",
		  label.tier);
}

int dmremap_label_read(const char *path, struct dmremap_label *label,
		       struct dmremap_error *err)
{
	_cleanup_(dmri_dev_closep) struct dmri_dev *dev = NULL;
	_free_ struct dmr_label *l = malloc(sizeof(*l));
	enum dmr_fault fault;
	int r = l ? dmri_dev_open(path, 0, &dev, err) : -ENOMEM;

	if (r < 0)
		return r;
	r = dmri_label_get(dev, l, &fault);
	if (r < 0)
		return dmri_error_sys(err, r, "%s can not be read", path);
	if (fault)
		return 0;
	describe_label(l, label);
	label->logical_block = dev->logical;
	return 1;
}

/* --- Plans ---------------------------------------------------------------------- */

static void labelling_release(struct dmremap_plan *plan)
{
	struct labelling *x = plan->data;

	if (x)
		dmri_dev_close(x->dev);
	free(x);
}

/* What is wiped goes first: a label must not vouch for a device that holds something. */
static int label_commit(struct dmremap_plan *plan, dmremap_progress_fn progress, void *arg,
			struct dmremap_error *err)
{
	struct labelling *x = plan->data;
	u64 region;
	int r = 0;

	if (progress && progress(0, 0, arg))
		return dmri_error(err, -ECANCELED, "Stopped before anything was done.");
	if (x->wipe)
		r = dmri_wipe_signatures(x->dev, err);
	if (r < 0)
		return r;
	/* And what may be there of our own. */
	if (x->wipe && !dmri_locator_read(x->dev, &region))
		r = dmri_anchors_wipe(x->dev, region, true);
	if (!r && x->wipe)
		r = dmri_anchors_wipe(x->dev, 0, false);
	if (!r)
		r = dmri_label_put(x->dev, &x->label);
	return r < 0 ? dmri_error_sys(err, r, "%s can not be written", x->dev->path) : 0;
}

static int labelling_new(struct dmremap_plan **plan, struct labelling **x,
			 struct dmremap_error *err)
{
	*x = calloc(1, sizeof(**x));
	if (!*x || dmri_plan_new(plan) < 0) {
		free(*x);
		return dmri_error_sys(err, -ENOMEM, "Planning");
	}
	(*plan)->data = *x;
	(*plan)->release = labelling_release;
	(*plan)->commit = label_commit;
	return 0;
}

/* As for names of sets: nothing that needs quotes in a file or a command. */
static int check_domain(const char *domain, struct dmremap_error *err)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789#+-.:=@_";

	if (strlen(domain) >= DMR_DOMAIN_SIZE)
		return dmri_error(err, -ENAMETOOLONG, "The domain has more than %d characters.",
				  DMR_DOMAIN_SIZE - 1);
	if (domain[strspn(domain, allowed)])
		return dmri_error(err, -EINVAL,
				  "The domain \"%s\" has characters other than A-Z a-z 0-9 # + - . : = @ _",
				  domain);
	return 0;
}

static void fill_label(struct labelling *x, const char *domain, u32 tier)
{
	struct dmr_label *l = &x->label;

	memcpy(l->magic, DMR_LABEL_MAGIC, sizeof(l->magic));
	l->version = cpu_to_le32(DMR_LABEL_VERSION);
	uuid_generate_random(l->uuid);
	l->device_sectors = cpu_to_le64(x->dev->sectors);
	l->created = cpu_to_le64(time(NULL));
	l->tier = cpu_to_le32(tier);
	memcpy(l->domain, domain, strlen(domain));
	l->csum = cpu_to_le32(dmr_block_csum(l, offsetof(struct dmr_label, csum)));
}

int dmremap_label_plan(const char *path, const char *domain, uint32_t tier,
		       unsigned int flags, struct dmremap_plan **ret,
		       struct dmremap_error *err)
{
	_cleanup_(dmri_plan_freep) struct dmremap_plan *plan = NULL;
	_free_ struct dmremap_device *d = calloc(1, sizeof(*d));
	struct labelling *x;
	char has[32], min[32];
	u64 need = dmri_spare_min_sectors(dmri_nr_frames(2), DMR_MIN_BLOCK_SECTORS);
	int r = d ? check_domain(domain ?: "", err) : -ENOMEM;

	if (!r)
		r = labelling_new(&plan, &x, err);
	if (r < 0)
		return r;
	r = dmri_plan_device(plan, path, flags, "a labelled spare", &x->dev, d, err);
	if (!r)
		r = dmri_check_adopted(d, flags, plan, err);
	if (r < 0)
		return r;
	if (x->dev->sectors < need)
		return dmri_error(err, -ENOSPC,
				  "%s is too small to be a spare: it has %s, at least %s are needed.",
				  path, dmremap_format_size(x->dev->sectors * 512, has, sizeof(has)),
				  dmremap_format_size(need * 512, min, sizeof(min)));
	x->wipe = d->holds != DMREMAP_HOLDS_NOTHING && d->holds != DMREMAP_HOLDS_LABEL;
	fill_label(x, domain ?: "", tier);
	dmri_plan_add(plan, DMREMAP_PLAN_STEP,
		      "Label %s (%s) as a spare%s%s, tier %u: dmremapd may take it for any set %s.",
		      path, dmremap_format_size(x->dev->sectors * 512, has, sizeof(has)),
		      domain && *domain ? " of domain " : "", domain ?: "", tier,
		      domain && *domain ? "of that domain" : "without a domain");
	*ret = plan;
	plan = NULL;
	return 0;
}

int dmremap_unlabel_plan(const char *path, unsigned int flags, struct dmremap_plan **ret,
			 struct dmremap_error *err)
{
	_cleanup_(dmri_plan_freep) struct dmremap_plan *plan = NULL;
	struct dmremap_label label;
	enum dmr_fault fault;
	struct labelling *x;
	int r = labelling_new(&plan, &x, err);

	/* Nothing without a label is opened for writing. */
	if (!r)
		r = dmremap_label_read(path, &label, err);
	if (!r)
		return dmri_error(err, -ENOENT, "%s carries no valid label of a spare.", path);
	if (r > 0)
		r = dmri_dev_open(path, DMRI_WRITE | DMRI_EXCL, &x->dev, err);
	if (r < 0)
		return r;
	r = dmri_label_get(x->dev, &x->label, &fault);
	if (r < 0)
		return dmri_error_sys(err, r, "%s can not be read", path);
	if (fault)
		return dmri_error(err, -EAGAIN, "%s changed while it was opened.", path);
	memset(&x->label, 0, sizeof(x->label));
	dmri_plan_add(plan, DMREMAP_PLAN_STEP,
		      "Take the label off %s; it is no spare then, and free.", path);
	*ret = plan;
	plan = NULL;
	return 0;
}
