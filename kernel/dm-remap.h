/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internal interfaces of the remap target. One section per source file, in
 * the order in which they stand on each other: index, map, store, spare,
 * health, relocate, policy, statistics, events, scrub, set, path, target.
 *
 * Threads. Any number of submitters and completions read the map without a
 * lock. Only the worker of a set (relocate.c) changes it, waits for I/O, and
 * commits; what is said to run "in the worker" needs no further lock. Before
 * the worker runs and after it has stopped, activation stands in for it.
 */
#ifndef DM_REMAP_H
#define DM_REMAP_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/crc32c.h>
#include <linux/device-mapper.h>
#include <linux/dm-ioctl.h>
#include <linux/init.h>
#include <linux/seqlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"

#define dmr_crc32c(crc, data, size) crc32c(crc, data, size)
#include "../include/dm-remap-assemble.h"
#include "../include/dm-remap-netlink.h"
#include "index.h"

#define DM_MSG_PREFIX "remap"

struct remap_set;
struct remap_target;

/* --- map.c: what is where ------------------------------------------------ */

/* Where a block is and what of it can be read. */
struct map_entry {
	u64 block;
	u32 id;			/* record; worker only */
	u32 slot;
	u32 invalid;		/* bit n: sector n reads as an error */
	u8 state;		/* enum dmr_record_state; FREE: held, nothing known yet */
	u8 member;		/* REMAPPED: which spare */
	bool busy;		/* I/O must go through the worker */
	bool forgotten;
};

#define INDEX_BUSY	BIT(31)	/* in the value of an index entry */
#define NOT_A_BLOCK	(~0ULL)

/* A change that is not durable yet. */
struct map_change {
	u64 block;		/* NOT_A_BLOCK: of a bad slot */
	u32 id;
	bool fresh;		/* the index entry was made for this change */
	bool changed;
	struct dmr_record before;
};

#define MAP_MAX_CHANGES	256

struct remap_map {
	/* What every I/O reads, in one cache line, which changes are seldom. */
	struct remap_index index;
	struct remap_front __rcu *front;
	/*
	 * Changes whenever a block is held. A write that finds it changed at
	 * its end looks whether the map moved under it. release_seq is its
	 * value when a block last went back to the data device.
	 */
	u32 seq, release_seq;
	struct dmr_page **pages;	/* images; NULL: never used; [0] is the root */
	u32 nr_pages;			/* root included */
	u32 nr_records;
	seqcount_t changing;		/* odd while lock is held: for map_try_slot() */
	seqlock_t lock;

	/* Of the worker. */
	u32 free_records ____cacheline_aligned;
	u32 next_record;		/* where to look for a free one */
	unsigned long *taken;		/* bit set: record in use or held */
	u32 remapped, lost, lost_sectors;	/* blocks, blocks, sectors */
	u32 holds;			/* counts map_hold()s, for who wants to know of any */
	u32 version;			/* counts commits that changed it */
	unsigned int nr_changes;
	struct map_change changes[MAP_MAX_CHANGES];
};

/* @node: whose memory, or NUMA_NO_NODE. May sleep. 0 or -ENOMEM; map_destroy() in any case. */
int map_init(struct remap_map *map, u32 nr_pages, int node);
void map_destroy(struct remap_map *map);

/*
 * False: no block from @first to @last has an entry. I/O path, after map->seq was read
 * with acquire semantics.
 *
 * Why a block that the filter does not know was not held when that was read: the worker
 * sets the bits of a block, puts it into the index, and then stores the new map->seq with
 * release semantics (map_hold()). Who reads that number, or a later one, finds the
 * bits set; also in a filter that has replaced this one, for it was filled from an index
 * that had the block, and its pointer was published after that by the same worker. Who reads
 * an older number may miss the bits, and even hold on to a filter that was replaced
 * before the block was held. This is a lookup from before the hold: end_io() finds
 * another number and looks again, in the index. Bits are never cleared, so the filter
 * can only err by asking the index for nothing. The same goes for the number of entries.
 */
static __always_inline bool map_may_touch(const struct remap_map *map, u64 first, u64 last)
{
	const struct remap_front *f;
	bool may;

	/* Cheaper than rcu_read_lock(), and nothing here sleeps. */
	rcu_read_lock_sched();
	f = rcu_dereference_sched(map->front);
	may = front_may_hold(f, front_hash(first)) ||
	      (first != last && front_may_hold_any(f, first + 1, last));
	rcu_read_unlock_sched();
	return may;
}

/* The same of one block, by its hash. */
static __always_inline bool map_may_hold(const struct remap_map *map, u64 hash)
{
	bool may;

	rcu_read_lock_sched();
	may = front_may_hold(rcu_dereference_sched(map->front), hash);
	rcu_read_unlock_sched();
	return may;
}

/* The first entry at or after @block; any context. False: none. */
bool map_next(struct remap_map *map, u64 block, struct map_entry *e);
/* The entry of exactly @block; any context. False: healthy. */
bool map_get(struct remap_map *map, u64 block, struct map_entry *e);
/* The same in an RCU read section of the caller. They wait for a change that is being made. */
bool map_next_rcu(struct remap_map *map, u64 block, struct map_entry *e);
bool map_get_rcu(struct remap_map *map, u64 block, struct map_entry *e);

