// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets in use: who owns which devices, taking a set into use when its table is
 * resumed and giving it back when that is suspended, and finding one by name.
 */
#include <linux/percpu.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uuid.h>

#include "dm-remap.h"
#include "flush.h"

struct workqueue_struct *remap_wq;

/* --- Owners -------------------------------------------------------------- */

/*
 * Device mapper lets several tables hold one device. A set has one owner at a
 * time: whoever resumes claims its UUID and its devices here.
 */
static LIST_HEAD(active_sets);		/* by ascending id */
static DEFINE_MUTEX(active_lock);
static u32 last_id;
static atomic_t version, map_version;

u32 sets_version(bool maps)
{
	return atomic_read(&version) + (maps ? atomic_read(&map_version) : 0);
}

void sets_changed(bool map)
{
	atomic_inc(map ? &map_version : &version);
}

static bool has_device(const struct remap_target *rt, const struct block_device *bdev)
{
	unsigned int i;

	for (i = 0; i < rt->nr_spares; i++)
		if (rt->spares[i]->bdev == bdev)
			return true;
	return rt->data->bdev == bdev;
}

static bool share_device(const struct remap_target *a, const struct remap_target *b)
{
	unsigned int i;

	for (i = 0; i < a->nr_spares; i++)
		if (has_device(b, a->spares[i]->bdev))
			return true;
	return has_device(b, a->data->bdev);
}

/* Before anything is read: nobody else changes it from now on. */
static int claim_devices(struct remap_set *set)
{
	const struct remap_set *other;
	int r = 0;

	mutex_lock(&active_lock);
	list_for_each_entry(other, &active_sets, claim) {
		if (!share_device(set->rt, other->rt))
			continue;
		DMERR("%s: not activated: a device of it is in use by %s", set->name,
		      other->name);
		r = -EBUSY;
		break;
	}
	if (!r) {
		set->id = ++last_id;
		list_add_tail(&set->claim, &active_sets);
		sets_changed(false);
	}
	mutex_unlock(&active_lock);
	return r;
}

/* The same set on other devices is a copy of it. */
static int claim_uuid(struct remap_set *set)
{
	const struct remap_set *other;
	int r = 0;

	mutex_lock(&active_lock);
	list_for_each_entry(other, &active_sets, claim) {
		if (other == set || memcmp(other->store.set_uuid, set->store.set_uuid, 16))
			continue;
		DMERR("%s: not activated: the same set is in use on other devices as %s",
		      set->name, other->name);
		r = -EBUSY;
	}
	mutex_unlock(&active_lock);
	return r;
}

static void unclaim(struct remap_set *set)
{
	mutex_lock(&active_lock);
	list_del(&set->claim);
	sets_changed(false);
	mutex_unlock(&active_lock);
}

/*
 * Add a device to a running table. Flushes go to it before anything is kept on it,
 * and dm knows it as one of the table's (deps, and who may open it).
 */
int set_add_device(struct remap_set *set, struct dm_dev *dev)
{
	struct remap_target *rt = set->rt;
	const struct remap_set *other;
	int r = 0;

	mutex_lock(&active_lock);
	list_for_each_entry(other, &active_sets, claim)
		if (has_device(other->rt, dev->bdev))
			r = -EBUSY;
	if (!r && 2 + rt->nr_spares > set->ti->num_flush_bios)
		r = -EOPNOTSUPP;
	if (!r) {
		rt->spares[rt->nr_spares] = dev;
		/* Who sees the number sees the device. */
		smp_store_release(&rt->nr_spares, rt->nr_spares + 1);
	}
	mutex_unlock(&active_lock);
	return r;
}

void set_remove_device(struct remap_set *set, struct dm_dev *dev)
{
	struct remap_target *rt = set->rt;

	mutex_lock(&active_lock);
	if (!WARN_ON_ONCE(rt->spares[rt->nr_spares - 1] != dev)) {
		WRITE_ONCE(rt->nr_spares, rt->nr_spares - 1);
		synchronize_rcu();
		rt->spares[rt->nr_spares] = NULL;
		dm_put_device(set->ti, dev);
	}
	mutex_unlock(&active_lock);
}

/* --- Finding one --------------------------------------------------------- */

