// SPDX-License-Identifier: GPL-2.0-only
/*
 * One I/O at a time, waited for. dm-io would do the same but reduces every
 * error to one bit, and the class of an error is what the worker decides by.
 */
#include <linux/slab.h>

#include "dm-remap.h"
#include "flush.h"

blk_status_t io_buffer(struct block_device *bdev, blk_opf_t opf, sector_t sector,
		       void *buf, unsigned int nr)
{
	struct bio_vec vec;
	blk_status_t status;
	struct bio bio;

	bio_init(&bio, bdev, &vec, 1, opf);
	bio.bi_iter.bi_sector = sector;
	/* Buffers are physically contiguous, from the page allocator or kmalloc(). */
	__bio_add_page(&bio, virt_to_page(buf), nr << SECTOR_SHIFT, offset_in_page(buf));
	submit_bio_wait(&bio);
	status = bio.bi_status;
	bio_uninit(&bio);
	return status;
}

blk_status_t io_bio(struct remap_set *set, struct remap_member *m, sector_t sector,
		    struct bio *bio, unsigned int from, unsigned int nr)
{
	struct bio *part = bio_alloc_clone(m->bdev, bio, GFP_NOIO, &set->bios);
	struct remap_bio *pb = dm_per_bio_data(bio, sizeof(*pb));
	bool flush = bio->bi_opf & REQ_FUA && lacks_fua(m->bdev);
	blk_status_t status;

	/* Where the bio has been says nothing about where this one goes. */
	bio_clear_flag(part, BIO_REMAPPED);

	if (op_is_discard(bio_op(bio)) || bio_op(bio) == REQ_OP_WRITE_ZEROES ||
	    bio_op(bio) == REQ_OP_SECURE_ERASE)
		part->bi_iter.bi_size = nr << SECTOR_SHIFT;
	else
		bio_trim(part, from, nr);
	part->bi_opf &= ~(REQ_NOWAIT | REQ_POLLED | REQ_RAHEAD);
	if (flush)
		part->bi_opf &= ~REQ_FUA;
	part->bi_iter.bi_sector = sector;
	submit_bio_wait(part);
	status = part->bi_status;
	bio_put(part);
	if (flush && !status) {
		pb->fua |= 1u << m->index;
		set->fua |= 1u << m->index;
	}
	return status;
}

blk_status_t io_flush(struct block_device *bdev)
{
	struct bio bio;
	blk_status_t status;

	bio_init(&bio, bdev, NULL, 0, REQ_OP_WRITE | REQ_PREFLUSH);
	submit_bio_wait(&bio);
	status = bio.bi_status;
	bio_uninit(&bio);
	return status;
}

/* --- Runs ---------------------------------------------------------------- */

void run_free(struct remap_run *run)
{
	unsigned int i;

	if (!run)
		return;
	for (i = 0; i < RUN_PAGES; i++)
		if (run->pages[i])
			__free_page(run->pages[i]);
	kfree(run);
}

struct remap_run *run_alloc(void)
{
	struct remap_run *run = kzalloc(sizeof(*run), GFP_NOIO | __GFP_NOWARN);
	unsigned int i;

	for (i = 0; run && i < RUN_PAGES; i++) {
		run->pages[i] = alloc_page(GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN);
		if (!run->pages[i]) {
			run_free(run);
			return NULL;
		}
	}
	return run;
}

blk_status_t io_run(struct block_device *bdev, blk_opf_t opf, sector_t sector,
		    struct remap_run *run, unsigned int at, unsigned int nr)
{
	unsigned int offset = at << SECTOR_SHIFT, left = nr << SECTOR_SHIFT, part;
	blk_status_t status;
	struct bio bio;

	bio_init(&bio, bdev, run->vecs, RUN_PAGES, opf);
	bio.bi_iter.bi_sector = sector;
	for (; left; offset += part, left -= part) {
		part = min_t(unsigned int, left, PAGE_SIZE - offset_in_page(offset));
		__bio_add_page(&bio, run->pages[offset >> PAGE_SHIFT], part,
			       offset_in_page(offset));
	}
	submit_bio_wait(&bio);
	status = bio.bi_status;
	bio_uninit(&bio);
	return status;
}

void run_copy(struct remap_run *run, unsigned int at, unsigned int nr, void *buf, bool to_run)
{
	unsigned int offset = at << SECTOR_SHIFT, left = nr << SECTOR_SHIFT, part;

	for (; left; offset += part, left -= part, buf += part) {
		void *page = page_address(run->pages[offset >> PAGE_SHIFT]);

		part = min_t(unsigned int, left, PAGE_SIZE - offset_in_page(offset));
		if (to_run)
			memcpy(page + offset_in_page(offset), buf, part);
		else
			memcpy(buf, page + offset_in_page(offset), part);
	}
}