static __always_inline void entry_read(struct map_entry *e, u64 block, u32 value,
				       const struct dmr_record *r)
{
	u64 key = le64_to_cpu(r->key);

	e->block = block;
	e->id = value & ~INDEX_BUSY;
	e->busy = value & INDEX_BUSY;
	e->state = dmr_key_state(key);
	e->member = dmr_key_member(key);
	e->forgotten = key & DMR_KEY_FORGOTTEN;
	e->slot = le32_to_cpu(r->slot);
	e->invalid = le32_to_cpu(r->invalid);
}

/*
 * Where the block of this hash is, if the table before the index has it and nothing else about
 * it matters: it was moved, is not held, and all of it can be read. False if not, and always
 * while the map changes; then map_get_rcu() knows. Never waits. In a section without preemption.
 */
static __always_inline bool map_try_slot(const struct remap_map *map, u64 block, u64 hash,
					 unsigned int *member, u32 *slot)
{
	unsigned int seq = raw_seqcount_begin(&map->changing);
	const struct dmr_record *r;
	u32 id;

	/* In here: one that was replaced before this is not told of changes. */
	if (!front_find(rcu_dereference_sched(map->front), map->pages, map->nr_records, block,
			hash, &id, &r) || unlikely(r->invalid))
		return false;
	*member = dmr_key_member(le64_to_cpu(r->key));
	*slot = le32_to_cpu(r->slot);
	return !read_seqcount_retry(&map->changing, seq);
}

/*
 * The first block at or after @block that has an entry, of whatever kind; NOT_A_BLOCK: none.
 * False while the map changes; then map_next_rcu() knows. In such a section, too.
 */
static __always_inline bool map_try_next(const struct remap_map *map, u64 block, u64 *next)
{
	unsigned int seq = raw_seqcount_begin(&map->changing);
	u32 value;

	if (!index_next(&map->index, block, next, &value))
		*next = NOT_A_BLOCK;
	return !read_seqcount_retry(&map->changing, seq);
}

/*
 * Worker: from now on, all new I/O to the block waits for the worker, and a
 * write that is on its way will be repeated. Undone by map_drop() if nothing
 * was changed, else by the commit. @e is the entry as it is, state FREE for a
 * healthy block. May sleep. 0; -ENOMEM; -ENOSPC: the map has no free record;
 * -EBUSY: too many changes are pending, to be done again after a commit; -EIO:
 * the map is frozen.
 */
int map_hold(struct remap_set *set, u64 block, struct map_entry *e);
void map_drop(struct remap_set *set, struct map_entry *e);
/* Worker: give a held block the record that @e describes. State FREE: none. */
void map_change(struct remap_set *set, struct map_entry *e);
/* Worker: is this still where the durable map says that the block is? */
bool map_is_durable(struct remap_map *map, const struct map_entry *e);
/* True if the commit of this busy entry failed: nobody knows where it is. */
bool map_unknown(struct remap_map *map, const struct map_entry *e);
/* Worker: record that a slot must not be used again. 0, -ENOSPC, -EBUSY. */
int map_bad_slot(struct remap_set *set, unsigned int member, u32 slot);
/*
 * Worker: a held block was written to where it is. Writes that were on their way to
 * it, or to any block, are to be repeated at their end. Then map_drop() it.
 */
void map_overwritten(struct remap_map *map);
/* Writes that were sent before this look at their end what has become of them. Any context. */
u32 map_step(struct remap_map *map);
/* Worker: the pending changes are durable, or never happened. */
void map_changes_done(struct remap_set *set);
void map_changes_undo(struct remap_set *set);
/*
 * Activation: check all pages, count, claim slots and build the index.
 * -ENOMEM, or -EUCLEAN with the reason logged.
 */
int map_load(struct remap_set *set, const struct dmr_bounds *bounds);
/*
 * Build what stands before the index, if that is not there since the activation, which does not
 * wait for it. Lookups are right without it, but slow. False if there is no memory. Worker.
 */
bool map_sharpen(struct remap_map *map);

static inline u32 map_block_mask(unsigned int first, unsigned int nr)
{
	return (u32)(((1ULL << nr) - 1) << first);
}

/* --- store.c, load.c, open.c: the map on disk ---------------------------- */

enum member_state {
	MEMBER_ACTIVE,
	MEMBER_OUT,		/* failed: served as far as it goes, given nothing new */
	MEMBER_MISSING,		/* not there (degraded) */
	MEMBER_JOINING,		/* being written its first copy of the map */
};

#define NO_FRAME	(~0u)
#define COMMIT_PAGES	16
#define COMMIT_WRITES	(COMMIT_PAGES * DMR_FRAME_COPIES)

