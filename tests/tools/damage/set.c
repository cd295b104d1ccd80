// SPDX-License-Identifier: GPL-2.0-or-later
/* The metadata of the set: what is there, what was there once, and what is made of it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "damage.h"

struct member members[DMR_MAX_MEMBERS];
unsigned int nr_members;
uint64_t length, newest;
char arguments[2048];
uint32_t nr_pages, block_sectors;
struct page pages[MAX_PAGES];

static void add_member(const char *path, uint64_t region_sector)
{
	struct member *m = &members[nr_members++];
	struct dmr_anchor *a = aligned(sizeof(*a));

	m->path = path;
	m->fd = device_open(path);
	m->region = region_sector * 512;
	read_all(m->fd, a, sizeof(*a), m->region);
	if (!anchor_valid(a))
		die("%s carries no anchor", path);
	m->nr_frames = le32_to_cpu(a->nr_frames);
	nr_pages = le32_to_cpu(a->nr_pages);
	block_sectors = le32_to_cpu(a->block_sectors);
	m->size = DMR_FRAMES_SECTOR * 512 + (size_t)m->nr_frames * DMR_FRAME_SIZE;
	m->base = aligned(m->size);
	m->now = aligned(m->size);
	m->disk = aligned(m->size);
	free(a);
}

/* "0 LENGTH remap DATA SPARE... [FEATURES]" */
void take_table(const char *table)
{
	char *word, *save = NULL, *paths[DMR_MAX_MEMBERS];
	uint64_t internal = 0, data_offset = 0;
	unsigned int nr = 0;
	int at = 0;

	if (sscanf(table, "0 %llu remap %n", (unsigned long long *)&length, &at) != 1 || !at)
		die("not a table: %s", table);
	snprintf(arguments, sizeof(arguments), "%s", table + at);
	arguments[strcspn(arguments, "\n")] = '\0';
	paths[nr++] = strtok_r(strdup(arguments), " ", &save);
	while ((word = strtok_r(NULL, " ", &save))) {
		if (strchr(word, '/') || strchr(word, ':'))
			paths[nr++] = word;
		else if (!strcmp(word, "data_offset"))
			data_offset = strtoull(strtok_r(NULL, " ", &save), NULL, 10);
		else if (!strcmp(word, "internal_spare"))
			internal = strtoull(strtok_r(NULL, " ", &save), NULL, 10);
	}
	if (data_offset)
		add_member(paths[0], 0);
	for (unsigned int i = 1; i < nr; i++)
		add_member(paths[i], 0);
	if (internal)
		add_member(paths[0], internal);
	if (nr_pages > ARRAY_SIZE(pages))
		die("too many pages for this");
}

uint8_t *frame_of(uint8_t *image, uint32_t frame)
{
	return image + DMR_FRAMES_SECTOR * 512 + (size_t)frame * DMR_FRAME_SIZE;
}

uint8_t *anchor_of(uint8_t *image, unsigned int copy)
{
	return image + (copy ? DMR_ANCHOR1_SECTOR : DMR_ANCHOR0_SECTOR) * 512;
}

struct dmr_frame_header *header(uint8_t *frame)
{
	return (struct dmr_frame_header *)frame;
}

uint64_t frame_gen(struct member *m, uint8_t *image, uint32_t frame)
{
	struct dmr_frame_header *h = header(frame_of(image, frame));

	if (!frame_valid(h) || le32_to_cpu(h->frame) != frame ||
	    le32_to_cpu(h->member) != m->index || le32_to_cpu(h->page) >= nr_pages)
		return 0;
	return le64_to_cpu(h->gen);
}

static void find_index(struct member *m)
{
	for (uint32_t f = 0; f < m->nr_frames; f++) {
		struct dmr_frame_header *h = header(frame_of(m->base, f));

		if (frame_valid(h) && le32_to_cpu(h->frame) == f) {
			m->index = le32_to_cpu(h->member);
			return;
		}
	}
	die("%s has no valid frame", m->path);
}

static void read_base(void)
{
	for (unsigned int i = 0; i < nr_members; i++) {
		struct member *m = &members[i];

		read_all(m->fd, m->base, m->size, m->region);
		find_index(m);
		for (uint32_t f = 0; f < m->nr_frames; f++) {
			uint64_t gen = frame_gen(m, m->base, f);
			uint32_t p = le32_to_cpu(header(frame_of(m->base, f))->page);

			if (!gen)
				continue;
			if (gen > pages[p].gen) {
				pages[p].gen = gen;
				pages[p].nr = 0;
			}
			if (gen == pages[p].gen)
				pages[p].copies[pages[p].nr++] = (struct copy){ i, f };
			if (gen > newest)
				newest = gen;
		}
	}
}

