/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device-mapper, through libdevmapper: the only file that includes it. Knows
 * nothing of sets, only of names, UUIDs, tables and messages.
 */
#include <fcntl.h>
#include <libdevmapper.h>
#include <signal.h>

#include "private.h"

#define TARGET		"remap"
#define UUID_PREFIX	"DMREMAP-"

static char last_log[DMREMAP_TEXT_SIZE];	/* what libdevmapper had to say */

_printf_(5, 6)
static void keep_log(int level, const char *file, int line, int dm_errno,
		     const char *fmt, ...)
{
	va_list args;

	(void)file;
	(void)line;
	(void)dm_errno;
	if ((level & 7) > 4)	/* errors and warnings only */
		return;
	va_start(args, fmt);
	if (vsnprintf(last_log, sizeof(last_log), fmt, args) < 0)
		last_log[0] = '\0';
	va_end(args);
}

static bool udev_runs(void)
{
	return !getenv("DM_DISABLE_UDEV") && !access("/run/udev/control", F_OK);
}

static void init(void)
{
	static bool done;

	last_log[0] = '\0';
	if (done)
		return;
	done = true;
	dm_log_with_errno_init(keep_log);
	dm_set_name_mangling_mode(DM_STRING_MANGLING_NONE);
	if (!udev_runs()) {
		dm_udev_set_sync_support(0);
		dm_udev_set_checking(0);
	}
}

static void task_closep(struct dm_task **task)
{
	if (*task)
		dm_task_destroy(*task);
}

#define _task_	_cleanup_(task_closep)

/* Why device-mapper as a whole does not answer. */
static int no_driver(struct dmremap_error *err, int r)
{
	if (geteuid())
		return dmri_error(err, -EPERM, "device-mapper can only be asked by root.");
	if (access("/dev/mapper/control", F_OK) && access("/sys/class/misc/device-mapper", F_OK))
		return dmri_error(err, -ENODEV,
				  "device-mapper is not in the kernel; try \"modprobe dm-mod\".");
	return dmri_error(err, r, "device-mapper does not answer: %s.",
			  *last_log ? last_log : strerror(-r));
}

static int task_new(int type, const char *name, struct dm_task **task,
		    struct dmremap_error *err)
{
	static int why = EIO;

	init();
	errno = 0;
	*task = dm_task_create(type);
	if (!*task) {
		/* The driver is asked for its version, the first time. */
		why = errno ?: why;
		return no_driver(err, -why);
	}
	if (name && !dm_task_set_name(*task, name))
		return dmri_error(err, -ENOMEM, "device-mapper can not be asked about %s: %s.",
				  name, last_log);
	return 0;
}

/* Run a task; on failure its errno. */
static int task_run(struct dm_task *task)
{
	int e;

	if (dm_task_run(task))
		return 0;
	e = dm_task_get_errno(task);
	return e > 0 ? -e : -EIO;
}

/* Run with a cookie if udev is there to complete it; make nodes here if not. */
static int run_synced(struct dm_task *task, uint16_t flags)
{
	uint32_t cookie = 0;
	int r;

	dm_task_set_add_node(task, DM_ADD_NODE_ON_RESUME);
	if (!dm_udev_get_sync_support()) {
		r = task_run(task);
		dm_task_update_nodes();
		return r;
	}
	if (!dm_task_set_cookie(task, &cookie, flags))
		return -EIO;
	r = task_run(task);
	dm_udev_wait(cookie);
	dm_task_update_nodes();
	return r;
}

/* --- What the kernel says about a failure --------------------------------- */

static int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* The next line that is about remap and contains @part; cut to the message, empty if there is none. */
static void kmsg_reason(int fd, const char *part, char *buf, size_t size)
{
	char record[1024], *text;
	ssize_t n;

	buf[0] = '\0';
	while (fd >= 0) {
		n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)	/* older lines were overwritten */
			continue;
		if (n <= 0)
			return;
		record[n] = '\0';
		text = strchr(record, ';');
		if (!text)
			continue;
		text++;
		text[strcspn(text, "\n")] = '\0';
		if (!strstr(text, TARGET) || !strstr(text, part))
			continue;
		if (!strncmp(text, "device-mapper: ", 15))
			text += 15;
		dmri_copy(buf, size, text);
		return;
	}
}

