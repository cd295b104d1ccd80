// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Blocks that stand alone: anchors, labels, and the files of backups. The input edits a
 * good one, byte by byte, and checksums are made to fit unless the first bit says no.
 */
#include <sys/mman.h>

#include "fuzz.h"
#include "private.h"

#define SECTORS		(1u << 16)
#define FRAMES_AT	512u	/* of a backup, in sectors; see lib/backup.c */
#define BLOCKS		(FRAMES_AT / DMR_FRAME_SECTORS + 3)	/* two pages and the trailer */

static uint8_t (*base)[DMR_FRAME_SIZE], (*now)[DMR_FRAME_SIZE];
static char path[64];
static int file;

static const uint8_t uuid[16] = "fuzz-anchor-set";

static __le32 *csum_of(void *block, unsigned int at)
{
	return (__le32 *)((uint8_t *)block + at);
}

static void seal(void *block, unsigned int at)
{
	*csum_of(block, at) = cpu_to_le32(dmr_block_csum(block, at));
}

static void edit(struct input *in, uint8_t (*blocks)[DMR_FRAME_SIZE], unsigned int nr)
{
	while (input_left(in)) {
		unsigned int block = nr > 1 ? take(in, 1) % nr : 0;
		unsigned int at = take(in, 2) % DMR_FRAME_SIZE;

		blocks[block][at] = take(in, 1);
	}
}

static void make_anchor(struct dmr_anchor *a)
{
	memset(a, 0, sizeof(*a));
	memcpy(a->set_uuid, uuid, sizeof(uuid));
	a->member_uuid[0] = 1;
	a->role = cpu_to_le32(DMR_ROLE_SPARE);
	a->block_sectors = cpu_to_le32(8);
	a->nr_pages = cpu_to_le32(2);
	a->nr_frames = cpu_to_le32(dmri_nr_frames(2));
	a->region_sectors = cpu_to_le64(SECTORS);
	a->payload_start = cpu_to_le64(SECTORS / 2);
	a->payload_sectors = cpu_to_le64(SECTORS / 2);
	a->data_sectors = cpu_to_le64(1 << 20);
	memcpy(a->label, "fuzz", 4);
	dmri_anchor_seal(a, 0);
}

/* --- Anchors and labels ------------------------------------------------------ */

static void anchor(struct input *in, bool fit)
{
	static struct dmr_anchor a;
	struct dmremap_set_info info = { 0 };

	make_anchor(&a);
	edit(in, (void *)&a, 1);
	if (fit)
		seal(&a, offsetof(struct dmr_anchor, csum));
	if (dmr_anchor_check(&a, 0, 0, SECTORS))
		return;
	require(le64_to_cpu(a.payload_start) + le64_to_cpu(a.payload_sectors) <= SECTORS);
	require(le32_to_cpu(a.nr_pages) <= DMR_MAX_PAGES);
	dmri_set_from_anchor(&info, &a);
	require(strlen(info.name) < sizeof(info.name));
}

static void label(struct input *in, bool fit)
{
	static struct dmr_label l;
	char text[256];

	memset(&l, 0, sizeof(l));
	memcpy(l.magic, DMR_LABEL_MAGIC, sizeof(l.magic));
	l.version = cpu_to_le32(DMR_LABEL_VERSION);
	l.uuid[0] = 1;
	l.device_sectors = cpu_to_le64(SECTORS);
	edit(in, (void *)&l, 1);
	if (fit)
		seal(&l, offsetof(struct dmr_label, csum));
	if (dmri_label_check(&l, SECTORS))
		return;
	require(strnlen(l.domain, sizeof(l.domain)) < sizeof(l.domain));
	dmri_label_text(&l, text, sizeof(text));
}

/* --- Backups ------------------------------------------------------------------ */

