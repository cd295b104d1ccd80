/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adding and removing spares.
 *
 * Adding: zero the new device's metadata, flush, write its anchors; then, if the
 * set runs, the module takes it and writes the map to it. Cut anywhere after the
 * anchors, it joins at the next start.
 *
 * Removing from a running set: evacuate (the map says durably that it is out),
 * load the table without it, wipe it. Cut after the first, it is ignored, and removing it
 * again does the rest.
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "private.h"

struct change {
	struct dmremap_set *set;
	struct dmri_new_member new;	/* add */
	bool labelled;
	struct dmr_label label;		/* that it carries, put back if it can not join */
	/* remove */
	struct dmremap_member_info member;
	u32 nr_frames;
	bool joined;			/* the map lists it */
};

static void change_release(struct dmremap_plan *plan)
{
	struct change *c = plan->data;

	if (c)
		dmri_dev_close(c->new.dev);
	free(c);
}

static int change_new(struct dmremap_set *set, struct dmremap_plan **plan, struct change **c,
		      struct dmremap_error *err)
{
	*c = calloc(1, sizeof(**c));
	if (!*c || dmri_plan_new(plan) < 0) {
		free(*c);
		return dmri_error_sys(err, -ENOMEM, "Planning");
	}
	(*c)->set = set;
	(*plan)->data = *c;
	(*plan)->release = change_release;
	(*plan)->info = set->info;
	return 0;
}

/* --- One at a time ------------------------------------------------------------ */

#define LOCK_DIRECTORY	"/run/dm-remap"
#define LOCK_PAUSE_NS	100000000	/* 0.1 s */
#define LOCK_PAUSES	100

/*
 * Two that change who belongs to a running set would each start from a table that the other
 * replaces. Waits some seconds for another; the lock ends with the descriptor. Where no
 * lock can be kept, the kernel's order alone decides: -1.
 */
static int lock_spares(const struct dmremap_set *set, int *fd, struct dmremap_error *err)
{
	char path[sizeof(LOCK_DIRECTORY) + 64];
	int i;

	mkdir(LOCK_DIRECTORY, 0755);
	dmri_text(path, sizeof(path), LOCK_DIRECTORY "/spares-%s.lock", set->info.uuid);
	*fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	for (i = 0; *fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB); i++) {
		if (i == LOCK_PAUSES || errno != EWOULDBLOCK)
			return dmri_error(err, -EBUSY,
					  "Another program is adding a spare to %s, or removing one. Try again when it has done so.",
					  set->info.name);
		nanosleep(&(struct timespec){ .tv_nsec = LOCK_PAUSE_NS }, NULL);
	}
	return 0;
}

/* A disk that is gone for good would keep any table from being loaded that names it. */
static bool is_gone(const char *devno)
{
	unsigned int major, minor;
	char path[DMREMAP_PATH_SIZE];
	_close_ int fd = -1;

	dmri_text(path, sizeof(path), "/sys/dev/block/%s", devno);
	if (access(path, F_OK))
		return errno == ENOENT;
	if (sscanf(devno, "%u:%u", &major, &minor) != 2)
		return false;
	dmri_devno_path(major, minor, path, sizeof(path));
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 && (errno == ENXIO || errno == ENODEV);
}

static bool is_active(const struct dmremap_status *status, const char *devno)
{
	unsigned int i;
	char one[32];

	for (i = 0; i < status->nr_spares; i++) {
		const struct dmremap_spare_status *s = &status->spares[i];

		dmri_text(one, sizeof(one), "%u:%u", s->major, s->minor);
		if (s->state == DMREMAP_SPARE_ACTIVE && !strcmp(one, devno))
			return true;
	}
	return false;
}

/* Does it lack a spare, or the map on its data device? */
static bool runs_degraded(const struct dmremap_status *status)
{
	unsigned int i;

	for (i = 0; i < status->nr_spares; i++)
		if (status->spares[i].state != DMREMAP_SPARE_ACTIVE)
			return true;
	for (i = 0; i < status->nr_counters; i++)
		if (!strcmp(status->counters[i].name, "header_out") && status->counters[i].value)
			return true;
	return false;
}

/*
 * A set that runs without a member goes on without it: nothing of that is decided anew by the
 * table that is loaded. A dead disk in it is as good as none to the module then.
 */
