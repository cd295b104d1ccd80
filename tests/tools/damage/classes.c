// SPDX-License-Identifier: GPL-2.0-or-later
/* Damage to blocks that a checksum tells, and blocks in order in the wrong place or time. */
#include <stdio.h>
#include <string.h>

#include "damage.h"

#define ANCHOR_FIELDS	(offsetof(struct dmr_anchor, label) + 8)

/* If all copies of a page are lost, an older root may still tell the truth. */
enum expected without_page(uint32_t page)
{
	return page ? REFUSED : EITHER;
}

uint8_t some_bits(void)
{
	return 1 + random_below(255);
}

/* Every byte of a header, and every stride-th beyond, from a random start. */
static size_t next_offset(size_t offset, size_t head, unsigned int stride)
{
	if (offset + 1 < head)
		return offset + 1;
	if (offset + 1 == head)
		return head + random_below(stride);
	return offset + stride;
}

void flip_anchors(unsigned int stride)
{
	char what[128];

	for (size_t at = 0; at < DMR_FRAME_SIZE; at = next_offset(at, ANCHOR_FIELDS, stride)) {
		struct member *m = &members[random_below(nr_members)];
		unsigned int copy = random_below(2);

		snprintf(what, sizeof(what), "byte %zu of anchor %u of member %u", at, copy,
			 m->index);
		anchor_of(m->now, copy)[at] ^= some_bits();
		trial(what, ACCEPTED);
	}
	class_done("a byte of an anchor");
	for (size_t at = 0; at < DMR_FRAME_SIZE; at = next_offset(at, ANCHOR_FIELDS, stride)) {
		struct member *m = &members[random_below(nr_members)];
		uint8_t bits = some_bits();

		snprintf(what, sizeof(what), "byte %zu of both anchors of member %u", at, m->index);
		anchor_of(m->now, 0)[at] ^= bits;
		anchor_of(m->now, 1)[at] ^= bits;
		trial(what, REFUSED);
	}
	class_done("a byte of both anchors");
}

static uint32_t some_page(void)
{
	uint32_t p;

	do
		p = random_below(nr_pages);
	while (!in_use(p));
	return p;
}

void flip_frames(unsigned int stride)
{
	char what[128];

	for (size_t at = 0; at < DMR_FRAME_SIZE; at = next_offset(at, DMR_FRAME_HEADER_SIZE, stride)) {
		uint32_t p = some_page();
		struct copy *c = &pages[p].copies[random_below(pages[p].nr)];

		snprintf(what, sizeof(what), "byte %zu of a copy of page %u on member %u", at, p,
			 members[c->member].index);
		copy_now(c)[at] ^= some_bits();
		trial(what, ACCEPTED);
	}
	class_done("a byte of a frame");
	for (size_t at = 0; at < DMR_FRAME_SIZE; at = next_offset(at, DMR_FRAME_HEADER_SIZE, stride)) {
		unsigned int member = random_below(nr_members);
		uint8_t bits = some_bits();
		uint32_t p = some_page();

		snprintf(what, sizeof(what), "byte %zu of page %u on member %u", at, p,
			 members[member].index);
		for (unsigned int i = 0; i < pages[p].nr; i++)
			if (pages[p].copies[i].member == member)
				copy_now(&pages[p].copies[i])[at] ^= bits;
		trial(what, nr_members > 1 ? ACCEPTED : without_page(p));
	}
	class_done("a byte of a page on one member");
	for (size_t at = 0; at < DMR_FRAME_SIZE; at = next_offset(at, DMR_FRAME_HEADER_SIZE, stride)) {
		uint8_t bits = some_bits();
		uint32_t p = some_page();

		snprintf(what, sizeof(what), "byte %zu of all copies of page %u", at, p);
		for (unsigned int i = 0; i < pages[p].nr; i++)
			copy_now(&pages[p].copies[i])[at] ^= bits;
		trial(what, without_page(p));
	}
	class_done("a byte of all copies of a page");
}

