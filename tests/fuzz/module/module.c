// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the module's activation and commits ask of the rest of the kernel and of the
 * module, and the way to them for fuzzers. See module.h.
 */
#include <stdio.h>

#include "../../../kernel/flush.h"
#include "../../../kernel/load.h"

struct module_set {
	struct remap_set set;
	struct remap_target rt;
	struct dm_target ti;
	struct dm_dev devs[1 + MODULE_MAX_SPARES];
};

static char said[512];
static u64 sessions;

/* --- The kernel ------------------------------------------------------------ */

void module_says(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(said, sizeof(said), fmt, args);
	va_end(args);
}

u64 get_random_u64(void)
{
	return dmr_mix64(++sessions);
}

/* Scans take and return hundreds each time; what was freed waits here. */
static struct page *pool[1024];
static unsigned int pooled;

struct page *alloc_page(gfp_t gfp)
{
	return pooled ? pool[--pooled] : aligned_alloc(PAGE_SIZE, PAGE_SIZE);
}

void __free_page(struct page *page)
{
	if (pooled < sizeof(pool) / sizeof(*pool))
		pool[pooled++] = page;
	else
		free(page);
}

struct bio *bio_alloc_bioset(struct block_device *bdev, unsigned short nr, blk_opf_t opf,
			     gfp_t gfp, struct bio_set *bs)
{
	struct bio *bio = calloc(1, sizeof(*bio) + nr * sizeof(*bio->vecs));

	bio->bi_bdev = bdev;
	bio->bi_opf = opf;
	return bio;
}

void __bio_add_page(struct bio *bio, struct page *page, unsigned int len, unsigned int offset)
{
	bio->vecs[bio->nr_vecs++] = (struct bio_vec){ page, len, offset };
	bio->bi_iter.bi_size += len;
}

static struct bio *queue, **queue_end = &queue;

void submit_bio(struct bio *bio)
{
	*queue_end = bio;
	queue_end = &bio->next;
}

static void carry_out(struct bio *bio)
{
	sector_t sector = bio->bi_iter.bi_sector;
	unsigned int i;

	for (i = 0; i < bio->nr_vecs; i++) {
		const struct bio_vec *v = &bio->vecs[i];

		if (!module_io(bio->bi_bdev, bio_op(bio) == REQ_OP_WRITE, sector,
			       (char *)page_address(v->bv_page) + v->bv_offset, v->bv_len))
			bio->bi_status = BLK_STS_IOERR;
		sector += v->bv_len >> SECTOR_SHIFT;
	}
}

/* All that is on its way is so at the same time. */
void module_waits(const bool *done)
{
	struct bio *bio = queue, *next;

	queue = NULL;
	queue_end = &queue;
	module_batch(true);
	for (next = bio; next; next = next->next)
		carry_out(next);
	module_batch(false);
	for (; bio; bio = next) {
		next = bio->next;
		bio->bi_end_io(bio);
	}
	/* What is waited for and never comes is a hang. */
	if (!*done)
		abort();
}

__attribute__((weak)) void module_batch(bool begins)
{
}

/* --- The module ------------------------------------------------------------ */

blk_status_t io_buffer(struct block_device *bdev, blk_opf_t opf, sector_t sector, void *buf,
		       unsigned int nr)
{
	return module_io(bdev, (opf & REQ_OP_MASK) == REQ_OP_WRITE, sector, buf,
			 nr << SECTOR_SHIFT) ? BLK_STS_OK : BLK_STS_IOERR;
}

/* Nobody else sends any. */
bool flush_member(struct remap_set *set, struct remap_member *m, int since)
{
	(void)set;
	(void)since;
	return module_io(m->bdev, true, 0, NULL, 0);
}

void flush_before_write(struct remap_member *m)
{
	(void)m;
}

void policy_take(struct remap_set *set, const struct dmr_policy *disk)
{
	set->policy.disk = *disk;
}

void sets_changed(bool map)
{
}

void event_edge(struct remap_set *set, enum dmr_nl_event kind, int member)
{
}

void event_place(struct remap_set *set, enum dmr_nl_event kind, int member, sector_t sector,
		 u64 nr)
{
}

/* --- For fuzzers ----------------------------------------------------------- */

static void take_table(struct module_set *ms, const struct module_table *table)
{
	struct remap_target *rt = &ms->rt;
	unsigned int i;

	ms->devs[0].bdev = table->data;
	rt->data = &ms->devs[0];
	rt->data_offset = table->data_offset;
	rt->nr_spares = table->nr_spares;
	for (i = 0; i < table->nr_spares; i++) {
		ms->devs[1 + i].bdev = table->spares[i];
		rt->spares[i] = &ms->devs[1 + i];
	}
	rt->degraded = table->degraded;
	rt->has_uuid = true;
	memcpy(rt->uuid, table->uuid, sizeof(rt->uuid));
	ms->ti.len = table->length;
	ms->set.ti = &ms->ti;
	ms->set.rt = rt;
	ms->set.name = "fuzz";
	ms->set.degraded_ok = table->degraded;
}

struct module_set *module_load(const struct module_table *table)
{
	struct module_set *ms = calloc(1, sizeof(*ms));

	*said = '\0';
	take_table(ms, table);
	if (!reserve_fill(&ms->set.reserve, RESERVE_BLOCKS) && !set_load(&ms->set, &ms->rt))
		return ms;
	module_free(ms);
	return NULL;
}

const char *module_reason(void)
{
	return said;
}

int module_open(struct module_set *ms)
{
	return set_open(&ms->set);
}

void module_close(struct module_set *ms)
{
	set_close(&ms->set);
}

/* As set_free() does it. */
void module_free(struct module_set *ms)
{
	unsigned int i;

	for (i = 0; i < DMR_MAX_MEMBERS; i++)
		member_free(ms->set.members[i]);
	map_destroy(&ms->set.map);
	store_destroy(&ms->set);
	reserve_destroy(&ms->set.reserve);
	free(ms);
}

int module_commit(struct module_set *ms)
{
	return store_commit(&ms->set);
}

void *module_page(struct module_set *ms, u32 page)
{
	struct dmr_page **p = &ms->set.map.pages[page];

	if (!*p)
		*p = calloc(1, PAGE_SIZE);
	store_mark(&ms->set, page);
	return *p;
}

const void *module_root(const struct module_set *ms)
{
	return ms->set.map.pages[0];
}

u64 module_page_gen(const struct module_set *ms, u32 page)
{
	return ms->set.store.page_gen[page];
}

u64 module_gen(const struct module_set *ms)
{
	return ms->set.store.gen;
}

u64 module_digest(const struct module_set *ms)
{
	return ms->set.store.digest;
}

bool module_next(struct module_set *ms, u64 block, struct module_entry *entry)
{
	struct map_entry e;

	if (!map_next(&ms->set.map, block, &e))
		return false;
	*entry = (struct module_entry){ e.block, e.state, e.member, e.slot, e.invalid };
	return true;
}

bool module_finds(struct module_set *ms, u64 block)
{
	struct map_entry e;

	return map_may_touch(&ms->set.map, block, block) && map_get(&ms->set.map, block, &e) &&
	       e.block == block;
}