/* A device of the set as it takes part now. members[0] is the data device. */
struct remap_member {
	struct block_device *bdev;	/* NULL: missing */
	unsigned int index;
	enum member_state state;
	sector_t region;		/* where its metadata begins on bdev */
	sector_t payload;		/* where its data or slots begin on bdev */
	sector_t payload_sectors;
	u8 uuid[16];
	u32 tier;
	bool metadata;			/* commits are written to it */
	bool leaving;			/* being evacuated: no new slots */
	bool joined;			/* to be told when that is durable */
	bool dirty;			/* holds data that a commit must flush first */
	unsigned int unit;		/* sectors that the medium loses together */
	unsigned int failing;		/* slots that failed since one was written */

	/* spares: slots */
	u32 nr_slots, free, used, bad;
	u32 next_slot;
	unsigned long *slots;		/* bit set: used, bad or not yet reusable */
	unsigned long *bad_slots;
	/* Writes acknowledged in slots, and how many of them a flush has covered. */
	atomic64_t acked, flushed;

	/*
	 * A flush that fails may lose all that was written before, though the next one goes
	 * well. So who did not send it must be told: users of flushes of the worker's,
	 * @flush_errors, of which they were told @flush_told; the worker of theirs.
	 */
	atomic_t flush_errors, flush_told, user_flush_errors;
	int dirty_since;		/* @user_flush_errors before what made it dirty */
	unsigned int flush_io[2];	/* of users, on their way, in two turns; queue_lock */
	unsigned int flush_turn;
	u32 lost_seq;			/* map.seq when one failed last */

	struct remap_latency __percpu *latency;
	atomic64_t errors[2][DMR_NL_CLASS_MAX + 1];

	/* metadata frames */
	u32 nr_frames;
	u32 next_frame;
	unsigned long *frames;		/* bit set: in use or bad */
	u32 (*copies)[DMR_FRAME_COPIES];/* per page; NO_FRAME: none */

	/* activation: what was found on it */
	u64 newest, newest_session;
	/* Frames that stay until the first commit: what the last one was to replace. */
	u32 nr_kept, kept[COMMIT_WRITES];
	unsigned long *torn;		/* those that are erased before it */
};

/* Its device; 0: missing, or gone since. Any context. */
static inline dev_t member_dev(const struct remap_member *m)
{
	const struct block_device *bdev;
	dev_t dev;

	/* Pairs with set_remove_device(). */
	rcu_read_lock();
	bdev = READ_ONCE(m->bdev);
	dev = bdev ? bdev->bd_dev : 0;
	rcu_read_unlock();
	return dev;
}

struct frame_write {
	void *buf;
	struct remap_store *store;
	u32 page, frame;
	bool written;
};

struct remap_store {
	u8 set_uuid[16];
	u64 gen, session, digest;
	u64 loaded_before, loaded_after;	/* what the last commit found at activation says */
	u64 *page_gen, *page_session;	/* of the version on disk; gen 0: none */
	unsigned long *dirty;		/* pages to be written by the next commit */
	unsigned long *dirty_first;	/* those of them that must be durable before the rest */
	bool frozen;			/* can no longer commit */
	bool begun;			/* something of the last commit may be on a disk */
	bool confirm;			/* a member is out, and one more commit tells it apart */
	atomic_t writing;
	struct completion written;
	struct frame_write writes[COMMIT_WRITES];
	u32 new_frames[DMR_MAX_MEMBERS][COMMIT_PAGES][DMR_FRAME_COPIES];
};

/*
 * Worker: make all dirty pages durable on every member that takes commits,
 * after flushing the data that they refer to. A member that can not be written
 * is put out of the set, durably, before this returns. 0; -EIO with the set
 * frozen when no member is left, and store.begun telling whether anything of this commit may
 * be written; with nothing written, -EAGAIN when a spare failed
 * to flush its data (it is out now), -EREMOTEIO when the data device did.
 */
int store_commit(struct remap_set *set);
/*
 * At activation, before anything else is written: when power went during the last
 * commit some members may be one behind. They get what there is of it, so that no
 * commit that follows leaves one two behind (R7), however often power goes.
 */
void store_level(struct remap_set *set);
/*
 * At activation: write the newest frames of a member that comes back once more, before the
 * root knows it by them: a flush that failed may have left them without duration. Power lost
 * meanwhile: it is as the root knows it already. False: that failed.
 */
bool store_settle(struct remap_set *set, struct remap_member *m);
void store_mark(struct remap_set *set, u32 page);
void store_mark_first(struct remap_set *set, u32 page);
int store_init(struct remap_set *set, u32 nr_pages);
void store_destroy(struct remap_set *set);
struct dmr_root *store_root(struct remap_set *set);

/*
 * Activation, in process context while the worker does not run. set_load()
 * finds the members that the table names, proves that they belong together
 * (R7), and reads the map; it writes nothing. set_open() repairs what lacks a
 * copy, writes the map to spares that join or return, and marks the set as in use.
 * set_close() marks it as cleanly stopped. 0 or negative errno, reason logged.
 */
int set_load(struct remap_set *set, struct remap_target *rt);
int set_open(struct remap_set *set);
void set_close(struct remap_set *set);
struct remap_member *member_alloc(struct remap_set *set, unsigned int index);
void member_free(struct remap_member *m);

