/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sysfs says about block devices: identity, limits, relations. Works
 * without udev, and opens no device except to find a partition's UUID.
 */
#include <blkid/blkid.h>
#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "private.h"

static ssize_t read_raw(unsigned int major, unsigned int minor, const char *attr,
			char *buf, size_t size)
{
	char path[256];
	_close_ int fd = -1;
	ssize_t n;

	dmri_text(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major, minor, attr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size);
	return n < 0 ? -errno : n;
}

/* Printable characters only, single spaces, none at the ends. */
static void tidy(char *text, size_t n)
{
	size_t i, out = 0;

	for (i = 0; i < n && text[i]; i++) {
		unsigned char c = text[i];

		if (!isgraph(c)) {
			if (out && text[out - 1] != ' ')
				text[out++] = ' ';
			continue;
		}
		text[out++] = c;
	}
	while (out && text[out - 1] == ' ')
		out--;
	text[out] = '\0';
}

int dmri_sysfs_read(unsigned int major, unsigned int minor, const char *attr,
		    char *buf, size_t size)
{
	ssize_t n = read_raw(major, minor, attr, buf, size - 1);

	if (n < 0)
		return n;
	buf[n] = '\0';
	tidy(buf, n);
	return 0;
}

int dmri_sysfs_u64(unsigned int major, unsigned int minor, const char *attr, u64 *value)
{
	char text[32];
	int r = dmri_sysfs_read(major, minor, attr, text, sizeof(text));
	char *end;

	if (r < 0)
		return r;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno || end == text || *end ? -EINVAL : 0;
}

/* Kernel name ("sda1"): the last part of what /sys/dev/block points to. */
static int kernel_name(unsigned int major, unsigned int minor, char *buf, size_t size)
{
	char path[64], target[512], *p;
	ssize_t n;

	dmri_text(path, sizeof(path), "/sys/dev/block/%u:%u", major, minor);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	p = strrchr(target, '/');
	dmri_copy(buf, size, p ? p + 1 : target);
	for (p = buf; *p; p++)
		if (*p == '!')
			*p = '/';
	return 0;
}

static bool path_is(const char *path, unsigned int major, unsigned int minor)
{
	struct stat st;

	return !stat(path, &st) && S_ISBLK(st.st_mode) &&
	       st.st_rdev == makedev(major, minor);
}

void dmri_devno_path(unsigned int major, unsigned int minor, char *buf, size_t size)
{
	char name[DMREMAP_NAME_SIZE];

	if (!dmri_sysfs_read(major, minor, "dm/name", name, sizeof(name))) {
		dmri_text(buf, size, "/dev/mapper/%s", name);
		if (path_is(buf, major, minor))
			return;
	}
	if (!kernel_name(major, minor, name, sizeof(name))) {
		dmri_text(buf, size, "/dev/%s", name);
		if (path_is(buf, major, minor))
			return;
	}
	dmri_text(buf, size, "/dev/block/%u:%u", major, minor);
}

bool dmri_has_holders(unsigned int major, unsigned int minor)
{
	_dir_ DIR *dir = NULL;
	char path[64];
	struct dirent *e;

	dmri_text(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major, minor);
	dir = opendir(path);
	if (!dir)
		return false;
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.')
			return true;
	return false;
}

#define MAX_DEPTH	16	/* of a stack of devices; more is a loop of links */

/* Number of the device whose directory is @dir, relative to that of @dev. */
static bool devno_of(struct dmri_devno dev, const char *dir, struct dmri_devno *ret)
{
	char attr[300], text[32];

	dmri_text(attr, sizeof(attr), "%s/dev", dir);
	return !dmri_sysfs_read(dev.major, dev.minor, attr, text, sizeof(text)) &&
	       sscanf(text, "%u:%u", &ret->major, &ret->minor) == 2;
}

