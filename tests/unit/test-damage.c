/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every byte of a small set's metadata damaged, in one copy and in all; every block put
 * in every other's place, and made as old as it ever was: what is read is the true map, or it
 * is refused by name. Frames are read by the code that the module chooses them by.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "fixture.h"

#define MEMBERS		2
#define STATES		6	/* after so many commits */
#define HEAD		(DMR_FRAMES_SECTOR * 512)

/* The sanitizers are slow, and what they look for shows at any byte. */
#ifdef __SANITIZE_ADDRESS__
#define STRIDE		61
#else
#define STRIDE		1
#endif

struct map {
	struct dmri_record records[32];
	size_t nr;
	struct dmr_root root;
	u64 gen;
};

static struct fixture fx;
static struct dmri_opened opened;
static uint8_t *disks[MEMBERS];		/* mapped */
static uint8_t *states[STATES][MEMBERS];
static struct map maps[STATES];
static size_t size;
static u32 nr_frames, nr_pages;
static unsigned long trials, refused;

/* --- The set ------------------------------------------------------------------ */

static void create(void)
{
	struct dmremap_spare spare = { 0 };
	struct dmremap_create create = {
		.name = "test", .map_entries = 300, .spares = &spare, .nr_spares = 1,
	};
	struct dmremap_plan *plan;

	fx_files(&fx, 1);
	create.data = fx.data;
	spare.path = fx.spares[0];
	assert_int_equal(dmremap_create_plan(&create, 0, &plan, &fx.err), 0);
	fx_commit_plan(&fx, plan);
	fx_load(&fx);
	nr_frames = fx_info(&fx)->nr_frames;
	nr_pages = fx_info(&fx)->nr_pages;
	size = HEAD + (size_t)nr_frames * DMR_FRAME_SIZE;
}

static void map_disks(void)
{
	unsigned int i;

	for (i = 0; i < MEMBERS; i++) {
		int fd = open(fx_path(&fx, i), O_RDWR);

		assert_true(fd >= 0);
		disks[i] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		assert_ptr_not_equal(disks[i], MAP_FAILED);
		close(fd);
	}
	assert_int_equal(dmri_set_open(fx.set, 0, &opened, NULL), 0);
	assert_int_equal(opened.nr, MEMBERS);
}

static void put_back(unsigned int state)
{
	unsigned int i;

	for (i = 0; i < MEMBERS; i++)
		memcpy(disks[i], states[state][i], size);
}

/* Read as at a start; NULL: refused, with a reason. */
static struct map *look(struct map *map)
{
	struct dmri_image *image;
	enum dmr_fault fault;
	unsigned int i;

	trials++;
	assert_int_equal(dmri_image_read(fx.set->uuid, nr_pages, nr_frames, opened.sources,
					 opened.nr, NULL, NULL, &image), 0);
	assert_int_equal(dmri_image_records(image), 0);
	fault = image->fault;
	if (fault) {
		refused++;
		assert_true(*image->reason);
	} else {
		assert_in_range(image->nr_records, 0, ARRAY_SIZE(map->records));
		memset(map, 0, sizeof(*map));
		for (i = 0; i < image->nr_records; i++)
			map->records[i] = image->records[i];
		map->nr = image->nr_records;
		map->root = image->root;
		map->gen = image->assembly.gen;
	}
	for (i = 0; i < opened.nr; i++)
		dmri_source_release(&opened.sources[i]);
	dmri_image_free(image);
	return fault ? NULL : map;
}

static bool same_record(const struct dmri_record *a, const struct dmri_record *b)
{
	return a->block == b->block && a->state == b->state && a->member == b->member &&
	       a->slot == b->slot && a->invalid == b->invalid;
}

/* Roots lie on different members in different places; what they say is compared. */
static bool same(const struct map *a, const struct map *b)
{
	size_t i;

	for (i = 0; i < a->nr && i < b->nr; i++)
		if (!same_record(&a->records[i], &b->records[i]))
			return false;
	return a->nr == b->nr &&
	       !memcmp((uint8_t *)&a->root + DMR_FRAME_HEADER_SIZE,
		       (uint8_t *)&b->root + DMR_FRAME_HEADER_SIZE, DMR_PAGE_PAYLOAD);
}

static void keep(unsigned int state)
{
	unsigned int i;

	for (i = 0; i < MEMBERS; i++) {
		states[state][i] = malloc(size);
		assert_non_null(states[state][i]);
		memcpy(states[state][i], disks[i], size);
	}
	assert_non_null(look(&maps[state]));
}