/*
 * Hot join. set_check_spare() proves in process context that @bdev is a new spare of
 * this set, and makes a member for it with the help of @anchor, a buffer; set_join()
 * in the worker writes the map to it and lets it in. @why is a sentence for the one who
 * asked. 0, -ENOMEM, -EUCLEAN (it is not ours), -EEXIST, -ENOSPC, -EIO, -EINTR,
 * -EOPNOTSUPP (needs a reload of the table).
 */
int set_check_spare(struct remap_set *set, struct block_device *bdev,
		    struct dmr_anchor *anchor, struct remap_member **m, const char **why);
int set_join(struct remap_set *set, struct remap_member *m);

/* --- io.c: waiting for one I/O ------------------------------------------- */

/* Pages for I/O that is longer than a block. */
#define RUN_PAGES	64
#define RUN_SECTORS	(RUN_PAGES * (PAGE_SIZE >> SECTOR_SHIFT))

struct block_run {
	unsigned int nr;
	u64 first;
	struct map_entry entries[RUN_PAGES];
};

struct remap_run {
	struct bio_vec vecs[RUN_PAGES];
	struct page *pages[RUN_PAGES];
	struct block_run blocks;	/* that are being moved with it */
};

/* NULL if there is no memory. May sleep. */
struct remap_run *run_alloc(void);
void run_free(struct remap_run *run);
/* Read or write @nr sectors at sector @at of the run's pages. May sleep. */
blk_status_t io_run(struct block_device *bdev, blk_opf_t opf, sector_t sector,
		    struct remap_run *run, unsigned int at, unsigned int nr);
/* Copy @nr sectors between the run and a buffer. */
void run_copy(struct remap_run *run, unsigned int at, unsigned int nr, void *buf,
	      bool to_run);

/* Read or write @nr sectors (at most a block) of kernel memory. May sleep. */
blk_status_t io_buffer(struct block_device *bdev, blk_opf_t opf, sector_t sector,
		       void *buf, unsigned int nr);
/*
 * Worker: carry out @nr sectors of @bio, from its sector @from on, at another place.
 * @bio keeps its position. A write with FUA to a device that does not know it leaves the
 * flush to flush_fua(). May sleep.
 */
blk_status_t io_bio(struct remap_set *set, struct remap_member *m, sector_t sector,
		    struct bio *bio, unsigned int from, unsigned int nr);
blk_status_t io_flush(struct block_device *bdev);

/* --- spare.c: slots ------------------------------------------------------ */

int spare_init(struct remap_member *m, u32 nr_slots);
/* A free slot of the best active spare. Worker. False: none is left. */
bool spare_alloc(struct remap_set *set, struct remap_member **m, u32 *slot);
/* Take up to @max free slots from @slot on, without a gap; how many. Worker. */
unsigned int spare_extend(struct remap_member *m, u32 slot, unsigned int max);
void spare_free(struct remap_set *set, struct remap_member *m, u32 slot);
/* Activation: take a slot that a record names; false if it is taken already. */
bool spare_claim(struct remap_member *m, u32 slot);
void spare_claim_bad(struct remap_member *m, u32 slot);
/*
 * Never use this slot again: durable with the next commit, which must come
 * before anything that moves its block elsewhere. 0, or as map_bad_slot().
 */
int spare_retire(struct remap_set *set, struct remap_member *m, u32 slot);
/* Does the block that lived in the slot no longer do so? Count it. */
void spare_leave(struct remap_member *m);
/*
 * The member failed: it gets no commits and, if it is a spare, no new slots,
 * but is served as far as it goes. Durable with the next commit.
 */
void member_out(struct remap_set *set, struct remap_member *m, const char *why);
void spare_total(struct remap_set *set, u64 *used, u64 *slots);

static inline sector_t spare_sector(const struct remap_set *set,
				    const struct remap_member *m, u32 slot);

/* A spare that failed or is missing: it may be served, but gets nothing new. */
static inline bool spare_gone(const struct remap_member *m)
{
	return m->index && m->state != MEMBER_ACTIVE;
}

/* --- health.c: what an error says about a device (R4) -------------------- */

/* True for the classes that can mean a bad block, by the policy. Any context. */
static inline bool status_is_evidence(const struct remap_set *set, blk_status_t status);

/*
 * Worker: does this device carry out other I/O of this direction now? Writes
 * probe blocks, or reads from places all over the device. Opens or closes the
 * breaker of the data device.
 */
bool health_alive(struct remap_set *set, struct remap_member *m, bool write);
void health_work(struct work_struct *work);	/* looks whether it can be closed */

/* --- relocate.c: the worker ---------------------------------------------- */

/* What is wanted from the worker. */
enum request_kind {
	REQUEST_RELOCATE,
	REQUEST_RELEASE,
	REQUEST_UNREADABLE,
	REQUEST_VERIFY,		/* read blocks and remember what is lost of them */
	REQUEST_EVACUATE,
	REQUEST_POLICY,
	REQUEST_SCRUB,		/* keep how far the scrub is */
	REQUEST_JOIN,
};