/* How a block can be spoilt as a whole. */
static const char *const spoils[] = { "zeroed", "random", "torn", "older", "unreadable" };
enum spoil { ZEROED, RANDOM, TORN, OLDER, UNREADABLE };

/* False: cannot be done to this block (there is nothing older). */
static bool spoil(enum spoil how, unsigned int member, uint8_t *now, const uint8_t *older)
{
	size_t n;

	switch (how) {
	case ZEROED:
		memset(now, 0, DMR_FRAME_SIZE);
		return true;
	case RANDOM:
		for (n = 0; n < DMR_FRAME_SIZE; n += 8)
			*(uint64_t *)(now + n) = random_u64();
		return true;
	case TORN:
		n = 512 * (1 + random_below(DMR_FRAME_SECTORS - 1));
		if (!memcmp(now + n, older + n, DMR_FRAME_SIZE - n))
			return false;
		memcpy(now + n, older + n, DMR_FRAME_SIZE - n);
		return true;
	case OLDER:
		if (!memcmp(now, older, DMR_FRAME_SIZE))
			return false;
		memcpy(now, older, DMR_FRAME_SIZE);
		return true;
	case UNREADABLE:
		make_bad(member, now);
		return true;
	}
	return false;
}

static void spoil_blocks(enum spoil how)
{
	bool all_spoilt, some;
	char what[128];

	for (unsigned int i = 0; i < nr_members && how != OLDER && how != TORN; i++) {
		for (unsigned int copies = 1; copies <= 3; copies++) {
			snprintf(what, sizeof(what), "anchors %u of member %u %s", copies,
				 members[i].index, spoils[how]);
			for (unsigned int copy = 0; copy < 2; copy++)
				if (copies >> copy & 1)
					spoil(how, i, anchor_of(members[i].now, copy), NULL);
			trial(what, copies == 3 ? REFUSED : ACCEPTED);
		}
	}
	for (uint32_t p = 0; p < nr_pages; p++) {
		if (!in_use(p))
			continue;
		for (unsigned int i = 0; i < pages[p].nr; i++) {
			struct copy *c = &pages[p].copies[i];

			snprintf(what, sizeof(what), "a copy of page %u on member %u %s", p,
				 members[c->member].index, spoils[how]);
			if (spoil(how, c->member, copy_now(c), copy_older(c)))
				trial(what, ACCEPTED);
		}
		snprintf(what, sizeof(what), "all copies of page %u %s", p, spoils[how]);
		all_spoilt = true;
		some = false;
		for (unsigned int i = 0; i < pages[p].nr; i++) {
			struct copy *c = &pages[p].copies[i];
			bool done = spoil(how, c->member, copy_now(c), copy_older(c));

			all_spoilt &= done;
			some |= done;
		}
		if (some)
			trial(what, all_spoilt ? without_page(p) : EITHER);
	}
	/* All frames of one member: a lost head, or a disk as it was before. */
	for (unsigned int i = 0; i < nr_members && how != UNREADABLE; i++) {
		struct member *m = &members[i];

		/* That would be the set as it was, with nobody to know better. */
		if (how == OLDER && nr_members == 1)
			break;
		for (uint32_t f = 0; f < m->nr_frames; f++)
			spoil(how, i, frame_of(m->now, f), frame_of(m->older, f));
		snprintf(what, sizeof(what), "all frames of member %u %s", m->index, spoils[how]);
		trial(what, how == OLDER ? REFUSED : EITHER);
	}
	snprintf(what, sizeof(what), "blocks %s", spoils[how]);
	class_done(what);
}

void spoil_all(void)
{
	for (unsigned int how = 0; how < ARRAY_SIZE(spoils); how++)
		spoil_blocks(how);
}

