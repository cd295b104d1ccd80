/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The module's own activation, map and commits (kernel/load.c, open.c, store.c, map.c and
 * what they stand on), compiled for user space over disks that a fuzzer makes up.
 */
#ifndef FUZZ_MODULE_H
#define FUZZ_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODULE_MAX_SPARES	4

struct block_device {
	uint64_t sectors;
	bool fua;
	unsigned int bd_dev;		/* the fuzzer's number for it */
};

/* Carry it out; of the fuzzer. False: it failed. @buf NULL: a flush. */
bool module_io(struct block_device *bdev, bool write, uint64_t sector, void *buf, size_t bytes);

/* What is asked for between these two is on its way at the same time. A fuzzer may have it. */
void module_batch(bool begins);

/* A table. */
struct module_table {
	struct block_device *data, *spares[MODULE_MAX_SPARES];
	unsigned int nr_spares;
	uint64_t length, data_offset;
	bool degraded;
	uint8_t uuid[16];
};

struct module_entry {
	uint64_t block;
	unsigned int state, member;
	uint32_t slot, invalid;
};

struct module_set;

/*
 * set_load(): what an activation reads and proves. The set, which module_free() takes back; NULL
 * if it was refused.
 */
struct module_set *module_load(const struct module_table *table);
/* What it said last. */
const char *module_reason(void);
/* set_open(): the part that writes. 0 or negative errno. */
int module_open(struct module_set *set);
void module_close(struct module_set *set);
void module_free(struct module_set *set);
/* Make pages durable that were marked. */
int module_commit(struct module_set *set);
/* A page in memory, to be changed; marked for the next commit. */
void *module_page(struct module_set *set, uint32_t page);

/* The root as it is in memory: a struct dmr_root. */
const void *module_root(const struct module_set *set);
/* Of a page's version on disk; 0: none. */
uint64_t module_page_gen(const struct module_set *set, uint32_t page);
uint64_t module_gen(const struct module_set *set);
uint64_t module_digest(const struct module_set *set);
/* The next entry of the map from @block on; false if there is none. */
bool module_next(struct module_set *set, uint64_t block, struct module_entry *entry);
/* Does a lookup of this one block say the same? */
bool module_finds(struct module_set *set, uint64_t block);

#endif