struct remap_request {
	struct list_head list;
	struct completion done;
	enum request_kind kind;
	u64 next;		/* where the next slice begins, in units of first */
	u64 first, count;	/* blocks; UNREADABLE: sectors; EVACUATE: first is the member */
	bool slow_only;		/* RELOCATE: leave what reads well */
	struct remap_run *run;	/* RELOCATE: for runs of blocks; may be NULL */
	struct dmr_policy policy;
	struct dmr_scrub scrub;
	struct remap_member *joiner;	/* JOIN: the set's when it was begun */
	unsigned long deadline;	/* jiffies; it ends early then, with -ETIME; 0: never */
	ktime_t begun;		/* the slice that is going on, or was last; 0: there was none yet */
	u64 moved, lost, unchanged, failed;	/* out: blocks; UNREADABLE: sectors */
	bool cancel;		/* stop at the next slice, with -EINTR */
	int error;		/* out: why it stopped early */
};

void remap_work(struct work_struct *work);
/*
 * Make the pending changes durable, or undo them if they can not be (-EAGAIN,
 * -EREMOTEIO: nothing happened), or leave their blocks unusable if nobody can know
 * (-EIO). Worker.
 */
int commit_changes(struct remap_set *set);
/* Wait until no I/O is on its way to slots that left the map. Worker. */
void drain_slots(struct remap_set *set);
/*
 * What a block holds, as far as it can be read, into block_buf, but for the
 * sectors in @skip. Sectors that the medium lost, while it works elsewhere, are
 * added to @invalid. An error that says nothing about the medium is returned.
 */
blk_status_t gather_block(struct remap_set *set, const struct map_entry *e, u32 skip,
			  u32 *invalid);
/* Is there room in the map for one more lost block? */
bool room_for_lost(struct remap_set *set);
/*
 * Write block_buf to a slot and give the held block @e its place there. The slot
 * that it leaves is retired if @retire. 0; -ENOSPC, -ENOMEM, -EBUSY.
 */
int place_block(struct remap_set *set, struct map_entry *e, u32 invalid, bool retire);
/*
 * A write of a taken slot failed: the slot is never used again (R4), or its spare is
 * out. 0, -EBUSY, -ENOSPC. Worker.
 */
int slot_failed(struct remap_set *set, struct remap_member *m, u32 slot, blk_status_t status);
/* Tell that a block had to be moved and could not be. Worker. */
void relocate_failed(struct remap_set *set, unsigned int member, u64 block);
/* request.c: one slice of a request; true when it is finished. Worker. */
bool request_slice(struct remap_set *set, struct remap_request *rq);

/* Hand over a bio that map() or end_io() cannot finish. Any context. */
void remap_queue(struct remap_set *set, struct bio *bio);
/* Run a request in the worker and wait for it. 0 or negative errno. */
int remap_request(struct remap_set *set, struct remap_request *rq);
/* The same for a range of blocks, not faster than the policy allows. */
int remap_request_range(struct remap_set *set, struct remap_request *rq);

/* --- policy.c: what is decided elsewhere --------------------------------- */

/* What a set does about faults, as it is in force. Written by the worker. */
struct remap_policy {
	struct dmr_policy disk;		/* as it is kept */
	spinlock_t lock;		/* disk, for who does not hold change_lock */
	bool heal_to_spare;
	bool retry_unreadable;
	bool pass_ioerr;
	u32 tries;			/* of one I/O */
	u32 slow_us;			/* U32_MAX: nothing is slow */
	u32 breaker_streak;
	u32 breaker_jiffies;
	u32 relocate_rate;		/* blocks a second; 0: without limit */
	u32 scrub_rate;			/* KiB a second */
	u32 spare_low;			/* percent */
};

/* Let its lifetime begin, if it has one. The set is in use. */
void policy_arm(struct remap_set *set);
/* As it is kept; all of one version. Process context. */
void policy_copy(struct remap_set *set, struct dmr_policy *disk);

static inline u32 policy_value(__le32 value, u32 standard)
{
	return value ? le32_to_cpu(value) : standard;
}

/* From what is on disk, which is valid. */
void policy_take(struct remap_set *set, const struct dmr_policy *disk);
/*
 * Put a policy into force: durable when this returns. With version 0 it gets the
 * next one. The caller holds change_lock. 0; -ESTALE: its version is not above
 * that in force; -ERANGE: none could be above it; or why it can not be kept.
 */
int policy_set(struct remap_set *set, struct dmr_policy *policy, enum dmr_nl_reason reason);
/* A value by its name, as in messages. 0, -EINVAL. */
int policy_parse(struct dmr_policy *policy, const char *name, const char *value);
/* All of it as pairs of name and value. */
int policy_print(const struct dmr_policy *policy, char *buf, size_t size);
void policy_expires(struct work_struct *work);

/* --- stats.c: counting --------------------------------------------------- */

#define NR_PATHS	(DMR_NL_PATH_MAX + 1)
#define NR_CLASSES	(DMR_NL_CLASS_MAX + 1)

struct remap_ios {
	u64 nr, sectors;
};

/*
 * Of one processor. On the I/O path only these are written, and of healthy blocks only
 * the first cache line.
 */
struct remap_stats {
	struct remap_ios ios[NR_PATHS][2];	/* reads, writes; DIRECT is the first */
	u32 tick;			/* I/Os since one was sampled */
} ____cacheline_aligned;

