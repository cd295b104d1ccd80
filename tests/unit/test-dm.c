/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is asked of device-mapper, in which order, and what is left behind when a step of it
 * fails. libdevmapper's tasks and the kernel's log are stood in for.
 */
#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixture.h"

#define UUID	"6f9c1c3e-4b39-4d6a-9a51-0c35f4a8d1e7"
#define OLD	"remap-set old"
#define NEW	"remap-set new"
#define AGAIN	"remap-set old degraded"

int __real_dmri_dm_message(const char *name, const char *message, char **answer,
			   struct dmremap_error *err);
int __real_dmri_dm_table(const char *name, struct dmri_dm_info *info, struct dmremap_error *err);
int __real_dmri_dm_resolve(const char *name, struct dmri_dm_name *found,
			   struct dmremap_error *err);

struct dm_task {
	int type, error;
	char name[128], uuid[64], params[256];
};

static struct dmremap_error err;
static char steps[1024];		/* what was run, in order */
static int fails[64], times[64];	/* of each type: errno, and of so many first runs */
static bool target_there, suspended;
static char live[256], loaded[256];	/* tables of "set" */
static const char *kernel_says[4];	/* records of the log, from now on */
static int log_end = -1;

static const char *const names[] = {
	[DM_DEVICE_CREATE] = "create", [DM_DEVICE_RELOAD] = "load",
	[DM_DEVICE_REMOVE] = "remove", [DM_DEVICE_SUSPEND] = "suspend",
	[DM_DEVICE_RESUME] = "resume", [DM_DEVICE_INFO] = "info", [DM_DEVICE_TABLE] = "table",
	[DM_DEVICE_STATUS] = "status", [DM_DEVICE_WAITEVENT] = "wait",
	[DM_DEVICE_CLEAR] = "clear", [DM_DEVICE_LIST] = "list",
	[DM_DEVICE_LIST_VERSIONS] = "versions", [DM_DEVICE_TARGET_MSG] = "message",
};

/* --- The stand-in --------------------------------------------------------- */

struct dm_task *dm_task_create(int type)
{
	struct dm_task *task = calloc(1, sizeof(*task));

	assert_non_null(task);
	task->type = type;
	return task;
}

void dm_task_destroy(struct dm_task *task)
{
	free(task);
}

int dm_task_set_name(struct dm_task *task, const char *name)
{
	dmri_copy(task->name, sizeof(task->name), name);
	return 1;
}

int dm_task_set_uuid(struct dm_task *task, const char *uuid)
{
	dmri_copy(task->uuid, sizeof(task->uuid), uuid);
	return 1;
}

int dm_task_add_target(struct dm_task *task, uint64_t start, uint64_t size, const char *type,
		       const char *params)
{
	assert_int_equal(start, 0);
	assert_int_equal(size, 800);
	assert_string_equal(type, "remap");
	dmri_copy(task->params, sizeof(task->params), params);
	return 1;
}

int dm_task_set_message(struct dm_task *task, const char *message)
{
	dmri_copy(task->params, sizeof(task->params), message);
	return 1;
}

int dm_task_run(struct dm_task *task)
{
	size_t at = strlen(steps);

	snprintf(steps + at, sizeof(steps) - at, "%s%s%s%s", at ? ", " : "", names[task->type],
		 *task->params ? " " : "", task->params);
	if (times[task->type]) {
		times[task->type]--;
		task->error = fails[task->type];
	}
	/* A table that is refused at its resume has taken its place all the same. */
	if (task->type == DM_DEVICE_RESUME && *loaded && task->error != ENOMEM) {
		dmri_copy(live, sizeof(live), loaded);
		*loaded = '\0';
	}
	if (task->type == DM_DEVICE_CLEAR)
		*loaded = '\0';
	if (task->type == DM_DEVICE_RELOAD && !task->error)
		dmri_copy(loaded, sizeof(loaded), task->params);
	return !task->error;
}

int dm_task_get_errno(struct dm_task *task)
{
	return task->error;
}

int dm_task_get_info(struct dm_task *task, struct dm_info *info)
{
	memset(info, 0, sizeof(*info));
	info->exists = 1;
	info->live_table = 1;
	info->suspended = suspended;
	return 1;
}

const char *dm_task_get_name(const struct dm_task *task)
{
	return task->name;
}

const char *dm_task_get_uuid(const struct dm_task *task)
{
	return strcmp(task->name, "set") ? "" : "DMREMAP-" UUID;
}

