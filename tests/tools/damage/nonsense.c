// SPDX-License-Identifier: GPL-2.0-or-later
/* Blocks that are in order by their checksum, but hold nonsense. */
#include <stdio.h>
#include <string.h>

#include "damage.h"

/* A record in use, for nonsense to begin with. */
static struct dmr_record *find_record(uint8_t *frame, unsigned int state, unsigned int nth)
{
	struct dmr_page *page = (struct dmr_page *)frame;

	for (unsigned int i = 0; i < DMR_PAGE_RECORDS; i++)
		if (dmr_key_state(le64_to_cpu(page->records[i].key)) == state && !nth--)
			return &page->records[i];
	return NULL;
}

static void flip_key(struct dmr_record *r, uint64_t bits)
{
	r->key ^= cpu_to_le64(bits);
}

static bool nonsense_record(unsigned int kind, uint8_t *frame)
{
	struct dmr_record *moved = find_record(frame, DMR_RECORD_REMAPPED, 0);
	struct dmr_record *other = find_record(frame, DMR_RECORD_REMAPPED, 1);
	struct dmr_record *lost = find_record(frame, DMR_RECORD_LOST, 0);
	struct dmr_record *bad = find_record(frame, DMR_RECORD_BAD_SLOT, 0);
	struct dmr_record *none = find_record(frame, DMR_RECORD_FREE, 0);
	uint64_t key;

	if (!moved || !other)
		return false;
	switch (kind) {
	case 0: flip_key(moved, 1ULL << 62); return true;	/* behind the end */
	case 1: moved->slot = cpu_to_le32(~0u); return true;
	case 2: flip_key(moved, 16ULL << DMR_KEY_MEMBER_SHIFT); return true;
	case 3: flip_key(moved, 128ULL << DMR_KEY_MEMBER_SHIFT); return true;
	case 4: flip_key(moved, 1ULL << 14); return true;	/* reserved */
	case 5: flip_key(moved, DMR_KEY_FORGOTTEN); return true;
	case 6: moved->invalid = cpu_to_le32(1u << 31); return true;
	case 7: flip_key(moved, DMR_RECORD_REMAPPED ^ 7); return true;	/* no such state */
	case 8: *moved = *other; return true;			/* twice */
	case 9:	/* two blocks in one slot */
		key = le64_to_cpu(moved->key) & ~(0xffULL << DMR_KEY_MEMBER_SHIFT);
		moved->key = cpu_to_le64(key | (uint64_t)dmr_key_member(le64_to_cpu(other->key))
						       << DMR_KEY_MEMBER_SHIFT);
		moved->slot = other->slot;
		return true;
	case 10:	/* one block in two slots */
		key = (le64_to_cpu(moved->key) & 0xfffff) |
		      dmr_key_block(le64_to_cpu(other->key)) << DMR_KEY_BLOCK_SHIFT;
		moved->key = cpu_to_le64(key);
		return true;
	case 11:	/* in a slot of the data device */
		flip_key(moved, (uint64_t)dmr_key_member(le64_to_cpu(moved->key))
					<< DMR_KEY_MEMBER_SHIFT);
		return true;
	case 12: if (lost) lost->invalid = 0; return lost;
	case 13: if (lost) lost->slot = cpu_to_le32(1); return lost;
	case 14: if (lost) flip_key(lost, 1ULL << DMR_KEY_MEMBER_SHIFT); return lost;
	case 15: if (bad) bad->slot = cpu_to_le32(~0u); return bad;
	case 16: if (bad) flip_key(bad, 1ULL << DMR_KEY_BLOCK_SHIFT); return bad;
	case 17: if (bad) bad->invalid = cpu_to_le32(1); return bad;
	case 18: if (none) none->slot = cpu_to_le32(1); return none;
	case 19: if (none) none->invalid = cpu_to_le32(1); return none;
	case 20: if (lost) flip_key(lost, 1ULL << 62); return lost;
	case 21:	/* lost and remapped at once */
		if (lost)
			lost->key = cpu_to_le64(
				(le64_to_cpu(lost->key) & 0xfffff) |
				dmr_key_block(le64_to_cpu(other->key)) << DMR_KEY_BLOCK_SHIFT);
		return lost;
	}
	return false;
}

static bool nonsense_root(unsigned int kind, struct dmr_root *r)
{
	struct dmr_member *spare = &r->members[1];

	switch (kind) {
	case 0: r->nr_members = 0; return true;
	case 1: r->nr_members = cpu_to_le32(DMR_MAX_MEMBERS + 1); return true;
	case 2: r->nr_members = cpu_to_le32(1); return true;
	case 3: r->state = cpu_to_le32(DMR_SET_CLOSING + 1); return true;
	case 4: r->data_offset = cpu_to_le64(le64_to_cpu(r->data_offset) + 8); return true;
	case 5: r->data_sectors = 0; return true;
	case 6: r->data_sectors = cpu_to_le64(le64_to_cpu(r->data_sectors) - 8); return true;
	case 7: r->data_sectors = ~0ULL; return true;
	case 8: r->block_sectors = 0; return true;
	case 9: r->block_sectors = cpu_to_le32(3); return true;
	case 10: r->block_sectors = cpu_to_le32(2 * le32_to_cpu(r->block_sectors)); return true;
	case 11: r->nr_pages = cpu_to_le32(nr_pages + 1); return true;
	case 12: r->policy.heal = cpu_to_le32(2); return true;
	case 13: r->policy.unreadable = cpu_to_le32(2); return true;
	case 14: r->policy.retries = cpu_to_le32(DMR_MAX_RETRIES + 1); return true;
	case 15: spare->state = cpu_to_le32(DMR_MEMBER_REMOVED + 1); return true;
	case 16: spare->state = cpu_to_le32(DMR_MEMBER_REMOVED); return true;
	case 17: spare->state = cpu_to_le32(DMR_MEMBER_NONE); return true;
	case 18: spare->uuid[0] ^= 1; return true;
	case 19: spare->sectors = cpu_to_le64(8); return true;
	}
	return false;
}

