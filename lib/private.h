/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to libdmremap: errors, devices, the on-disk image of a set, and what
 * the files of this folder offer each other. Names begin with dmri_; the version
 * map keeps them out of the shared library's interface.
 */
#ifndef DMREMAP_PRIVATE_H
#define DMREMAP_PRIVATE_H

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm-remap.h"

typedef uint32_t u32;
typedef uint64_t u64;

/* crc32c.c: raw update with the Castagnoli polynomial, no inversion. */
u32 dmr_crc32c(u32 crc, const void *data, size_t size);
/* The same without special instructions; for the tests. */
u32 dmri_crc32c_tables(u32 crc, const void *data, size_t size);

#include "dm-remap-assemble.h"

#define _cleanup_(f)	__attribute__((cleanup(f)))
#define _printf_(a, b)	__attribute__((format(printf, a, b)))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))

static inline u64 dmri_round_up(u64 x, u64 to)
{
	return (x + to - 1) / to * to;
}

static inline u64 dmri_round_down(u64 x, u64 to)
{
	return x / to * to;
}

static inline void dmri_freep(void *p)
{
	free(*(void **)p);
}

static inline void dmri_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void dmri_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void dmri_dir_closep(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define _free_		_cleanup_(dmri_freep)
#define _fclose_	_cleanup_(dmri_fclosep)
#define _close_		_cleanup_(dmri_closep)
#define _dir_		_cleanup_(dmri_dir_closep)

/* --- error.c ------------------------------------------------------------- */

/* Fill @err (may be NULL) and return @code, a negative errno. */
int dmri_error(struct dmremap_error *err, int code, const char *fmt, ...) _printf_(3, 4);
/* The same with ": <strerror>" at the end. */
int dmri_error_sys(struct dmremap_error *err, int code, const char *fmt, ...) _printf_(3, 4);
/* The errno that stands for a fault. */
int dmri_fault_errno(enum dmr_fault fault);
/* snprintf() whose truncation is meant. */
void dmri_text(char *buf, size_t size, const char *fmt, ...) _printf_(3, 4);
void dmri_copy(char *dst, size_t size, const char *src);
/*
 * Text off a disk, perhaps not terminated in its @src_size bytes, made fit to be
 * shown: no control characters, valid UTF-8.
 */
void dmri_copy_text(char *dst, size_t size, const char *src, size_t src_size);

/* --- dev.c: an open device, or a regular file in its place ---------------- */

struct dmri_dev {
	int fd;
	char path[DMREMAP_PATH_SIZE];
	u64 sectors;
	u32 logical, physical;		/* bytes */
	unsigned int major, minor;	/* 0:0 for a regular file */
	bool block;
	bool written;			/* udev is told at its close */
};

#define DMRI_WRITE	1u
#define DMRI_EXCL	2u		/* -EBUSY if anyone else has it so */

int dmri_dev_open(const char *path, unsigned int flags, struct dmri_dev **dev,
		  struct dmremap_error *err);
/*
 * udev looks by itself at a device that was open for writing, but not at each, and not
 * while it is busy with what an earlier event of that device was about: then what was
 * written after its look is missed. So the close of what was written to is an event.
 */
void dmri_dev_close(struct dmri_dev *dev);
void dmri_dev_closep(struct dmri_dev **dev);
/*
 * A second descriptor of the same device, without direct I/O. -ESTALE if its path
 * leads to another one by now.
 */
int dmri_dev_reopen(const struct dmri_dev *dev, int flags);
/* Whole multiples of 4096 bytes at 4096-aligned places, @buf from dmri_alloc(). */
int dmri_dev_read(struct dmri_dev *dev, u64 sector, void *buf, size_t bytes);
int dmri_dev_write(struct dmri_dev *dev, u64 sector, const void *buf, size_t bytes);
int dmri_dev_zero(struct dmri_dev *dev, u64 sector, u64 sectors);
int dmri_dev_flush(struct dmri_dev *dev);
/* Zeroed, aligned for O_DIRECT; free(). */
void *dmri_alloc(size_t bytes);
bool dmri_is_zero(const void *p, size_t size);
int dmri_random(void *buf, size_t size);

/* --- sysfs.c ------------------------------------------------------------- */

/* Read an attribute of a block device; trailing white space cut. -ENOENT. */
int dmri_sysfs_read(unsigned int major, unsigned int minor, const char *attr,
		    char *buf, size_t size);
int dmri_sysfs_u64(unsigned int major, unsigned int minor, const char *attr, u64 *value);
/* Path under /dev for people: the mapper's name for device-mapper devices. */
void dmri_devno_path(unsigned int major, unsigned int minor, char *buf, size_t size);
bool dmri_has_holders(unsigned int major, unsigned int minor);
/* serial, wwn, partuuid, partition, zoned, ... of a device. */
void dmri_identify(unsigned int major, unsigned int minor, struct dmremap_device *d);

struct dmri_devno {
	unsigned int major, minor;
};

/* All block devices that may carry something, without touching any. */
int dmri_block_devices(struct dmri_devno **list, size_t *nr, struct dmremap_error *err);
/* Is @on @dev itself, or anywhere below it? Also true of what is stacked too deep to tell. */
bool dmri_lies_on(struct dmri_devno dev, struct dmri_devno on);
/*
 * Have udev's rules, and who waits for spares, look at a device again, and after it at its
 * partitions: what they are shown as depends on what it is.
 */
void dmri_udev_change(unsigned int major, unsigned int minor);

/* --- probe.c ------------------------------------------------------------- */

/* What @dev holds, into the holds* fields and text of @d. */
int dmri_probe_contents(struct dmri_dev *dev, struct dmremap_device *d,
			struct dmremap_error *err);
/* Path, sizes and identity of an open device. */
void dmri_fill_device(const struct dmri_dev *dev, struct dmremap_device *d);
/* Refuse a device that a known set adopted, though nothing on it shows that. */
int dmri_check_adopted(const struct dmremap_device *d, unsigned int flags,
		       struct dmremap_plan *plan, struct dmremap_error *err);
/* Remove all signatures that libblkid knows. */
int dmri_wipe_signatures(const struct dmri_dev *dev, struct dmremap_error *err);
/* Sectors that the file system on @dev occupies; -ENODATA if that is unknown. */
int dmri_filesystem_sectors(struct dmri_dev *dev, const char *type, u64 *sectors);

/* --- format.c: building structures --------------------------------------- */

struct dmri_layout {
	u64 region_start, region_sectors;
	u64 payload_start, payload_sectors;
};

#define DMRI_ALIGN	2048u		/* 1 MiB, in sectors */

u32 dmri_nr_frames(u32 nr_pages);
/* Payload of a region; -ENOSPC with the sectors that are missing in *need. */
int dmri_layout_region(u64 region_start, u64 region_sectors, u32 nr_frames,
		       u32 block_sectors, enum dmr_role role,
		       struct dmri_layout *layout, u64 *need);
u64 dmri_spare_min_sectors(u32 nr_frames, u32 block_sectors);
/* Where an internal spare's locator lies: the last whole 4 KiB of the device. */
u64 dmri_locator_sector(u64 device_sectors);

void dmri_anchor_seal(struct dmr_anchor *a, unsigned int copy);
void dmri_frame_seal(void *frame, const uint8_t set_uuid[16], u32 member, u32 index);
void dmri_uuid_text(const uint8_t uuid[16], char text[DMREMAP_UUID_SIZE]);
int dmri_uuid_parse(const char *text, uint8_t uuid[16]);

/* --- policy.c ------------------------------------------------------------ */

struct dmri_policy_key {
	const char *name;		/* as in include/dm-remap.yaml */
	int attr;			/* enum dmr_a_policy_attr */
	size_t offset, disk;		/* in struct dmremap_policy, struct dmr_policy */
	u32 min, max, standard;
	u32 added;			/* to the value, on disk */
	const char *const *words;	/* values that have names */
};

extern const struct dmri_policy_key dmri_policy_keys[];
extern const unsigned int dmri_nr_policy_keys;

/* NULL if there is none of this name. */
const struct dmri_policy_key *dmri_policy_key(const char *name);
u32 *dmri_policy_value(struct dmremap_policy *policy, const struct dmri_policy_key *key);
/* The number of a value's name; -EINVAL. */
int dmri_policy_parse_word(const struct dmri_policy_key *key, const char *value, u32 *n);
void dmri_policy_default(struct dmremap_policy *policy);
/* -EINVAL names the first value that is out of range. */
int dmri_policy_check(const struct dmremap_policy *policy, struct dmremap_error *err);
/* From and to the form on disk, where 0 may stand for the default. */
void dmri_policy_get(const struct dmr_policy *p, struct dmremap_policy *policy);
void dmri_policy_put(const struct dmremap_policy *policy, struct dmr_policy *p);

/* --- anchor.c: reading and writing anchors ------------------------------- */

struct dmri_anchors {
	struct dmr_anchor anchor;	/* the good copy, if any */
	bool found;			/* a valid copy was found */
	bool read[DMR_ANCHOR_COPIES];
	enum dmr_fault fault[DMR_ANCHOR_COPIES];
};

int dmri_anchors_read(struct dmri_dev *dev, u64 region_start, struct dmri_anchors *a);
/* Region of the internal spare that the locator in the tail tells of, or -ENOENT. */
int dmri_locator_read(struct dmri_dev *dev, u64 *region_start);
/* Does it lead to this one? */
bool dmri_locator_leads(struct dmri_dev *dev, u64 region_start);
/* Copy 1, then copy 0, then the locator if it is an internal spare. */
int dmri_anchors_write(struct dmri_dev *dev, const struct dmr_anchor *a, bool internal);
/* The reverse. */
int dmri_anchors_wipe(struct dmri_dev *dev, u64 region_start, bool internal);

/* --- label.c ------------------------------------------------------------- */

enum dmr_fault dmri_label_check(const struct dmr_label *l, u64 device_sectors);
/* What lies where a label would be, and whether it is one (DMR_OK). */
int dmri_label_get(struct dmri_dev *dev, struct dmr_label *label, enum dmr_fault *fault);
/* Write it, flush, read it back. All zero takes it off. */
int dmri_label_put(struct dmri_dev *dev, const struct dmr_label *label);
void dmri_label_text(const struct dmr_label *l, char *buf, size_t size);

/* --- image.c: the map of a set as its members hold it --------------------- */

#define DMRI_MAX_COPIES	8	/* places of a page version that are remembered */

enum dmri_frame_kind {
	DMRI_FRAME_EMPTY = 0,	/* zeroes */
	DMRI_FRAME_VALID,
	DMRI_FRAME_DAMAGED,	/* bad checksum */
	DMRI_FRAME_FOREIGN,	/* anything else */
	DMRI_FRAME_UNREADABLE,
	DMRI_FRAME_KINDS
};

struct dmri_frame {
	u64 gen, session;	/* VALID only, as page is */
	u32 page;
	enum dmri_frame_kind kind;
};

struct dmri_source {		/* a member with frames */
	struct dmri_dev *dev;
	u64 region_start;
	/* out */
	unsigned int index;	/* member that its frames say they lie on, or NOT_JOINED */
	u32 kinds[DMRI_FRAME_KINDS];
	struct dmr_newest newest;
	u64 root_gen;		/* its newest root; 0: none */
	u32 root_frame;
	bool aside;		/* its versions are no part of the map: dmr_member_left() */
	struct dmri_frame *frames;	/* nr_frames; dmri_source_release() */
};

struct dmri_place {
	uint8_t source;
	u32 frame;
};

struct dmri_page {		/* where the newest version of a page lies */
	uint8_t nr;
	struct dmri_place place[DMRI_MAX_COPIES];
};

struct dmri_record {		/* decoded */
	u64 block;
	uint8_t state, member;
	u32 slot, invalid;
};

struct dmri_image {
	uint8_t set_uuid[16];
	u32 nr_pages, nr_frames;
	struct dmri_source *sources;	/* the caller's */
	unsigned int nr_sources;
	struct dmr_candidate *candidates;
	struct dmri_page *pages;
	struct dmr_assembly assembly;
	enum dmr_fault fault;
	char reason[DMREMAP_TEXT_SIZE];
	bool have_root;
	struct dmr_root root;
	struct dmr_bounds bounds;
	/* after dmri_image_records() */
	struct dmri_record *records;	/* remapped and lost, by block */
	size_t nr_records;
	u64 used;			/* records that are not free */
	u64 remapped, lost;		/* as in the module's status */
	u32 slots_used[DMR_MAX_MEMBERS], slots_bad[DMR_MAX_MEMBERS];
};

/*
 * Read all frames of the sources, choose and check. Returned is only what is
 * wrong with this machine (memory, or -ECANCELED by @progress); what is wrong
 * with the set is in ->fault and ->reason. The image refers to @sources.
 */
int dmri_image_read(const uint8_t set_uuid[16], u32 nr_pages, u32 nr_frames,
		    struct dmri_source *sources, unsigned int nr_sources,
		    dmremap_progress_fn progress, void *arg, struct dmri_image **image);
/* Content of the newest version of a page; -ENOENT if it was never written. */
int dmri_image_page(struct dmri_image *image, u32 page, void *buf);
/* Decode and check all records. A bad one sets ->fault and ->reason. */
int dmri_image_records(struct dmri_image *image);
/* Is this frame the newest version of its page? */
bool dmri_frame_is_current(const struct dmri_image *image, const struct dmri_frame *f);
u64 dmri_frame_sector(const struct dmri_source *s, u32 frame);
void dmri_source_release(struct dmri_source *s);
void dmri_image_free(struct dmri_image *image);
void dmri_image_freep(struct dmri_image **image);

/* --- set.c, scan.c, find.c ------------------------------------------------ */

struct dmri_found {		/* an anchor that was found on a device */
	struct dmri_anchors anchors;
	char path[DMREMAP_PATH_SIZE];
	unsigned int major, minor;
	u64 device_sectors;
	u64 region_start;
	bool internal;
	char twin[DMREMAP_PATH_SIZE];	/* carries the same, and nothing speaks for either */
};

struct dmremap_set {
	struct dmremap_set_info info;
	uint8_t uuid[16];
	unsigned int nr_found;
	struct dmri_found found[DMREMAP_MAX_MEMBERS];
	char ambiguous[DMREMAP_TEXT_SIZE];	/* one member on two devices */
	char data_path[DMREMAP_PATH_SIZE];	/* of the data device, as a person named it */
	/* after loading */
	int code;			/* errno that goes with info.reason */
	struct dmr_root root;
	int member_found[DMREMAP_MAX_MEMBERS];	/* info.members[i] is found[this], or -1 */
	bool member_usable[DMREMAP_MAX_MEMBERS];	/* may be in the table */
	struct dmri_image *image;	/* records and versions; no sources */
};

/* All found members, open, in the order of found[]. */
struct dmri_opened {
	unsigned int nr;
	struct dmri_source sources[DMREMAP_MAX_MEMBERS];
};

int dmri_set_open(struct dmremap_set *set, unsigned int flags,
		  struct dmri_opened *opened, struct dmremap_error *err);
void dmri_opened_close(struct dmri_opened *opened);

/*
 * Read and judge a set whose members are open. @data: the adopted data device,
 * or NULL with the reason in @data_missing. @image gets what was read, with its
 * sources, or stays as it is if NULL is passed.
 */
int dmri_set_judge(struct dmremap_set *set, struct dmri_opened *opened,
		   struct dmri_dev *data, const char *data_missing,
		   struct dmri_image **image, struct dmremap_error *err);
/* The first found anchor: what all of them say of the set. */
const struct dmr_anchor *dmri_set_anchor(const struct dmremap_set *set);
void dmri_set_from_anchor(struct dmremap_set_info *info, const struct dmr_anchor *a);
/* Do two anchors of a set agree about its sizes? */
bool dmri_same_geometry(const struct dmr_anchor *a, const struct dmr_anchor *b);
/* Refuse to write to a set of which a member is there twice, or of two sizes. */
int dmri_set_writable(const struct dmremap_set *set, struct dmremap_error *err);
void dmri_set_free(struct dmremap_set *set);

/* ~CRC32C of the data's first bytes; in multiples of 4096. */
int dmri_fingerprint(struct dmri_dev *dev, u64 data_offset, u32 bytes, u32 *sum);
/* Find the adopted data device. @explicit_path may be NULL. */
int dmri_find_data(const struct dmr_root *root, const char *explicit_path,
		   struct dmri_dev **dev, struct dmremap_error *err);
/* Does what is known of a device fit what the set says of its data device? */
enum dmri_match { DMRI_DIFFERS = 0, DMRI_UNKNOWN, DMRI_SAME };
/* Does this stopped set know the device as the one that it adopted? Refuse, or name the loss. */
int dmri_check_adopted_by(const struct dmremap_set *set, const struct dmremap_device *d,
			  unsigned int flags, struct dmremap_plan *plan,
			  struct dmremap_error *err);
/*
 * Refuse to overwrite a data device that is known by known.c, whether spares are there to
 * prove it or not; or with DMREMAP_FORCE note the loss, and forget it when @plan has been
 * carried out.
 */
int dmri_known_overwrite(const struct dmremap_device *d, unsigned int flags,
			 struct dmremap_plan *plan, struct dmremap_error *err);
enum dmri_match dmri_identity_match(const struct dmr_identity *id,
				    const struct dmremap_device *d);

/* --- dm.c ---------------------------------------------------------------- */

struct dmri_dm_info {
	char name[DMREMAP_NAME_SIZE];
	char uuid[DMREMAP_UUID_SIZE];
	unsigned int major, minor;
	bool exists, suspended, live_table, read_only;
	u32 open_count, event_nr;
	u64 length;
	char target[16];
	char params[8192];		/* of the table or the status */
};

struct dmri_dm_name {
	char name[DMREMAP_NAME_SIZE];
	char uuid[DMREMAP_UUID_SIZE];	/* of the set; empty if another device */
};

/* All mapped devices, or those of dm-remap. */
int dmri_dm_list(struct dmri_dm_name **list, size_t *nr, struct dmremap_error *err);
/* By name or by UUID of the set. -ENOTCONN if there is none. */
int dmri_dm_resolve(const char *name, struct dmri_dm_name *found, struct dmremap_error *err);
int dmri_dm_table(const char *name, struct dmri_dm_info *info, struct dmremap_error *err);
int dmri_dm_status(const char *name, struct dmri_dm_info *info, struct dmremap_error *err);
/* Of the code that one of these returned: not a device of dm-remap, or none any more. */
bool dmri_dm_is_other(int r);
/* Create, load and resume; nothing is left behind on failure. */
int dmri_dm_activate(const char *name, const char *uuid, u64 length, const char *params,
		     struct dmremap_error *err);
/*
 * Load a table of the same length in place of @old, from which it was made, and resume with it.
 * The old one stays on failure, loaded as @again if it must be loaded anew; -EAGAIN: it is another
 * meanwhile; -EDEADLK: it could not be resumed again, and the device is suspended.
 */
int dmri_dm_reload(const char *name, const struct dmri_dm_info *old, const char *params,
		   const char *again, struct dmremap_error *err);
/*
 * @device: name and number count. 1: it is gone, but the target says in the kernel log that it
 * could not mark the set as clean.
 */
int dmri_dm_remove(const struct dmri_dm_info *device, bool deferred, struct dmremap_error *err);
int dmri_dm_wait(const char *name, u32 event_nr, struct dmremap_error *err);
/* Says so, and what to do: -EBUSY. */
int dmri_dm_suspended(const char *name, struct dmremap_error *err);
/* Why nothing of that name or UUID answers: the same, or -ENOTCONN. */
int dmri_dm_inactive(const char *name, struct dmremap_error *err);
/* @answer is malloced, may be NULL. */
int dmri_dm_message(const char *name, const char *message, char **answer,
		    struct dmremap_error *err);

/* --- table.c: the table line --------------------------------------------- */

struct dmri_table {
	char data[64];
	unsigned int nr_spares;
	char spares[DMR_MAX_MEMBERS][64];
	u64 data_offset;
	bool internal;
	u64 internal_sector;
	char set_uuid[DMREMAP_UUID_SIZE];
	bool degraded;
};

int dmri_table_parse(const char *params, struct dmri_table *table);
int dmri_table_format(const struct dmri_table *table, char *buf, size_t size);
int dmri_status_parse(const char *params, struct dmremap_status *status);

/* --- known.c: adopted data devices that this machine knows ------------------ */

/* Of a set that is loaded; nothing for any other than an adopted one. */
void dmri_known_remember(const struct dmremap_set *set);
void dmri_known_forget(const char *uuid);
/* True if @d is such a data device; then name and UUID of its set are in @raw. */
bool dmri_known_match(const struct dmremap_device *d, struct dmremap_raw *raw);

/* --- plan.c -------------------------------------------------------------- */

struct dmremap_plan {
	char **texts;
	enum dmremap_plan_kind *kinds;
	size_t nr, allocated, next;
	bool failed;			/* out of memory while adding lines */
	bool done;
	/* Adopted sets whose data device is overwritten: see known.c. */
	char forget[DMREMAP_MAX_MEMBERS][DMREMAP_UUID_SIZE];
	unsigned int nr_forget;
	struct dmremap_set_info info;
	int (*commit)(struct dmremap_plan *plan, dmremap_progress_fn progress,
		      void *arg, struct dmremap_error *err);
	void (*release)(struct dmremap_plan *plan);
	void *data;			/* what commit needs */
};

int dmri_plan_new(struct dmremap_plan **plan);
void dmri_plan_add(struct dmremap_plan *plan, enum dmremap_plan_kind kind,
		   const char *fmt, ...) _printf_(3, 4);
void dmri_plan_freep(struct dmremap_plan **plan);
/*
 * Probe a device that is to be written: refuse it or note the loss. @dev is
 * opened exclusively.
 */
int dmri_plan_device(struct dmremap_plan *plan, const char *path, unsigned int flags,
		     const char *what, struct dmri_dev **dev,
		     struct dmremap_device *probed, struct dmremap_error *err);

/* --- write.c: writing versions of pages ---------------------------------- */

/*
 * Write a set of pages as one commit onto all sources (see write.c for the
 * order). @content(arg, page, buf) fills a 4096-byte page.
 */
struct dmri_commit {
	struct dmri_image *image;	/* as it is on disk now; may have a fault */
	struct dmri_source *sources;	/* writable */
	unsigned int nr_sources;
	const unsigned int *indexes;	/* member number of each source */
	u64 gen, session, digest_before, digest_after;
	bool *pages;			/* which of image->nr_pages to write */
	int (*content)(void *arg, u32 page, void *buf);
	void *arg;
	bool wipe_others;		/* zero all other frames afterwards */
	dmremap_progress_fn progress;
	void *progress_arg;
};

int dmri_commit_write(struct dmri_commit *commit, struct dmremap_error *err);

/* --- member.c: making a device a member ----------------------------------- */

struct dmri_new_member {
	struct dmri_dev *dev;		/* not owned if @internal and the data device is */
	bool shared;			/* dev belongs to another entry */
	bool internal;
	bool wipe;			/* has signatures that must go */
	struct dmr_anchor anchor;
};

/* Fill the parts of an anchor that are its own. */
void dmri_member_anchor(struct dmr_anchor *a, enum dmr_role role,
			const struct dmri_layout *layout, u32 tier);
/* Remove signatures, then zero anchors, probe blocks and frames; flush. */
int dmri_member_clear(struct dmri_new_member *m, dmremap_progress_fn progress, void *arg,
		      u64 *done, u64 total, struct dmremap_error *err);
u64 dmri_member_clear_sectors(const struct dmri_new_member *m);

/* --- backup.c ------------------------------------------------------------ */

struct dmri_backup {
	struct dmremap_backup_info info;
	struct dmri_dev *file;
	struct dmri_source source;
	struct dmri_image *image;	/* the map in the file, read like a member's */
	u32 nr_anchors;
	struct dmr_anchor anchors[DMREMAP_MAX_MEMBERS];
};

int dmri_backup_open(const char *path, struct dmri_backup **backup,
		     struct dmremap_error *err);
void dmri_backup_free(struct dmri_backup *backup);
/* The entry of @path in its folder is durable. 0 or negative errno. */
int dmri_sync_directory(const char *path);

#endif /* DMREMAP_PRIVATE_H */
