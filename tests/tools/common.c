// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

void die(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

/* --- Metadata ------------------------------------------------------------ */

static uint32_t crc_table[4][256];

__attribute__((constructor)) static void crc_init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
		crc_table[0][i] = c;
	}
	for (int i = 0; i < 256; i++)
		for (int k = 1; k < 4; k++)
			crc_table[k][i] = crc_table[k - 1][i] >> 8 ^
					  crc_table[0][crc_table[k - 1][i] & 255];
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
	const uint8_t *p = data;

	for (; size >= 4; size -= 4, p += 4) {
		crc ^= p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
		crc = crc_table[3][crc & 255] ^ crc_table[2][crc >> 8 & 255] ^
		      crc_table[1][crc >> 16 & 255] ^ crc_table[0][crc >> 24];
	}
	while (size--)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *p++) & 255];
	return crc;
}

static uint32_t block_sum(const void *block, size_t at)
{
	uint8_t copy[DMR_FRAME_SIZE];

	memcpy(copy, block, sizeof(copy));
	memset(copy + at, 0, 4);
	return ~crc32c(~0u, copy, sizeof(copy));
}

bool anchor_valid(const struct dmr_anchor *a)
{
	return !memcmp(a->magic, DMR_ANCHOR_MAGIC, 8) &&
	       le32_to_cpu(a->csum) == block_sum(a, offsetof(struct dmr_anchor, csum));
}

bool frame_valid(const struct dmr_frame_header *h)
{
	return le32_to_cpu(h->magic) == DMR_FRAME_MAGIC &&
	       le32_to_cpu(h->csum) == block_sum(h, offsetof(struct dmr_frame_header, csum));
}

void anchor_seal(struct dmr_anchor *a)
{
	a->csum = cpu_to_le32(block_sum(a, offsetof(struct dmr_anchor, csum)));
}

void frame_seal(struct dmr_frame_header *h)
{
	h->csum = cpu_to_le32(block_sum(h, offsetof(struct dmr_frame_header, csum)));
}

/* --- Random numbers ------------------------------------------------------ */

uint64_t random_state = 1;

uint64_t random_u64(void)
{
	uint64_t x = random_state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

uint64_t random_below(uint64_t n)
{
	return random_u64() % n;
}

/* --- Devices and image files ----------------------------------------------- */

int device_open(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st))
		die("%s: %m", path);
	fd = open(path, O_RDWR | O_CLOEXEC | (S_ISBLK(st.st_mode) ? O_DIRECT : 0));
	if (fd < 0)
		die("%s: %m", path);
	return fd;
}

uint64_t device_bytes(int fd)
{
	struct stat st;
	uint64_t bytes;

	if (fstat(fd, &st))
		die("stat: %m");
	if (!S_ISBLK(st.st_mode))
		return st.st_size;
	if (ioctl(fd, BLKGETSIZE64, &bytes))
		die("BLKGETSIZE64: %m");
	return bytes;
}

void *aligned(size_t size)
{
	void *p = NULL;

	if (posix_memalign(&p, 4096, size ? size : 1))
		die("out of memory");
	memset(p, 0, size);
	return p;
}

void read_all(int fd, void *buf, size_t size, uint64_t at)
{
	ssize_t n = pread(fd, buf, size, at);

	if (n != (ssize_t)size)
		die("read of %zu at %llu: %zd (%m)", size, (unsigned long long)at, n);
}