static void edit_root(struct dmr_root *root)
{
	root->activations = cpu_to_le64(le64_to_cpu(root->activations) + 1);
}

static int begin(void **state)
{
	struct dmr_record records[8];
	unsigned int n, i;

	create();
	map_disks();
	keep(0);
	for (n = 1; n < STATES; n++) {
		for (i = 0; i < n; i++)
			records[i] = fx_record(i % 2 ? DMR_RECORD_LOST : DMR_RECORD_REMAPPED, !(i % 2),
					       10 * n + i, i % 2 ? 0 : 8 * n + i, i % 2 ? n : 0);
		if (n == 3)
			fx_commit_root(&fx, edit_root);
		else
			fx_commit(&fx, 1 + n % 2, records, n);
		keep(n);
	}
	return 0;
}

static int end(void **state)
{
	unsigned int i, n;

	for (i = 0; i < MEMBERS; i++) {
		munmap(disks[i], size);
		for (n = 0; n < STATES; n++)
			free(states[n][i]);
	}
	dmri_opened_close(&opened);
	fx_done(&fx);
	return 0;
}

static void report(const char *what)
{
	printf("# %s: %lu trials, %lu true, %lu refused\n", what, trials, trials - refused,
	       refused);
	trials = refused = 0;
}

static uint8_t *frame_of(unsigned int member, u32 frame)
{
	return disks[member] + HEAD + (size_t)frame * DMR_FRAME_SIZE;
}

static const struct dmr_frame_header *header(unsigned int member, u32 frame)
{
	return (void *)frame_of(member, frame);
}

static bool holds(unsigned int member, u32 frame)
{
	return le32_to_cpu(header(member, frame)->magic) == DMR_FRAME_MAGIC;
}

static void fail_at(const char *what, unsigned int member, u32 frame, unsigned int at)
{
	fail_msg("%s: member %u, frame %u, byte %u: not the true map", what, member, frame, at);
}

/* --- Bytes --------------------------------------------------------------------- */

/* There are other copies: nothing is refused. */
static void one_copy(void **state)
{
	const struct map *truth = &maps[STATES - 1];
	unsigned int member, at;
	struct map map;
	u32 f;

	put_back(STATES - 1);
	for (member = 0; member < MEMBERS; member++)
		for (f = 0; f < nr_frames; f++)
			for (at = f % STRIDE; at < DMR_FRAME_SIZE && holds(member, f); at += STRIDE) {
				uint8_t *byte = frame_of(member, f) + at, old = *byte;

				*byte ^= 1 << (at + f) % 8;
				if (!look(&map) || !same(&map, truth))
					fail_at("one copy", member, f, at);
				*byte = old;
			}
	assert_int_equal(refused, 0);
	report("each byte of each frame");
}

static void flip_all(u32 page, u64 gen, unsigned int at)
{
	unsigned int member;
	u32 f;

	for (member = 0; member < MEMBERS; member++)
		for (f = 0; f < nr_frames; f++)
			if (le32_to_cpu(header(member, f)->page) == page &&
			    le64_to_cpu(header(member, f)->gen) == gen && holds(member, f))
				frame_of(member, f)[at] ^= 0x10;
}

/*
 * In all copies of a page: what the last commit wrote may have been cut off, and is as
 * before it; all else is missed.
 */
static void all_copies(void **state)
{
	const struct map *truth = &maps[STATES - 1], *before = &maps[STATES - 2];
	u64 gens[8] = { 0 };
	unsigned int at;
	struct map map;
	u32 page, f;

	put_back(STATES - 1);
	for (f = 0; f < nr_frames; f++)
		if (holds(0, f))
			gens[le32_to_cpu(header(0, f)->page)] =
				MAX(gens[le32_to_cpu(header(0, f)->page)],
				    le64_to_cpu(header(0, f)->gen));
	for (page = 0; page < nr_pages; page++)
		for (at = 0; at < DMR_FRAME_SIZE && gens[page]; at += STRIDE) {
			bool last = gens[page] == truth->gen;

			flip_all(page, gens[page], at);
			if (look(&map) ? !last || !same(&map, before) : last)
				fail_at("all copies", 0, page, at);
			put_back(STATES - 1);
		}
	assert_true(refused);
	report("each byte of all copies of a page");
}