static int kernel_refused(struct dmremap_error *err, int r, int kmsg, const char *name,
			  const char *what)
{
	char reason[400];

	kmsg_reason(kmsg, "", reason, sizeof(reason));
	if (*reason)
		return dmri_error(err, r, "%s: %s. The kernel says: %s.", name, what, reason);
	return dmri_error(err, r, "%s: %s: %s. The kernel log may say more.", name, what,
			  strerror(-r));
}

/* --- Looking --------------------------------------------------------------- */

static void take_info(struct dm_task *task, struct dmri_dm_info *info)
{
	struct dm_info di;
	const char *uuid;

	if (!dm_task_get_info(task, &di))
		return;
	info->exists = di.exists;
	info->suspended = di.suspended;
	info->live_table = di.live_table;
	info->read_only = di.read_only;
	info->open_count = di.open_count;
	info->event_nr = di.event_nr;
	info->major = di.major;
	info->minor = di.minor;
	dmri_copy(info->name, sizeof(info->name), dm_task_get_name(task) ?: "");
	uuid = dm_task_get_uuid(task);
	if (uuid && !strncmp(uuid, UUID_PREFIX, strlen(UUID_PREFIX)))
		dmri_copy(info->uuid, sizeof(info->uuid), uuid + strlen(UUID_PREFIX));
}

static int query(int type, const char *name, struct dmri_dm_info *info,
		 struct dmremap_error *err)
{
	_task_ struct dm_task *task = NULL;
	char *target = NULL, *params = NULL;
	uint64_t start, length = 0;
	int r = task_new(type, name, &task, err);

	if (r < 0)
		return r;
	memset(info, 0, sizeof(*info));
	/* A status must not wait for I/O of a device that is in trouble. */
	dm_task_no_flush(task);
	r = task_run(task);
	if (r == -ENXIO)
		return dmri_error(err, -ENOTCONN, "%s is not active.", name);
	if (r < 0)
		return no_driver(err, r);
	take_info(task, info);
	if (!info->exists)
		return dmri_error(err, -ENOTCONN, "%s is not active.", name);
	dm_get_next_target(task, NULL, &start, &length, &target, &params);
	info->length = length;
	dmri_copy(info->target, sizeof(info->target), target ?: "");
	dmri_copy(info->params, sizeof(info->params), params ?: "");
	if (*info->target && strcmp(info->target, TARGET))
		return dmri_error(err, -EINVAL, "%s is a mapped device, but not of dm-remap.",
				  name);
	return 0;
}

int dmri_dm_table(const char *name, struct dmri_dm_info *info, struct dmremap_error *err)
{
	return query(DM_DEVICE_TABLE, name, info, err);
}

bool dmri_dm_is_other(int r)
{
	return r == -ENOTCONN || r == -EINVAL;
}

int dmri_dm_status(const char *name, struct dmri_dm_info *info, struct dmremap_error *err)
{
	return query(DM_DEVICE_STATUS, name, info, err);
}

/* Returns 1, or 0 if the device has gone meanwhile. */
static int get_uuid(const char *name, char *uuid, size_t size, struct dmremap_error *err)
{
	_task_ struct dm_task *task = NULL;
	struct dmri_dm_info info = { 0 };
	int r = task_new(DM_DEVICE_INFO, name, &task, err);

	if (r < 0)
		return r;
	r = task_run(task);
	if (r == -ENXIO)
		return 0;
	if (r < 0)
		return no_driver(err, r);
	take_info(task, &info);
	dmri_copy(uuid, size, info.uuid);
	return info.exists;
}

