// SPDX-License-Identifier: GPL-2.0-only
/*
 * One I/O at a time, waited for. dm-io would do the same but reduces every
 * error to one bit, and the class of an error is what the worker decides by.
 */
#include "dm-remap.h"

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

blk_status_t io_bio(struct remap_set *set, struct block_device *bdev, sector_t sector,
		    struct bio *bio, unsigned int from, unsigned int nr)
{
	struct bio *part = bio_alloc_clone(bdev, bio, GFP_NOIO, &set->bios);
	blk_status_t status;

	/* Where the bio has been says nothing about where this one goes. */
	bio_clear_flag(part, BIO_REMAPPED);

	if (op_is_discard(bio_op(bio)) || bio_op(bio) == REQ_OP_WRITE_ZEROES ||
	    bio_op(bio) == REQ_OP_SECURE_ERASE)
		part->bi_iter.bi_size = nr << SECTOR_SHIFT;
	else
		bio_trim(part, from, nr);
	part->bi_opf &= ~(REQ_NOWAIT | REQ_POLLED | REQ_RAHEAD);
	part->bi_iter.bi_sector = sector;
	submit_bio_wait(part);
	status = part->bi_status;
	bio_put(part);
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