static void swap_blocks(uint8_t *a, uint8_t *b)
{
	uint8_t keep[DMR_FRAME_SIZE];

	memcpy(keep, a, DMR_FRAME_SIZE);
	memcpy(a, b, DMR_FRAME_SIZE);
	memcpy(b, keep, DMR_FRAME_SIZE);
}

void swaps(void)
{
	char what[128];

	for (uint32_t p = 0; p < nr_pages; p++) {
		for (uint32_t q = 0; q < nr_pages; q++) {
			if (!in_use(p) || !in_use(q) || p == q)
				continue;
			for (unsigned int try = 0; try < 4; try++) {
				struct copy *a = &pages[p].copies[random_below(pages[p].nr)];
				struct copy *b = &pages[q].copies[random_below(pages[q].nr)];

				snprintf(what, sizeof(what),
					 "page %u of member %u and %u of %u swapped", p,
					 members[a->member].index, q, members[b->member].index);
				swap_blocks(copy_now(a), copy_now(b));
				trial(what, ACCEPTED);
				snprintf(what, sizeof(what),
					 "page %u of member %u over %u of %u", p,
					 members[a->member].index, q, members[b->member].index);
				memcpy(copy_now(b), copy_now(a), DMR_FRAME_SIZE);
				trial(what, ACCEPTED);
			}
			snprintf(what, sizeof(what), "all copies of pages %u and %u swapped", p, q);
			for (unsigned int i = 0; i < pages[p].nr && i < pages[q].nr; i++)
				swap_blocks(copy_now(&pages[p].copies[i]),
					    copy_now(&pages[q].copies[i]));
			trial(what, without_page(p | q));
			snprintf(what, sizeof(what), "page %u over all copies of %u", p, q);
			for (unsigned int i = 0; i < pages[p].nr && i < pages[q].nr; i++)
				memcpy(copy_now(&pages[q].copies[i]),
				       copy_now(&pages[p].copies[i]), DMR_FRAME_SIZE);
			trial(what, without_page(q));
		}
	}
	class_done("frames swapped and duplicated");

	for (unsigned int i = 0; i < nr_members; i++) {
		snprintf(what, sizeof(what), "anchors of member %u swapped", members[i].index);
		swap_blocks(anchor_of(members[i].now, 0), anchor_of(members[i].now, 1));
		trial(what, REFUSED);
		for (unsigned int copy = 0; copy < 2; copy++) {
			snprintf(what, sizeof(what), "anchor %u of member %u over the other", copy,
				 members[i].index);
			memcpy(anchor_of(members[i].now, !copy), anchor_of(members[i].now, copy),
			       DMR_FRAME_SIZE);
			trial(what, ACCEPTED);
		}
		for (unsigned int j = 0; j < nr_members; j++) {
			if (i == j)
				continue;
			for (unsigned int copy = 0; copy < 2; copy++)
				memcpy(anchor_of(members[j].now, copy),
				       anchor_of(members[i].now, copy), DMR_FRAME_SIZE);
			snprintf(what, sizeof(what), "anchors of member %u on member %u",
				 members[i].index, members[j].index);
			trial(what, REFUSED);
			for (unsigned int copy = 0; copy < 2; copy++)
				swap_blocks(anchor_of(members[i].now, copy),
					    anchor_of(members[j].now, copy));
			snprintf(what, sizeof(what), "anchors of members %u and %u swapped",
				 members[i].index, members[j].index);
			trial(what, REFUSED);
			for (uint32_t f = 0; f < members[i].nr_frames; f++)
				swap_blocks(frame_of(members[i].now, f),
					    frame_of(members[j].now, f));
			snprintf(what, sizeof(what), "frames of members %u and %u swapped",
				 members[i].index, members[j].index);
			trial(what, REFUSED);
		}
	}
	class_done("anchors, members swapped");
}