static void make_page(unsigned int page, u64 digest)
{
	struct dmr_frame_header *h = (void *)base[FRAMES_AT / DMR_FRAME_SECTORS + page];

	h->page = cpu_to_le32(page);
	h->gen = cpu_to_le64(page + 1);
	h->session = cpu_to_le64(7);
	h->digest_before = h->digest_after = cpu_to_le64(digest);
	dmri_frame_seal(h, uuid, 0, page);
}

static void make_root(struct dmr_root *r)
{
	r->nr_members = cpu_to_le32(2);
	r->nr_pages = cpu_to_le32(2);
	r->data_sectors = cpu_to_le64(1 << 20);
	r->block_sectors = cpu_to_le32(8);
	r->members[1].state = cpu_to_le32(DMR_MEMBER_ACTIVE);
	r->members[1].sectors = cpu_to_le64(SECTORS / 2);
}

static void make_backup(void)
{
	struct { uint8_t magic[8]; __le32 csum, version; uint8_t uuid[16]; __le64 created, gen;
		 __le32 anchors, pages, stored; } head = { .magic = "dmrbkup\n" };
	u64 digest = dmr_page_digest(0, 1, 7) + dmr_page_digest(1, 2, 7);

	head.version = cpu_to_le32(1);
	memcpy(head.uuid, uuid, sizeof(uuid));
	head.gen = cpu_to_le64(2);
	head.anchors = cpu_to_le32(1);
	head.pages = head.stored = cpu_to_le32(2);
	memcpy(base[0], &head, sizeof(head));
	make_anchor((void *)base[1]);
	make_root((void *)base[FRAMES_AT / DMR_FRAME_SECTORS]);
	make_page(0, digest);
	make_page(1, digest);
	memcpy(base[BLOCKS - 1], "dmrbkend", 8);
	*(__le64 *)(base[BLOCKS - 1] + 16) = cpu_to_le64((BLOCKS - 1) * DMR_FRAME_SIZE);
}

/* All checksums of a backup, from the inside. */
static void seal_backup(void)
{
	u32 crc;

	seal(now[0], 8);
	seal(now[1], 8);
	seal(now[BLOCKS - 3], 4);
	seal(now[BLOCKS - 2], 4);
	crc = dmr_crc32c(~0u, now, (BLOCKS - 1) * DMR_FRAME_SIZE);
	*csum_of(now[BLOCKS - 1], 12) = cpu_to_le32(~crc);
	seal(now[BLOCKS - 1], 8);
}

static void make_file(void)
{
	size_t size = BLOCKS * DMR_FRAME_SIZE;

	base = calloc(BLOCKS, DMR_FRAME_SIZE);
	file = memfd_create("backup", 0);
	require(base && file >= 0 && !ftruncate(file, size));
	now = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	require(now != MAP_FAILED);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	make_backup();
}

/* Four of the blocks hold something; they are those that are edited. */
static void backup(struct input *in, bool fit)
{
	static const unsigned int blocks[] = { 0, 1, BLOCKS - 3, BLOCKS - 2 };
	struct dmremap_backup_info info = { 0 };
	struct dmremap_error err = { "" };
	bool edited = input_left(in);

	memcpy(now, base, BLOCKS * DMR_FRAME_SIZE);
	while (input_left(in)) {
		unsigned int block = take(in, 1) % ARRAY_SIZE(blocks);
		unsigned int at = take(in, 2) % DMR_FRAME_SIZE;

		now[blocks[block]][at] = take(in, 1);
	}
	if (fit)
		seal_backup();
	if (dmremap_backup_verify(path, &info, &err) < 0)
		require(*err.text && (edited || !fit));
	else
		require(info.pages == 2 && info.nr_members <= DMR_MAX_MEMBERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);
	unsigned int what = take(&in, 1);

	if (!base)
		make_file();
	if (what >> 1 == 'a')
		anchor(&in, !(what & 1));
	else if (what >> 1 == 'l')
		label(&in, !(what & 1));
	else
		backup(&in, !(what & 1));
	return 0;
}
