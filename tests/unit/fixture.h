/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the unit tests of libdmremap share: sets on regular files in a temporary
 * directory, commits as the module would make them, cuts in the middle of
 * writing, and a stand-in for the module's messages.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "private.h"

#define FX_SPARES	3

struct fixture {
	char dir[64];
	char data[96];
	char spares[FX_SPARES][96];
	unsigned int nr_spares;
	bool adopt;
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	struct dmremap_error err;
};

#define FX_ADOPT	1u
#define FX_INTERNAL	2u

/* A directory with a data file of 24 MiB and @nr spares of 4 MiB, no set yet. */
void fx_files(struct fixture *fx, unsigned int nr);
/* The same with a set on them that has 4000 map entries. */
void fx_create(struct fixture *fx, unsigned int flags, unsigned int nr);
void fx_done(struct fixture *fx);
/* Forget what was found, and look again. */
void fx_load(struct fixture *fx);
const struct dmremap_set_info *fx_info(struct fixture *fx);

/* Members by number: 0 data, 1... spares; open for writing. */
struct dmri_dev *fx_open(struct fixture *fx, unsigned int member);
const char *fx_path(struct fixture *fx, unsigned int member);
void fx_copy(const char *from, const char *to);
/* Keep, and bring back, the content of all files. */
void fx_save(struct fixture *fx);
void fx_restore(struct fixture *fx);

/* Change bytes of a file. */
void fx_poke(const char *path, uint64_t offset, const void *bytes, size_t size);
void fx_flip(const char *path, uint64_t offset);
void fx_zero(const char *path, uint64_t offset, size_t size);

/* A commit as by the module: put @records at the start of record page @page. */
void fx_commit(struct fixture *fx, uint32_t page, const struct dmr_record *records,
	       size_t nr);
/* The same, which changes the root: @edit. */
void fx_commit_root(struct fixture *fx, void (*edit)(struct dmr_root *root));
struct dmr_record fx_record(unsigned int state, unsigned int member, uint64_t block,
			    uint32_t slot, uint32_t invalid);

/* Frames of member @member that hold page @page, at @gen (0: any), to @fn. */
unsigned int fx_frames(struct fixture *fx, unsigned int member, uint32_t page, uint64_t gen,
		       void (*fn)(struct fixture *fx, const char *path, uint64_t offset));
void fx_erase(struct fixture *fx, const char *path, uint64_t offset);

/* All writes and zeroings from number @n on fail; -1: none does. Returns writes so far. */
void fx_cut(long n);
long fx_writes(void);

/* These sectors of every file can not be read; 0: all can. */
void fx_unreadable(uint64_t first, uint64_t sectors);
/* Every device is known as the data device of this set; NULL: none. */
extern const char *fx_known;
/* Files pass as block devices. */
extern bool fx_block;
/* Files that have the numbers 0:1, 0:2, ...; NULL: none has one. */
extern const char *const *fx_devices;

/* What the stand-in for the module answers: messages seen, one per line. */
extern char fx_messages[65536];
extern int (*fx_answer)(const char *message, char **answer);
extern const char *fx_status, *fx_table;

void fx_commit_plan(struct fixture *fx, struct dmremap_plan *plan);
/* "metadata repair", which must take so many steps. */
void fx_repair(struct fixture *fx, unsigned int steps);
bool fx_plan_has(struct dmremap_plan *plan, enum dmremap_plan_kind kind, const char *part);
void assert_contains(const char *text, const char *part);

#endif /* FIXTURE_H */