static int stay_degraded(const struct dmremap_set *set, struct dmri_table *table,
			 struct dmremap_error *err)
{
	_free_ struct dmremap_status *status = malloc(sizeof(*status));
	unsigned int i, n = 0;
	int r = status ? dmremap_status(set->info.device, status, err) :
			 dmri_error_sys(err, -ENOMEM, "%s", set->info.device);

	if (r < 0 || !runs_degraded(status))
		return r;
	table->degraded = true;
	for (i = 0; i < table->nr_spares; i++)
		if (is_active(status, table->spares[i]) || !is_gone(table->spares[i]))
			memmove(table->spares[n++], table->spares[i], sizeof(table->spares[0]));
	table->nr_spares = n;
	return 0;
}

/* Load the table of the running set again, changed by @edit; not if that returns 1. */
static int reload(struct dmremap_set *set,
		  int (*edit)(struct dmri_table *table, const void *arg), const void *arg,
		  struct dmremap_error *err)
{
	_free_ struct dmri_dm_info *info = malloc(sizeof(*info));
	struct dmri_table table, before;
	char params[4096], again[4096];
	int r;

	if (!info)
		return dmri_error_sys(err, -ENOMEM, "%s", set->info.device);
	r = dmri_dm_table(set->info.device, info, err);
	if (r < 0)
		return r;
	r = dmri_table_parse(info->params, &table);
	before = table;
	if (!r)
		r = edit(&table, arg);
	if (r > 0)
		return 0;
	if (!r) {
		r = stay_degraded(set, &before, err);
		if (!r)
			r = stay_degraded(set, &table, err);
		if (r < 0)
			return r;
		r = dmri_table_format(&before, again, sizeof(again));
	}
	if (!r)
		r = dmri_table_format(&table, params, sizeof(params));
	if (r < 0)
		return dmri_error_sys(err, r, "The table of %s can not be changed",
				      set->info.device);
	return dmri_dm_reload(set->info.device, info, params, again, err);
}

/* --- Add ---------------------------------------------------------------------- */

static int table_append(struct dmri_table *table, const void *arg)
{
	const struct dmri_dev *dev = arg;

	if (table->nr_spares >= DMR_MAX_MEMBERS - 1)
		return -ENOSPC;
	dmri_text(table->spares[table->nr_spares++], sizeof(table->spares[0]), "%u:%u",
		  dev->major, dev->minor);
	return 0;
}

/*
 * Into the running set: by the module itself, without a pause; by a reload of the
 * table if it says that it needs one.
 */
static int join(struct dmremap_set *set, const struct dmri_dev *dev, struct dmremap_error *err)
{
	struct dmremap_nl *nl = NULL;
	unsigned int member;
	int r = dmremap_nl_open(&nl, NULL);

	if (r < 0)
		return reload(set, table_append, dev, err);
	r = dmremap_nl_spare_add(nl, set->info.uuid, dev->major, dev->minor, &member, err);
	dmremap_nl_free(nl);
	return r == -EOPNOTSUPP ? reload(set, table_append, dev, err) : r;
}

/* The kernel had it, or nobody: is it the same one, as it was left? */
static int open_again(struct change *c, const char *path)
{
	const struct dmr_anchor *a = &c->new.anchor;
	struct dmri_anchors now;
	int r = dmri_dev_open(path, DMRI_WRITE | DMRI_EXCL, &c->new.dev, NULL);

	if (!r)
		r = dmri_anchors_read(c->new.dev, 0, &now);
	if (!r && (!now.found || memcmp(now.anchor.member_uuid, a->member_uuid,
					sizeof(a->member_uuid))))
		r = -ESTALE;
	return r;
}

/* Back to what it was: no member, and labelled if it was. */
static void take_back(struct change *c)
{
	dmri_anchors_wipe(c->new.dev, 0, false);
	if (c->labelled)
		dmri_label_put(c->new.dev, &c->label);
}

static int add_commit(struct dmremap_plan *plan, dmremap_progress_fn progress, void *arg,
		      struct dmremap_error *err)
{
	struct change *c = plan->data;
	struct dmri_anchors back;
	_close_ int lock = -1;
	u64 done = 0;
	struct dmri_dev dev;
	int r = c->set->info.active ? lock_spares(c->set, &lock, err) : 0;

