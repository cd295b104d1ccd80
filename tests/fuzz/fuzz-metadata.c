// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frames of a set. The input is a history: commits, some of them cut short, records,
 * and damage with and without a fitting checksum. It is judged twice: by the module's own
 * loader (module/), and by lib/. Both refuse it, or both read the same map; and without
 * forgery what is believed is the last commit, or of a lost page of it the one before.
 */
#include <sys/mman.h>

#include "fuzz.h"
#include "module/module.h"
#include "private.h"

#define MEMBERS	2
#define PAGES	4
#define FRAMES	(DMR_FRAME_COPIES * PAGES + DMR_FRAME_SLACK)
#define BYTES	(FRAMES * DMR_FRAME_SIZE)
#define PAYLOAD	(DMR_FRAMES_SECTOR + FRAMES * DMR_FRAME_SECTORS)	/* sectors */
#define SIZE	(PAYLOAD * 512)		/* of what is on a disk before it */
#define BLOCK	8
#define DATA	(1 << 20)
#define SLOTS	300

enum { COMMIT, FLIP, SEALED_FLIP, COPY, FITTED_COPY, ZERO, RECORD, ROOT, SESSION, FORGE, OPS };

struct version {
	u64 gen, session;
};

static const uint8_t uuid[16] = "fuzz-metadata-1";
static struct dmri_dev devs[MEMBERS];
static struct dmri_found found[MEMBERS];
static struct block_device bdevs[MEMBERS];
static uint8_t *disks[MEMBERS];		/* behind the anchors: the frames */

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

static void member_uuid(unsigned int member, uint8_t *to)
{
	memcpy(to, "fuzz-metadata-m0", 16);
	to[15] += member;
}

static void make_anchors(unsigned int i, uint8_t *disk)
{
	struct dmr_anchor a = {
		.magic = DMR_ANCHOR_MAGIC,
		.version = cpu_to_le32(DMR_FORMAT_VERSION),
		.role = cpu_to_le32(i ? DMR_ROLE_SPARE : DMR_ROLE_DATA),
		.block_sectors = cpu_to_le32(BLOCK),
		.nr_pages = cpu_to_le32(PAGES),
		.nr_frames = cpu_to_le32(FRAMES),
		.region_sectors = cpu_to_le64(bdevs[i].sectors),
		.payload_start = cpu_to_le64(PAYLOAD),
		.payload_sectors = cpu_to_le64(bdevs[i].sectors - PAYLOAD),
		.data_sectors = cpu_to_le64(DATA),
	};

	memcpy(a.set_uuid, uuid, sizeof(uuid));
	member_uuid(i, a.member_uuid);
	dmri_anchor_seal(&a, 0);
	memcpy(disk + 512 * DMR_ANCHOR0_SECTOR, &a, sizeof(a));
	dmri_anchor_seal(&a, 1);
	memcpy(disk + 512 * DMR_ANCHOR1_SECTOR, &a, sizeof(a));
}

static void make_disks(void)
{
	unsigned int i;

	for (i = 0; i < MEMBERS; i++) {
		u64 sectors = PAYLOAD + (i ? SLOTS * BLOCK : DATA);
		int fd = memfd_create("member", 0);
		uint8_t *disk;

		require(fd >= 0 && !ftruncate(fd, sectors * 512));
		disk = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		require(disk != MAP_FAILED);
		disks[i] = disk + 512 * DMR_FRAMES_SECTOR;
		devs[i] = (struct dmri_dev){ .fd = fd, .path = "member", .sectors = sectors };
		bdevs[i] = (struct block_device){ .bd_dev = i, .sectors = sectors };
		make_anchors(i, disk);
		require(!dmri_anchors_read(&devs[i], 0, &found[i].anchors));
		require(found[i].anchors.found);
		found[i].device_sectors = sectors;
	}
}

