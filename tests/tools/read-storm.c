// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many threads read random blocks past the page cache, as fast as they can, and
 * the program tells how many reads succeeded and how many failed, exactly.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

#define BLOCK	4096
#define MAX_THREADS	64

static const char usage[] =
	"usage: read-storm DEV FIRST-BLOCK BLOCKS SECONDS THREADS\n"
	"Reads blocks of 4096 bytes. Prints \"ok N failed N seconds S\".\n";

static int fd;
static uint64_t first, blocks;
static double end;
static atomic_ullong ok, failed;

static void *reader(void *arg)
{
	uint64_t state = (uintptr_t)arg * 0x9e3779b97f4a7c15ULL + 1;
	void *buf = aligned(BLOCK);
	unsigned long long good = 0, bad = 0;

	while (now() < end) {
		for (int i = 0; i < 16; i++) {
			state = state * 6364136223846793005ULL + 1442695040888963407ULL;
			if (pread(fd, buf, BLOCK, (first + (state >> 33) % blocks) * BLOCK) == BLOCK)
				good++;
			else
				bad++;
		}
	}
	atomic_fetch_add(&ok, good);
	atomic_fetch_add(&failed, bad);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[MAX_THREADS];
	uintptr_t nr, i;
	double begun;

	if (argc != 6 || (nr = strtoul(argv[5], NULL, 0)) < 1 || nr > MAX_THREADS) {
		fputs(usage, stderr);
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	if (fd < 0)
		die("%s: %s", argv[1], strerror(errno));
	first = strtoull(argv[2], NULL, 0);
	blocks = strtoull(argv[3], NULL, 0);
	begun = now();
	end = begun + strtod(argv[4], NULL);
	for (i = 0; i < nr; i++)
		if (pthread_create(&threads[i], NULL, reader, (void *)(i + 1)))
			die("no thread");
	for (i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	printf("ok %llu failed %llu seconds %.3f\n", (unsigned long long)ok,
	       (unsigned long long)failed, now() - begun);
	return 0;
}
