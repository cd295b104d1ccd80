/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disks below a block device, by sysfs alone: a partition leads to its disk, what
 * has slaves (device-mapper, md, multipath) to each of those. Opens no device.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"

#define MAX_DEPTH	16		/* of a stack; more is a loop of links */

struct search {
	const char *root;
	struct disk *disks;
	size_t nr, max;
	unsigned int visited;		/* devices looked at: a bound on what a tree may cost */
};

#define MAX_VISITED	4096

static void close_dirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* An attribute with white space cut at both ends and single spaces within. */
static int read_text(const char *dir, const char *attr, char *buf, size_t size)
{
	char path[PATH_MAX], raw[256];
	size_t i, out = 0;
	ssize_t n;
	int fd;

	buf[0] = '\0';
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, attr) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, raw, sizeof(raw));
	close(fd);
	if (n < 0)
		return -errno;
	for (i = 0; i < (size_t)n && raw[i] && out + 1 < size; i++) {
		if (isgraph((unsigned char)raw[i]))
			buf[out++] = raw[i];
		else if (out && buf[out - 1] != ' ')
			buf[out++] = ' ';
	}
	while (out && buf[out - 1] == ' ')
		out--;
	buf[out] = '\0';
	return out ? 0 : -ENODATA;
}

static bool exists(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return (size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) < sizeof(path) &&
	       !stat(path, &st);
}

/* Serial number of the SCSI page 0x80: four bytes of header, then text. */
static void scsi_serial(const char *dir, char *buf, size_t size)
{
	unsigned char page[260];
	char path[PATH_MAX];
	size_t i, out = 0, length;
	ssize_t n;
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/device/vpd_pg80", dir) >= sizeof(path))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, page, sizeof(page));
	close(fd);
	if (n <= 4 || page[1] != 0x80)
		return;
	length = page[2] << 8 | page[3];
	for (i = 4; i < (size_t)n && i < 4 + length && out + 1 < size; i++)
		if (isgraph(page[i]))
			buf[out++] = page[i];
	buf[out] = '\0';
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* "vda", "loop0", "nullb3": a driver's prefix and what follows as a rule. */
static bool named(const char *name, const char *prefix, bool letters)
{
	unsigned char next = name[strlen(prefix)];

	return starts_with(name, prefix) && (letters ? islower(next) : isdigit(next));
}

/* No drive of its own that could be asked for its health. */
static bool is_virtual(const char *dir, const char *name)
{
	static const char *const numbered[] = { "loop", "zram", "nullb", "ram", "nbd", "rbd",
						"drbd", "zd", "bcache", "ublkb", "mtdblock",
						"pmem", "sr", "fd" };
	char real[PATH_MAX];
	unsigned int i;

	if (named(name, "vd", true) || named(name, "xvd", true))
		return true;
	for (i = 0; i < sizeof(numbered) / sizeof(numbered[0]); i++)
		if (named(name, numbered[i], false))
			return true;
	return realpath(dir, real) && strstr(real, "/devices/virtual/block/");
}

static void read_serial(const char *dir, struct disk *disk)
{
	if (read_text(dir, "serial", disk->serial, sizeof(disk->serial)) &&
	    read_text(dir, "device/serial", disk->serial, sizeof(disk->serial)))
		scsi_serial(dir, disk->serial, sizeof(disk->serial));
}

static void describe(const char *dir, const char *name, unsigned int major, unsigned int minor,
		     struct disk *disk)
{
	char text[32], *p;

	memset(disk, 0, sizeof(*disk));
	disk->major = major;
	disk->minor = minor;
	snprintf(disk->path, sizeof(disk->path), "/dev/%.128s", name);
	/* "cciss!c0d0" is /dev/cciss/c0d0 */
	for (p = disk->path; *p; p++)
		if (*p == '!')
			*p = '/';
	disk->virtual_ = is_virtual(dir, name);
	/* virtio-blk asks the host for it, for as long as that takes. */
	if (!disk->virtual_)
		read_serial(dir, disk);
	if (read_text(dir, "wwid", disk->wwn, sizeof(disk->wwn)))
		read_text(dir, "device/wwid", disk->wwn, sizeof(disk->wwn));
	read_text(dir, "device/model", disk->model, sizeof(disk->model));
	disk->rotational = !read_text(dir, "queue/rotational", text, sizeof(text)) &&
			   strcmp(text, "0");
}

/* A disk is asked once, whatever the number of its paths, or of its NVMe namespaces. */
static bool known(const struct search *s, const struct disk *disk)
{
	size_t i;

	for (i = 0; i < s->nr; i++) {
		const struct disk *d = &s->disks[i];

		if (d->major == disk->major && d->minor == disk->minor)
			return true;
		if (!*disk->serial || strcmp(d->serial, disk->serial))
			continue;
		/* Neither WWNs nor serial numbers alone are unique in the field. */
		if (*disk->wwn && !strcmp(d->wwn, disk->wwn))
			return true;
		if (starts_with(disk->path, "/dev/nvme") && starts_with(d->path, "/dev/nvme") &&
		    !strcmp(d->model, disk->model))
			return true;
	}
	return false;
}

static int walk(struct search *s, unsigned int major, unsigned int minor, unsigned int depth);

/* "8:16" of the directory of a device. */
static int devno_of(const char *dir, unsigned int *major, unsigned int *minor)
{
	char text[32];
	int r = read_text(dir, "dev", text, sizeof(text));

	if (r < 0)
		return r;
	return sscanf(text, "%u:%u", major, minor) == 2 ? 0 : -EINVAL;
}

static int walk_slaves(struct search *s, const char *dir, unsigned int depth, unsigned int *nr)
{
	__attribute__((cleanup(close_dirp))) DIR *slaves = NULL;
	unsigned int major, minor;
	char path[PATH_MAX];
	struct dirent *e;
	int r = 0;

	*nr = 0;
	if ((size_t)snprintf(path, sizeof(path), "%s/slaves", dir) >= sizeof(path))
		return -ENAMETOOLONG;
	slaves = opendir(path);
	if (!slaves)
		return 0;
	while (!r && (e = readdir(slaves))) {
		if (e->d_name[0] == '.')
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s/slaves/%s", dir, e->d_name) >=
		    sizeof(path))
			continue;
		/* It may have gone meanwhile. */
		if (devno_of(path, &major, &minor) < 0)
			continue;
		++*nr;
		r = walk(s, major, minor, depth + 1);
		if (r == -ENODEV)
			r = 0;
	}
	return r;
}