/* An older version of a page that is valid in its place: writes that were lost. */
void older_versions(void)
{
	char what[128];

	for (uint32_t p = 0; p < nr_pages; p++) {
		if (!in_use(p) || !header(pages[p].older)->magic)
			continue;
		for (unsigned int i = 0; i < pages[p].nr; i++) {
			snprintf(what, sizeof(what), "an older page %u in the place of copy %u", p, i);
			put_frame(&pages[p].copies[i], pages[p].older);
			trial(what, ACCEPTED);
		}
		snprintf(what, sizeof(what), "an older page %u in all places", p);
		for (unsigned int i = 0; i < pages[p].nr; i++)
			put_frame(&pages[p].copies[i], pages[p].older);
		trial(what, without_page(p));
	}
	class_done("older versions in their places");
}

/* A copy of a member that lived on elsewhere: valid frames that can not both be. */
void diverged_versions(void)
{
	uint8_t frame[DMR_FRAME_SIZE];
	char what[128];

	for (uint32_t p = 0; p < nr_pages; p++) {
		if (!in_use(p))
			continue;
		for (unsigned int more = 0; more < 3; more++) {
			struct copy *c = &pages[p].copies[random_below(pages[p].nr)];

			memcpy(frame, frame_of(members[c->member].base, c->frame), sizeof(frame));
			header(frame)->gen = cpu_to_le64(newest + more);
			header(frame)->session = cpu_to_le64(random_u64());
			header(frame)->digest_after = cpu_to_le64(random_u64());
			put_frame(c, frame);
			snprintf(what, sizeof(what), "page %u of another history, %u commits on", p,
				 more);
			trial(what, REFUSED);
		}
	}
	class_done("another history");
}

/* Much at once, wherever it may be. */
void mixtures(unsigned int nr)
{
	char what[128];

	for (unsigned int n = 0; n < nr; n++) {
		uint64_t seed = random_u64();
		unsigned int percent;

		snprintf(what, sizeof(what), "mixture %#llx", (unsigned long long)seed);
		random_state = seed;
		percent = 1 + random_below(60);
		for (unsigned int i = 0; i < nr_members; i++) {
			struct member *m = &members[i];

			for (unsigned int copy = 0; copy < 2; copy++)
				if (random_below(300) < percent)
					spoil(random_below(2), i, anchor_of(m->now, copy), NULL);
			for (uint32_t f = 0; f < m->nr_frames; f++) {
				uint8_t *frame = frame_of(m->now, f);

				if (random_below(100) >= percent)
					continue;
				switch (random_below(3)) {
				case 0:
					frame[random_below(DMR_FRAME_SIZE)] ^= some_bits();
					break;
				case 1:
					spoil(random_below(4), i, frame, frame_of(m->older, f));
					break;
				case 2:
					swap_blocks(frame,
						    frame_of(m->now, random_below(m->nr_frames)));
					break;
				}
			}
		}
		trial(what, EITHER);
		random_state = seed + n;
	}
	class_done("mixtures");
}

/* What no longer matters: older frames, and the probe area. */
void harmless(void)
{
	char what[128];

	for (unsigned int i = 0; i < nr_members; i++) {
		struct member *m = &members[i];

		for (uint32_t f = 0; f < m->nr_frames; f++) {
			uint64_t gen = frame_gen(m, m->base, f);
			uint32_t p = le32_to_cpu(header(frame_of(m->base, f))->page);

			if (gen && gen == pages[p].gen)
				continue;
			snprintf(what, sizeof(what), "unused frame %u of member %u", f, m->index);
			spoil(RANDOM, i, frame_of(m->now, f), NULL);
		}
		for (size_t at = 0; at < DMR_PROBE_BLOCKS * DMR_FRAME_SIZE; at++)
			m->now[DMR_PROBE_SECTOR * 512 + at] = random_u64();
		snprintf(what, sizeof(what), "all unused frames of member %u", m->index);
		trial(what, ACCEPTED);
	}
	class_done("what is not in use");
}
