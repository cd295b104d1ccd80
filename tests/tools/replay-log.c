// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes what dm-log-writes recorded onto another disk, one boundary after the other: the
 * states in which a power cut may leave a disk that loses whatever was not flushed. The format
 * of the log is told in the kernel's Documentation/admin-guide/device-mapper/log-writes.rst and
 * drivers/md/dm-log-writes.c (here: little endian, sectors of 512 bytes).
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR		512
#define LOG_MAGIC	0x6a736677736872ULL
#define LOG_VERSION	1

enum { ENTRY_FLUSH = 1, ENTRY_FUA = 2, ENTRY_DISCARD = 4, ENTRY_MARK = 8 };

struct super {
	uint64_t magic, version, nr_entries;
	uint32_t sectorsize;
};

struct entry {
	uint64_t sector, nr_sectors, flags, data_len;
};

static const char usage[] =
	"usage: replay-log LOG DISK FIRST\n"
	"Write the entries of the log from number FIRST (0) on, up to the next with FLUSH or\n"
	"FUA. Prints the number of the entry behind it, and the last mark before it. The end of\n"
	"the log: status 1, and nothing is printed.\n";

static void fatal(const char *what, const char *why)
{
	fprintf(stderr, "replay-log: %s: %s\n", what, why);
	exit(2);
}

static int open_disk(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		fatal(path, strerror(errno));
	return fd;
}

static void read_log(int fd, void *buf, size_t size, uint64_t sector)
{
	ssize_t n = pread(fd, buf, size, (off_t)(sector * SECTOR));

	if (n != (ssize_t)size)
		fatal("reading the log", n < 0 ? strerror(errno) : "it ends too early");
}

static void copy(int log, uint64_t from, int disk, uint64_t to, uint64_t nr)
{
	static char buf[256 * SECTOR];

	while (nr) {
		size_t size = (nr < 256 ? nr : 256) * SECTOR;

		read_log(log, buf, size, from);
		if (pwrite(disk, buf, size, (off_t)(to * SECTOR)) != (ssize_t)size)
			fatal("writing", strerror(errno));
		from += size / SECTOR;
		to += size / SECTOR;
		nr -= size / SECTOR;
	}
}

int main(int argc, char **argv)
{
	char sector[SECTOR], mark[SECTOR] = "-";
	uint64_t first, i, at = 1;
	struct super super;
	int log, disk;

	if (argc != 4) {
		fputs(usage, stderr);
		return 2;
	}
	log = open_disk(argv[1], O_RDONLY);
	disk = open_disk(argv[2], O_WRONLY);
	first = strtoull(argv[3], NULL, 10);
	read_log(log, &super, sizeof(super), 0);
	if (le64toh(super.magic) != LOG_MAGIC || le64toh(super.version) != LOG_VERSION ||
	    le32toh(super.sectorsize) != SECTOR)
		fatal(argv[1], "no log of dm-log-writes with sectors of 512 bytes");
	for (i = 0; i < le64toh(super.nr_entries); i++) {
		struct entry entry;
		uint64_t flags, nr;

		read_log(log, sector, sizeof(sector), at++);
		memcpy(&entry, sector, sizeof(entry));
		flags = le64toh(entry.flags);
		nr = le64toh(entry.nr_sectors);
		if (flags & ENTRY_MARK)
			snprintf(mark, sizeof(mark), "%.*s",
				 (int)(le64toh(entry.data_len) % (SECTOR - sizeof(entry))),
				 sector + sizeof(entry));
		if (flags & ENTRY_DISCARD)
			fatal(argv[1], "it holds discards, which are not known here");
		if (i >= first)
			copy(log, at, disk, le64toh(entry.sector), nr);
		at += nr;
		if (i >= first && flags & (ENTRY_FLUSH | ENTRY_FUA)) {
			if (fsync(disk))
				fatal(argv[2], strerror(errno));
			printf("%" PRIu64 " %s\n", i + 1, mark);
			return 0;
		}
	}
	return 1;
}
