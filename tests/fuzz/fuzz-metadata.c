// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frames of a set. The input is a history: commits, some of them cut short, records,
 * and damage with and without a fitting checksum. It is judged twice by the code
 * that decides: as the module reads frames (kernel/load.c), and by lib/. Both agree; and
 * without forgery what is believed is the last commit, or of a lost page of it the one before.
 */
#include <sys/mman.h>

#include "fuzz.h"
#include "private.h"

#define MEMBERS	2
#define PAGES	4
#define FRAMES	20
#define BYTES	(FRAMES * DMR_FRAME_SIZE)

enum { COMMIT, FLIP, SEALED_FLIP, COPY, FITTED_COPY, ZERO, RECORD, ROOT, SESSION, FORGE, OPS };

struct version {
	u64 gen, session;
};

static const uint8_t uuid[16] = "fuzz-metadata-1";
static struct dmri_dev devs[MEMBERS];
static uint8_t *disks[MEMBERS];

static struct {
	u64 gen, session, digest;
	struct version now[PAGES], before[PAGES];
	union {
		struct dmr_page page;
		struct dmr_root root;
	} content[PAGES];
	bool cut, forged;
} set;

/* --- Disks ------------------------------------------------------------------ */

static void make_disks(void)
{
	unsigned int i;

	for (i = 0; i < MEMBERS; i++) {
		int fd = memfd_create("member", 0);

		require(fd >= 0 && !ftruncate(fd, DMR_FRAMES_SECTOR * 512 + BYTES));
		disks[i] = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				DMR_FRAMES_SECTOR * 512);
		require(disks[i] != MAP_FAILED);
		devs[i] = (struct dmri_dev){ .fd = fd, .path = "member",
			.sectors = DMR_FRAMES_SECTOR + BYTES / 512 };
	}
}

static struct dmr_frame_header *frame_at(unsigned int member, unsigned int frame)
{
	return (void *)(disks[member] + (size_t)frame * DMR_FRAME_SIZE);
}

/* A place that holds none of the newest versions; there are more than enough. */
static unsigned int free_frame(unsigned int member)
{
	unsigned int f;

	for (f = 0; f < FRAMES; f++) {
		struct dmr_frame_header *h = frame_at(member, f);
		u32 page = le32_to_cpu(h->page) % PAGES;
		u64 gen = le64_to_cpu(h->gen);

		if (!gen || (gen != set.now[page].gen && gen != set.before[page].gen))
			return f;
	}
	return 0;
}

/* --- History ---------------------------------------------------------------- */

static void write_page(unsigned int member, unsigned int page, u64 before)
{
	unsigned int f = free_frame(member);
	struct dmr_frame_header *h = frame_at(member, f);

	memcpy(h, &set.content[page], DMR_FRAME_SIZE);
	h->page = cpu_to_le32(page);
	h->gen = cpu_to_le64(set.gen);
	h->session = cpu_to_le64(set.session);
	h->digest_before = cpu_to_le64(before);
	h->digest_after = cpu_to_le64(set.digest);
	dmri_frame_seal(h, uuid, member, f);
}

/* @lands: a bit for each copy of the pages, in order; what is missing was cut off. */
static void commit(unsigned int pages, u32 lands)
{
	unsigned int p, i, bit = 0;
	u64 before = set.digest;

	if (set.cut || !pages)
		return;
	set.gen++;
	memcpy(set.before, set.now, sizeof(set.before));
	for (p = 0; p < PAGES; p++) {
		if (!(pages >> p & 1))
			continue;
		if (set.now[p].gen)
			set.digest -= dmr_page_digest(p, set.now[p].gen, set.now[p].session);
		set.now[p] = (struct version){ set.gen, set.session };
		set.digest += dmr_page_digest(p, set.gen, set.session);
	}
	for (p = 0; p < PAGES; p++)
		for (i = 0; i < MEMBERS * DMR_FRAME_COPIES && pages >> p & 1; i++) {
			if (lands >> bit++ & 1)
				write_page(i / DMR_FRAME_COPIES, p, before);
			else
				set.cut = true;
		}
}

static void first_commit(void)
{
	struct dmr_root *r = &set.content[0].root;
	unsigned int i;

	memset(&set, 0, sizeof(set));
	for (i = 0; i < MEMBERS; i++)
		memset(disks[i], 0, BYTES);
	set.session = 1;
	r->nr_members = cpu_to_le32(MEMBERS);
	r->nr_pages = cpu_to_le32(PAGES);
	r->data_sectors = cpu_to_le64(1 << 20);
	r->block_sectors = cpu_to_le32(8);
	for (i = 0; i < MEMBERS; i++) {
		r->members[i].state = cpu_to_le32(DMR_MEMBER_ACTIVE);
		r->members[i].sectors = cpu_to_le64(8 * 300);
	}
	commit(1, ~0u);
}

static void copy(struct input *in, bool fitted)
{
	unsigned int from = take(in, 1), to = take(in, 1);
	struct dmr_frame_header *h = frame_at(to % MEMBERS, to / MEMBERS % FRAMES);

	memmove(h, frame_at(from % MEMBERS, from / MEMBERS % FRAMES), DMR_FRAME_SIZE);
	if (fitted)
		dmri_frame_seal(h, uuid, to % MEMBERS, to / MEMBERS % FRAMES);
	set.forged |= fitted;
}

static void flip(struct input *in, bool sealed)
{
	unsigned int place = take(in, 1), offset = take(in, 2) % DMR_FRAME_SIZE;
	struct dmr_frame_header *h = frame_at(place % MEMBERS, place / MEMBERS % FRAMES);

	((uint8_t *)h)[offset] ^= take(in, 1);
	if (sealed)
		h->csum = cpu_to_le32(dmr_frame_csum(h));
	set.forged |= sealed;
}

