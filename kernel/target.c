// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device-mapper target: its table and its life. The way of a bio is in path.c.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uuid.h>

#include "dm-remap.h"
#include "flush.h"

/* --- Life ---------------------------------------------------------------- */

/* A resumed table takes the set, so that the metadata is read when it is final. */
static int remap_preresume(struct dm_target *ti)
{
	unsigned int noio = memalloc_noio_save();
	int r = set_activate(ti, ti->private);

	memalloc_noio_restore(noio);
	return r;
}

/* Requests that take long end soon: dm waits for them with all I/O held back. */
static void remap_presuspend(struct dm_target *ti)
{
	set_stopping(ti->private, true);
}

static void remap_presuspend_undo(struct dm_target *ti)
{
	set_stopping(ti->private, false);
}

static void remap_postsuspend(struct dm_target *ti)
{
	unsigned int noio = memalloc_noio_save();

	set_deactivate(ti->private);
	memalloc_noio_restore(noio);
}

/* --- Table --------------------------------------------------------------- */

static int parse_features(struct dm_target *ti, struct remap_target *rt,
			  struct dm_arg_set *as)
{
	static const struct dm_arg args[] = {
		{ 0, 7, "Invalid number of feature arguments" },
	};
	unsigned int nr;
	char dummy;

	if (dm_read_arg_group(args, as, &nr, &ti->error))
		return -EINVAL;
	while (nr) {
		const char *name = dm_shift_arg(as), *value = NULL;
		unsigned long long sector;

		nr--;
		if (!strcasecmp(name, "degraded")) {
			rt->degraded = true;
			continue;
		}
		if (strcasecmp(name, "data_offset") && strcasecmp(name, "internal_spare") &&
		    strcasecmp(name, "set_uuid")) {
			ti->error = "Unrecognised feature argument";
			return -EINVAL;
		}
		if (nr) {
			value = dm_shift_arg(as);
			nr--;
		}
		if (!value) {
			ti->error = "A feature argument lacks its value";
			return -EINVAL;
		}
		if (!strcasecmp(name, "set_uuid")) {
			if (uuid_parse(value, (uuid_t *)rt->uuid)) {
				ti->error = "Invalid set_uuid";
				return -EINVAL;
			}
			rt->has_uuid = true;
			continue;
		}
		if (sscanf(value, "%llu%c", &sector, &dummy) != 1 || sector != (sector_t)sector) {
			ti->error = "Invalid sector";
			return -EINVAL;
		}
		if (!strcasecmp(name, "data_offset")) {
			rt->data_offset = sector;
		} else {
			rt->internal = true;
			rt->internal_start = sector;
		}
	}
	if (as->argc) {
		ti->error = "Arguments behind the features";
		return -EINVAL;
	}
	return 0;
}

/* Device names hold a '/' or a ':', the number of features does not. */
static bool is_device(const char *arg)
{
	return strpbrk(arg, "/:");
}

static int take_device(struct dm_target *ti, const char *path, struct dm_dev **dev)
{
	int r = dm_get_device(ti, path, BLK_OPEN_READ | BLK_OPEN_WRITE, dev);

	if (r) {
		ti->error = "A device can not be opened for writing";
		return r;
	}
	if (bdev_is_zoned((*dev)->bdev)) {
		ti->error = "Zoned devices are not supported";
		return -EINVAL;
	}
	return 0;
}

static int check_devices(struct dm_target *ti, const struct remap_target *rt)
{
	sector_t size = bdev_nr_sectors(rt->data->bdev);
	unsigned int i, j;

	if (rt->data_offset > size || ti->len > size - rt->data_offset) {
		ti->error = "The data device is too small";
		return -EINVAL;
	}
	if (rt->internal && (rt->internal_start < rt->data_offset + ti->len ||
			     rt->internal_start >= size)) {
		ti->error = "The internal spare lies in the data or behind the device";
		return -EINVAL;
	}
	if (!rt->nr_spares && !rt->internal && !rt->degraded) {
		ti->error = "A spare is needed, or degraded";
		return -EINVAL;
	}
	for (i = 0; i < rt->nr_spares; i++) {
		for (j = 0; j < i; j++) {
			if (rt->spares[i]->bdev == rt->spares[j]->bdev) {
				ti->error = "A spare is named twice";
				return -EINVAL;
			}
		}
		if (rt->spares[i]->bdev == rt->data->bdev) {
			ti->error = "The data device can not be its own spare; use internal_spare";
			return -EINVAL;
		}
	}
	return 0;
}

static void put_devices(struct dm_target *ti, struct remap_target *rt)
{
	unsigned int i;

	for (i = 0; i < DMR_MAX_MEMBERS - 1; i++)
		if (rt->spares[i])
			dm_put_device(ti, rt->spares[i]);
	if (rt->data)
		dm_put_device(ti, rt->data);
}

