// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes a set onto image files or devices, quickly and with as many entries as
 * wanted, and prints its table. The blocks are scattered at random over the data
 * device, the slots over the spares, the frames over the metadata, as after a long
 * life; the same arguments give the same set.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

static const char *label = "test";
static uint64_t seed = 1, entries, lost, bad, data_blocks;
static uint32_t block_sectors = 8, nr_pages;
static bool adopt, fresh;
static unsigned int internal_mib;
static uint64_t first_block;
static const char *layout = "scattered", *list_path;

struct member {
	const char *path;
	int fd;
	uint64_t region, sectors;	/* in sectors */
	uint64_t payload, slots;
	uint8_t uuid[16];
	uint32_t *order;		/* of its frames */
};

static struct member members[DMR_MAX_MEMBERS];
static unsigned int nr_members;
static uint8_t set_uuid[16];
static uint32_t nr_frames;
static struct dmr_page **pages;
static uint64_t session, data_sectors;

static const char usage[] =
	"usage: make-image [OPTION...] DATA [SPARE...]\n"
	"  --name NAME        of the set (test)\n"
	"  --seed N           for what is random, the UUIDs too (1)\n"
	"  --block-sectors N  remap unit (8)\n"
	"  --pages N          of the map (as many as the entries need, at least 5)\n"
	"  --entries N        remapped blocks\n"
	"  --layout WORD      where they are: scattered, clustered (runs of 16 to 1024),\n"
	"                     striped (one in so many), runs (16 in each MiB, one in two)\n"
	"  --first N          no entries before this block\n"
	"  --list FILE        write their blocks there, in order, 64 bits each\n"
	"  --lost N           blocks with lost sectors\n"
	"  --bad N            bad slots\n"
	"  --adopt            the data device carries nothing\n"
	"  --internal MIB     a spare at the end of the data device\n"
	"  --fresh            the devices are known to hold zeroes\n"
	"Prints the table, device-mapper's way.\n";

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", 1, NULL, 'n' },    { "seed", 1, NULL, 's' },
		{ "block-sectors", 1, NULL, 'b' }, { "pages", 1, NULL, 'p' },
		{ "entries", 1, NULL, 'e' }, { "lost", 1, NULL, 'l' },
		{ "bad", 1, NULL, 'B' },     { "adopt", 0, NULL, 'a' },
		{ "internal", 1, NULL, 'i' }, { "fresh", 0, NULL, 'f' },
		{ "layout", 1, NULL, 'L' },  { "first", 1, NULL, 'F' },
		{ "list", 1, NULL, 'o' },
		{ "help", 0, NULL, 'h' },    { }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'n': label = optarg; break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'b': block_sectors = strtoul(optarg, NULL, 0); break;
		case 'p': nr_pages = strtoul(optarg, NULL, 0); break;
		case 'e': entries = strtoull(optarg, NULL, 0); break;
		case 'l': lost = strtoull(optarg, NULL, 0); break;
		case 'B': bad = strtoull(optarg, NULL, 0); break;
		case 'a': adopt = true; break;
		case 'i': internal_mib = strtoul(optarg, NULL, 0); break;
		case 'f': fresh = true; break;
		case 'L': layout = optarg; break;
		case 'F': first_block = strtoull(optarg, NULL, 0); break;
		case 'o': list_path = optarg; break;
		default:
			fputs(usage, c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (optind == argc || argc - optind > DMR_MAX_MEMBERS - 1) {
		fputs(usage, stderr);
		exit(2);
	}
	for (; optind < argc; optind++)
		members[nr_members++].path = argv[optind];
}