/* Fields of anchors that contradict the device or what this version knows. */
static bool nonsense_anchor(unsigned int kind, struct dmr_anchor *a)
{
	switch (kind) {
	case 0: a->version = cpu_to_le32(DMR_FORMAT_VERSION + 1); return true;
	case 1: a->version = 0; return true;
	case 2: a->incompat = cpu_to_le32(1u << random_below(32)); return true;
	case 3: a->ro_compat = cpu_to_le32(1u << random_below(32)); return true;
	case 4: a->role = cpu_to_le32(3); return true;
	case 5: a->role = cpu_to_le32(le32_to_cpu(a->role) ^ 3); return true;
	case 6: a->block_sectors = 0; return true;
	case 7: a->block_sectors = cpu_to_le32(64); return true;
	case 8: a->block_sectors = cpu_to_le32(le32_to_cpu(a->block_sectors) / 2); return true;
	case 9: a->nr_pages = 0; return true;
	case 10: a->nr_pages = cpu_to_le32(~0u); return true;
	case 11: a->nr_frames = cpu_to_le32(8); return true;
	case 12: a->nr_frames = cpu_to_le32(~0u); return true;
	case 13: a->region_start = cpu_to_le64(le64_to_cpu(a->region_start) + 8); return true;
	case 14: a->region_sectors = ~0ULL; return true;
	case 15: a->payload_start = cpu_to_le64(8); return true;
	case 16: a->payload_start = ~0ULL; return true;
	case 17: a->payload_sectors = 0; return true;
	case 18: a->payload_sectors = ~0ULL; return true;
	case 19: a->data_sectors = 0; return true;
	case 20: a->data_sectors = cpu_to_le64(le64_to_cpu(a->data_sectors) - 8); return true;
	case 21: a->set_uuid[5] ^= 1; return true;
	case 22: a->member_uuid[5] ^= 1; return true;
	}
	return false;
}

/* What may change in an anchor without harm. */
static bool harmless_anchor(unsigned int kind, struct dmr_anchor *a)
{
	switch (kind) {
	case 0: a->compat = cpu_to_le32(1u << random_below(32)); return true;
	case 1: a->created = cpu_to_le64(random_u64()); return true;
	case 2: a->label[0] ^= 1; return true;
	case 3: memset(a->label, 'x', sizeof(a->label)); return true;
	}
	return false;
}

void nonsense(void)
{
	uint8_t frame[DMR_FRAME_SIZE];
	char what[128];

	for (uint32_t p = 1; p < nr_pages; p++) {
		for (unsigned int kind = 0; in_use(p) && kind < 22; kind++) {
			struct copy *first = &pages[p].copies[0];

			memcpy(frame, frame_of(members[first->member].base, first->frame),
			       sizeof(frame));
			if (!nonsense_record(kind, frame))
				continue;
			for (unsigned int i = 0; i < pages[p].nr; i++)
				put_frame(&pages[p].copies[i], frame);
			snprintf(what, sizeof(what), "impossible record %u in page %u", kind, p);
			trial(what, REFUSED);
		}
	}
	class_done("impossible records");
	for (unsigned int kind = 0;; kind++) {
		struct copy *first = &pages[0].copies[0];

		memcpy(frame, frame_of(members[first->member].base, first->frame), sizeof(frame));
		if (!nonsense_root(kind, (struct dmr_root *)frame))
			break;
		for (unsigned int i = 0; i < pages[0].nr; i++)
			put_frame(&pages[0].copies[i], frame);
		snprintf(what, sizeof(what), "impossible root %u", kind);
		trial(what, REFUSED);
	}
	class_done("impossible roots");
	for (unsigned int i = 0; i < nr_members; i++) {
		for (unsigned int kind = 0;; kind++) {
			bool more = true;

			for (unsigned int copy = 0; copy < 2 && more; copy++) {
				struct dmr_anchor *a = (void *)anchor_of(members[i].now, copy);

				more = nonsense_anchor(kind, a);
				anchor_seal(a);
			}
			if (!more)
				break;
			snprintf(what, sizeof(what), "impossible anchor %u of member %u", kind,
				 members[i].index);
			trial(what, REFUSED);
		}
	}
	class_done("impossible anchors");
	for (unsigned int i = 0; i < nr_members && module_judges(); i++) {
		for (unsigned int kind = 0; kind < 4; kind++) {
			for (unsigned int copy = 0; copy < 2; copy++) {
				struct dmr_anchor *a = (void *)anchor_of(members[i].now, copy);

				harmless_anchor(kind, a);
				anchor_seal(a);
			}
			snprintf(what, sizeof(what), "harmless change %u in anchors of member %u",
				 kind, members[i].index);
			trial(what, ACCEPTED);
		}
	}
	if (module_judges())
		class_done("harmless anchors");
}