static int parse_table(struct dm_target *ti, struct remap_target *rt, struct dm_arg_set *as)
{
	int r;

	if (!as->argc) {
		ti->error = "A data device is needed";
		return -EINVAL;
	}
	if (!(dm_table_get_mode(ti->table) & BLK_OPEN_WRITE)) {
		ti->error = "A read-only table can not keep its map";
		return -EROFS;
	}
	r = take_device(ti, dm_shift_arg(as), &rt->data);
	while (!r && as->argc && is_device(as->argv[0])) {
		if (rt->nr_spares == DMR_MAX_MEMBERS - 2) {
			ti->error = "Too many spares";
			return -EINVAL;
		}
		r = take_device(ti, dm_shift_arg(as), &rt->spares[rt->nr_spares++]);
	}
	if (!r && as->argc)
		r = parse_features(ti, rt, as);
	return r ? r : check_devices(ti, rt);
}

static int remap_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dm_arg_set as = { .argc = argc, .argv = argv };
	struct remap_target *rt = kzalloc(sizeof(*rt), GFP_KERNEL);
	int r;

	if (!rt) {
		ti->error = "Out of memory";
		return -ENOMEM;
	}
	init_rwsem(&rt->lock);
	/* Device mapper sees to that; the I/O path relies on it. */
	if (WARN_ON_ONCE(ti->begin)) {
		kfree(rt);
		return -EINVAL;
	}
	r = parse_table(ti, rt, &as);
	if (!r) {
		/* With a thread; to make one while I/O is held back might wait for this device. */
		rt->wq = alloc_ordered_workqueue("remap/%s", WQ_MEM_RECLAIM,
						 dm_table_device_name(ti->table));
		if (!rt->wq) {
			ti->error = "Out of memory";
			r = -ENOMEM;
		}
	}
	if (r) {
		put_devices(ti, rt);
		kfree(rt);
		return r;
	}
	rt->md = dm_table_get_md(ti->table);
	ti->private = rt;
	ti->per_io_data_size = sizeof(struct remap_bio);
	/*
	 * Bio n flushes device n of the table: the data device, then each spare. dm reads
	 * this more than once for one flush, so it never changes; there is some
	 * room for spares that join later.
	 */
	ti->num_flush_bios = min(1 + rt->nr_spares + HOT_SPARES, DMR_MAX_MEMBERS - 1U);
	ti->num_discard_bios = 1;
	ti->discards_supported = bdev_max_discard_sectors(rt->data->bdev);
	ti->num_secure_erase_bios = 1;
	ti->num_write_zeroes_bios = 1;
	return 0;
}

static void remap_dtr(struct dm_target *ti)
{
	struct remap_target *rt = ti->private;

	set_deactivate(rt);
	flush_forgive(rt);
	destroy_workqueue(rt->wq);
	put_devices(ti, rt);
	kfree(rt);
}

static int remap_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn,
				 void *data)
{
	struct remap_target *rt = ti->private;
	unsigned int i, nr;
	int r = fn(ti, rt->data, rt->data_offset, ti->len, data);

	/* Pairs with set_add_device(); one that could not join is gone again. */
	nr = smp_load_acquire(&rt->nr_spares);
	for (i = 0; i < nr && !r; i++) {
		struct dm_dev *dev = READ_ONCE(rt->spares[i]);

		if (dev)
			r = fn(ti, dev, 0, bdev_nr_sectors(dev->bdev), data);
	}
	if (!r && rt->internal)
		r = fn(ti, rt->data, rt->internal_start,
		       bdev_nr_sectors(rt->data->bdev) - rt->internal_start, data);
	return r;
}

static struct target_type remap_target = {
	.name = "remap",
	.version = { 1, 0, 0 },
	.features = DM_TARGET_SINGLETON | DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = remap_ctr,
	.dtr = remap_dtr,
	.map = remap_map,
	.end_io = remap_end_io,
	.preresume = remap_preresume,
	.presuspend = remap_presuspend,
	.presuspend_undo = remap_presuspend_undo,
	.postsuspend = remap_postsuspend,
	.status = remap_status,
	.message = remap_message,
	.iterate_devices = remap_iterate_devices,
};

static int __init remap_init(void)
{
	int r;

	remap_wq = alloc_workqueue("remap", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!remap_wq)
		return -ENOMEM;
	r = netlink_init();
	if (!r) {
		r = dm_register_target(&remap_target);
		if (r)
			netlink_exit();
	}
	if (r)
		destroy_workqueue(remap_wq);
	return r;
}

static void __exit remap_exit(void)
{
	dm_unregister_target(&remap_target);
	netlink_exit();
	flush_exit();
	destroy_workqueue(remap_wq);
}

module_init(remap_init);
module_exit(remap_exit);

MODULE_DESCRIPTION(DM_NAME " target that moves bad blocks to spares");
MODULE_AUTHOR("dm-remap developers");
MODULE_LICENSE("GPL");
