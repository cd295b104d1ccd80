/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is made of the relations between devices. A tree that looks like sysfs stands in for
 * it; files are the devices 0:1, 0:2, ...
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "fixture.h"

static struct fixture fx;
static bool tree;		/* there is one */

/* --- The stand-in --------------------------------------------------------- */

static const char *place_of(const char *path, char *buf, size_t size)
{
	if (!tree || strncmp(path, "/sys/", 5))
		return path;
	dmri_text(buf, size, "%s%s", fx.dir, path);
	return buf;
}

int open64(const char *path, int flags, ...)
{
	char buf[512];

	return syscall(SYS_openat, AT_FDCWD, place_of(path, buf, sizeof(buf)), flags, 0600);
}

DIR *opendir(const char *path)
{
	int fd = open64(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? NULL : fdopendir(fd);
}

ssize_t readlink(const char *path, char *target, size_t size)
{
	char buf[512];

	return syscall(SYS_readlinkat, AT_FDCWD, place_of(path, buf, sizeof(buf)), target, size);
}

/* @fmt: a command that is run in the tree. */
static void sys(const char *fmt, ...)
{
	char command[1024];
	va_list args;
	size_t n;

	dmri_text(command, sizeof(command), "set -e; mkdir -p %s/sys/dev/block; cd %s/sys; ",
		  fx.dir, fx.dir);
	n = strlen(command);
	va_start(args, fmt);
	vsnprintf(command + n, sizeof(command) - n, fmt, args);
	va_end(args);
	assert_int_equal(system(command), 0);
	tree = true;
}

/* @path: "block/sda", "block/sda/sda1". */
static void device(const char *path, const char *devno)
{
	sys("mkdir -p %s/holders %s/slaves; echo %s >%s/dev; ln -s ../../%s dev/block/%s", path,
	    path, devno, path, path, devno);
}

static void partition(const char *path, const char *devno)
{
	device(path, devno);
	sys("echo 1 >%s/partition", path);
}

static void stack(const char *upper, const char *lower)
{
	sys("ln -s ../../../%s %s/slaves/", lower, upper);
}

static int done(void **state)
{
	tree = false;
	fx_done(&fx);
	return 0;
}

/* --- One member on several devices ---------------------------------------- */

#define TWINS	4

static char twins[TWINS][128];

static void make_twins(void)
{
	static const char *devices[TWINS + 1];
	char name[32], devno[32];
	unsigned int i;

	for (i = 0; i < TWINS; i++) {
		dmri_text(twins[i], sizeof(twins[i]), "%s/twin%u", fx.dir, i + 1);
		fx_copy(fx.spares[0], twins[i]);
		dmri_text(name, sizeof(name), "block/twin%u", i + 1);
		dmri_text(devno, sizeof(devno), "0:%u", i + 1);
		device(name, devno);
		devices[i] = twins[i];
	}
	fx_devices = devices;
}

static void hold(unsigned int held)
{
	unsigned int i;

	sys("rm -f block/*/holders/*");
	for (i = 0; i < TWINS; i++)
		if (held & 1u << i)
			sys("touch block/twin%u/holders/dm-0", i + 1);
}

/* @order: @nr different ones of the twins, found in this order after the data device. */
static void check_order(const unsigned int *order, unsigned int nr, unsigned int held)
{
	const char *paths[TWINS + 2] = { fx.data };
	unsigned int i, nr_free = 0, one = 0;

	for (i = 0; i < nr; i++) {
		paths[i + 1] = twins[order[i]];
		if (held & 1u << order[i])
			continue;
		one = order[i];
		nr_free++;
	}
	dmremap_scan_free(fx.scan);
	fx.scan = NULL;
	assert_int_equal(dmremap_scan_new(DMREMAP_SCAN_LOAD, paths, &fx.scan, &fx.err), 0);
	assert_int_equal(dmremap_scan_next(fx.scan, &fx.set), 1);
	assert_int_equal(fx_info(&fx)->nr_members, 2);
	if (nr_free == 1 || nr == 1) {
		assert_string_equal(fx_info(&fx)->reason, "");
		assert_int_equal(fx_info(&fx)->verdict, DMREMAP_READY);
		assert_string_equal(fx_info(&fx)->members[1].path, twins[nr == 1 ? order[0] : one]);
		assert_int_equal(dmri_set_writable(fx.set, &fx.err), 0);
	} else {
		assert_int_equal(fx_info(&fx)->verdict, DMREMAP_REFUSED);
		assert_contains(fx_info(&fx)->reason, "carry the same member");
		assert_int_equal(dmri_set_writable(fx.set, &fx.err), -ENOTUNIQ);
	}
}

/* All orders of all choices of them that begin with the first @nr of @order. */
static unsigned int check_orders(unsigned int *order, unsigned int nr, unsigned int held)
{
	unsigned int i, n, checked = 0;

	if (nr) {
		check_order(order, nr, held);
		checked++;
	}
	for (i = 0; i < TWINS && nr < TWINS; i++) {
		for (n = 0; n < nr && order[n] != i; n++)
			;
		if (n < nr)
			continue;
		order[nr] = i;
		checked += check_orders(order, nr + 1, held);
	}
	return checked;
}

static void twins_in_all_orders(void **state)
{
	unsigned int order[TWINS], held;

	fx_create(&fx, 0, 1);
	make_twins();
	for (held = 0; held < 1u << TWINS; held++) {
		hold(held);
		assert_int_equal(check_orders(order, 0, held), 4 + 12 + 24 + 24);
	}
}

/* --- Events ---------------------------------------------------------------- */

static void told(const char *path, const char *what)
{
	char got[16] = "", attr[300];
	int fd;

	dmri_text(attr, sizeof(attr), "/sys/%s/uevent", path);
	fd = open(attr, O_RDWR);
	assert_true(fd >= 0);
	assert_true(read(fd, got, sizeof(got) - 1) >= 0);
	assert_string_equal(got, what);
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
}

/* Each is shown for what its disk is: it has to be looked at again when that changes. */
static void partitions_are_told(void **state)
{
	fx_files(&fx, 0);
	device("block/sda", "0:1");
	partition("block/sda/sda1", "0:2");
	partition("block/sda/sda2", "0:3");
	sys("mkdir block/sda/queue");
	sys("for d in . sda sda/sda1 sda/sda2 sda/queue; do : >block/$d/uevent; done");
	dmri_udev_change(0, 1);
	told("block/sda", "change");
	told("block/sda/sda1", "change");
	told("block/sda/sda2", "change");
	told("block/sda/queue", "");
	told("block", "");
	/* A partition is told alone. */
	dmri_udev_change(0, 2);
	told("block/sda/sda1", "change");
	told("block/sda/sda2", "");
	told("block/sda", "");
}

/* --- A spare that lies on its own set --------------------------------------- */

#define SET	253, 0
#define STATUS	"rw 42 8 5/1000 4 2 7/4000 closed 0 0 read_errors 0 write_errors 0 passed 0"

static bool lies_on_set(unsigned int minor)
{
	return dmri_lies_on((struct dmri_devno){ 0, minor }, (struct dmri_devno){ SET });
}

/* sda1 and sdb are below the set; dm-1, an LV, and md0p1 lie on it, dm-2 does not. */
static void make_stack(void)
{
	device("block/sda", "8:0");
	partition("block/sda/sda1", "0:11");
	device("block/sdb", "0:12");
	device("block/dm-0", "253:0");
	device("block/dm-1", "0:1");
	device("block/dm-2", "0:2");
	device("block/md0", "9:0");
	partition("block/md0/md0p1", "0:3");
	stack("block/dm-0", "block/sda/sda1");
	stack("block/dm-0", "block/sdb");
	stack("block/dm-1", "block/dm-0");
	stack("block/dm-2", "block/sdb");
	stack("block/md0", "block/dm-2");
	stack("block/md0", "block/dm-1");
}

static void what_lies_on_the_set(void **state)
{
	fx_files(&fx, 0);
	make_stack();
	assert_true(dmri_lies_on((struct dmri_devno){ SET }, (struct dmri_devno){ SET }));
	assert_true(lies_on_set(1));
	assert_true(lies_on_set(3));
	assert_false(lies_on_set(2));
	assert_false(lies_on_set(11));
	assert_false(lies_on_set(12));
	assert_false(lies_on_set(99));
	/* Links without end have one. */
	sys("rm block/md0/slaves/dm-1");
	stack("block/dm-2", "block/md0");
	assert_true(lies_on_set(2));
}

static void spare_on_its_own_set(void **state)
{
	char path[128];
	const char *const devices[] = { path, NULL };
	struct dmremap_spare spare = { .path = path };
	struct dmremap_plan *plan;

	fx_create(&fx, 0, 1);
	make_stack();
	dmri_text(path, sizeof(path), "%s/lv", fx.dir);
	sys("truncate -s 4M ../lv");
	fx.set->info.active = true;
	dmri_copy(fx.set->info.device, sizeof(fx.set->info.device), "running");
	fx_status = STATUS;
	fx_table = "0:11 0:12";
	fx_devices = devices;
	fx_cut(0);
	assert_int_equal(dmremap_spare_add_plan(fx.set, &spare, 0, &plan, &fx.err), -ELOOP);
	assert_contains(fx.err.text, path);
	assert_contains(fx.err.text, "/dev/mapper/running");
	/* Force does not help. */
	assert_int_equal(dmremap_spare_add_plan(fx.set, &spare, DMREMAP_FORCE, &plan, &fx.err),
			 -ELOOP);
	/* Elsewhere it is as good as any. */
	fx_devices = NULL;
	assert_int_equal(dmremap_spare_add_plan(fx.set, &spare, 0, &plan, &fx.err), 0);
	dmremap_plan_free(plan);
	fx_status = fx_table = NULL;
	fx_cut(-1);
}

#define TEST(f)	cmocka_unit_test_teardown(f, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(twins_in_all_orders), TEST(partitions_are_told),
		TEST(what_lies_on_the_set), TEST(spare_on_its_own_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