	if (r < 0)
		return r;
	r = dmri_member_clear(&c->new, progress, arg, &done, dmri_member_clear_sectors(&c->new),
			      err);
	if (r < 0) {
		if (c->labelled)
			dmri_label_put(c->new.dev, &c->label);
		return r;
	}
	r = dmri_anchors_write(c->new.dev, &c->new.anchor, false);
	if (!r)
		r = dmri_anchors_read(c->new.dev, 0, &back);
	if (!r && (back.fault[0] || back.fault[1]))
		r = -EIO;
	if (r < 0) {
		take_back(c);
		return dmri_error_sys(err, r, "%s can not be written", c->new.dev->path);
	}
	if (!c->set->info.active)
		return 0;
	/* The kernel opens it exclusively: let go of it. */
	dev = *c->new.dev;
	dmri_dev_close(c->new.dev);
	c->new.dev = NULL;
	r = join(c->set, &dev, err);
	/* If nothing runs now, the map may list it already. */
	if (r < 0 && r != -EDEADLK && !open_again(c, dev.path))
		take_back(c);
	return r;
}

/* Before anything is written for it. */
static int answers(const struct dmremap_set *set, struct dmremap_error *err)
{
	_free_ struct dmremap_status *status = malloc(sizeof(*status));
	int r;

	if (!status)
		return dmri_error_sys(err, -ENOMEM, "%s", set->info.device);
	r = dmremap_status(set->info.device, status, err);
	return r < 0 ? r : dmremap_status_answers(status, err);
}

static int add_checks(struct dmremap_set *set, struct dmremap_error *err)
{
	unsigned int i, nr = 0;
	int r = set->info.active ? answers(set, err) : 0;

	if (r < 0)
		return r;
	if (!set->nr_found)
		return dmri_error(err, -EAGAIN,
				  "The members of %s can not be read now, so their format is not known.",
				  set->info.name);
	if (!set->info.loaded || !set->info.active)
		r = dmremap_set_load(set, NULL, err);
	if (r < 0)
		return r;
	if (set->info.fault && !set->info.active)
		return dmri_error(err, set->code, "%s", set->info.reason);
	for (i = 0; i < set->info.nr_members; i++)
		nr += set->info.members[i].index != 0;
	if (nr >= DMR_MAX_MEMBERS - 1)
		return dmri_error(err, -ENOSPC,
				  "%s has had %u spares already, removed ones included; there is no room for another.",
				  set->info.name, nr);
	return 0;
}

/* Nor may it be the data of another set, which need not show on it. */
int dmri_check_adopted(const struct dmremap_device *d, unsigned int flags,
		       struct dmremap_plan *plan, struct dmremap_error *err)
{
	struct dmremap_scan *scan = NULL;
	struct dmremap_set *other;
	int r;

	if (!(d->major || d->minor))
		return 0;
	r = dmremap_scan_new(DMREMAP_SCAN_LOAD, NULL, &scan, err);
	if (r < 0)
		return r;
	while (!r && dmremap_scan_next(scan, &other))
		r = dmri_check_adopted_by(other, d, flags, plan, err);
	dmremap_scan_free(scan);
	return r;
}

/*
 * What carries a label was looked at when it got it, and has not become a set's data since
 * (lib/create.c): no other device need be read, which may be one that hangs.
 */
static int check_other_use(const struct dmremap_device *d, const struct dmremap_spare *spare,
			   unsigned int flags, struct dmremap_plan *plan,
			   struct dmremap_error *err)
{
	return spare->label ? 0 : dmri_check_adopted(d, flags, plan, err);
}

/* A flush of the set would flush what lies on it, which flushes the set, without end. */
static int check_below(const struct dmremap_set *set, const struct dmri_dev *dev,
		       struct dmremap_error *err)
{
	_free_ struct dmremap_status *status = malloc(sizeof(*status));
	int r;

	if (!status)
		return dmri_error_sys(err, -ENOMEM, "%s", set->info.device);
	if (!set->info.active || !(dev->major || dev->minor))
		return 0;
	r = dmremap_status(set->info.device, status, err);
	if (r < 0 || !dmri_lies_on((struct dmri_devno){ dev->major, dev->minor },
				   (struct dmri_devno){ status->major, status->minor }))
		return r;
	return dmri_error(err, -ELOOP,
			  "%s lies on /dev/mapper/%s, so it can not be a spare of that set.",
			  dev->path, set->info.device);
}

