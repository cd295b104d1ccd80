/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The records of a set that was read: decoding, counting, and the checks that
 * concern more than one of them (no block twice, no slot twice).
 */
#include "private.h"

struct claims {		/* one bit per slot, made when first needed */
	uint8_t *members[DMR_MAX_MEMBERS];
};

static void claims_release(struct claims *c)
{
	unsigned int i;

	for (i = 0; i < DMR_MAX_MEMBERS; i++)
		free(c->members[i]);
}

/* 1: taken now; 0: was taken before. */
static int claim(struct claims *c, const struct dmr_bounds *b, unsigned int member, u32 slot)
{
	uint8_t bit = 1 << (slot & 7), *byte;

	if (!c->members[member])
		c->members[member] = calloc(b->slots[member] / 8 + 1, 1);
	if (!c->members[member])
		return -ENOMEM;
	byte = &c->members[member][slot / 8];
	if (*byte & bit)
		return 0;
	*byte |= bit;
	return 1;
}

static int bad_record(struct dmri_image *image, u32 page, unsigned int n, const char *why)
{
	if (image->fault)
		return 0;
	image->fault = DMR_BAD_RECORD;
	dmri_text(image->reason, sizeof(image->reason),
		  "map holds an impossible record (page %u, record %u: %s)", page, n, why);
	return 0;
}

static int keep(struct dmri_image *image, size_t *room, const struct dmri_record *r)
{
	if (image->nr_records == *room) {
		size_t more = *room ? 2 * *room : 1024;
		struct dmri_record *p = reallocarray(image->records, more, sizeof(*p));

		if (!p)
			return -ENOMEM;
		image->records = p;
		*room = more;
	}
	image->records[image->nr_records++] = *r;
	return 0;
}

static int take_record(struct dmri_image *image, struct claims *claims, size_t *room,
		       u32 page, unsigned int n, const struct dmr_record *on_disk)
{
	u64 key = le64_to_cpu(on_disk->key);
	struct dmri_record rec = {
		.block = dmr_key_block(key),
		.state = dmr_key_state(key),
		.member = dmr_key_member(key),
		.slot = le32_to_cpu(on_disk->slot),
		.invalid = le32_to_cpu(on_disk->invalid),
	};
	int r;

	if (dmr_record_check(on_disk, &image->bounds) != DMR_OK)
		return bad_record(image, page, n, "out of bounds");
	if (rec.state == DMR_RECORD_FREE)
		return 0;
	image->used++;
	switch (rec.state) {
	case DMR_RECORD_BAD_SLOT:
		image->slots_bad[rec.member]++;
		return 0;
	case DMR_RECORD_REMAPPED:
		r = claim(claims, &image->bounds, rec.member, rec.slot);
		if (r < 0)
			return r;
		if (!r)
			return bad_record(image, page, n, "its slot is used twice");
		image->slots_used[rec.member]++;
		image->remapped++;
		break;
	default:
		image->lost++;
	}
	return keep(image, room, &rec);
}

static int by_block(const void *a, const void *b)
{
	const struct dmri_record *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

static int check_blocks(struct dmri_image *image)
{
	size_t i;

	if (image->nr_records)
		qsort(image->records, image->nr_records, sizeof(*image->records), by_block);
	for (i = 1; i < image->nr_records; i++) {
		if (image->records[i].block != image->records[i - 1].block || image->fault)
			continue;
		image->fault = DMR_BAD_RECORD;
		dmri_text(image->reason, sizeof(image->reason),
			  "map holds two records of block %llu",
			  (unsigned long long)image->records[i].block);
	}
	return 0;
}

static void reset(struct dmri_image *image)
{
	free(image->records);
	image->records = NULL;
	image->nr_records = 0;
	image->used = image->remapped = image->lost = 0;
	memset(image->slots_used, 0, sizeof(image->slots_used));
	memset(image->slots_bad, 0, sizeof(image->slots_bad));
}

int dmri_image_records(struct dmri_image *image)
{
	_cleanup_(claims_release) struct claims claims = { 0 };
	_free_ struct dmr_page *page = dmri_alloc(sizeof(*page));
	size_t room = 0;
	unsigned int n;
	u32 p;
	int r;

	if (!page)
		return -ENOMEM;
	reset(image);
	if (!image->have_root)
		return 0;
	for (p = 1; p < image->nr_pages; p++) {
		r = dmri_image_page(image, p, page);
		if (r == -ENOENT)
			continue;
		if (r < 0) {
			if (!image->fault) {
				image->fault = DMR_INCOMPLETE;
				dmri_text(image->reason, sizeof(image->reason),
					  "page %u of the map can no longer be read", p);
			}
			continue;
		}
		for (n = 0; n < DMR_PAGE_RECORDS; n++) {
			r = take_record(image, &claims, &room, p, n, &page->records[n]);
			if (r < 0)
				return r;
		}
	}
	return check_blocks(image);
}