void *dm_get_next_target(struct dm_task *task, void *next, uint64_t *start, uint64_t *length,
			 char **type, char **params)
{
	static char hand[] = "8:0 set_uuid 0d5a1f3c-6c61-4f43-8c4e-55a2e1b0c9d2 1 8:1";

	*start = 0;
	*length = 800;
	*type = (char *)(strcmp(task->name, "other") ? "remap" : "linear");
	*params = strcmp(task->name, "hand") ? live : hand;
	return NULL;
}

struct dm_names *dm_task_get_names(struct dm_task *task)
{
	static const char *const all[] = { "other", "set", "hand" };
	static _Alignas(struct dm_names) char buf[256];
	size_t i, at = 0;

	for (i = 0; i < 3; i++) {
		struct dm_names *n = (void *)(buf + at);

		n->dev = 253 << 8 | i;
		strcpy(buf + at + offsetof(struct dm_names, name), all[i]);
		n->next = i < 2 ? 64 : 0;
		at += 64;
	}
	return (void *)buf;
}

struct dm_versions *dm_task_get_versions(struct dm_task *task)
{
	static _Alignas(struct dm_versions) char buf[64];
	struct dm_versions *v = (void *)buf;

	v->next = 0;
	strcpy(v->name, target_there ? "remap" : "linear");
	return v;
}

const char *dm_task_get_message_response(struct dm_task *task)
{
	return "yes";
}

int dm_task_no_flush(struct dm_task *task)
{
	return 1;
}

int dm_udev_get_sync_support(void)
{
	return 0;
}

