/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damages the metadata of a stopped set in every way that a disk, a cable or a
 * person can, and asks after each what is made of it: by the module, which must
 * activate the true map with the true data or refuse with a reason, or by a
 * command, which must tell. Knows the format by itself. The truth is what the
 * undamaged set shows at the start. Devices only: the module reads past any cache.
 *
 * set.c holds the metadata, classes.c and nonsense.c damage it, verdict.c judges what comes
 * of that, main.c says in which order. A failure of the test itself ends the program.
 */
#ifndef DAMAGE_H
#define DAMAGE_H

#include "../common.h"

/* --- set.c: the metadata of all members ------------------------------------ */

struct member {
	const char *path;
	int fd;
	uint64_t region;	/* byte where it begins */
	unsigned int index;	/* what its frames say */
	uint32_t nr_frames;
	size_t size;		/* bytes of metadata */
	uint8_t *base, *older, *now;	/* as it was; at an earlier time; damaged */
	uint8_t *disk;			/* what was found after the trial */
};

/* A frame that holds the current version of a page. */
struct copy {
	unsigned int member;	/* in members[] */
	uint32_t frame;
};

#define MAX_COPIES (DMR_MAX_MEMBERS * DMR_FRAME_COPIES)
#define MAX_PAGES 64

struct page {
	uint64_t gen;		/* 0: not in use */
	unsigned int nr;
	struct copy copies[MAX_COPIES];
	uint8_t older[DMR_FRAME_SIZE];	/* a version that was current once; magic 0: none */
};

extern struct member members[DMR_MAX_MEMBERS];
extern unsigned int nr_members;
extern struct page pages[MAX_PAGES];
extern uint32_t nr_pages, block_sectors;
extern uint64_t length;			/* of the mapped device, in sectors */
extern uint64_t newest;			/* gen of all pages */
extern char arguments[2048];		/* of the table */

/* Opens the members of "0 LENGTH remap DATA SPARE... [FEATURES]". */
void take_table(const char *table);
/* Keeps the metadata as it is now in files of a directory; that is what is older later. */
void save_older(const char *dir);
/* The metadata as it is now, to which restore() leads back, and that of the directory. */
void read_set(const char *older);

uint8_t *frame_of(uint8_t *image, uint32_t frame);
uint8_t *anchor_of(uint8_t *image, unsigned int copy);
struct dmr_frame_header *header(uint8_t *frame);
/* The gen of a frame that is valid in its place, else 0. */
uint64_t frame_gen(struct member *m, uint8_t *image, uint32_t frame);
uint8_t *copy_now(const struct copy *c);
uint8_t *copy_older(const struct copy *c);
bool in_use(uint32_t page);
/* Put @frame into the place of a copy, in order but for what the caller did to it. */
void put_frame(const struct copy *c, const uint8_t *frame);

/* A sector of this block of now[] of a member can be neither read nor written, in the trial. */
void make_bad(unsigned int member, const uint8_t *block);
unsigned int nr_bad(void);
/* What was damaged in now[] goes to the disks. */
void write_damage(void);
/* No sector is bad any more, and disk[] is what the disks hold. */
void read_disk(void);
/* The disks, which hold disk[], and now[] are again as they were. */
void restore(void);

/* --- verdict.c: is what is made of it right? -------------------------------- */

enum expected {
	EITHER,		/* the truth or a refusal */
	ACCEPTED,	/* there is enough left: the truth */
	REFUSED,	/* it can not be told */
};

/* Learn the truth by starting the set; or there is a command to be asked, which ends with 1. */
void verdict_begin(char **command);
/* Prints what the set is. The command must find no fault with it. */
void verdict_undamaged(void);
/* Is the module asked, or a command? */
bool module_judges(void);
/* Damage was made in now[]: what is said of it? All is as it was, then. */
void trial(const char *what, enum expected expected);
/* Prints the trials since the last class. */
void class_done(const char *name);
/* Prints the sums; the number of wrong answers. */
unsigned long verdict_end(void);

/* --- classes.c: blocks that are damaged, in a wrong place, or of another time --- */

uint8_t some_bits(void);
/* What a page whose copies are all lost leads to. */
enum expected without_page(uint32_t page);

/* @stride: every so many bytes behind the headers. */
void flip_anchors(unsigned int stride);
void flip_frames(unsigned int stride);
void spoil_all(void);
void swaps(void);
void older_versions(void);
void diverged_versions(void);
void harmless(void);
void mixtures(unsigned int nr);

/* --- nonsense.c: blocks in order that can not be true ------------------------ */

void nonsense(void);

#endif
