// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Power cuts and failing writes of the metadata while the module's own code (module/)
 * starts and stops a set and commits. The input says what is changed, when power goes,
 * which sectors of what was on its way are there then, and who is away at the next start. Each
 * start must succeed, and each page be what was committed last, or what was being committed.
 */
#include "fuzz.h"
#include "module/module.h"
#include "private.h"

#define MAX_MEMBERS	3
#define PAGES		20
#define FRAMES		(DMR_FRAME_COPIES * PAGES + DMR_FRAME_SLACK)
#define PAYLOAD		(DMR_FRAMES_SECTOR + FRAMES * DMR_FRAME_SECTORS)	/* sectors */
#define BLOCK		32
#define DATA		(1 << 20)
#define SLOTS		300
#define MAX_PENDING	256
#define MAX_CUTS	64

enum { CHANGE, CHANGE_MANY, COMMIT, STOP, CUT, FAIL, LEAVE, DIE, OPS };

static const uint8_t uuid[16] = "fuzz-cut-set-01";

struct frame {
	uint8_t sectors[DMR_FRAME_SECTORS][512];
};

/* What a disk holds; and what it says that it does, as long as there is power. */
struct disk {
	struct block_device bdev;
	bool metadata;
	struct dmr_anchor anchors[DMR_ANCHOR_COPIES];
	struct frame durable[FRAMES], cached[FRAMES];
	unsigned int nr_pending;
	u32 pending[MAX_PENDING];
};

static struct disk disks[MAX_MEMBERS];
static unsigned int nr_disks;
static struct input *input;
static struct module_set *module;
static unsigned int cut_in, fail_in;	/* writes or flushes from now; 0: not */
static unsigned int cuts;
static bool dark;				/* power is gone */
static unsigned int away, leaves;		/* the spare that is not there now, and at the next start */
static bool weak;				/* a member may lack the newest map */
static struct disk *dying;			/* takes no writes until the next start */

/*
 * The value of a page: a number in one record in each sector, so that no mixture of two
 * versions reads as one.
 */
static u32 value[PAGES], committed[PAGES], last_value;

/* --- Disks ------------------------------------------------------------------ */

static void settle(struct disk *d)
{
	unsigned int i;

	for (i = 0; i < d->nr_pending; i++)
		d->durable[d->pending[i]] = d->cached[d->pending[i]];
	d->nr_pending = 0;
}

/* Any sectors of what was on its way are there. */
static void mix(struct frame *to, const struct frame *from, unsigned int there)
{
	unsigned int i;

	for (i = 0; i < DMR_FRAME_SECTORS; i++)
		if (there >> i & 1)
			memcpy(to->sectors[i], from->sectors[i], sizeof(to->sectors[i]));
}

static void cut_power(void)
{
	struct disk *d;
	unsigned int i;

	for (d = disks; d < disks + nr_disks; d++) {
		for (i = 0; i < d->nr_pending; i++)
			mix(&d->durable[d->pending[i]], &d->cached[d->pending[i]], take(input, 1));
		d->nr_pending = 0;
		memcpy(d->cached, d->durable, sizeof(d->cached));
	}
	dark = true;
	cuts++;
	/* And again, while the set is started. */
	cut_in = take(input, 1);
}

void module_batch(bool begins)
{
	unsigned int i;

	for (i = 0; i < nr_disks && !begins && !dark; i++)
		if (disks[i].bdev.fua)
			settle(&disks[i]);
}

static bool write_frame(struct disk *d, u32 frame, const void *buf)
{
	require(frame < FRAMES && d->nr_pending < MAX_PENDING);
	if (fail_in && !--fail_in) {
		/* And what was there is gone. */
		mix(&d->cached[frame], buf, take(input, 1));
		d->durable[frame] = d->cached[frame];
		weak = true;
		return false;
	}
	memcpy(&d->cached[frame], buf, sizeof(d->cached[frame]));
	d->pending[d->nr_pending++] = frame;
	return true;
}