/* It can change while the device is in use, and is gone when that is being removed. */
void set_dm_name(struct remap_set *set, char *name)
{
	if (dm_copy_name_and_uuid(dm_table_get_md(set->ti->table), name, NULL))
		strscpy(name, set->dm_name, DM_NAME_LEN);
}

static bool has_name(struct remap_set *set, const char *name)
{
	char now[DM_NAME_LEN];

	set_dm_name(set, now);
	return !strcmp(now, name);
}

static bool wanted(struct remap_set *set, const char *name, const char *uuid, u32 after)
{
	uuid_t bytes;

	if (uuid)
		return !uuid_parse(uuid, &bytes) &&
		       !memcmp(&bytes, set->store.set_uuid, sizeof(bytes)) &&
		       (!name || has_name(set, name));
	if (name)
		return has_name(set, name);
	return set->id > after;
}

struct remap_set *set_get(const char *name, const char *uuid, u32 after)
{
	struct remap_set *set, *found = ERR_PTR(-ENODEV);

	mutex_lock(&active_lock);
	list_for_each_entry(set, &active_sets, claim) {
		if (!wanted(set, name, uuid, after))
			continue;
		/* While a set is in the list, so is its table. */
		if (!down_read_trylock(&set->rt->lock)) {
			found = ERR_PTR(-EAGAIN);
			break;
		}
		if (set->rt->set == set) {
			found = set;
			break;
		}
		up_read(&set->rt->lock);
		if (!name && !uuid)
			continue;
		found = ERR_PTR(-EAGAIN);
		break;
	}
	mutex_unlock(&active_lock);
	return found;
}

void set_put(struct remap_set *set)
{
	up_read(&set->rt->lock);
}

/* --- The life of a set --------------------------------------------------- */

static void set_free(struct remap_set *set)
{
	unsigned int i;

	for (i = 0; i < DMR_MAX_MEMBERS; i++)
		member_free(set->members[i]);
	map_destroy(&set->map);
	store_destroy(set);
	event_destroy(set);
	free_percpu(set->stats);
	kfree(set->flush_record);
	reserve_destroy(&set->reserve);
	bioset_exit(&set->bios);
	kfree(set->block_buf);
	kfree(set->check_buf);
	kvfree(set);
}

/* Who resumes a table has the processor first; then, in turn with the worker. */
#define SHARPEN_DELAY	(HZ / 4)
#define SHARPEN_AGAIN	(10 * HZ)

static void sharpen(struct work_struct *work)
{
	struct remap_set *set = container_of(to_delayed_work(work), struct remap_set,
					     sharpen_work);

	if (!map_sharpen(&set->map))
		queue_delayed_work(set->wq, &set->sharpen_work, SHARPEN_AGAIN);
}

static struct remap_set *set_alloc(struct dm_target *ti, struct remap_target *rt)
{
	int node = bdev_get_queue(rt->data->bdev)->node;
	struct remap_set *set = kvzalloc_node(sizeof(*set), GFP_NOIO, node);
	size_t size = max(DMR_MAX_BLOCK_SECTORS << SECTOR_SHIFT, DMR_FRAME_SIZE);

	if (!set)
		return NULL;
	set->ti = ti;
	set->rt = rt;
	set->wq = rt->wq;
	set->node = node;
	set->reserve.node = node;
	set->data = rt->data->bdev;
	set->only_data = rt->internal ? NULL : set->data;
	set->data_offset = rt->data_offset;
	set->name = dm_table_device_name(ti->table);
	set->degraded_ok = rt->degraded || rt->ran_degraded;
	spin_lock_init(&set->queue_lock);
	bio_list_init(&set->queue);
	bio_list_init(&set->flushes);
	INIT_LIST_HEAD(&set->requests);
	INIT_LIST_HEAD(&set->claim);
	INIT_WORK(&set->work, remap_work);
	INIT_DELAYED_WORK(&set->sharpen_work, sharpen);
	INIT_DELAYED_WORK(&set->breaker_work, health_work);
	INIT_DELAYED_WORK(&set->policy_work, policy_expires);
	mutex_init(&set->change_lock);
	spin_lock_init(&set->policy.lock);
	scrub_init(set);
	init_waitqueue_head(&set->slot_wait);
	init_waitqueue_head(&set->flush_wait);
	set->block_buf = kzalloc(size, GFP_NOIO);
	set->check_buf = kzalloc(size, GFP_NOIO);
	set->stats = alloc_percpu_gfp(struct remap_stats, GFP_NOIO);
	if (!set->block_buf || !set->check_buf || !set->stats ||
	    !flush_alloc(set) || event_init(set) ||
	    bioset_init(&set->bios, BIO_POOL_SIZE, 0, BIOSET_NEED_BVECS) ||
	    reserve_fill(&set->reserve, RESERVE_BLOCKS)) {
		set_free(set);
		return NULL;
	}
	return set;
}