static int no_such_label(const struct dmremap_spare *spare, struct dmremap_error *err)
{
	return dmri_error(err, -ENOKEY, "%s no longer carries the label %s; it is left alone.",
			  spare->path, spare->label);
}

/* What must carry a label is not even opened for writing without one. */
static int check_label(const struct dmremap_spare *spare, struct dmremap_error *err)
{
	struct dmremap_label label;
	int r = spare->label ? dmremap_label_read(spare->path, &label, err) : 0;

	if (r < 0 || !spare->label)
		return r;
	return r && !strcmp(label.uuid, spare->label) ? 0 : no_such_label(spare, err);
}

/* Now that nobody else can open it exclusively: which label is it? */
static int take_label(struct change *c, const struct dmremap_spare *spare,
		      struct dmremap_error *err)
{
	char uuid[DMREMAP_UUID_SIZE] = "";
	enum dmr_fault fault;
	int r = dmri_label_get(c->new.dev, &c->label, &fault);

	if (r < 0)
		return dmri_error_sys(err, r, "%s can not be read", spare->path);
	c->labelled = !fault;
	if (c->labelled)
		dmri_uuid_text(c->label.uuid, uuid);
	return spare->label && strcmp(uuid, spare->label) ? no_such_label(spare, err) : 0;
}

int dmremap_spare_add_plan(struct dmremap_set *set, const struct dmremap_spare *spare,
			   unsigned int flags, struct dmremap_plan **ret,
			   struct dmremap_error *err)
{
	_cleanup_(dmri_plan_freep) struct dmremap_plan *plan = NULL;
	_free_ struct dmremap_device *d = calloc(1, sizeof(*d));
	struct dmri_layout layout;
	struct dmr_anchor *a;
	struct change *c;
	char size[32];
	u64 need;
	int r = d ? add_checks(set, err) : -ENOMEM;

	if (!r)
		r = check_label(spare, err);
	if (!r)
		r = change_new(set, &plan, &c, err);
	if (r < 0)
		return r;
	plan->commit = add_commit;
	r = dmri_plan_device(plan, spare->path, flags, "a spare", &c->new.dev, d, err);
	if (!r)
		r = check_below(set, c->new.dev, err);
	if (!r)
		r = take_label(c, spare, err);
	if (r < 0)
		return r;
	r = check_other_use(d, spare, flags, plan, err);
	if (r < 0)
		return r;
	c->new.wipe = d->holds != DMREMAP_HOLDS_NOTHING;
	if (c->new.dev->logical > set->info.block_size)
		return dmri_error(err, -EINVAL,
				  "%s has logical blocks of %u bytes, larger than the blocks of the set (%u bytes).",
				  spare->path, c->new.dev->logical, set->info.block_size);
	a = &c->new.anchor;
	*a = *dmri_set_anchor(set);
	r = dmri_layout_region(0, dmri_round_down(c->new.dev->sectors, DMR_FRAME_SECTORS),
			       set->info.nr_frames, set->info.block_size / 512,
			       DMR_ROLE_SPARE, &layout, &need);
	dmremap_format_size(need * 512, size, sizeof(size));
	if (r < 0)
		return dmri_error(err, r,
				  "%s is too small: it has %llu sectors, at least %llu (%s) are needed.",
				  spare->path, (unsigned long long)c->new.dev->sectors,
				  (unsigned long long)need, size);
	dmri_member_anchor(a, DMR_ROLE_SPARE, &layout, spare->tier);
	dmremap_format_size(layout.payload_sectors * 512, size, sizeof(size));
	dmri_plan_add(plan, DMREMAP_PLAN_STEP, "Make %s a spare of %s: %u blocks (%s), tier %u.",
		      spare->path, set->info.name,
		      dmr_slots(layout.payload_sectors, set->info.block_size / 512,
				set->info.nr_pages), size, spare->tier);
	dmri_plan_add(plan, DMREMAP_PLAN_STEP, set->info.active ?
		      "Load the table of %s again; I/O pauses for a moment." :
		      "It joins %s at its next start.",
		      set->info.active ? set->info.device : set->info.name);
	*ret = plan;
	plan = NULL;
	return 0;
}