static bool read_sectors(const struct disk *d, u64 sector, void *buf, size_t bytes)
{
	const void *from = NULL;

	if (d->metadata && sector == DMR_ANCHOR0_SECTOR)
		from = &d->anchors[0];
	else if (d->metadata && sector == DMR_ANCHOR1_SECTOR)
		from = &d->anchors[1];
	else if (d->metadata && sector >= DMR_FRAMES_SECTOR && sector < PAYLOAD)
		from = &d->cached[(sector - DMR_FRAMES_SECTOR) / DMR_FRAME_SECTORS];
	require(bytes == DMR_FRAME_SIZE);
	if (from)
		memcpy(buf, from, bytes);
	else
		memset(buf, 0, bytes);
	return true;
}

bool module_io(struct block_device *bdev, bool write, uint64_t sector, void *buf, size_t bytes)
{
	struct disk *d = &disks[bdev->bd_dev];

	if (dark)
		return false;
	if (!write)
		return read_sectors(d, sector, buf, bytes);
	if (d == dying)
		return false;
	if (buf && !write_frame(d, (sector - DMR_FRAMES_SECTOR) / DMR_FRAME_SECTORS, buf))
		return false;
	if (cut_in && !--cut_in && cuts < MAX_CUTS) {
		cut_power();
		return false;
	}
	if (!buf)
		settle(d);
	return true;
}

/* --- A new set -------------------------------------------------------------- */

static void make_anchors(struct disk *d)
{
	struct dmr_anchor a = {
		.magic = DMR_ANCHOR_MAGIC,
		.version = cpu_to_le32(DMR_FORMAT_VERSION),
		.role = cpu_to_le32(d == disks ? DMR_ROLE_DATA : DMR_ROLE_SPARE),
		.block_sectors = cpu_to_le32(BLOCK),
		.nr_pages = cpu_to_le32(PAGES),
		.nr_frames = cpu_to_le32(FRAMES),
		.region_sectors = cpu_to_le64(d->bdev.sectors),
		.payload_start = cpu_to_le64(PAYLOAD),
		.payload_sectors = cpu_to_le64(d->bdev.sectors - PAYLOAD),
		.data_sectors = cpu_to_le64(DATA),
	};
	unsigned int copy;

	memcpy(a.set_uuid, uuid, sizeof(uuid));
	a.member_uuid[0] = d - disks;
	for (copy = 0; copy < DMR_ANCHOR_COPIES; copy++) {
		dmri_anchor_seal(&a, copy);
		d->anchors[copy] = a;
	}
}

static void make_root(struct dmr_root *r, bool adopted)
{
	unsigned int i;

	r->header.gen = cpu_to_le64(1);
	r->header.session = cpu_to_le64(1);
	r->header.digest_after = cpu_to_le64(dmr_page_digest(0, 1, 1));
	r->nr_members = cpu_to_le32(nr_disks);
	r->nr_pages = cpu_to_le32(PAGES);
	r->data_offset = cpu_to_le64(adopted ? 0 : PAYLOAD);
	r->data_sectors = cpu_to_le64(DATA);
	r->block_sectors = cpu_to_le32(BLOCK);
	for (i = 0; i < nr_disks; i++) {
		r->members[i].uuid[0] = i;
		r->members[i].state = cpu_to_le32(DMR_MEMBER_ACTIVE);
		r->members[i].sectors = cpu_to_le64(i ? SLOTS * BLOCK : DATA);
	}
	if (adopted) {
		r->members[0].flags = cpu_to_le32(DMR_MEMBER_NO_METADATA);
		r->identity.device_sectors = cpu_to_le64(disks[0].bdev.sectors);
	}
}

static void make_set(unsigned int how)
{
	bool adopted = how & 1;
	struct dmr_root root = { 0 };
	unsigned int i, copy;

	nr_disks = 1 + adopted + (how >> 1 & 1);
	for (i = 0; i < nr_disks; i++) {
		memset(&disks[i], 0, sizeof(disks[i]));
		disks[i].bdev.bd_dev = i;
		disks[i].bdev.sectors = PAYLOAD + (i ? SLOTS * BLOCK : DATA);
	}
	make_root(&root, adopted);
	for (i = 0; i < nr_disks; i++) {
		struct disk *d = &disks[i];

		d->bdev.fua = how >> (2 + i) & 1;
		d->metadata = i || !adopted;
		make_anchors(d);
		for (copy = 0; copy < DMR_FRAME_COPIES && d->metadata; copy++) {
			memcpy(&d->durable[copy], &root, sizeof(root));
			dmri_frame_seal(&d->durable[copy], uuid, i, copy);
		}
		memcpy(d->cached, d->durable, sizeof(d->cached));
	}
	module = NULL;
	cut_in = fail_in = cuts = away = leaves = 0;
	weak = false;
	dying = NULL;
	dark = false;
	memset(value, 0, sizeof(value));
	memset(committed, 0, sizeof(committed));
	last_value = 0;
}