struct remap_latency {
	u64 buckets[2][DMR_NL_BUCKETS];
};

struct remap_sum {
	u64 ios[2][NR_PATHS], sectors[2][NR_PATHS];
};

enum dmr_nl_class status_class(blk_status_t status);
void stats_latency(struct remap_member *m, bool write, u64 ns);
/* An error that a device below returned. Any context. */
void stats_error(struct remap_member *m, bool write, blk_status_t status);
struct remap_bio;
/*
 * The same for an I/O of the user of the set, which took @us: told too, unless it is
 * nobody's fault. Any context.
 */
void stats_failed(struct remap_set *set, struct remap_member *m, const struct remap_bio *pb,
		  blk_opf_t opf, blk_status_t status, u64 us);
void stats_sum(struct remap_set *set, struct remap_sum *sum);
void stats_latency_sum(struct remap_member *m, struct remap_latency *sum);
/* The `stats` message: as much as fits. */
int stats_print(struct remap_set *set, char *buf, size_t size);

/* --- event.c: telling ---------------------------------------------------- */

#define EVENT_RECORDS	32
#define EVENT_EXTENTS	32
#define NR_EVENTS	(DMR_NL_EVENT_MAX + 1)

struct event_extent {
	u64 sector, count;
};

/* What waits to be told; occurrences of the same kind are put together. */
struct event_record {
	u8 kind;			/* enum dmr_nl_event */
	s8 member, direction, class;	/* -1: of none */
	s8 reason, breaker;
	u8 nr_extents;
	bool edge;			/* never put together with another */
	u32 max_us;
	u64 time, time_last;		/* ns since 1970 */
	u64 occurrences, total;
	u64 extents_lost;
	u64 slots_used, slots;		/* spare events */
	struct event_extent extents[EVENT_EXTENTS];
};

struct event_list {
	unsigned int nr;
	struct event_record records[EVENT_RECORDS];
};

struct remap_events {
	spinlock_t lock;		/* any context */
	struct event_list *fill, *drain;	/* drain: of the sender alone */
	unsigned int drained;
	u64 seq, dropped;
	u64 totals[NR_EVENTS];
	unsigned long last;		/* jiffies; when it was sent last */
	struct delayed_work work;
};

int event_init(struct remap_set *set);
void event_destroy(struct remap_set *set);
/* Send what waits, and wait for that. Process context. */
void event_flush(struct remap_set *set);
/* An I/O, @nr sectors of the target at @sector, failed or was slow. Any context. */
void event_io(struct remap_set *set, enum dmr_nl_event kind, unsigned int member,
	      bool write, blk_status_t status, sector_t sector, u64 nr, u64 us);
/* Something became of @nr sectors, and a member has to do with it (-1: none). Any context. */
void event_place(struct remap_set *set, enum dmr_nl_event kind, int member, sector_t sector,
		 u64 nr);
/* A state began or ended. Any context; @member as before. */
void event_edge(struct remap_set *set, enum dmr_nl_event kind, int member);
void event_policy(struct remap_set *set, enum dmr_nl_reason reason);

/* --- scrub.c: reading everything before the user does -------------------- */

struct remap_scrub {
	struct mutex lock;		/* all below, for as long as a chunk is read */
	struct dmr_scrub now;		/* state, range, position, counts */
	struct delayed_work work;
	struct remap_run *run;		/* while it runs */
	ktime_t due;			/* when the next chunk may be read */
	ktime_t since;			/* running; elapsed counts up to here */
	ktime_t window;			/* over which the rate is measured */
	u64 window_bytes, rate;		/* rate: KiB a second */
	u64 others;			/* I/O of others when it was looked at last */
	unsigned int tries;		/* of a chunk that says nothing */
	unsigned long saved, told;	/* jiffies */

	spinlock_t show_lock;		/* the copies for who asks */
	struct dmr_scrub shown;
	u64 shown_rate;
};

void scrub_init(struct remap_set *set);
/* Activation: go on where it was. */
void scrub_load(struct remap_set *set);
/* It does nothing any more when this returns. Process context. */
void scrub_stop(struct remap_set *set);
/* 0; -EBUSY: one is running or paused; -ENOENT: none is; -ENOMEM. */
int scrub_start(struct remap_set *set, u64 first, u64 count);
int scrub_pause(struct remap_set *set);
int scrub_resume(struct remap_set *set);
int scrub_cancel(struct remap_set *set);
/* What it is now, and its rate. */
void scrub_get(struct remap_set *set, struct dmr_scrub *now, u64 *rate);

/* --- netlink.c ----------------------------------------------------------- */

/* Send an event to all listeners. 0, or -ENOMEM: try again. Process context. */
int netlink_event(struct remap_set *set, const struct event_record *r, u64 seq);
int __init netlink_init(void);
void netlink_exit(void);

/* --- set.c: the set as a whole ------------------------------------------- */