int dmri_dm_list(struct dmri_dm_name **ret, size_t *ret_nr, struct dmremap_error *err)
{
	_task_ struct dm_task *task = NULL;
	_free_ struct dmri_dm_name *list = NULL;
	struct dm_names *names;
	size_t nr = 0, room = 0;
	int r = task_new(DM_DEVICE_LIST, NULL, &task, err);

	*ret = NULL;
	*ret_nr = 0;
	if (r < 0)
		return r;
	r = task_run(task);
	if (r < 0)
		return no_driver(err, r);
	names = dm_task_get_names(task);
	if (!names || !names->dev)
		return 0;
	for (;; names = (void *)((char *)names + names->next)) {
		if (nr == room) {
			struct dmri_dm_name *more;

			room = room ? 2 * room : 16;
			more = reallocarray(list, room, sizeof(*list));
			if (!more)
				return dmri_error_sys(err, -ENOMEM, "List of mapped devices");
			list = more;
		}
		dmri_copy(list[nr].name, sizeof(list[nr].name), names->name);
		r = get_uuid(names->name, list[nr].uuid, sizeof(list[nr].uuid), err);
		if (r < 0)
			return r;
		nr += r;
		if (!names->next)
			break;
	}
	*ret = list;
	*ret_nr = nr;
	list = NULL;
	return 0;
}

/* Loaded by hand, without our UUID: does its table say which set it is? */
static int table_names_set(const char *device, const char *uuid, struct dmremap_error *err)
{
	_free_ struct dmri_dm_info *info = malloc(sizeof(*info));
	const char *p;
	int r;

	if (!info)
		return dmri_error_sys(err, -ENOMEM, "%s", device);
	r = dmri_dm_table(device, info, err);
	if (dmri_dm_is_other(r) || (!r && !*info->target))
		return 0;
	if (r < 0)
		return r;
	p = strstr(info->params, " set_uuid ");
	return p && !strncasecmp(p + strlen(" set_uuid "), uuid, DMREMAP_UUID_SIZE - 1);
}

int dmri_dm_resolve(const char *name, struct dmri_dm_name *found, struct dmremap_error *err)
{
	_free_ struct dmri_dm_name *list = NULL;
	bool is_uuid = strlen(name) == DMREMAP_UUID_SIZE - 1;
	size_t nr, i;
	int r = dmri_dm_list(&list, &nr, err);

	if (r < 0)
		return r;
	for (i = 0; i < nr; i++) {
		if (strcmp(list[i].name, name) &&
		    (!*list[i].uuid || strcasecmp(list[i].uuid, name)))
			continue;
		*found = list[i];
		return 0;
	}
	for (i = 0; i < nr && is_uuid; i++) {
		r = *list[i].uuid ? 0 : table_names_set(list[i].name, name, err);
		if (r < 0)
			return r;
		if (!r)
			continue;
		*found = list[i];
		return 0;
	}
	return dmri_error(err, -ENOTCONN, "%s is not active.", name);
}

/* --- Changing ------------------------------------------------------------- */

/*
 * @uevent: RESUME and REMOVE, which tell udev. To wait for udev after anything
 * else would be to wait for ever.
 */
static int simple(int type, const char *name, bool uevent)
{
	_task_ struct dm_task *task = NULL;
	int r = task_new(type, name, &task, NULL);

	if (r < 0)
		return r;
	return uevent ? run_synced(task, 0) : task_run(task);
}

static int load(const char *name, u64 length, const char *params)
{
	_task_ struct dm_task *task = NULL;
	int r = task_new(DM_DEVICE_RELOAD, name, &task, NULL);

	if (r < 0)
		return r;
	if (!dm_task_add_target(task, 0, length, TARGET, params))
		return -ENOMEM;
	return task_run(task);
}

static bool have_target(void)
{
	_task_ struct dm_task *task = NULL;
	struct dm_versions *v;

	if (task_new(DM_DEVICE_LIST_VERSIONS, NULL, &task, NULL) || task_run(task))
		return true;	/* no answer: let the load fail */
	for (v = dm_task_get_versions(task);; v = (void *)((char *)v + v->next)) {
		if (!strcmp(v->name, TARGET))
			return true;
		if (!v->next)
			return false;
	}
}