/* Blocks can not be smaller than what a member reads and writes at once. */
static int check_alignment(struct remap_set *set)
{
	unsigned int i;

	set->sector_align = 1;
	for (i = 0; i < set->nr_members; i++) {
		struct remap_member *m = set->members[i];
		unsigned int align;

		if (!m || !m->bdev)
			continue;
		align = bdev_logical_block_size(m->bdev) >> SECTOR_SHIFT;
		if (align > set->block_sectors || align > DMR_FRAME_SECTORS) {
			DMERR("%s: not activated: %pg has logical blocks of %u bytes", set->name,
			      m->bdev, bdev_logical_block_size(m->bdev));
			return -EINVAL;
		}
		set->sector_align = max(set->sector_align, align);
	}
	for (i = 0; i < set->nr_members; i++)
		if (set->members[i])
			set->members[i]->unit = max(set->members[i]->unit, set->sector_align);
	return 0;
}

static void set_abandon(struct remap_set *set, bool claimed)
{
	flush_work(&set->work);
	cancel_delayed_work_sync(&set->breaker_work);
	event_flush(set);
	if (claimed)
		unclaim(set);
	set_free(set);
}

int set_activate(struct dm_target *ti, struct remap_target *rt)
{
	struct remap_set *set;
	int r;

	if (rt->set)
		return 0;
	flush_inherit(rt);
	set = set_alloc(ti, rt);
	if (!set)
		return -ENOMEM;
	r = claim_devices(set);
	if (r) {
		set_abandon(set, false);
		return r;
	}
	r = set_load(set, rt);
	if (!r)
		r = check_alignment(set);
	if (!r)
		r = claim_uuid(set);
	if (!r) {
		flush_open(set);
		r = set_open(set);
		if (r)
			flush_close(set);
	}
	if (r) {
		set_abandon(set, true);
		return r;
	}
	set_dm_name(set, set->dm_name);
	scrub_load(set);
	flush_take_debt(set);
	down_write(&rt->lock);
	rt->set = set;
	up_write(&rt->lock);
	sets_changed(false);
	/* Who hears of it finds it. */
	event_edge(set, DMR_NL_EVENT_ACTIVATED, -1);
	event_policy(set, DMR_NL_REASON_LOADED);
	policy_arm(set);
	spare_edges(set);
	queue_delayed_work(set->wq, &set->sharpen_work, SHARPEN_DELAY);
	return 0;
}

void set_stopping(struct remap_target *rt, bool stopping)
{
	down_read(&rt->lock);
	if (rt->set)
		WRITE_ONCE(rt->set->stopping, stopping);
	if (rt->set && !stopping)
		queue_delayed_work(remap_wq, &rt->set->scrub.work, 0);
	up_read(&rt->lock);
}

static bool lacks_member(const struct remap_set *set)
{
	unsigned int i;

	for (i = 0; i < set->nr_members; i++)
		if (is_member(set->members[i]) && set->members[i]->state != MEMBER_ACTIVE)
			return true;
	return false;
}

/* All bios are finished, and whoever uses the set by the lock comes to an end. */
void set_deactivate(struct remap_target *rt)
{
	struct remap_set *set;

	down_write(&rt->lock);
	set = rt->set;
	rt->set = NULL;
	up_write(&rt->lock);
	if (!set)
		return;
	/* What these ask of the worker ends soon. */
	WRITE_ONCE(set->stopping, true);
	scrub_stop(set);
	cancel_delayed_work_sync(&set->policy_work);
	flush_work(&set->work);
	cancel_delayed_work_sync(&set->sharpen_work);
	cancel_delayed_work_sync(&set->breaker_work);
	set_close(set);
	rt->ran_degraded = lacks_member(set);
	flush_close(set);
	event_edge(set, DMR_NL_EVENT_DEACTIVATED, -1);
	event_flush(set);
	unclaim(set);
	set_free(set);
}