bool module_io(struct block_device *bdev, bool write, uint64_t sector, void *buf, size_t bytes)
{
	require(!write && sector + bytes / 512 <= bdev->sectors);
	if (sector * 512 + bytes <= SIZE)
		memcpy(buf, disks[bdev->bd_dev] - 512 * DMR_FRAMES_SECTOR + sector * 512, bytes);
	else
		memset(buf, 0, bytes);
	return true;
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
	r->data_offset = cpu_to_le64(PAYLOAD);
	r->data_sectors = cpu_to_le64(DATA);
	r->block_sectors = cpu_to_le32(BLOCK);
	for (i = 0; i < MEMBERS; i++) {
		member_uuid(i, r->members[i].uuid);
		r->members[i].state = cpu_to_le32(DMR_MEMBER_ACTIVE);
		r->members[i].sectors = cpu_to_le64(i ? SLOTS * BLOCK : DATA);
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

/* As lib/start.c makes it of what it found to be usable; or all of it. */
static struct module_table table_of(const struct dmremap_set *s, bool all, bool degraded)
{
	struct module_table table = { .data = &bdevs[0], .length = DATA, .data_offset = PAYLOAD,
		.degraded = degraded };
	unsigned int i;

	memcpy(table.uuid, uuid, sizeof(uuid));
	for (i = 1; i < MEMBERS && all; i++)
		table.spares[table.nr_spares++] = &bdevs[i];
	for (i = 1; i < s->info.nr_members && !all; i++)
		if (s->member_usable[i])
			table.spares[table.nr_spares++] = &bdevs[s->member_found[i]];
	return table;
}

static void same_map(struct module_set *module, const struct dmri_image *image)
{
	struct module_entry e = { 0 };
	u64 next = 0;
	size_t i;
	u32 p;

	require(module_gen(module) == image->assembly.gen);
	require(module_digest(module) == image->assembly.digest);
	for (p = 0; p < PAGES; p++)
		require(module_page_gen(module, p) == image->candidates[p].gen);
	for (i = 0; i < image->nr_records; i++, next = e.block + 1) {
		const struct dmri_record *r = &image->records[i];

		require(module_next(module, next, &e) && module_finds(module, e.block));
		require(e.block == r->block && e.state == r->state && e.member == r->member);
		require(e.slot == r->slot && e.invalid == r->invalid);
	}
	require(!module_next(module, next, &e));
}

/* The last commit is known of: then nothing older than the one before it is believed. */
static void check_truth(struct module_set *module, bool torn)
{
	unsigned int p;

	if (set.forged || module_gen(module) != set.gen)
		return;
	for (p = 0; p < PAGES; p++) {
		u64 gen = module_page_gen(module, p);

		require(gen == set.now[p].gen || (torn && gen == set.before[p].gen));
	}
}

static void must_refuse(const struct dmremap_set *s, bool degraded)
{
	const struct module_table table = table_of(s, true, degraded);
	enum dmr_fault fault = s->info.fault;

	require(!module_load(&table));
	/* What is wrong with single records is said in other words. */
	if (fault && fault != DMR_BAD_RECORD)
		require(strstr(module_reason(), dmr_fault_text(fault)));
}

static void judge(void)
{
	struct dmri_opened opened = { .nr = MEMBERS };
	struct dmri_image *image = NULL;
	static struct dmremap_set s;
	struct module_set *module = NULL;
	struct module_table table;
	unsigned int i;

	memset(&s, 0, sizeof(s));
	memcpy(s.uuid, uuid, sizeof(uuid));
	memcpy(s.found, found, sizeof(found));
	s.nr_found = MEMBERS;
	for (i = 0; i < MEMBERS; i++)
		opened.sources[i] = (struct dmri_source){ .dev = &devs[i] };
	require(!dmri_set_judge(&s, &opened, &devs[0], "", &image, NULL));
	require(!s.info.fault || *s.info.reason);

	if (s.info.verdict != DMREMAP_READY)
		must_refuse(&s, false);
	if (s.info.verdict == DMREMAP_REFUSED) {
		must_refuse(&s, true);
	} else {
		table = table_of(&s, false, s.info.verdict == DMREMAP_DEGRADED);
		module = module_load(&table);
		if (!module && table.nr_spares + 1 == s.nr_found)
			fprintf(stderr, "the module: %s\nlib: %s\n", module_reason(),
				*s.info.reason ? s.info.reason : "ready");
		/* Without one that is out of date there may be less to prove it by. */
		require(module || table.nr_spares + 1 < s.nr_found);
	}
	if (module) {
		same_map(module, image);
		check_truth(module, image->assembly.torn);
		module_free(module);
	}
	for (i = 0; i < MEMBERS; i++)
		dmri_source_release(&opened.sources[i]);
	dmri_image_free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);

	if (!disks[0])
		make_disks();
	first_commit();
	while (input_left(&in))
		step(&in);
	judge();
	return 0;
}