static int create(const char *name, const char *uuid, struct dmremap_error *err)
{
	_task_ struct dm_task *task = NULL;
	char dm_uuid[64];
	int r = task_new(DM_DEVICE_CREATE, name, &task, err);

	if (r < 0)
		return r;
	dmri_text(dm_uuid, sizeof(dm_uuid), UUID_PREFIX "%s", uuid);
	if (!dm_task_set_uuid(task, dm_uuid))
		return dmri_error_sys(err, -ENOMEM, "Creating %s", name);
	dm_task_set_add_node(task, DM_ADD_NODE_ON_RESUME);
	r = task_run(task);
	if (r == -EBUSY)
		return dmri_error(err, -EEXIST,
				  "A mapped device with the name %s, or the set %s, exists already.",
				  name, uuid);
	return r < 0 ? no_driver(err, r) : 0;
}

/*
 * Whoever is killed between two steps leaves a device whose I/O waits, or one without a table.
 * The signals come when it is done.
 */
static void block_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

static void unblock_signals(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

static int activate(const char *name, const char *uuid, u64 length, const char *params,
		    struct dmremap_error *err)
{
	_close_ int kmsg = -1;
	int r = create(name, uuid, err);

	if (r < 0)
		return r;
	kmsg = kmsg_open();
	r = load(name, length, params);
	if (r < 0 && !have_target()) {
		r = dmri_error(err, -ENODEV,
			       "The kernel has no remap target; load the module with \"modprobe dm-remap\".");
	} else if (r < 0) {
		r = kernel_refused(err, r, kmsg, name, "the table was refused");
	} else {
		r = simple(DM_DEVICE_RESUME, name, true);
		if (r < 0)
			r = kernel_refused(err, r, kmsg, name, "the set was refused");
	}
	if (r < 0)
		simple(DM_DEVICE_REMOVE, name, true);
	return r;
}

int dmri_dm_activate(const char *name, const char *uuid, u64 length, const char *params,
		     struct dmremap_error *err)
{
	sigset_t signals;
	int r;

	block_signals(&signals);
	r = activate(name, uuid, length, params, err);
	unblock_signals(&signals);
	return r;
}

static bool has_table(const char *name, const char *params)
{
	_free_ struct dmri_dm_info *info = malloc(sizeof(*info));

	return info && !dmri_dm_table(name, info, NULL) && info->live_table &&
	       !strcmp(info->params, params);
}

static bool runs_with(const char *name, u64 length, const char *params)
{
	return !load(name, length, params) && !simple(DM_DEVICE_RESUME, name, true);
}

/*
 * A table that was not resumed: all I/O waits. If it was refused then, it has taken the
 * place of the old one already, which is loaded again. If the kernel was not even asked, the
 * old one is still there and must go on as it is: it may name a spare that has left, which
 * no table may that is loaded anew.
 */
static bool put_back(const char *name, const struct dmri_dm_info *old, const char *again)
{
	if (!has_table(name, old->params))
		return runs_with(name, old->length, again);
	simple(DM_DEVICE_CLEAR, name, false);
	return !simple(DM_DEVICE_RESUME, name, true);
}

static int reload(const char *name, const struct dmri_dm_info *old, const char *params,
		  const char *again, struct dmremap_error *err)
{
	_close_ int kmsg = kmsg_open();
	u64 length = old->length;
	int r = load(name, length, params);

	if (r < 0)
		return kernel_refused(err, r, kmsg, name, "the new table was refused");
	r = simple(DM_DEVICE_SUSPEND, name, false);
	if (r < 0) {
		simple(DM_DEVICE_CLEAR, name, false);
		return dmri_error_sys(err, r, "%s can not be suspended", name);
	}
	/* Now that nothing changes it any more: a spare may have joined since it was read. */
	if (!has_table(name, old->params)) {
		simple(DM_DEVICE_CLEAR, name, false);
		r = simple(DM_DEVICE_RESUME, name, true);
		if (r < 0) {
			kernel_refused(err, r, kmsg, name,
				       "its table was changed by another program, can not be resumed, and its I/O waits");
			return -EDEADLK;
		}
		return dmri_error(err, -EAGAIN,
				  "The table of %s was changed by another program meanwhile; nothing was done to it. Try again.",
				  name);
	}
	r = simple(DM_DEVICE_RESUME, name, true);
	if (r < 0 && put_back(name, old, again))
		return kernel_refused(err, r, kmsg, name,
				      "the new table was refused, and the old one runs on");
	/* What was wrong, such as want of memory, may be over. */
	if (r < 0 && runs_with(name, length, params))
		return 0;
	if (r < 0) {
		simple(DM_DEVICE_CLEAR, name, false);
		kernel_refused(err, r, kmsg, name,
			       "neither the new table nor the old one can be resumed, and its I/O waits");
		return -EDEADLK;
	}
	return 0;
}

int dmri_dm_reload(const char *name, const struct dmri_dm_info *old, const char *params,
		   const char *again, struct dmremap_error *err)
{
	sigset_t signals;
	int r;

	block_signals(&signals);
	r = reload(name, old, params, again, err);
	unblock_signals(&signals);
	return r;
}

int dmri_dm_remove(const struct dmri_dm_info *device, bool deferred, struct dmremap_error *err)
{
	const char *name = device->name;
	_task_ struct dm_task *task = NULL;
	_close_ int kmsg = kmsg_open();
	char unclean[96], said[400];
	int r = task_new(DM_DEVICE_REMOVE, name, &task, err);

	if (r < 0)
		return r;
	if (deferred)
		dm_task_deferred_remove(task);
	else
		dm_task_retry_remove(task);
	r = run_synced(task, 0);
	if (r == -EBUSY)
		return dmri_error(err, r,
				  "%s is in use: mounted, or held open by a program or another device. Find it with \"lsblk /dev/mapper/%s\" or fuser.",
				  name, name);
	if (r < 0)
		return dmri_error_sys(err, r, "%s can not be removed", name);
	/* The removal of a device never fails for what its target could not do. */
	dmri_text(unclean, sizeof(unclean), "%u:%u: could not be marked as cleanly stopped",
		  device->major, device->minor);
	kmsg_reason(kmsg, unclean, said, sizeof(said));
	return *said ? 1 : 0;
}

int dmri_dm_wait(const char *name, u32 event_nr, struct dmremap_error *err)
{
	_task_ struct dm_task *task = NULL;
	int r = task_new(DM_DEVICE_WAITEVENT, name, &task, err);

	if (r < 0)
		return r;
	dm_task_set_event_nr(task, event_nr);
	dm_task_no_flush(task);
	r = task_run(task);
	return r < 0 ? dmri_error_sys(err, r, "Waiting for events of %s", name) : 0;
}

int dmri_dm_suspended(const char *name, struct dmremap_error *err)
{
	return dmri_error(err, -EBUSY,
			  "%s is suspended, and all its I/O waits. If nothing is working on it: dmsetup resume %s",
			  name, name);
}

int dmri_dm_inactive(const char *name, struct dmremap_error *err)
{
	_free_ struct dmri_dm_info *info = malloc(sizeof(*info));
	struct dmri_dm_name found;

	if (info && !dmri_dm_resolve(name, &found, NULL) &&
	    !dmri_dm_status(found.name, info, NULL) && info->suspended)
		return dmri_dm_suspended(found.name, err);
	return dmri_error(err, -ENOTCONN, "%s is not active.", name);
}

int dmri_dm_message(const char *name, const char *message, char **answer,
		    struct dmremap_error *err)
{
	_task_ struct dm_task *task = NULL;
	_close_ int kmsg = kmsg_open();
	const char *text;
	int r = task_new(DM_DEVICE_TARGET_MSG, name, &task, err);

	if (r < 0)
		return r;
	if (!dm_task_set_message(task, message) || !dm_task_set_sector(task, 0))
		return dmri_error_sys(err, -ENOMEM, "Message to %s", name);
	r = task_run(task);
	if (r == -ENXIO)
		return dmri_dm_inactive(name, err);
	if (r < 0) {
		char what[64];

		dmri_text(what, sizeof(what), "\"%.*s\" failed", (int)strcspn(message, " "),
			  message);
		return kernel_refused(err, r, kmsg, name, what);
	}
	if (answer) {
		text = dm_task_get_message_response(task);
		*answer = strdup(text ?: "");
		if (!*answer)
			return dmri_error_sys(err, -ENOMEM, "Message to %s", name);
	}
	return 0;
}
