/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the test tools share: sealing metadata, device-mapper by its ioctls, and
 * I/O past the page cache. Failures of the test itself end the program.
 */
#ifndef TEST_COMMON_H
#define TEST_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dm-remap-format.h"

#define ARRAY_SIZE(x) (sizeof(x) / sizeof((x)[0]))

void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* --- Metadata ------------------------------------------------------------ */

uint32_t crc32c(uint32_t crc, const void *data, size_t size);
bool anchor_valid(const struct dmr_anchor *a);
bool frame_valid(const struct dmr_frame_header *h);
void anchor_seal(struct dmr_anchor *a);
void frame_seal(struct dmr_frame_header *h);

/* --- Random numbers: SplitMix64, the same for the same seed ---------------- */

extern uint64_t random_state;
uint64_t random_u64(void);
uint64_t random_below(uint64_t n);

/* --- Devices and image files ----------------------------------------------- */

int device_open(const char *path);	/* O_DIRECT where it is a device */
uint64_t device_bytes(int fd);
void *aligned(size_t size);
void read_all(int fd, void *buf, size_t size, uint64_t at);
void write_all(int fd, const void *buf, size_t size, uint64_t at);
double now(void);

/* --- Device mapper --------------------------------------------------------- */

void dm_init(void);
int dm_create(const char *name);			/* 0 or -errno, as all of these */
int dm_load(const char *name, uint64_t sectors, const char *args);
int dm_resume(const char *name);
int dm_suspend(const char *name);
int dm_remove(const char *name);
int dm_message(const char *name, const char *text, char *answer, size_t size);
int dm_status(const char *name, char *answer, size_t size);
/* The number of the device, as major:minor packed by makedev(). */
int dm_device(const char *name, dev_t *dev);
/* Opens the device itself, making a node for it. */
int dm_open(const char *name, int flags);

/*
 * What the target has logged last since the call of dm_refusal_skip(), which is
 * why it refused to start; NULL: nothing.
 */
const char *dm_refusal(void);
void dm_refusal_skip(void);

/* --- The map that an activated set reports --------------------------------- */

struct entry {
	uint64_t block;
	uint32_t member, slot, invalid;
};

struct map {
	struct entry *entries;
	size_t nr, size;
};

/* Ask the module; -errno if the message fails. */
int map_ask(const char *name, struct map *map);
bool map_equal(const struct map *a, const struct map *b);
void map_copy(struct map *to, const struct map *from);
void map_free(struct map *map);

#endif
