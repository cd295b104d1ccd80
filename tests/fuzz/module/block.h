/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As much of the kernel's headers as activation and commits use, for one thread in user
 * space, beyond what the index needs (tests/bench/native/kernel.h). Bios are carried out when
 * somebody waits for one. The empty headers in linux/ end here.
 */
#ifndef FUZZ_BLOCK_H
#define FUZZ_BLOCK_H

#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

#include "../../bench/native/kernel.h"
#include "module.h"

typedef int8_t s8;
typedef int64_t s64;
typedef u64 sector_t;
typedef s64 ktime_t;
typedef unsigned int gfp_t;

/* --- Numbers and bits ------------------------------------------------------ */

#define BIT(n)			(1UL << (n))
#define BITS_PER_LONG		64
#define BITS_TO_LONGS(n)	(((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define DECLARE_BITMAP(name, n)	unsigned long name[BITS_TO_LONGS(n)]
#define max(a, b)		((a) > (b) ? (a) : (b))
#define min(a, b)		((a) < (b) ? (a) : (b))
#define max_t(type, a, b)	((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define clamp_t(type, x, lo, hi) min_t(type, max_t(type, x, lo), hi)
#define round_down(x, to)	((x) / (to) * (to))
#define swap(a, b)		do { __typeof__(a) swap_ = a; a = b; b = swap_; } while (0)
#define hweight32(x)		((unsigned int)__builtin_popcount(x))
#define ilog2(x)		(63 - __builtin_clzll(x))
#define __ffs(x)		((unsigned int)__builtin_ctzl(x))
#define WARN_ON_ONCE(x)		({ bool warn_ = (x); if (warn_) abort(); warn_; })
#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))
#define ____cacheline_aligned
#define __percpu
#define __force
#define static_assert(x)	_Static_assert(x, #x)
#define __init

static inline bool test_bit(u64 n, const unsigned long *map)
{
	return map[n / BITS_PER_LONG] >> n % BITS_PER_LONG & 1;
}

static inline void __set_bit(u64 n, unsigned long *map)
{
	map[n / BITS_PER_LONG] |= BIT(n % BITS_PER_LONG);
}

static inline void __clear_bit(u64 n, unsigned long *map)
{
	map[n / BITS_PER_LONG] &= ~BIT(n % BITS_PER_LONG);
}

static inline bool __test_and_set_bit(u64 n, unsigned long *map)
{
	bool was = test_bit(n, map);

	__set_bit(n, map);
	return was;
}

static inline u64 find_bit(const unsigned long *map, u64 size, u64 from, bool set)
{
	while (from < size && test_bit(from, map) != set)
		from++;
	return from < size ? from : size;
}

#define find_next_zero_bit(map, size, from)	find_bit(map, size, from, false)
#define find_first_zero_bit(map, size)		find_bit(map, size, 0, false)
#define bitmap_empty(map, size)			(find_bit(map, size, 0, true) == (size))
#define for_each_set_bit(n, map, size) \
	for ((n) = find_bit(map, size, 0, true); (n) < (size); \
	     (n) = find_bit(map, size, (n) + 1, true))

/* --- One thread ------------------------------------------------------------ */

typedef struct { int n; } atomic_t;
typedef struct { s64 n; } atomic64_t;
typedef struct { int unused; } spinlock_t;
typedef struct { int unused; } seqlock_t;
typedef struct { int unused; } seqcount_t;
typedef struct { int unused; } wait_queue_head_t;
struct list_head { struct list_head *next, *prev; };
struct mutex { int unused; };
struct rw_semaphore { int unused; };
struct completion { bool done; };
struct work_struct { int unused; };
struct delayed_work { struct work_struct work; };
struct workqueue_struct;

#define atomic_read(a)			((a)->n)
#define atomic_set(a, v)		((a)->n = (v))
#define atomic_inc(a)			((a)->n++)
#define atomic_dec_and_test(a)		(!--(a)->n)
#define atomic64_add(v, a)		((a)->n += (s64)(v))
#define this_cpu_inc(x)			((x)++)
#define this_cpu_add(x, v)		((x) += (v))
#define init_completion(c)		((c)->done = false)
#define reinit_completion(c)		((c)->done = false)
#define complete(c)			((c)->done = true)
#define wait_for_completion_io(c)	module_waits(&(c)->done)