/* --- Remove --------------------------------------------------------------------- */

static int table_without(struct dmri_table *table, const void *arg)
{
	const struct dmri_devno *dev = arg;
	char devno[32];
	unsigned int i, n = 0;
	bool there;

	dmri_text(devno, sizeof(devno), "%u:%u", dev->major, dev->minor);
	if (!strcmp(devno, table->data)) {
		there = table->internal;
		table->internal = false;
		return there ? 0 : 1;
	}
	for (i = 0; i < table->nr_spares; i++)
		if (strcmp(table->spares[i], devno))
			memmove(table->spares[n++], table->spares[i], sizeof(table->spares[0]));
	there = n < table->nr_spares;
	table->nr_spares = n;
	return there ? 0 : 1;
}

static int wipe_removed(const struct change *c, struct dmremap_error *err)
{
	const struct dmremap_member_info *m = &c->member;
	_cleanup_(dmri_dev_closep) struct dmri_dev *dev = NULL;
	/* The data device stays claimed by the set; the tail is ours all the same. */
	bool claimed = m->internal && c->set->info.active;
	struct dmri_anchors a;
	char uuid[DMREMAP_UUID_SIZE];
	int r = dmri_dev_open(m->path, DMRI_WRITE | (claimed ? 0 : DMRI_EXCL), &dev, err);

	if (r < 0)
		return r;
	/* A name can go to another device in the meantime. */
	r = dmri_anchors_read(dev, m->region_start, &a);
	dmri_uuid_text(a.anchor.member_uuid, uuid);
	if (!r && (!a.found || strcmp(uuid, m->uuid)))
		return dmri_error(err, -ESTALE,
				  "%s no longer carries the metadata of this spare; it was not wiped.",
				  m->path);
	if (!r)
		r = dmri_anchors_wipe(dev, m->region_start, m->internal);
	if (!r)
		r = dmri_dev_zero(dev, m->region_start + DMR_FRAMES_SECTOR,
				  (u64)c->nr_frames * DMR_FRAME_SECTORS);
	if (!r)
		r = dmri_dev_flush(dev);
	return r < 0 ? dmri_error_sys(err, r, "%s can not be wiped", m->path) : 0;
}

/*
 * The device that the running set takes for this spare; 0:0 if none. It may be one whose
 * metadata can not be read any more. One that was no member when the removal was planned must
 * not have become one.
 */
static int device_of(const struct change *c, struct dmri_devno *dev, struct dmremap_error *err)
{
	_free_ struct dmremap_status *status = malloc(sizeof(*status));
	unsigned int i;
	int r = status ? dmremap_status(c->set->info.device, status, err) :
			 dmri_error_sys(err, -ENOMEM, "%s", c->set->info.device);

	*dev = c->joined ? (struct dmri_devno){} :
	       (struct dmri_devno){ c->member.major, c->member.minor };
	for (i = 0; r >= 0 && i < status->nr_spares; i++) {
		struct dmri_devno one = { status->spares[i].major, status->spares[i].minor };

		if (c->joined && status->spares[i].member == c->member.index)
			*dev = one;
		if (!c->joined && one.major == dev->major && one.minor == dev->minor)
			return dmri_error(err, -EAGAIN,
					  "%s has joined %s meanwhile; nothing was done. Try again.",
					  c->member.path, c->set->info.name);
	}
	return r;
}

/*
 * A spare that was evacuated but is in the table still, because an earlier removal was cut
 * there, is taken out of it as well.
 */
static int take_out(const struct change *c, struct dmremap_error *err)
{
	struct dmri_devno dev;
	int r = device_of(c, &dev, err);

	if (!r && c->joined)
		r = dmremap_evacuate(c->set->info.device, c->member.index, err);
	if (!r && (dev.major || dev.minor))
		r = reload(c->set, table_without, &dev, err);
	return r;
}

static int remove_commit(struct dmremap_plan *plan, dmremap_progress_fn progress, void *arg,
			 struct dmremap_error *err)
{
	struct change *c = plan->data;
	_close_ int lock = -1;
	int r = 0;