static bool lies_on(struct dmri_devno dev, struct dmri_devno on, unsigned int depth)
{
	char path[280];
	_dir_ DIR *dir = NULL;
	struct dmri_devno below;
	struct dirent *e;
	u64 number;

	if (depth == MAX_DEPTH || (dev.major == on.major && dev.minor == on.minor))
		return true;
	if (!dmri_sysfs_u64(dev.major, dev.minor, "partition", &number))
		return devno_of(dev, "..", &below) && lies_on(below, on, depth + 1);
	dmri_text(path, sizeof(path), "/sys/dev/block/%u:%u/slaves", dev.major, dev.minor);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		dmri_text(path, sizeof(path), "slaves/%s", e->d_name);
		if (devno_of(dev, path, &below) && lies_on(below, on, depth + 1))
			return true;
	}
	return false;
}

bool dmri_lies_on(struct dmri_devno dev, struct dmri_devno on)
{
	return lies_on(dev, on, 0);
}

/* Serial number of the SCSI page 0x80: four bytes of header, then text. */
static void scsi_serial(unsigned int major, unsigned int minor, const char *up,
			char *buf, size_t size)
{
	unsigned char page[260];
	char attr[64];
	ssize_t n;

	dmri_text(attr, sizeof(attr), "%sdevice/vpd_pg80", up);
	n = read_raw(major, minor, attr, (char *)page, sizeof(page));
	if (n <= 4 || page[1] != 0x80)
		return;
	n = MIN((size_t)(n - 4), (size_t)(page[2] << 8 | page[3]));
	n = MIN((size_t)n, size - 1);
	memcpy(buf, page + 4, n);
	buf[n] = '\0';
	tidy(buf, n);
}

static void first_of(unsigned int major, unsigned int minor, const char *up,
		     const char *const *attrs, char *buf, size_t size)
{
	char attr[64];

	for (; *attrs && !*buf; attrs++) {
		dmri_text(attr, sizeof(attr), "%s%s", up, *attrs);
		if (dmri_sysfs_read(major, minor, attr, buf, size) < 0)
			buf[0] = '\0';
	}
}

/* PARTUUID from the uevent file (new kernels), else by libblkid. */
static void partition_uuid(unsigned int major, unsigned int minor, char *buf, size_t size)
{
	char text[1024], disk[DMREMAP_PATH_SIZE], *p;
	blkid_partition part;
	blkid_partlist list;
	dev_t whole = 0;
	const char *uuid;
	blkid_probe pr;
	ssize_t n;

	n = read_raw(major, minor, "uevent", text, sizeof(text) - 1);
	if (n > 0) {
		text[n] = '\0';
		p = strstr(text, "PARTUUID=");
		if (p) {
			p += strlen("PARTUUID=");
			dmri_copy(buf, size, p);
			buf[strcspn(buf, "\n")] = '\0';
			return;
		}
	}
	if (blkid_devno_to_wholedisk(makedev(major, minor), NULL, 0, &whole) < 0)
		return;
	dmri_devno_path(major(whole), minor(whole), disk, sizeof(disk));
	pr = blkid_new_probe_from_filename(disk);
	if (!pr)
		return;
	list = blkid_probe_get_partitions(pr);
	part = list ? blkid_partlist_devno_to_partition(list, makedev(major, minor)) : NULL;
	uuid = part ? blkid_partition_get_uuid(part) : NULL;
	if (uuid)
		dmri_copy(buf, size, uuid);
	blkid_free_probe(pr);
}