static void read_older(const char *dir)
{
	for (unsigned int i = 0; i < nr_members; i++) {
		struct member *m = &members[i];
		char path[512];
		int fd;

		snprintf(path, sizeof(path), "%s/%u", dir, i);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			die("%s: %m", path);
		m->older = aligned(m->size);
		read_all(fd, m->older, m->size, 0);
		close(fd);
		for (uint32_t f = 0; f < m->nr_frames; f++) {
			uint64_t gen = frame_gen(m, m->older, f);
			uint8_t *frame = frame_of(m->older, f);
			uint32_t p = le32_to_cpu(header(frame)->page);

			if (gen && gen < pages[p].gen &&
			    gen > le64_to_cpu(header(pages[p].older)->gen))
				memcpy(pages[p].older, frame, DMR_FRAME_SIZE);
		}
	}
}

void save_older(const char *dir)
{
	for (unsigned int i = 0; i < nr_members; i++) {
		struct member *m = &members[i];
		char path[512];
		int fd;

		snprintf(path, sizeof(path), "%s/%u", dir, i);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0)
			die("%s: %m", path);
		read_all(m->fd, m->base, m->size, m->region);
		write_all(fd, m->base, m->size, 0);
		close(fd);
	}
}

uint8_t *copy_now(const struct copy *c)
{
	return frame_of(members[c->member].now, c->frame);
}

uint8_t *copy_older(const struct copy *c)
{
	return frame_of(members[c->member].older, c->frame);
}

bool in_use(uint32_t page)
{
	return pages[page].gen;
}

void put_frame(const struct copy *c, const uint8_t *frame)
{
	struct dmr_frame_header *h = header(copy_now(c));

	memcpy(h, frame, DMR_FRAME_SIZE);
	h->member = cpu_to_le32(members[c->member].index);
	h->frame = cpu_to_le32(c->frame);
	frame_seal(h);
}

/* --- Damage: made in memory, written by changed block --------------------- */

/* What null_blk fails to read and write; empty: none. */
static struct bad {
	unsigned int member;
	uint64_t first, last;
} bads[MAX_COPIES];
static unsigned int nr_bads;

static void bad_write(const struct bad *b, char sign)
{
	const char *disk = strrchr(members[b->member].path, '/') + 1;
	char path[256], text[64];
	int fd, n;

	snprintf(path, sizeof(path), "/sys/kernel/config/nullb/%s/badblocks", disk);
	fd = open(path, O_WRONLY);
	n = snprintf(text, sizeof(text), "%c%llu-%llu", sign, (unsigned long long)b->first,
		     (unsigned long long)b->last);
	if (fd < 0 || write(fd, text, n) != n)
		die("%s: %m", path);
	close(fd);
}

void make_bad(unsigned int member, const uint8_t *block)
{
	struct member *m = &members[member];
	struct bad *b = &bads[nr_bads++];

	b->member = member;
	b->first = (m->region + (block - m->now)) / 512 + random_below(DMR_FRAME_SECTORS);
	b->last = b->first;
}

unsigned int nr_bad(void)
{
	return nr_bads;
}

void read_disk(void)
{
	while (nr_bads)
		bad_write(&bads[--nr_bads], '-');
	for (unsigned int i = 0; i < nr_members; i++)
		read_all(members[i].fd, members[i].disk, members[i].size, members[i].region);
}

/* Write an image over another, but for the blocks that are the same. */
static void write_image(const struct member *m, const uint8_t *image, const uint8_t *over)
{
	for (size_t at = 0; at < m->size; at += DMR_FRAME_SIZE)
		if (memcmp(over + at, image + at, DMR_FRAME_SIZE))
			write_all(m->fd, image + at, DMR_FRAME_SIZE, m->region + at);
}

void restore(void)
{
	for (struct member *m = members; m < members + nr_members; m++) {
		write_image(m, m->base, m->disk);
		memcpy(m->now, m->base, m->size);
	}
}

void write_damage(void)
{
	for (struct member *m = members; m < members + nr_members; m++)
		write_image(m, m->now, m->base);
	for (unsigned int i = 0; i < nr_bads; i++)
		bad_write(&bads[i], '+');
}

void read_set(const char *older)
{
	read_base();
	read_older(older);
	read_disk();
	restore();
}