enum remap_counter {
	C_READ_ERRORS, C_WRITE_ERRORS, C_PASSED, C_RELOCATED, C_RELOCATE_FAILED,
	C_HEALED, C_LOST_SECTORS, C_RELEASED, C_REDONE, C_BREAKER_TRIPS,
	C_COMMITS, C_METADATA_ERRORS, C_FLUSH_ERRORS,
	NR_COUNTERS
};

#define NO_SAMPLE	U32_MAX

/* The set of an active table; lives from preresume to postsuspend. */
struct remap_set {
	/* What every I/O reads, up to the part of the map that is for it. */
	struct block_device *data;	/* members[0], until the set ends */
	struct block_device *only_data;	/* the same, or NULL if slots are on it as well */
	sector_t data_offset;
	struct remap_stats __percpu *stats;
	u32 block_sectors;
	unsigned int block_shift;	/* sectors to blocks */
	unsigned int slot_turn;		/* see slot_io */
	unsigned int bad_streak;	/* blocks found bad since a write succeeded */
	u32 slow_jiffies;		/* by the policy; U32_MAX: nothing is slow */
	u32 sample;			/* by the policy: measure one of so many, or NO_SAMPLE */
	bool timed;			/* one of the two is asked for */
	struct remap_map map ____cacheline_aligned;

	struct dm_target *ti;
	struct remap_target *rt;
	const char *name;		/* of the mapped device, for messages */
	char dm_name[DMR_MAX_TEXT + 1];	/* as dmsetup knew it last; the sender of events */
	struct list_head claim;		/* in the module's list of active sets */
	u32 id;				/* grows along that list */
	struct mutex change_lock;	/* policies and spares are changed one at a time */
	unsigned int sector_align;	/* logical block size of the set, in sectors */
	u64 data_sectors;
	bool degraded_ok;
	bool stopping;			/* requests end: a suspend waits for them */
	bool flushing;			/* a flush of the worker's is on its way */
	int node;			/* of memory near the data device, for what I/O reads */

	struct remap_store store;
	struct remap_reserve reserve;
	unsigned int nr_members;	/* used entries of members[] */
	struct remap_member *members[DMR_MAX_MEMBERS];	/* NULL: none there */
	struct remap_policy policy;	/* worker; readers take what they see */
	struct delayed_work policy_work;	/* its lifetime ends */
	struct remap_events events;
	struct remap_scrub scrub;

	/*
	 * I/O on its way to slots, counted in two turns, so that a slot that
	 * was given back is reused only when nothing can reach it any more.
	 */
	atomic_t slot_io[2] ____cacheline_aligned;
	wait_queue_head_t slot_wait;

	struct workqueue_struct *wq ____cacheline_aligned;
	struct work_struct work;
	struct delayed_work breaker_work, sharpen_work;
	spinlock_t queue_lock;		/* queue, requests, flushes, flush_io of members */
	struct bio_list queue;
	u32 fua;			/* worker: members written with FUA and not flushed yet */
	struct bio_list flushes;	/* of users, that wait while the worker's is on its way */
	wait_queue_head_t flush_wait;	/* the worker, for a turn of users' flushes to end */
	struct flush_record *flush_record;
	bool flush_lost;		/* see flush_has_failed() */
	struct list_head requests;
	struct bio_set bios;
	void *block_buf, *check_buf;	/* one block each; worker */

	bool breaker_open, breaker_write;	/* open; for writes only */
	unsigned long breaker_until;	/* jiffies; no new probe before */
	bool event;			/* raise a table event after the commit */
	bool full;			/* the last allocation found no slot */
	u8 spare_level;			/* as it was told: enough, low, full */
	atomic64_t counters[NR_COUNTERS];
};

static inline void remap_count(struct remap_set *set, enum remap_counter c, u64 n)
{
	atomic64_add(n, &set->counters[c]);
}

static inline sector_t spare_sector(const struct remap_set *set,
				    const struct remap_member *m, u32 slot)
{
	return m->payload + (sector_t)slot * set->block_sectors;
}

/* Sectors of the block that exist: fewer in the last one. */
static inline unsigned int block_length(const struct remap_set *set, u64 block)
{
	u64 left = set->data_sectors - (block << set->block_shift);

	return min_t(u64, set->block_sectors, left);
}

/* How long does it take? */
enum remap_timing {
	NOT_TIMED,
	TIMED,			/* longer than the policy allows? */
	SAMPLED,		/* the same, and it goes into the histogram */
};

enum remap_flush {
	NO_FLUSH,
	IS_FLUSH,
	FUA_SENT,		/* a write with FUA; without a cache below the flag is taken off */
	FLUSH_AFTER,		/* such a write on its way to a device that does not know it */
	FLUSH_DUE,		/* and then, done, in the queue */
};