/* Only the kernel's log is opened here. */
int open64(const char *path, int flags, ...)
{
	int ends[2];

	if (strcmp(path, "/dev/kmsg"))
		return syscall(SYS_openat, AT_FDCWD, path, flags, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	log_end = ends[1];
	for (size_t i = 0; i < 4 && kernel_says[i]; i++)
		assert_true(send(log_end, kernel_says[i], strlen(kernel_says[i]), 0) > 0);
	return ends[0];
}

static void let_fail(int type, int error, int runs)
{
	fails[type] = error;
	times[type] = runs;
}

static int begin(void **state)
{
	steps[0] = '\0';
	memset(times, 0, sizeof(times));
	memset(kernel_says, 0, sizeof(kernel_says));
	target_there = true;
	suspended = false;
	dmri_copy(live, sizeof(live), OLD);
	*loaded = '\0';
	return 0;
}

static int end(void **state)
{
	if (log_end >= 0)
		close(log_end);
	log_end = -1;
	return 0;
}

static void log_is(void)
{
	kernel_says[0] = "6,1,2,-;sda: something else";
	kernel_says[1] = "a line without the mark";
	kernel_says[2] = "3,2,3,-;device-mapper: remap: 8:1: not a member\n SUBSYSTEM=block";
	kernel_says[3] = "3,3,4,-;device-mapper: remap: a later one";
}

/* --- Activation ----------------------------------------------------------- */

static void activates(void **state)
{
	assert_int_equal(dmri_dm_activate("set", UUID, 800, NEW, &err), 0);
	assert_string_equal(steps, "create, load " NEW ", resume");
}

static void name_is_taken(void **state)
{
	let_fail(DM_DEVICE_CREATE, EBUSY, 1);
	assert_int_equal(dmri_dm_activate("set", UUID, 800, NEW, &err), -EEXIST);
	assert_non_null(strstr(err.text, "exists already"));
	/* Whose it is is not removed. */
	assert_string_equal(steps, "create");
}

static void table_is_refused(void **state)
{
	log_is();
	let_fail(DM_DEVICE_RELOAD, EINVAL, 1);
	assert_int_equal(dmri_dm_activate("set", UUID, 800, NEW, &err), -EINVAL);
	assert_string_equal(err.text,
			    "set: the table was refused. The kernel says: remap: 8:1: not a member.");
	assert_string_equal(steps, "create, load " NEW ", versions, remove");
}

static void no_module(void **state)
{
	let_fail(DM_DEVICE_RELOAD, EINVAL, 1);
	target_there = false;
	assert_int_equal(dmri_dm_activate("set", UUID, 800, NEW, &err), -ENODEV);
	assert_non_null(strstr(err.text, "modprobe dm-remap"));
	assert_string_equal(steps, "create, load " NEW ", versions, remove");
}

static void set_is_refused(void **state)
{
	let_fail(DM_DEVICE_RESUME, EIO, 1);
	assert_int_equal(dmri_dm_activate("set", UUID, 800, NEW, &err), -EIO);
	assert_string_equal(err.text,
			    "set: the set was refused: Input/output error. The kernel log may say more.");
	assert_string_equal(steps, "create, load " NEW ", resume, remove");
}

/* --- Another table -------------------------------------------------------- */

static int reload(const char *name)
{
	struct dmri_dm_info old;
	int r = __real_dmri_dm_table(name, &old, &err);

	return r < 0 ? r : dmri_dm_reload(name, &old, NEW, AGAIN, &err);
}

static void reloads(void **state)
{
	assert_int_equal(reload("set"), 0);
	assert_string_equal(steps, "table, load " NEW ", suspend, table, resume");
}

static void other_target(void **state)
{
	assert_int_equal(reload("other"), -EINVAL);
	assert_non_null(strstr(err.text, "not of dm-remap"));
	assert_string_equal(steps, "table");
}

/* No I/O waits for a table that can not be loaded. */
static void new_table_is_refused(void **state)
{
	log_is();
	let_fail(DM_DEVICE_RELOAD, ENOMEM, 1);
	assert_int_equal(reload("set"), -ENOMEM);
	assert_non_null(strstr(err.text, "the new table was refused. The kernel says"));
	assert_string_equal(steps, "table, load " NEW);
}

static void no_suspend(void **state)
{
	let_fail(DM_DEVICE_SUSPEND, EINVAL, 1);
	assert_int_equal(reload("set"), -EINVAL);
	assert_non_null(strstr(err.text, "can not be suspended"));
	/* The new table does not wait for the next resume. */
	assert_string_equal(steps, "table, load " NEW ", suspend, clear");
}

/* A spare has joined since it was read: that one's table goes on. */
static void other_table(void **state)
{
	struct dmri_dm_info old;

	assert_int_equal(__real_dmri_dm_table("set", &old, &err), 0);
	dmri_copy(live, sizeof(live), "remap-set joined");
	assert_int_equal(dmri_dm_reload("set", &old, NEW, AGAIN, &err), -EAGAIN);
	assert_non_null(strstr(err.text, "by another program meanwhile"));
	assert_string_equal(steps, "table, load " NEW ", suspend, table, clear, resume");
	assert_string_equal(live, "remap-set joined");
}

/* A new table that is refused late has pushed the old one out. */
static void old_table_runs_on(void **state)
{
	log_is();
	let_fail(DM_DEVICE_RESUME, EINVAL, 1);
	assert_int_equal(reload("set"), -EINVAL);
	assert_non_null(strstr(err.text, "the old one runs on. The kernel says: remap: 8:1"));
	assert_string_equal(steps,
			    "table, load " NEW ", suspend, table, resume, table, load " AGAIN ", resume");
	assert_string_equal(live, AGAIN);
}

/* One that the kernel was not asked to resume has not. The old one is not loaded anew. */
static void not_resumed(void **state)
{
	let_fail(DM_DEVICE_RESUME, ENOMEM, 1);
	assert_int_equal(reload("set"), -ENOMEM);
	assert_non_null(strstr(err.text, "the old one runs on"));
	assert_string_equal(steps,
			    "table, load " NEW ", suspend, table, resume, table, clear, resume");
	assert_string_equal(live, OLD);
}

static void new_after_all(void **state)
{
	let_fail(DM_DEVICE_RESUME, EINVAL, 2);
	assert_int_equal(reload("set"), 0);
	assert_string_equal(steps, "table, load " NEW ", suspend, table, resume, table, load " AGAIN
				   ", resume, load " NEW ", resume");
	assert_string_equal(live, NEW);
}

static void neither_runs(void **state)
{
	let_fail(DM_DEVICE_RESUME, EINVAL, 3);
	assert_int_equal(reload("set"), -EDEADLK);
	assert_non_null(strstr(err.text, "its I/O waits"));
	assert_string_equal(steps, "table, load " NEW ", suspend, table, resume, table, load " AGAIN
				   ", resume, load " NEW ", resume, clear");
}

/* --- The rest ------------------------------------------------------------- */

static void removes(void **state)
{
	const struct dmri_dm_info set = { .name = "set", .major = 252, .minor = 2 };

	assert_int_equal(dmri_dm_remove(&set, false, &err), 0);
	kernel_says[0] = "4,2,3,-;device-mapper: remap: 252:22: could not be marked as cleanly stopped";
	assert_int_equal(dmri_dm_remove(&set, false, &err), 0);
	kernel_says[1] = "4,3,4,-;device-mapper: remap: 252:2: could not be marked as cleanly stopped";
	assert_int_equal(dmri_dm_remove(&set, false, &err), 1);
	let_fail(DM_DEVICE_REMOVE, EBUSY, 1);
	assert_int_equal(dmri_dm_remove(&set, true, &err), -EBUSY);
	assert_non_null(strstr(err.text, "lsblk /dev/mapper/set"));
	let_fail(DM_DEVICE_REMOVE, EIO, 1);
	assert_int_equal(dmri_dm_remove(&set, false, &err), -EIO);
	assert_non_null(strstr(err.text, "can not be removed"));
	assert_string_equal(steps, "remove, remove, remove, remove, remove");
}

static void resolves(void **state)
{
	struct dmri_dm_name found;

	assert_int_equal(__real_dmri_dm_resolve("other", &found, &err), 0);
	assert_string_equal(found.uuid, "");
	assert_int_equal(__real_dmri_dm_resolve("6F9C1C3E-4B39-4d6a-9a51-0c35f4a8d1e7", &found, &err),
			 0);
	assert_string_equal(found.name, "set");
	/* A table that was loaded by hand tells its set itself. */
	assert_int_equal(__real_dmri_dm_resolve("0d5a1f3c-6c61-4f43-8c4e-55a2e1b0c9d2", &found, &err),
			 0);
	assert_string_equal(found.name, "hand");
	assert_int_equal(__real_dmri_dm_resolve("0d5a1f3c-6c61-4f43-8c4e-000000000000", &found, &err),
			 -ENOTCONN);
	assert_non_null(strstr(err.text, "is not active"));
}

/* What can not be asked may be the one that was looked for; one that has gone is not. */
static void resolves_in_need(void **state)
{
	struct dmri_dm_name found;

	let_fail(DM_DEVICE_INFO, ENXIO, 1);
	assert_int_equal(__real_dmri_dm_resolve("set", &found, &err), 0);
	let_fail(DM_DEVICE_INFO, ENOMEM, 2);
	assert_int_equal(__real_dmri_dm_resolve("set", &found, &err), -ENOMEM);
	let_fail(DM_DEVICE_INFO, 0, 0);
	let_fail(DM_DEVICE_TABLE, ENOMEM, 1);
	assert_int_equal(__real_dmri_dm_resolve("0d5a1f3c-6c61-4f43-8c4e-55a2e1b0c9d2", &found, &err),
			 -ENOMEM);
	let_fail(DM_DEVICE_TABLE, ENXIO, 1);
	assert_int_equal(__real_dmri_dm_resolve("0d5a1f3c-6c61-4f43-8c4e-55a2e1b0c9d2", &found, &err),
			 0);
	assert_string_equal(found.name, "hand");
}

static void messages(void **state)
{
	char *answer;

	assert_int_equal(__real_dmri_dm_message("set", "scrub start", &answer, &err), 0);
	assert_string_equal(answer, "yes");
	free(answer);
	let_fail(DM_DEVICE_TARGET_MSG, ENXIO, 1);
	assert_int_equal(__real_dmri_dm_message("set", "scrub start", NULL, &err), -ENOTCONN);
	assert_string_equal(err.text, "set is not active.");
	suspended = true;
	let_fail(DM_DEVICE_TARGET_MSG, ENXIO, 1);
	assert_int_equal(__real_dmri_dm_message("set", "scrub start", NULL, &err), -EBUSY);
	assert_non_null(strstr(err.text, "dmsetup resume set"));
	log_is();
	let_fail(DM_DEVICE_TARGET_MSG, EBUSY, 1);
	assert_int_equal(__real_dmri_dm_message("set", "scrub start", NULL, &err), -EBUSY);
	assert_string_equal(err.text,
			    "set: \"scrub\" failed. The kernel says: remap: 8:1: not a member.");
}

static void waits(void **state)
{
	assert_int_equal(dmri_dm_wait("set", 3, &err), 0);
	let_fail(DM_DEVICE_WAITEVENT, EINTR, 1);
	assert_int_equal(dmri_dm_wait("set", 3, &err), -EINTR);
	assert_string_equal(steps, "wait, wait");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(activates), TEST(name_is_taken), TEST(table_is_refused), TEST(no_module),
		TEST(set_is_refused),
		TEST(reloads), TEST(other_target), TEST(new_table_is_refused), TEST(no_suspend),
		TEST(other_table), TEST(old_table_runs_on), TEST(not_resumed), TEST(new_after_all), TEST(neither_runs),
		TEST(removes), TEST(resolves), TEST(resolves_in_need),
		TEST(messages), TEST(waits),
	};

	return cmocka_run_group_tests_name("dm", tests, NULL, NULL);
}