void write_all(int fd, const void *buf, size_t size, uint64_t at)
{
	ssize_t n = pwrite(fd, buf, size, at);

	if (n != (ssize_t)size)
		die("write of %zu at %llu: %zd (%m)", size, (unsigned long long)at, n);
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* --- Device mapper --------------------------------------------------------- */

#define DM_BUFFER	(256 * 1024)

static int control = -1;
static int kmsg = -1;
static _Thread_local struct dm_ioctl *dm;

void dm_init(void)
{
	control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		die("/dev/mapper/control: %m");
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		die("/dev/kmsg: %m");
	lseek(kmsg, 0, SEEK_END);
}

static void dm_prepare(const char *name)
{
	if (!dm)
		dm = aligned(DM_BUFFER);
	memset(dm, 0, sizeof(*dm));
	dm->version[0] = DM_VERSION_MAJOR;
	dm->data_size = DM_BUFFER;
	dm->data_start = sizeof(*dm);
	snprintf(dm->name, sizeof(dm->name), "%s", name);
}

static int dm_do(unsigned long cmd)
{
	return ioctl(control, cmd, dm) ? -errno : 0;
}

int dm_create(const char *name)
{
	dm_prepare(name);
	return dm_do(DM_DEV_CREATE);
}

int dm_load(const char *name, uint64_t sectors, const char *args)
{
	struct dm_target_spec *spec;

	dm_prepare(name);
	spec = (void *)dm + dm->data_start;
	memset(spec, 0, sizeof(*spec));
	spec->length = sectors;
	strcpy(spec->target_type, "remap");
	strcpy((char *)(spec + 1), args);
	dm->target_count = 1;
	return dm_do(DM_TABLE_LOAD);
}

int dm_resume(const char *name)
{
	dm_prepare(name);
	return dm_do(DM_DEV_SUSPEND);
}

int dm_suspend(const char *name)
{
	dm_prepare(name);
	dm->flags = DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG;
	return dm_do(DM_DEV_SUSPEND);
}

int dm_remove(const char *name)
{
	int r = 0, try;

	/* Somebody who looks at new devices may hold it for a moment. */
	for (try = 0; try < 100; try++) {
		dm_prepare(name);
		r = dm_do(DM_DEV_REMOVE);
		if (r != -EBUSY)
			break;
		usleep(10000);
	}
	return r;
}

int dm_message(const char *name, const char *text, char *answer, size_t size)
{
	struct dm_target_msg *msg;
	int r;

	dm_prepare(name);
	msg = (void *)dm + dm->data_start;
	msg->sector = 0;
	strcpy(msg->message, text);
	r = dm_do(DM_TARGET_MSG);
	if (!r && answer)
		snprintf(answer, size, "%s",
			 dm->flags & DM_DATA_OUT_FLAG ? (char *)dm + dm->data_start : "");
	return r;
}

int dm_status(const char *name, char *answer, size_t size)
{
	struct dm_target_spec *spec;
	int r;

	dm_prepare(name);
	r = dm_do(DM_TABLE_STATUS);
	spec = (void *)dm + dm->data_start;
	if (!r)
		snprintf(answer, size, "%s", dm->target_count ? (char *)(spec + 1) : "");
	return r;
}

int dm_device(const char *name, dev_t *dev)
{
	int r;

	dm_prepare(name);
	r = dm_do(DM_DEV_STATUS);
	if (!r)
		*dev = makedev(dm->dev >> 8 & 0xfff, (dm->dev & 0xff) | (dm->dev >> 12 & 0xfff00));
	return r;
}

int dm_open(const char *name, int flags)
{
	char path[64];
	dev_t dev;
	int fd;

	if (dm_device(name, &dev))
		die("%s: no such device", name);
	snprintf(path, sizeof(path), "/dev/test-%d-%u", (int)getpid(), minor(dev));
	unlink(path);
	if (mknod(path, S_IFBLK | 0600, dev))
		die("%s: %m", path);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		die("%s: %m", path);
	unlink(path);
	return fd;
}

void dm_refusal_skip(void)
{
	lseek(kmsg, 0, SEEK_END);
}

const char *dm_refusal(void)
{
	static const char want[] = "device-mapper: remap: ";
	static char text[512];
	char record[2048];
	bool found = false;

	for (;;) {
		ssize_t n = read(kmsg, record, sizeof(record) - 1);
		char *at;

		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		record[n] = '\0';
		record[strcspn(record, "\n")] = '\0';
		at = strstr(record, want);
		if (!at)
			continue;
		/* The last line stands; what was said before may only be a warning. */
		snprintf(text, sizeof(text), "%s", at + strlen(want));
		found = true;
	}
	return found ? text : NULL;
}

/* --- The map --------------------------------------------------------------- */

static void map_add(struct map *map, const struct entry *e)
{
	if (map->nr == map->size) {
		map->size = map->size ? 2 * map->size : 256;
		map->entries = realloc(map->entries, map->size * sizeof(*e));
		if (!map->entries)
			die("out of memory");
	}
	map->entries[map->nr++] = *e;
}

int map_ask(const char *name, struct map *map)
{
	static _Thread_local char answer[DM_BUFFER];
	unsigned long long next = 0, block;
	bool more = true;

	map->nr = 0;
	while (more) {
		char text[64], *line, *save = NULL;
		int r;

		snprintf(text, sizeof(text), "map %llu", next);
		r = dm_message(name, text, answer, sizeof(answer));
		if (r)
			return r;
		more = false;
		for (line = strtok_r(answer, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save)) {
			struct entry e;

			if (!strcmp(line, "end"))
				continue;
			if (sscanf(line, "next %llu", &next) == 1) {
				more = true;
				continue;
			}
			if (sscanf(line, "%llu %u %u %x", &block, &e.member, &e.slot,
				   &e.invalid) != 4)
				die("map answers '%s'", line);
			e.block = block;
			map_add(map, &e);
		}
	}
	return 0;
}

bool map_equal(const struct map *a, const struct map *b)
{
	size_t i;

	if (a->nr != b->nr)
		return false;
	for (i = 0; i < a->nr; i++) {
		const struct entry *x = &a->entries[i], *y = &b->entries[i];

		if (x->block != y->block || x->member != y->member || x->slot != y->slot ||
		    x->invalid != y->invalid)
			return false;
	}
	return true;
}

void map_copy(struct map *to, const struct map *from)
{
	size_t i;

	to->nr = 0;
	for (i = 0; i < from->nr; i++)
		map_add(to, &from->entries[i]);
}

void map_free(struct map *map)
{
	free(map->entries);
	memset(map, 0, sizeof(*map));
}