	if (progress && progress(0, 0, arg))
		return dmri_error(err, -ECANCELED, "Stopped before anything was done.");
	if (c->set->info.active)
		r = lock_spares(c->set, &lock, err);
	if (!r && c->set->info.active)
		r = take_out(c, err);
	if (!r && c->member.present)
		r = wipe_removed(c, err);
	return r;
}

static bool answers_to(const struct dmremap_member_info *m, const char *which)
{
	struct stat st;
	char *end;
	unsigned long n = strtoul(which, &end, 10);

	if (*which && !*end)
		return m->index == n && m->index != DMREMAP_NOT_JOINED;
	if (*m->uuid && !strcasecmp(m->uuid, which))
		return true;
	if (!m->present)
		return false;
	if (!strcmp(m->path, which))
		return true;
	return !stat(which, &st) && S_ISBLK(st.st_mode) &&
	       st.st_rdev == makedev(m->major, m->minor);
}

static int find_spare(const struct dmremap_set *set, const char *which,
		      const struct dmremap_member_info **ret, struct dmremap_error *err)
{
	const struct dmremap_member_info *found = NULL;
	unsigned int i, n = 0;

	for (i = 0; i < set->info.nr_members; i++) {
		const struct dmremap_member_info *m = &set->info.members[i];

		if (m->role == DMR_ROLE_SPARE && answers_to(m, which)) {
			found = m;
			n++;
		}
	}
	if (!n)
		return dmri_error(err, -ENOENT,
				  "%s has no spare \"%.128s\"; name it by path, number or UUID as \"dmremapctl spare list\" shows them.",
				  set->info.name, which);
	if (n > 1)
		return dmri_error(err, -ENOTUNIQ,
				  "%s has several spares on %.128s; name one by its number.",
				  set->info.name, which);
	*ret = found;
	return 0;
}

/* Without any spare a set has no room, and an adopted one no place for its map. */
static int check_not_last(const struct dmremap_set *set, const struct dmremap_member_info *m,
			  struct dmremap_error *err)
{
	unsigned int i;

	if (!m->present || m->state != DMR_MEMBER_ACTIVE)
		return 0;
	for (i = 1; i < set->info.nr_members; i++) {
		const struct dmremap_member_info *other = &set->info.members[i];

		if (other != m && other->present && other->state == DMR_MEMBER_ACTIVE)
			return 0;
	}
	return dmri_error(err, -EINVAL,
			  "Spare %u is the only one of %s that works. Add another first (\"dmremapctl spare add\").",
			  m->index, set->info.name);
}

int dmremap_spare_remove_plan(struct dmremap_set *set, const char *which,
			      unsigned int flags, struct dmremap_plan **ret,
			      struct dmremap_error *err)
{
	_cleanup_(dmri_plan_freep) struct dmremap_plan *plan = NULL;
	const struct dmremap_member_info *m = NULL;
	struct change *c;
	bool joined;
	int r = dmremap_set_load(set, NULL, err);

	if (!r)
		r = find_spare(set, which, &m, err);
	if (r < 0)
		return r;
	joined = m->index != DMREMAP_NOT_JOINED && m->state != DMR_MEMBER_REMOVED;
	if (joined && !set->info.active)
		return dmri_error(err, -ENOTCONN,
				  "Spare %u of %s can only be removed while the set is active, since its blocks must be moved. Start it first.",
				  m->index, set->info.name);
	if (!joined && !m->present)
		return dmri_error(err, -ENOENT, "Spare %u of %s was removed already.", m->index,
				  set->info.name);
	r = joined ? check_not_last(set, m, err) : dmri_set_writable(set, err);
	if (!r)
		r = change_new(set, &plan, &c, err);
	if (r < 0)
		return r;
	c->member = *m;
	c->joined = joined;
	c->nr_frames = set->info.nr_frames;
	plan->commit = remove_commit;
	if (joined)
		dmri_plan_add(plan, DMREMAP_PLAN_STEP,
			      "Move %u blocks off spare %u (%s) and take it out of %s for good.",
			      m->slots_used, m->index, *m->path ? m->path : "missing",
			      set->info.name);
	if (m->present)
		dmri_plan_add(plan, DMREMAP_PLAN_STEP, "Wipe the metadata off %s.", m->path);
	*ret = plan;
	plan = NULL;
	return 0;
}