/* Per-bio data. */
struct remap_bio {
	struct bvec_iter iter;	/* of the bio as it was mapped, sectors of the target */
	u32 seq;
	u32 start;		/* jiffies when it was sent */
	union {
		u32 slot;
		/* A flush: of its member, when it was sent; FLUSH_DUE: flush_failures() then. */
		int flush_errors;
		u32 fua;	/* worker: members on which it needs flush_fua() */
	};
	/* Set and looked at as one: 0 for I/O of the data device that is not timed. */
	union {
		u64 special;
		struct {
			u8 timing;	/* the first: see ONLY_TIMED */
			u8 member;	/* 0: sent to the data device */
			u8 turn;
			bool counted;	/* in slot_io[turn] */
			u8 flush;	/* enum remap_flush */
			bool done;	/* nothing is left to look at in end_io */
			union {
				bool staged;	/* worker: what it did hangs on the commit */
				bool unflushed;	/* a flush of a spare: it has something to do */
			};
			bool told;	/* its first error was counted and told */
		};
	};
	union {
		u64 start_ns;	/* if it is sampled */
		u64 acked;	/* a flush: what it covers on the spare */
	};
};

/* What is special about an I/O of the data device of which nothing else is. */
#define ONLY_TIMED	((__force u64)cpu_to_le64(TIMED))
static_assert(offsetof(struct remap_bio, timing) == offsetof(struct remap_bio, special));

static inline bool status_is_evidence(const struct remap_set *set, blk_status_t status)
{
	return status == BLK_STS_MEDIUM ||
	       (status == BLK_STS_IOERR && !READ_ONCE(set->policy.pass_ioerr));
}

/* A read (op 0) or a write (1) of so many sectors goes this way. I/O path. */
static inline void stats_io(struct remap_set *set, enum dmr_nl_path path, unsigned int op,
			    unsigned int sectors)
{
	struct remap_ios __percpu *ios = &set->stats->ios[path][op];

	this_cpu_inc(ios->nr);
	this_cpu_add(ios->sectors, sectors);
}

/* The same of a bio that may be another; only reads and writes are counted. */
static inline void stats_bio(struct remap_set *set, const struct bio *bio,
			     enum dmr_nl_path path)
{
	unsigned int op = (__force unsigned int)bio_op(bio);	/* 0 reads, 1 writes */

	if (unlikely(op > 1)) {
		if (bio_op(bio) != REQ_OP_WRITE_ZEROES)
			return;
		op = 1;
	}
	stats_io(set, path, op, bio_sectors(bio));
}

extern struct workqueue_struct *remap_wq;	/* what may wait, but for a set's worker */

/* Take the set of a table into use, when it is resumed; give it back. */
int set_activate(struct dm_target *ti, struct remap_target *rt);
void set_deactivate(struct remap_target *rt);
/* Requests end early from now on, or no longer. */
void set_stopping(struct remap_target *rt, bool stopping);

/*
 * A set in use, which stays so until set_put(): by @name or @uuid (text; NULL: not
 * asked for), or the first with an id above @after if both are NULL. -ENODEV: there is none;
 * -EAGAIN: it is being suspended or resumed. Process context.
 */
struct remap_set *set_get(const char *name, const char *uuid, u32 after);
void set_put(struct remap_set *set);
/* The name as dmsetup knows it now, into DM_NAME_LEN bytes. Process context. */
void set_dm_name(struct remap_set *set, char *name);
/* Changes whenever a set comes or goes, or, with @maps, the map of one is changed. */
u32 sets_version(bool maps);
void sets_changed(bool map);
/* Spares that can join a running table; more need a reload. */
#define HOT_SPARES	4

/*
 * Add an open device to the table of a set in use, or take the last one that was added
 * out again, on which nothing was kept. 0, -EBUSY: in use already; -EOPNOTSUPP: no
 * room. Process context; the caller holds change_lock.
 */
int set_add_device(struct remap_set *set, struct dm_dev *dev);
void set_remove_device(struct remap_set *set, struct dm_dev *dev);

/* Look whether spare blocks are low or full now, and tell if that is new. Worker. */
void spare_edges(struct remap_set *set);

/* --- path.c: the way of a bio -------------------------------------------- */

int remap_map(struct dm_target *ti, struct bio *bio);
int remap_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error);

/* --- status.c, message.c, target.c --------------------------------------- */

extern const char * const counter_names[NR_COUNTERS];
/* But for spares that have left the set in this activation. */
bool is_member(const struct remap_member *m);
void remap_status(struct dm_target *ti, status_type_t type, unsigned int flags,
		  char *result, unsigned int maxlen);

int remap_message(struct dm_target *ti, unsigned int argc, char **argv,
		  char *result, unsigned int maxlen);

/* The parsed table. */
struct remap_target {
	const struct mapped_device *md;	/* its users are those of each of its tables */
	struct workqueue_struct *wq;	/* of the worker of each set in turn */
	struct remap_set *set;		/* NULL: not active */
	struct dm_dev *data;
	sector_t data_offset;
	unsigned int nr_spares;
	struct dm_dev *spares[DMR_MAX_MEMBERS - 1];
	DECLARE_BITMAP(left, DMR_MAX_MEMBERS);	/* of them, since the table was loaded */
	bool internal_left;	/* and the internal one */
	bool internal;
	sector_t internal_start;
	bool degraded;
	bool ran_degraded;	/* with a member out, before it was suspended */
	bool has_uuid;
	u8 uuid[16];
	/* Held to read while set is used, but for I/O, which need not see it written. */
	struct rw_semaphore lock ____cacheline_aligned;
};

#endif /* DM_REMAP_H */