/* --- Its life --------------------------------------------------------------- */

static u32 value_read(u32 page)
{
	u32 v[DMR_FRAME_SECTORS] = { 0 }, i;
	struct module_entry e;

	for (i = 0; i < DMR_FRAME_SECTORS; i++) {
		if (module_next(module, i * PAGES + page, &e) && e.block == i * PAGES + page)
			v[i] = e.invalid;
		require(v[i] == v[0]);
	}
	return v[0];
}

static void load(void)
{
	struct module_table table = { .data = &disks[0].bdev, .length = DATA,
		.data_offset = disks[0].metadata ? PAYLOAD : 0 };
	unsigned int i;

	memcpy(table.uuid, uuid, sizeof(uuid));
	away = weak ? 0 : leaves;
	leaves = 0;
	weak = away;
	dying = NULL;
	table.degraded = away;
	for (i = 1; i < nr_disks; i++)
		if (i != away)
			table.spares[table.nr_spares++] = &disks[i].bdev;
	module = module_load(&table);
	if (!module)
		fprintf(stderr, "%s\n", module_reason());
	require(module);
	for (i = 1; i < PAGES; i++) {
		u32 v = value_read(i);

		require(v == committed[i] || v == value[i]);
	}
}

/* What was found is what is there from now on. */
static void take_values(void)
{
	unsigned int i;

	for (i = 1; i < PAGES; i++)
		value[i] = committed[i] = value_read(i);
}

static void start(void)
{
	for (;;) {
		dark = false;
		load();
		if (!module_open(module))
			break;
		module_free(module);
	}
	take_values();
}

static void restart(void)
{
	module_free(module);
	start();
}

static void change(u32 page)
{
	struct dmr_page *p = module_page(module, page);
	u32 i;

	value[page] = ++last_value;
	for (i = 0; i < DMR_FRAME_SECTORS; i++)
		p->records[i * 512 / DMR_RECORD_SIZE] = (struct dmr_record){
			.key = cpu_to_le64(dmr_key(DMR_RECORD_LOST, 0, i * PAGES + page)),
			.invalid = cpu_to_le32(last_value),
		};
}

/*
 * Of those that went on without a member nobody may think that they are one torn commit ahead
 * of it: what they have is acknowledged.
 */
static void check_apart(void)
{
	const struct dmr_root *r = module_root(module);
	unsigned int i;

	for (i = 0; i < nr_disks; i++)
		require(le32_to_cpu(r->members[i].state) != DMR_MEMBER_OUT ||
			module_gen(module) >= le64_to_cpu(r->members[i].out_gen) + 2);
}

static void commit(void)
{
	if (module_commit(module)) {
		restart();
		return;
	}
	memcpy(committed, value, sizeof(value));
	check_apart();
}

static void step(void)
{
	unsigned int op = take(input, 1) % OPS, i, n;

	switch (op) {
	case CHANGE:
		change(1 + take(input, 1) % (PAGES - 1));
		break;
	case CHANGE_MANY:
		n = take(input, 1);
		for (i = 1; i < PAGES; i++)
			if (i > n % PAGES)
				change(i);
		break;
	case COMMIT:
		commit();
		break;
	case STOP:
		module_close(module);
		restart();
		break;
	case CUT:
		cut_in = take(input, 1);
		break;
	case FAIL:
		fail_in = take(input, 1);
		break;
	case DIE:
		n = take(input, 1) % nr_disks;
		if (nr_disks - !disks[0].metadata >= 2 && disks[n].metadata) {
			dying = &disks[n];
			weak = true;
		}
		break;
	case LEAVE:
		leaves = take(input, 1) % nr_disks;
		if (nr_disks - !disks[0].metadata < 2)
			leaves = 0;
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);

	input = &in;
	make_set(take(&in, 1));
	start();
	while (input_left(&in))
		step();
	cut_in = fail_in = 0;
	restart();
	module_free(module);
	return 0;
}