#define seqlock_init(l)			((void)(l))
#define read_seqbegin(l)		((void)(l), 0U)
#define read_seqretry(l, seq)		((void)(l), (void)(seq), false)
#define write_seqlock_irqsave(l, f)	((void)(l), (void)((f) = 0))
#define write_sequnlock_irqrestore(l, f) ((void)(l), (void)(f))
#define seqcount_init(s)		((void)(s))
#define raw_seqcount_begin(s)		((void)(s), 0U)
#define read_seqcount_retry(s, seq)	((void)(s), (void)(seq), false)
#define raw_write_seqcount_begin(s)	((void)(s))
#define raw_write_seqcount_end(s)	((void)(s))
#define __acquires(lock)
#define __releases(lock)
#define rcu_read_lock()			((void)0)
#define rcu_read_unlock()		((void)0)
#define rcu_read_lock_sched()		((void)0)
#define rcu_read_unlock_sched()		((void)0)
#define rcu_dereference(p)		(p)
#define rcu_dereference_sched(p)	(p)
#define smp_wmb()			((void)0)
#define fatal_signal_pending(task)	false

/* --- Memory ---------------------------------------------------------------- */

#define kmalloc(size, gfp)		malloc(size)
#define kmalloc_node(size, gfp, node)	((void)(node), malloc(size))
#define array_size(n, size)		((size_t)(n) * (size))
#define kmalloc_array(n, size, gfp)	calloc(n, size)
#define kvmalloc_array(n, size, gfp)	calloc(n, size)
#define kvcalloc(n, size, gfp)		calloc(n, size)
#define alloc_percpu_gfp(type, gfp)	((type *)calloc(1, sizeof(type)))
#define free_percpu(p)			free(p)

/* A page is where it begins. */
struct page;
#define PAGE_SHIFT		12
#define offset_in_page(p)	((unsigned long)(p) & (PAGE_SIZE - 1))
#define virt_to_page(p)		((struct page *)((unsigned long)(p) & ~(PAGE_SIZE - 1)))
#define page_address(page)	((void *)(page))

struct page *alloc_page(gfp_t gfp);
void __free_page(struct page *page);

/* --- Block devices --------------------------------------------------------- */

#define SECTOR_SHIFT	9

typedef unsigned int blk_opf_t;
typedef u8 blk_status_t;

enum { BLK_STS_OK, BLK_STS_IOERR, BLK_STS_MEDIUM };
enum { REQ_OP_READ, REQ_OP_WRITE, REQ_OP_WRITE_ZEROES, REQ_OP_MASK = 255 };
#define REQ_SYNC	(1U << 8)
#define REQ_META	(1U << 9)
#define REQ_FUA		(1U << 10)
#define REQ_PREFLUSH	(1U << 11)

struct bio_set { int unused; };
struct bio_list { void *head, *tail; };

struct bvec_iter {
	sector_t bi_sector;
	unsigned int bi_size;
};

struct bio_vec {
	struct page *bv_page;
	unsigned int bv_len, bv_offset;
};

struct bio {
	struct block_device *bi_bdev;
	blk_opf_t bi_opf;
	blk_status_t bi_status;
	struct bvec_iter bi_iter;
	void *bi_private;
	void (*bi_end_io)(struct bio *bio);
	struct bio *next;
	unsigned int nr_vecs;
	struct bio_vec vecs[];
};

#define bio_op(bio)		((bio)->bi_opf & REQ_OP_MASK)
#define bio_sectors(bio)	((bio)->bi_iter.bi_size >> SECTOR_SHIFT)
#define bio_put(bio)		free(bio)

struct bio *bio_alloc_bioset(struct block_device *bdev, unsigned short nr, blk_opf_t opf,
			     gfp_t gfp, struct bio_set *bs);
void __bio_add_page(struct bio *bio, struct page *page, unsigned int len, unsigned int offset);
void submit_bio(struct bio *bio);
/* Carry out what was submitted. */
void module_waits(const bool *done);

#define bdev_nr_sectors(bdev)		((bdev)->sectors)
#define bdev_logical_block_size(bdev)	512U
#define bdev_physical_block_size(bdev)	512U
#define bdev_fua(bdev)			((bdev)->fua)
#define bdev_write_cache(bdev)		true

/* That of lib/. */
u32 dmr_crc32c(u32 crc, const void *data, size_t size);
static inline u32 crc32c(u32 crc, const void *data, size_t size)
{
	return dmr_crc32c(crc, data, size);
}

/* --- Device mapper --------------------------------------------------------- */

typedef int status_type_t;

struct dm_dev {
	struct block_device *bdev;
};

struct dm_target {
	sector_t len;
	unsigned int num_flush_bios;
};

/* The last error is kept: it says why a set was refused. */
void module_says(const char *fmt, ...);
#define DMERR(...)	module_says(__VA_ARGS__)
#define DMCRIT(...)	module_says(__VA_ARGS__)
static inline void module_whispers(const char *fmt, ...)
{
}
#define DMWARN(...)	module_whispers(__VA_ARGS__)
#define DMINFO(...)	module_whispers(__VA_ARGS__)

u64 get_random_u64(void);

#endif