static void check_anchor(unsigned int member, unsigned int bad, const struct dmr_anchor *good)
{
	struct dmri_anchors a;

	trials++;
	assert_int_equal(dmri_anchors_read(opened.sources[member].dev, 0, &a), 0);
	if (bad == 3) {
		refused++;
		assert_false(a.found);
		assert_true(a.fault[0] && a.fault[1]);
		return;
	}
	assert_true(a.found);
	assert_true(a.fault[bad - 1]);
	/* They differ in which copy they are. */
	assert_memory_equal(a.anchor.set_uuid, good->set_uuid,
			    sizeof(*good) - offsetof(struct dmr_anchor, set_uuid));
}

static void anchors(void **state)
{
	static const unsigned int places[] = { DMR_ANCHOR0_SECTOR * 512, DMR_ANCHOR1_SECTOR * 512 };
	unsigned int member, bad, at, i;

	put_back(STATES - 1);
	for (member = 0; member < MEMBERS; member++)
		for (bad = 1; bad <= 3; bad++)
			for (at = 0; at < DMR_FRAME_SIZE; at++) {
				for (i = 0; i < 2; i++)
					disks[member][places[i] + at] ^= bad >> i & 1 ? 0x81 : 0;
				check_anchor(member, bad, (void *)(states[0][member] + places[0]));
				for (i = 0; i < 2; i++)
					disks[member][places[i] + at] ^= bad >> i & 1 ? 0x81 : 0;
			}
	report("each byte of the anchors");
}

/* --- Blocks ---------------------------------------------------------------------- */

/* Of the last commit's page one copy is enough, and two places are all that is touched. */
static void must_be_true(const char *what, unsigned int member, u32 frame)
{
	struct map map;

	if (look(&map) && !same(&map, &maps[STATES - 1]))
		fail_at(what, member, frame, 0);
}

static void other_places(void **state)
{
	static uint8_t saved[DMR_FRAME_SIZE];
	unsigned int a, b, nr = MEMBERS * nr_frames;

	put_back(STATES - 1);
	for (a = 0; a < nr; a++)
		for (b = 0; b < nr; b += MAX(STRIDE / 8, 1)) {
			uint8_t *from = frame_of(a % MEMBERS, a / MEMBERS);
			uint8_t *to = frame_of(b % MEMBERS, b / MEMBERS);

			if (a == b || !holds(a % MEMBERS, a / MEMBERS))
				continue;
			memcpy(saved, to, DMR_FRAME_SIZE);
			memcpy(to, from, DMR_FRAME_SIZE);
			must_be_true("duplicated", b % MEMBERS, b / MEMBERS);
			memcpy(from, saved, DMR_FRAME_SIZE);
			must_be_true("swapped", b % MEMBERS, b / MEMBERS);
			memcpy(from, to, DMR_FRAME_SIZE);
			memcpy(to, saved, DMR_FRAME_SIZE);
		}
	report("each frame in each other's place");
}

/* Each frame as it was at each earlier time: the other copies are newer. */
static void aged_frames(void **state)
{
	unsigned int n, member;
	u32 f;

	put_back(STATES - 1);
	for (n = 0; n < STATES - 1; n++)
		for (member = 0; member < MEMBERS; member++)
			for (f = 0; f < nr_frames; f++) {
				size_t at = HEAD + (size_t)f * DMR_FRAME_SIZE;

				memcpy(disks[member] + at, states[n][member] + at, DMR_FRAME_SIZE);
				must_be_true("aged", member, f);
				memcpy(disks[member] + at, states[STATES - 1][member] + at,
				       DMR_FRAME_SIZE);
			}
	assert_int_equal(refused, 0);
	report("each frame as it once was");
}

/* Members of any two ages: the newer one counts, whole. */
static void aged_members(void **state)
{
	unsigned int a, b;
	struct map map;

	for (a = 0; a < STATES; a++)
		for (b = 0; b < STATES; b++) {
			memcpy(disks[0], states[a][0], size);
			memcpy(disks[1], states[b][1], size);
			assert_non_null(look(&map));
			assert_true(same(&map, &maps[MAX(a, b)]));
		}
	report("members of different age");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_copy),
		cmocka_unit_test(all_copies),
		cmocka_unit_test(anchors),
		cmocka_unit_test(other_places),
		cmocka_unit_test(aged_frames),
		cmocka_unit_test(aged_members),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