static void uuid_make(uint8_t *uuid)
{
	for (int i = 0; i < 16; i++)
		uuid[i] = random_u64();
	uuid[6] = (uuid[6] & 0xf) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

static uint32_t *shuffled(uint64_t n)
{
	uint32_t *order = malloc((n ? n : 1) * sizeof(*order));

	if (!order)
		die("out of memory");
	for (uint64_t i = 0; i < n; i++)
		order[i] = i;
	for (uint64_t i = n; i > 1; i--) {
		uint64_t j = random_below(i);
		uint32_t t = order[i - 1];

		order[i - 1] = order[j];
		order[j] = t;
	}
	return order;
}

/* Where everything lies. */
static void plan(void)
{
	uint64_t header, records = entries + lost + bad, tail = 0;

	/* A quarter of the records is not for blocks on spares. */
	if (!nr_pages) {
		uint64_t need = entries * 4 / 3 > records ? entries * 4 / 3 : records;

		nr_pages = 2 + need / DMR_PAGE_RECORDS;
		if (nr_pages < 5)
			nr_pages = 5;
	}
	if (nr_pages < 2 || nr_pages > DMR_MAX_PAGES)
		die("%u pages are not possible", nr_pages);
	nr_frames = DMR_FRAME_COPIES * nr_pages + DMR_FRAME_SLACK;
	header = DMR_FRAMES_SECTOR + (uint64_t)nr_frames * DMR_FRAME_SECTORS;
	header = (header + 2047) / 2048 * 2048;

	for (unsigned int i = 0; i < nr_members; i++) {
		members[i].fd = device_open(members[i].path);
		members[i].sectors = device_bytes(members[i].fd) / 512;
	}
	if (internal_mib) {
		struct member *m = &members[nr_members++], *data = &members[0];

		tail = (uint64_t)internal_mib * 2048;
		if (data->sectors <= tail)
			die("%s is too small", data->path);
		*m = *data;
		m->region = data->sectors - tail;
		m->sectors = tail;
	}
	if (nr_members < 2)
		die("a spare is needed");
	for (unsigned int i = 0; i < nr_members; i++) {
		struct member *m = &members[i];

		m->payload = !i && adopt ? 0 : header;
		if (m->sectors <= m->payload + (i ? 0 : tail) + block_sectors)
			die("%s is too small", m->path);
		uuid_make(m->uuid);
		m->order = shuffled(nr_frames);
	}
	data_sectors = members[0].sectors - tail - members[0].payload;
	data_blocks = data_sectors / block_sectors;
	for (unsigned int i = 1; i < nr_members; i++) {
		uint64_t records_all = (uint64_t)(nr_pages - 1) * DMR_PAGE_RECORDS;

		members[i].slots = (members[i].sectors - members[i].payload) / block_sectors;
		if (members[i].slots > records_all - records_all / 4)
			members[i].slots = records_all - records_all / 4;
	}
}

static void add_record(uint64_t *n, uint64_t key, uint32_t slot, uint32_t invalid)
{
	uint32_t page = 1 + *n / DMR_PAGE_RECORDS;
	struct dmr_record *r;

	if (page >= nr_pages)
		die("the map is too small");
	if (!pages[page])
		pages[page] = aligned(DMR_FRAME_SIZE);
	r = &pages[page]->records[*n % DMR_PAGE_RECORDS];
	r->key = cpu_to_le64(key);
	r->slot = cpu_to_le32(slot);
	r->invalid = cpu_to_le32(invalid);
	(*n)++;
}

/* Where number @n of the entries may lie; asked again where one does already. */
static uint64_t candidate(uint64_t n)
{
	static uint64_t next, left;
	uint64_t room = data_blocks - first_block;

	if (!strcmp(layout, "striped"))
		return first_block + n % entries * (room / entries) + n / entries;
	if (!strcmp(layout, "runs"))
		return first_block + n / 16 * 256 + n % 16 * 2 + 1;
	if (!strcmp(layout, "clustered")) {
		if (!left) {
			next = random_below(room);
			left = 16 + random_below(1009);
		}
		left--;
		return first_block + next++ % room;
	}
	return first_block + random_below(room);
}

static uint64_t new_block(unsigned long *taken)
{
	static uint64_t n;

	for (;;) {
		uint64_t b = candidate(n++);

		if (b >= data_blocks)
			die("the data device is too small for the layout");
		if (taken[b / 64] >> (b % 64) & 1)
			continue;
		taken[b / 64] |= 1UL << (b % 64);
		return b;
	}
}

static void write_list(const unsigned long *taken)
{
	FILE *file = fopen(list_path, "w");

	if (!file)
		die("%s: %s", list_path, strerror(errno));
	for (uint64_t b = 0; b < data_blocks; b++)
		if (taken[b / 64] >> (b % 64) & 1)
			fwrite(&b, sizeof(b), 1, file);
	if (ferror(file) | fclose(file))
		die("%s: can not be written", list_path);
}

static void make_records(void)
{
	unsigned long *taken = calloc(data_blocks / 64 + 1, sizeof(long));
	uint32_t *slots[DMR_MAX_MEMBERS];
	uint64_t used[DMR_MAX_MEMBERS] = { 0 }, n = 0;
	uint32_t mask = block_sectors == 32 ? ~0u : (1u << block_sectors) - 1;
	unsigned int m = 0;

	if (!taken || data_blocks < first_block + entries + lost)
		die("the data device is too small for the entries");
	for (unsigned int i = 1; i < nr_members; i++)
		slots[i] = shuffled(members[i].slots);
	for (uint64_t i = 0; i < entries + bad; i++) {
		for (unsigned int try = 0; try < nr_members; try++) {
			m = m % (nr_members - 1) + 1;
			if (used[m] < members[m].slots)
				break;
		}
		if (used[m] == members[m].slots)
			die("the spares are too small for the entries");
		if (i < entries)
			add_record(&n, dmr_key(DMR_RECORD_REMAPPED, m, new_block(taken)),
				   slots[m][used[m]++], 0);
		else
			add_record(&n, dmr_key(DMR_RECORD_BAD_SLOT, m, 0),
				   slots[m][used[m]++], 0);
	}
	for (uint64_t i = 0; i < lost; i++)
		add_record(&n, dmr_key(DMR_RECORD_LOST, 0, new_block(taken)), 0,
			   1 + random_below(mask));
	for (unsigned int i = 1; i < nr_members; i++)
		free(slots[i]);
	if (list_path)
		write_list(taken);
	free(taken);
}

static void make_root(void)
{
	struct dmr_root *root = aligned(DMR_FRAME_SIZE);

	root->state = cpu_to_le32(DMR_SET_CLEAN);
	root->nr_members = cpu_to_le32(nr_members);
	root->activations = cpu_to_le64(1);
	root->data_offset = cpu_to_le64(members[0].payload);
	root->data_sectors = cpu_to_le64(data_sectors);
	root->block_sectors = cpu_to_le32(block_sectors);
	root->nr_pages = cpu_to_le32(nr_pages);
	root->policy.retries = cpu_to_le32(DMR_DEFAULT_RETRIES);
	root->identity.device_sectors =
		cpu_to_le64(device_bytes(members[0].fd) / 512);
	for (unsigned int i = 0; i < nr_members; i++) {
		struct dmr_member *d = &root->members[i];

		memcpy(d->uuid, members[i].uuid, 16);
		d->state = cpu_to_le32(DMR_MEMBER_ACTIVE);
		d->flags = cpu_to_le32(!i && adopt ? DMR_MEMBER_NO_METADATA : 0);
		d->sectors = cpu_to_le64(i ? members[i].sectors - members[i].payload :
					     data_sectors);
	}
	pages[0] = (struct dmr_page *)root;
}

static void write_frames(unsigned int index)
{
	struct member *m = &members[index];
	uint64_t at = (m->region + DMR_FRAMES_SECTOR) * 512, before = 0, after = 0, gen = 1;
	uint8_t *all = aligned((size_t)nr_frames * DMR_FRAME_SIZE);
	uint32_t next = 0, last = 2, p;

	/* Commit 1 wrote the root, each following one a page, the last the root. */
	for (p = 1; p < nr_pages; p++)
		if (pages[p])
			after += dmr_page_digest(p, last++, session);
	before = after + dmr_page_digest(0, 1, session);
	after += dmr_page_digest(0, last, session);
	for (p = 0; p < nr_pages; p++) {
		if (!pages[p])
			continue;
		gen = p ? gen + 1 : 1;
		for (int copy = 0; copy < DMR_FRAME_COPIES; copy++) {
			uint32_t frame = m->order[next++];
			struct dmr_frame_header *h =
				(void *)(all + (size_t)frame * DMR_FRAME_SIZE);

			memcpy(h, pages[p], DMR_FRAME_SIZE);
			h->magic = cpu_to_le32(DMR_FRAME_MAGIC);
			memcpy(h->set_uuid, set_uuid, 16);
			h->member = cpu_to_le32(index);
			h->frame = cpu_to_le32(frame);
			h->page = cpu_to_le32(p);
			h->session = cpu_to_le64(session);
			h->gen = cpu_to_le64(p ? gen : last);
			/* Only those of the last commit are looked at. */
			h->digest_before = cpu_to_le64(p ? 0 : before);
			h->digest_after = cpu_to_le64(p ? 0 : after);
			frame_seal(h);
			if (fresh)
				write_all(m->fd, h, DMR_FRAME_SIZE,
					  at + (uint64_t)frame * DMR_FRAME_SIZE);
		}
	}
	if (!fresh)
		write_all(m->fd, all, (size_t)nr_frames * DMR_FRAME_SIZE, at);
	free(all);
}

static void write_anchors(unsigned int index)
{
	static const uint64_t place[] = { DMR_ANCHOR0_SECTOR, DMR_ANCHOR1_SECTOR };
	struct member *m = &members[index];
	struct dmr_anchor *a = aligned(sizeof(*a));

	for (int copy = DMR_ANCHOR_COPIES - 1; copy >= 0; copy--) {
		memcpy(a->magic, DMR_ANCHOR_MAGIC, 8);
		a->version = cpu_to_le32(DMR_FORMAT_VERSION);
		a->copy = cpu_to_le32(copy);
		memcpy(a->set_uuid, set_uuid, 16);
		memcpy(a->member_uuid, m->uuid, 16);
		a->role = cpu_to_le32(index ? DMR_ROLE_SPARE : DMR_ROLE_DATA);
		a->block_sectors = cpu_to_le32(block_sectors);
		a->nr_pages = cpu_to_le32(nr_pages);
		a->nr_frames = cpu_to_le32(nr_frames);
		a->region_start = cpu_to_le64(m->region);
		a->region_sectors = cpu_to_le64(index ? m->sectors : m->payload + data_sectors);
		a->payload_start = cpu_to_le64(m->payload);
		a->payload_sectors = cpu_to_le64(index ? m->sectors - m->payload : data_sectors);
		a->data_sectors = cpu_to_le64(data_sectors);
		snprintf(a->label, sizeof(a->label), "%s", label);
		anchor_seal(a);
		write_all(m->fd, a, sizeof(*a), (m->region + place[copy]) * 512);
	}
	free(a);
}

static void print_table(void)
{
	unsigned int words = (adopt ? 0 : 2) + (internal_mib ? 2 : 0);

	printf("0 %llu remap", (unsigned long long)data_sectors);
	for (unsigned int i = 0; i < nr_members - !!internal_mib; i++)
		printf(" %s", members[i].path);
	if (words)
		printf(" %u", words);
	if (!adopt)
		printf(" data_offset %llu", (unsigned long long)members[0].payload);
	if (internal_mib)
		printf(" internal_spare %llu",
		       (unsigned long long)members[nr_members - 1].region);
	putchar('\n');
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	if (strcmp(layout, "scattered") && strcmp(layout, "clustered") &&
	    strcmp(layout, "striped") && strcmp(layout, "runs"))
		die("no such layout: %s", layout);
	random_state = seed;
	uuid_make(set_uuid);
	session = random_u64();
	plan();
	pages = calloc(nr_pages, sizeof(*pages));
	if (!pages)
		die("out of memory");
	make_records();
	make_root();
	for (unsigned int i = adopt; i < nr_members; i++)
		write_frames(i);
	for (unsigned int i = adopt; i < nr_members; i++) {
		if (fsync(members[i].fd))
			die("%s: %s", members[i].path, strerror(errno));
		write_anchors(i);
		if (fsync(members[i].fd))
			die("%s: %s", members[i].path, strerror(errno));
	}
	print_table();
	return 0;
}