void dmri_identify(unsigned int major, unsigned int minor, struct dmremap_device *d)
{
	static const char *const serials[] = { "serial", "device/serial", NULL };
	static const char *const wwns[] = { "wwid", "device/wwid", NULL };
	char text[DMR_ID_SIZE], attr[64];
	const char *up;
	u64 value;

	d->major = major;
	d->minor = minor;
	d->partition = !dmri_sysfs_u64(major, minor, "partition", &value);
	up = d->partition ? "../" : "";
	d->read_only = !dmri_sysfs_u64(major, minor, "ro", &value) && value;
	dmri_text(attr, sizeof(attr), "%squeue/rotational", up);
	d->rotational = !dmri_sysfs_u64(major, minor, attr, &value) && value;
	dmri_text(attr, sizeof(attr), "%squeue/zoned", up);
	d->zoned = !dmri_sysfs_read(major, minor, attr, text, sizeof(text)) &&
		   strcmp(text, "none");

	first_of(major, minor, up, serials, d->serial, sizeof(d->serial));
	if (!*d->serial)
		scsi_serial(major, minor, up, d->serial, sizeof(d->serial));
	first_of(major, minor, up, wwns, d->wwn, sizeof(d->wwn));
	if (!*d->wwn) {
		dmri_text(attr, sizeof(attr), "%sdm/uuid", up);
		if (!dmri_sysfs_read(major, minor, attr, text, sizeof(text)) && *text)
			dmri_text(d->wwn, sizeof(d->wwn), "dm-%.124s", text);
	}
	if (!*d->wwn) {
		dmri_text(attr, sizeof(attr), "%smd/uuid", up);
		if (!dmri_sysfs_read(major, minor, attr, text, sizeof(text)) && *text)
			dmri_text(d->wwn, sizeof(d->wwn), "md-%.124s", text);
	}
	if (d->partition)
		partition_uuid(major, minor, d->partuuid, sizeof(d->partuuid));
}

/* Devices that carry no sets, hang when opened, or must not be read now. */
static bool uninteresting(const char *name, unsigned int major, unsigned int minor)
{
	u64 value;

	if (!strncmp(name, "sr", 2) || !strncmp(name, "fd", 2) || !strncmp(name, "ram", 3))
		return true;
	if (dmri_sysfs_u64(major, minor, "size", &value) < 0 || value < DMR_FRAMES_SECTOR)
		return true;
	if (!dmri_sysfs_u64(major, minor, "hidden", &value) && value)
		return true;
	return !dmri_sysfs_u64(major, minor, "dm/suspended", &value) && value;
}

int dmri_block_devices(struct dmri_devno **ret, size_t *ret_nr, struct dmremap_error *err)
{
	_dir_ DIR *dir = opendir("/sys/dev/block");
	_free_ struct dmri_devno *list = NULL;
	size_t nr = 0, room = 0;
	struct dirent *e;

	if (!dir)
		return dmri_error_sys(err, -errno,
				      "/sys/dev/block can not be read; is sysfs mounted?");
	while ((e = readdir(dir))) {
		unsigned int major, minor;
		char name[64];

		if (sscanf(e->d_name, "%u:%u", &major, &minor) != 2 ||
		    kernel_name(major, minor, name, sizeof(name)) < 0 ||
		    uninteresting(name, major, minor))
			continue;
		if (nr == room) {
			struct dmri_devno *more;

			room = room ? 2 * room : 64;
			more = reallocarray(list, room, sizeof(*list));
			if (!more)
				return dmri_error_sys(err, -ENOMEM, "List of devices");
			list = more;
		}
		list[nr++] = (struct dmri_devno){ major, minor };
	}
	*ret = list;
	*ret_nr = nr;
	list = NULL;
	return 0;
}

/* Only what other programs are shown depends on it. */
static void tell_change(unsigned int major, unsigned int minor, const char *attr)
{
	_close_ int fd = -1;
	char path[320];

	dmri_text(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major, minor, attr);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "change", 6) < 0)
		return;
}

void dmri_udev_change(unsigned int major, unsigned int minor)
{
	char path[64], attr[280];
	_dir_ DIR *dir = NULL;
	struct dirent *e;
	u64 number;

	tell_change(major, minor, "uevent");
	dmri_text(path, sizeof(path), "/sys/dev/block/%u:%u", major, minor);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		dmri_text(attr, sizeof(attr), "%s/partition", e->d_name);
		if (dmri_sysfs_u64(major, minor, attr, &number) < 0)
			continue;
		dmri_text(attr, sizeof(attr), "%s/uevent", e->d_name);
		tell_change(major, minor, attr);
	}
}