static int walk(struct search *s, unsigned int major, unsigned int minor, unsigned int depth)
{
	char dir[PATH_MAX], real[PATH_MAX];
	unsigned int nr_slaves;
	struct disk disk;
	char *name;
	int r;

	if (depth > MAX_DEPTH || ++s->visited > MAX_VISITED)
		return -ELOOP;
	if ((size_t)snprintf(dir, sizeof(dir), "%s/sys/dev/block/%u:%u", s->root, major, minor) >=
	    sizeof(dir))
		return -ENAMETOOLONG;
	if (!realpath(dir, real))
		return errno == ENOENT ? -ENODEV : -errno;
	if (exists(real, "partition")) {
		name = strrchr(real, '/');
		if (!name)
			return -EINVAL;
		*name = '\0';
		r = devno_of(real, &major, &minor);
		return r < 0 ? r : walk(s, major, minor, depth + 1);
	}
	r = walk_slaves(s, real, depth, &nr_slaves);
	if (r < 0 || nr_slaves)
		return r;
	name = strrchr(real, '/');
	describe(real, name ? name + 1 : real, major, minor, &disk);
	if (known(s, &disk))
		return 0;
	if (s->nr == s->max)
		return -E2BIG;
	s->disks[s->nr++] = disk;
	return 0;
}

int disk_resolve_at(const char *root, unsigned int major, unsigned int minor,
		    struct disk *disks, size_t max)
{
	struct search s = { .root = root, .disks = disks, .max = max };
	int r = walk(&s, major, minor, 0);

	/* More disks than there is room for, or a strange tree: what was found counts. */
	if ((r == -E2BIG || r == -ELOOP) && s.nr)
		r = 0;
	return r < 0 ? r : (int)s.nr;
}

int disk_resolve(unsigned int major, unsigned int minor, struct disk *disks, size_t max)
{
	return disk_resolve_at("", major, minor, disks, max);
}
