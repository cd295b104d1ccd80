/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Open devices: direct I/O in units of 4096 bytes, flushes, zeroing. A regular
 * file can stand in for a device, which is how the tests work.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "private.h"

#define CHUNK	(1u << 20)

void dmri_dev_close(struct dmri_dev *dev)
{
	if (!dev)
		return;
	if (dev->fd >= 0)
		close(dev->fd);
	if (dev->written && dev->block)
		dmri_udev_change(dev->major, dev->minor);
	free(dev);
}

void dmri_dev_closep(struct dmri_dev **dev)
{
	dmri_dev_close(*dev);
	*dev = NULL;
}

static int block_geometry(struct dmri_dev *dev)
{
	unsigned int physical = 0;
	int logical = 0;
	u64 bytes;

	if (ioctl(dev->fd, BLKGETSIZE64, &bytes) < 0 ||
	    ioctl(dev->fd, BLKSSZGET, &logical) < 0 ||
	    ioctl(dev->fd, BLKPBSZGET, &physical) < 0)
		return -errno;
	dev->sectors = bytes / 512;
	dev->logical = logical;
	dev->physical = physical;
	return 0;
}

int dmri_dev_open(const char *path, unsigned int flags, struct dmri_dev **ret,
		  struct dmremap_error *err)
{
	_cleanup_(dmri_dev_closep) struct dmri_dev *dev = calloc(1, sizeof(*dev));
	int mode = (flags & DMRI_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;
	struct stat st;
	int r;

	if (!dev)
		return dmri_error_sys(err, -ENOMEM, "%s", path);
	dev->fd = -1;
	if (strlen(path) >= sizeof(dev->path))
		return dmri_error_sys(err, -ENAMETOOLONG, "%.200s... can not be opened", path);
	if (stat(path, &st) < 0)
		return dmri_error_sys(err, -errno, "%s can not be opened", path);
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return dmri_error(err, -ENOTBLK, "%s is not a block device.", path);
	dev->block = S_ISBLK(st.st_mode);
	if (dev->block)
		mode |= O_DIRECT | (flags & DMRI_EXCL ? O_EXCL : 0);

	dev->fd = open(path, mode);
	if (dev->fd < 0 && errno == EBUSY)
		return dmri_error(err, -EBUSY,
				  "%s is in use: mounted, or held by another device or program.",
				  path);
	if (dev->fd < 0)
		return dmri_error_sys(err, -errno, "%s can not be opened", path);
	/* Not what was looked at before, should the name have changed its meaning. */
	if (fstat(dev->fd, &st) < 0 || dev->block != S_ISBLK(st.st_mode) ||
	    (!dev->block && !S_ISREG(st.st_mode)))
		return dmri_error(err, -EAGAIN, "%s changed while it was opened.", path);
	dmri_copy(dev->path, sizeof(dev->path), path);
	if (dev->block) {
		dev->major = major(st.st_rdev);
		dev->minor = minor(st.st_rdev);
		r = block_geometry(dev);
		if (r < 0)
			return dmri_error_sys(err, r, "The size of %s can not be read", path);
	} else {
		dev->sectors = st.st_size / 512;
		dev->logical = dev->physical = 512;
	}
	*ret = dev;
	dev = NULL;
	return 0;
}

int dmri_dev_reopen(const struct dmri_dev *dev, int flags)
{
	int fd = open(dev->path, flags | O_CLOEXEC | O_NONBLOCK);
	struct stat a, b;
	int r;

	if (fd < 0)
		return -errno;
	r = fstat(dev->fd, &a) < 0 || fstat(fd, &b) < 0 ? -errno : 0;
	if (!r && (dev->block ? !S_ISBLK(b.st_mode) || a.st_rdev != b.st_rdev :
				a.st_dev != b.st_dev || a.st_ino != b.st_ino))
		r = -ESTALE;
	if (!r)
		return fd;
	close(fd);
	return r;
}

int dmri_dev_read(struct dmri_dev *dev, u64 sector, void *buf, size_t bytes)
{
	size_t done = 0;
	ssize_t n;

	while (done < bytes) {
		n = pread(dev->fd, (char *)buf + done, bytes - done, sector * 512 + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;
		done += n;
	}
	return 0;
}

int dmri_dev_write(struct dmri_dev *dev, u64 sector, const void *buf, size_t bytes)
{
	size_t done = 0;
	ssize_t n;

	dev->written = true;
	while (done < bytes) {
		n = pwrite(dev->fd, (const char *)buf + done, bytes - done,
			   sector * 512 + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;
		done += n;
	}
	return 0;
}

int dmri_dev_zero(struct dmri_dev *dev, u64 sector, u64 sectors)
{
	u64 range[2] = { sector * 512, sectors * 512 };
	_free_ void *zeroes = NULL;
	u64 n;
	int r;

	if (!sectors)
		return 0;
	dev->written = true;
	if (dev->block && !ioctl(dev->fd, BLKZEROOUT, range))
		return 0;
	zeroes = dmri_alloc(CHUNK);
	if (!zeroes)
		return -ENOMEM;
	for (; sectors; sector += n, sectors -= n) {
		n = MIN(sectors, CHUNK / 512);
		r = dmri_dev_write(dev, sector, zeroes, n * 512);
		if (r < 0)
			return r;
	}
	return 0;
}

int dmri_dev_flush(struct dmri_dev *dev)
{
	return fsync(dev->fd) < 0 ? -errno : 0;
}

void *dmri_alloc(size_t bytes)
{
	void *p;

	if (posix_memalign(&p, DMR_FRAME_SIZE, dmri_round_up(bytes, DMR_FRAME_SIZE)))
		return NULL;
	return memset(p, 0, bytes);
}

bool dmri_is_zero(const void *p, size_t size)
{
	const char *c = p;

	return !size || (!c[0] && !memcmp(c, c + 1, size - 1));
}

int dmri_random(void *buf, size_t size)
{
	ssize_t n = getrandom(buf, size, 0);

	return n < 0 ? -errno : (size_t)n == size ? 0 : -EIO;
}