static void forge(struct input *in)
{
	unsigned int place = take(in, 1);
	struct dmr_frame_header *h = frame_at(place % MEMBERS, place / MEMBERS % FRAMES);

	h->page = cpu_to_le32(take(in, 1));
	h->gen = cpu_to_le64(take(in, 1));
	h->session = cpu_to_le64(take(in, 1));
	h->digest_before = cpu_to_le64(take(in, 1) ? set.digest : 0);
	h->digest_after = cpu_to_le64(take(in, 1) ? set.digest : 0);
	dmri_frame_seal(h, uuid, place % MEMBERS, place / MEMBERS % FRAMES);
	set.forged = true;
}

static void record(struct input *in)
{
	struct dmr_page *page = &set.content[1 + take(in, 1) % (PAGES - 1)].page;
	struct dmr_record *r = &page->records[take(in, 1) % DMR_PAGE_RECORDS];
	unsigned int state = take(in, 1), member = take(in, 1);

	r->key = cpu_to_le64(dmr_key(state, member, take(in, 3)));
	r->slot = cpu_to_le32(take(in, 2));
	r->invalid = cpu_to_le32(take(in, 2));
}

static void step(struct input *in)
{
	unsigned int op = take(in, 1) % OPS, a, b;

	switch (op) {
	case COMMIT:
		a = take(in, 1);
		commit(a % (1 << PAGES), ~(u32)take(in, 2));
		break;
	case FLIP:
	case SEALED_FLIP:
		flip(in, op == SEALED_FLIP);
		break;
	case COPY:
	case FITTED_COPY:
		copy(in, op == FITTED_COPY);
		break;
	case ZERO:
		a = take(in, 1);
		memset(frame_at(a % MEMBERS, a / MEMBERS % FRAMES), 0, DMR_FRAME_SIZE);
		break;
	case RECORD:
		record(in);
		break;
	case ROOT:
		a = DMR_FRAME_HEADER_SIZE + take(in, 2) % DMR_PAGE_PAYLOAD;
		b = take(in, 1);
		((uint8_t *)&set.content[0])[a] = b;
		break;
	case SESSION:
		set.session = take(in, 1);
		break;
	case FORGE:
		forge(in);
		break;
	}
}

/* --- Judgement -------------------------------------------------------------- */

struct verdict {
	struct dmr_candidate pages[PAGES];
	struct dmr_assembly assembly;
	uint8_t content[PAGES][DMR_FRAME_SIZE];
	enum dmr_fault fault;
	struct dmr_bounds bounds;
};

static void read_member(struct verdict *v, unsigned int member)
{
	bool any = false;
	u32 index = 0;
	unsigned int f;

	for (f = 0; f < FRAMES; f++) {
		const struct dmr_frame_header *h = frame_at(member, f);

		if (dmr_frame_check(h, uuid, le32_to_cpu(h->member), f, PAGES) ||
		    (any && index != le32_to_cpu(h->member)))
			continue;
		index = le32_to_cpu(h->member);
		/* A number that no member has is for later checks; lib/ knows no such place. */
		if (index >= DMR_MAX_MEMBERS)
			continue;
		any = true;
		if (dmr_assembly_add(&v->assembly, h))
			memcpy(v->content[le32_to_cpu(h->page)], h, DMR_FRAME_SIZE);
	}
}

/* As assemble() and the loading of records do. */
static void judge(struct verdict *v)
{
	unsigned int p, i;

	memset(v, 0, sizeof(*v));
	v->assembly.pages = v->pages;
	v->assembly.nr_pages = PAGES;
	for (i = 0; i < MEMBERS; i++)
		read_member(v, i);
	v->fault = dmr_assembly_finish(&v->assembly);
	if (!v->fault)
		v->fault = dmr_root_check((void *)v->content[0], PAGES, &v->bounds);
	for (p = 1; p < PAGES && !v->fault; p++) {
		const struct dmr_page *page = (void *)v->content[p];

		for (i = 0; i < DMR_PAGE_RECORDS && v->pages[p].gen && !v->fault; i++)
			v->fault = dmr_record_check(&page->records[i], &v->bounds);
	}
}

static void compare(const struct verdict *v)
{
	struct dmri_source sources[MEMBERS] = { { .dev = &devs[0] }, { .dev = &devs[1] } };
	struct dmri_image *image;
	unsigned int i;

	require(!dmri_image_read(uuid, PAGES, FRAMES, sources, MEMBERS, NULL, NULL, &image));
	require(!dmri_image_records(image));
	require(!memcmp(image->candidates, v->pages, sizeof(v->pages)));
	require(image->assembly.torn == v->assembly.torn || v->fault);
	/* A slot or a block twice is the concern of more than one record: the index finds it. */
	require(image->fault == v->fault || (!v->fault && image->fault == DMR_BAD_RECORD));
	require(!image->fault || *image->reason);
	for (i = 0; i < MEMBERS; i++)
		dmri_source_release(&sources[i]);
	dmri_image_free(image);
}

/* The last commit is known of: then nothing older than the one before it is believed. */
static void check_truth(const struct verdict *v)
{
	unsigned int p;

	if (v->fault || set.forged || v->assembly.gen != set.gen)
		return;
	for (p = 0; p < PAGES; p++) {
		u64 gen = v->pages[p].gen;

		require(gen == set.now[p].gen || (v->assembly.torn && gen == set.before[p].gen));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct verdict verdict;
	struct input in = input_of(data, size);

	if (!disks[0])
		make_disks();
	first_commit();
	while (input_left(&in))
		step(&in);
	judge(&verdict);
	compare(&verdict);
	check_truth(&verdict);
	return 0;
}
