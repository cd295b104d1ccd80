/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a device to the disks below, over a tree that looks like sysfs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon.h"

static char root[64];
static struct disk disks[DISK_MAX];

static int begin(void **state)
{
	memset(disks, 0, sizeof(disks));
	snprintf(root, sizeof(root), "%s/dmr-disk-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	return !mkdtemp(root);
}

static int end(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static void make_dirs(const char *path)
{
	char part[512];
	size_t i;

	snprintf(part, sizeof(part), "%s/sys/%s", root, path);
	for (i = strlen(root) + 1; part[i]; i++) {
		if (part[i] != '/')
			continue;
		part[i] = '\0';
		mkdir(part, 0700);
		part[i] = '/';
	}
	mkdir(part, 0700);
}

static void put(const char *dir, const char *attr, const void *value, size_t size)
{
	char path[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, attr);
	*strrchr(path, '/') = '\0';
	make_dirs(path);
	snprintf(path, sizeof(path), "%s/sys/%s/%s", root, dir, attr);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(value, 1, size, f), size);
	fclose(f);
}

static void text(const char *dir, const char *attr, const char *value)
{
	put(dir, attr, value, strlen(value));
}

/* @dir: "devices/pci/block/sda". */
static void device(const char *dir, const char *devno)
{
	char path[512], target[512], dev[32];

	make_dirs(dir);
	make_dirs("dev/block");
	snprintf(dev, sizeof(dev), "%s\n", devno);
	text(dir, "dev", dev);
	snprintf(path, sizeof(path), "%s/sys/dev/block/%s", root, devno);
	snprintf(target, sizeof(target), "../../%s", dir);
	assert_int_equal(symlink(target, path), 0);
}

static void slave(const char *dir, const char *of)
{
	char path[1024], target[512];

	snprintf(path, sizeof(path), "%s/slaves", dir);
	make_dirs(path);
	snprintf(path, sizeof(path), "%s/sys/%s/slaves/%s", root, dir, strrchr(of, '/') + 1);
	snprintf(target, sizeof(target), "%s/sys/%s", root, of);
	assert_int_equal(symlink(target, path), 0);
}

static int resolve(unsigned int major, unsigned int minor)
{
	return disk_resolve_at(root, major, minor, disks, DISK_MAX);
}

static void sata(const char *name, const char *devno, const char *serial, const char *wwn)
{
	unsigned char page[64] = { 0, 0x80, 0, strlen(serial) };
	char dir[128];

	snprintf(dir, sizeof(dir), "devices/pci0/ata1/block/%s", name);
	device(dir, devno);
	memcpy(page + 4, serial, strlen(serial));
	put(dir, "device/vpd_pg80", page, 4 + strlen(serial));
	text(dir, "device/wwid", wwn);
	text(dir, "device/model", "WDC  WD40EFRX-68N \n");
	text(dir, "queue/rotational", "1\n");
}

static void partition(void **state)
{
	sata("sda", "8:0", "  WD-1", "naa.1\n");
	device("devices/pci0/ata1/block/sda/sda2", "8:2");
	text("devices/pci0/ata1/block/sda/sda2", "partition", "2\n");
	assert_int_equal(resolve(8, 0), 1);
	assert_int_equal(resolve(8, 2), 1);
	assert_string_equal(disks[0].path, "/dev/sda");
	assert_string_equal(disks[0].serial, "WD-1");
	assert_string_equal(disks[0].wwn, "naa.1");
	assert_string_equal(disks[0].model, "WDC WD40EFRX-68N");
	assert_true(disks[0].rotational);
	assert_false(disks[0].virtual_);
	assert_int_equal(disks[0].major, 8);
	assert_int_equal(disks[0].minor, 0);
	assert_int_equal(resolve(8, 3), -ENODEV);
}

/* LVM on md on partitions of two disks, one of them below twice. */
static void stack(void **state)
{
	sata("sda", "8:0", "A", "naa.a");
	sata("sdb", "8:16", "B", "naa.b");
	device("devices/pci0/ata1/block/sda/sda1", "8:1");
	text("devices/pci0/ata1/block/sda/sda1", "partition", "1\n");
	device("devices/pci0/ata1/block/sda/sda2", "8:2");
	text("devices/pci0/ata1/block/sda/sda2", "partition", "2\n");
	device("devices/virtual/block/md0", "9:0");
	slave("devices/virtual/block/md0", "devices/pci0/ata1/block/sda/sda1");
	slave("devices/virtual/block/md0", "devices/pci0/ata1/block/sdb");
	device("devices/virtual/block/dm-0", "253:0");
	slave("devices/virtual/block/dm-0", "devices/virtual/block/md0");
	slave("devices/virtual/block/dm-0", "devices/pci0/ata1/block/sda/sda2");
	assert_int_equal(resolve(253, 0), 2);
	assert_string_not_equal(disks[0].serial, disks[1].serial);
	/* A disk that was pulled leaves a link that leads nowhere. */
	slave("devices/virtual/block/dm-0", "devices/pci0/ata1/block/gone");
	assert_int_equal(resolve(253, 0), 2);
}

/* Two paths to one disk, and two disks that share a WWN, which some vendors did. */
static void multipath(void **state)
{
	sata("sda", "8:0", "S1", "naa.1");
	sata("sdb", "8:16", "S1", "naa.1");
	sata("sdc", "8:32", "S2", "naa.1");
	device("devices/virtual/block/dm-1", "253:1");
	slave("devices/virtual/block/dm-1", "devices/pci0/ata1/block/sda");
	slave("devices/virtual/block/dm-1", "devices/pci0/ata1/block/sdb");
	assert_int_equal(resolve(253, 1), 1);
	slave("devices/virtual/block/dm-1", "devices/pci0/ata1/block/sdc");
	assert_int_equal(resolve(253, 1), 2);
}

static void nvme(void **state)
{
	static const char *const names[] = { "devices/pci0/nvme/nvme0/nvme0n1",
					     "devices/pci0/nvme/nvme0/nvme0n2" };
	unsigned int i;

	device("devices/virtual/block/dm-2", "253:2");
	for (i = 0; i < 2; i++) {
		device(names[i], i ? "259:1" : "259:0");
		text(names[i], "device/serial", "  S3X  \n");
		text(names[i], "device/model", "Samsung 970\n");
		text(names[i], "wwid", i ? "eui.2\n" : "eui.1\n");
		text(names[i], "queue/rotational", "0\n");
		slave("devices/virtual/block/dm-2", names[i]);
	}
	assert_int_equal(resolve(259, 1), 1);
	assert_string_equal(disks[0].path, "/dev/nvme0n2");
	assert_string_equal(disks[0].serial, "S3X");
	assert_false(disks[0].rotational);
	/* Two namespaces, one drive. */
	assert_int_equal(resolve(253, 2), 1);
}

static void virtual_disks(void **state)
{
	device("devices/pci0/virtio0/block/vda", "254:0");
	text("devices/pci0/virtio0/block/vda", "serial", "root");
	device("devices/virtual/block/loop0", "7:0");
	device("devices/virtual/block/nullb0", "252:0");
	device("devices/virtual/block/zram0", "251:0");
	device("devices/pci0/block/cciss!c0d0", "104:0");
	assert_int_equal(resolve(254, 0), 1);
	assert_true(disks[0].virtual_);
	/* That read would wait for the host. */
	assert_string_equal(disks[0].serial, "");
	assert_int_equal(resolve(7, 0), 1);
	assert_true(disks[0].virtual_);
	assert_int_equal(resolve(252, 0), 1);
	assert_true(disks[0].virtual_);
	assert_int_equal(resolve(251, 0), 1);
	assert_true(disks[0].virtual_);
	assert_int_equal(resolve(104, 0), 1);
	assert_false(disks[0].virtual_);
	assert_string_equal(disks[0].path, "/dev/cciss/c0d0");
}

/* The host of a virtual disk is not asked, and does not answer. */
static void serial_hangs(void **state)
{
	char path[256];

	device("devices/pci0/virtio0/block/vdb", "254:16");
	device("devices/pci0/virtio1/block/vdc", "254:32");
	device("devices/virtual/block/dm-0", "253:0");
	slave("devices/virtual/block/dm-0", "devices/pci0/virtio0/block/vdb");
	slave("devices/virtual/block/dm-0", "devices/pci0/virtio1/block/vdc");
	snprintf(path, sizeof(path), "%s/sys/devices/pci0/virtio0/block/vdb/serial", root);
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(10);
	assert_int_equal(resolve(253, 0), 2);
	alarm(0);
	assert_true(disks[0].virtual_ && disks[1].virtual_);
}

static void strange_trees(void **state)
{
	unsigned int i;
	char name[64], devno[32];

	/* A loop. */
	device("devices/virtual/block/dm-3", "253:3");
	device("devices/virtual/block/dm-4", "253:4");
	slave("devices/virtual/block/dm-3", "devices/virtual/block/dm-4");
	slave("devices/virtual/block/dm-4", "devices/virtual/block/dm-3");
	assert_int_equal(resolve(253, 3), -ELOOP);
	/* More disks than there is room for. */
	device("devices/virtual/block/dm-5", "253:5");
	for (i = 0; i < DISK_MAX + 5; i++) {
		snprintf(name, sizeof(name), "devices/pci0/block/sd%u", i);
		snprintf(devno, sizeof(devno), "65:%u", i);
		device(name, devno);
		slave("devices/virtual/block/dm-5", name);
	}
	assert_int_equal(resolve(253, 5), DISK_MAX);
	/* Each of a pair on each of a pair, and so on: 2^n ways, looked at within bounds. */
	for (i = 0; i < 2 * 14; i++) {
		snprintf(name, sizeof(name), "devices/virtual/block/md%u", i);
		snprintf(devno, sizeof(devno), "9:%u", i);
		device(name, devno);
	}
	for (i = 0; i < 2 * 13; i++) {
		char up[64];

		snprintf(up, sizeof(up), "devices/virtual/block/md%u", i);
		snprintf(name, sizeof(name), "devices/virtual/block/md%u", (i & ~1u) + 2);
		slave(up, name);
		snprintf(name, sizeof(name), "devices/virtual/block/md%u", (i & ~1u) + 3);
		slave(up, name);
	}
	assert_int_equal(resolve(9, 0), 2);
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(partition), TEST(stack), TEST(multipath), TEST(nvme), TEST(virtual_disks),
		TEST(serial_hangs), TEST(strange_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
