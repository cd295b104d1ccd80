/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See fixture.h. */
#include <fcntl.h>
#include <sys/stat.h>

#include "fixture.h"

#define MiB	(1u << 20)

/* --- Wrapped functions ------------------------------------------------------ */

static long cut_at = -1, writes;

void fx_cut(long n)
{
	cut_at = n;
	writes = 0;
}

long fx_writes(void)
{
	return writes;
}

int __real_dmri_dev_write(struct dmri_dev *dev, u64 sector, const void *buf, size_t bytes);
int __real_dmri_dev_zero(struct dmri_dev *dev, u64 sector, u64 sectors);

int __wrap_dmri_dev_write(struct dmri_dev *dev, u64 sector, const void *buf, size_t bytes)
{
	if (cut_at >= 0 && writes >= cut_at)
		return -EIO;
	writes++;
	return __real_dmri_dev_write(dev, sector, buf, bytes);
}

int __wrap_dmri_dev_zero(struct dmri_dev *dev, u64 sector, u64 sectors)
{
	if (cut_at >= 0 && writes >= cut_at)
		return -EIO;
	writes++;
	return __real_dmri_dev_zero(dev, sector, sectors);
}

static u64 bad_first, bad_sectors;

void fx_unreadable(uint64_t first, uint64_t sectors)
{
	bad_first = first;
	bad_sectors = sectors;
}

int __real_dmri_dev_read(struct dmri_dev *dev, u64 sector, void *buf, size_t bytes);

int __wrap_dmri_dev_read(struct dmri_dev *dev, u64 sector, void *buf, size_t bytes)
{
	if (sector < bad_first + bad_sectors && sector + bytes / 512 > bad_first)
		return -EIO;
	return __real_dmri_dev_read(dev, sector, buf, bytes);
}

const char *fx_known;
bool fx_block;
const char *const *fx_devices;

static void number(struct dmri_dev *dev)
{
	unsigned int i;

	for (i = 0; fx_devices && fx_devices[i]; i++)
		if (!strcmp(fx_devices[i], dev->path))
			dev->minor = i + 1;
}

int __real_dmri_dev_open(const char *path, unsigned int flags, struct dmri_dev **dev,
			 struct dmremap_error *err);

int __wrap_dmri_dev_open(const char *path, unsigned int flags, struct dmri_dev **dev,
			 struct dmremap_error *err)
{
	int r = __real_dmri_dev_open(path, flags, dev, err);

	if (!r && fx_block)
		(*dev)->block = true;
	if (!r)
		number(*dev);
	return r;
}

bool __real_dmri_known_match(const struct dmremap_device *d, struct dmremap_raw *raw);

bool __wrap_dmri_known_match(const struct dmremap_device *d, struct dmremap_raw *raw)
{
	if (!fx_known)
		return __real_dmri_known_match(d, raw);
	dmri_copy(raw->set_name, sizeof(raw->set_name), fx_known);
	return true;
}

char fx_messages[65536];
int (*fx_answer)(const char *message, char **answer);
const char *fx_status, *fx_table;

int __real_dmri_dm_resolve(const char *name, struct dmri_dm_name *found,
			   struct dmremap_error *err);

int __wrap_dmri_dm_resolve(const char *name, struct dmri_dm_name *found,
			   struct dmremap_error *err)
{
	if (!fx_answer && !fx_status)
		return -ENOTCONN;
	dmri_copy(found->name, sizeof(found->name), name);
	dmri_copy(found->uuid, sizeof(found->uuid), "2f1c8a52-0000-4000-8000-000000000001");
	return 0;
}

int __wrap_dmri_dm_message(const char *name, const char *message, char **answer,
			   struct dmremap_error *err)
{
	size_t at = strlen(fx_messages);
	int r;

	dmri_text(fx_messages + at, sizeof(fx_messages) - at, "%s\n", message);
	r = fx_answer(message, answer);
	return r < 0 ? dmri_error_sys(err, r, "%s", message) : 0;
}

static int fake_info(struct dmri_dm_info *info, const char *params)
{
	memset(info, 0, sizeof(*info));
	info->live_table = info->exists = params;
	info->major = 253;
	info->length = 131072;
	info->event_nr = 7;
	dmri_copy(info->params, sizeof(info->params), params ?: "");
	return 0;
}

int __wrap_dmri_dm_status(const char *name, struct dmri_dm_info *info,
			  struct dmremap_error *err)
{
	return fake_info(info, fx_status);
}

int __wrap_dmri_dm_table(const char *name, struct dmri_dm_info *info,
			 struct dmremap_error *err)
{
	return fake_info(info, fx_table);
}

/* --- Files ------------------------------------------------------------------- */

static void make_file(const char *path, off_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

void fx_files(struct fixture *fx, unsigned int nr)
{
	unsigned int i;

	memset(fx, 0, sizeof(*fx));
	fx_cut(-1);
	fx_unreadable(0, 0);
	fx_known = NULL;
	fx_block = false;
	fx_devices = NULL;
	dmri_text(fx->dir, sizeof(fx->dir), "%s/dmr-unit-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	assert_non_null(mkdtemp(fx->dir));
	dmri_text(fx->data, sizeof(fx->data), "%s/data", fx->dir);
	make_file(fx->data, 24 * MiB);
	for (i = 0; i < nr; i++) {
		dmri_text(fx->spares[i], sizeof(fx->spares[i]), "%s/spare%u", fx->dir, i + 1);
		make_file(fx->spares[i], 4 * MiB);
	}
	fx->nr_spares = nr;
}

void fx_create(struct fixture *fx, unsigned int flags, unsigned int nr)
{
	struct dmremap_spare spares[FX_SPARES] = { 0 };
	struct dmremap_create create = {
		.name = "test",
		.adopt = flags & FX_ADOPT,
		.internal_spare_bytes = flags & FX_INTERNAL ? 4 * MiB : 0,
		.map_entries = 4000,
		.spares = spares,
		.nr_spares = nr,
	};
	struct dmremap_plan *plan;
	unsigned int i;
	int r;

	fx_files(fx, nr);
	fx->adopt = flags & FX_ADOPT;
	create.data = fx->data;
	for (i = 0; i < nr; i++)
		spares[i].path = fx->spares[i];
	r = dmremap_create_plan(&create, 0, &plan, &fx->err);
	if (r < 0)
		fail_msg("create: %s", fx->err.text);
	fx_commit_plan(fx, plan);
	fx_load(fx);
}

void fx_commit_plan(struct fixture *fx, struct dmremap_plan *plan)
{
	int r = dmremap_plan_commit(plan, NULL, NULL, &fx->err);

	dmremap_plan_free(plan);
	if (r < 0)
		fail_msg("commit: %s", fx->err.text);
}

void fx_repair(struct fixture *fx, unsigned int steps)
{
	enum dmremap_plan_kind kind;
	struct dmremap_plan *p;
	unsigned int nr = 0;
	const char *text;

	fx_load(fx);
	assert_int_equal(dmremap_repair_plan(fx->set, 0, &p, &fx->err), 0);
	while (dmremap_plan_next(p, &kind, &text) == 1)
		nr += kind == DMREMAP_PLAN_STEP;
	assert_int_equal(nr, steps);
	fx_commit_plan(fx, p);
}

void fx_done(struct fixture *fx)
{
	char command[160];

	dmremap_scan_free(fx->scan);
	dmri_text(command, sizeof(command), "rm -rf %s", fx->dir);
	assert_int_equal(system(command), 0);
}

void fx_load(struct fixture *fx)
{
	const char *paths[FX_SPARES + 2] = { fx->data };
	unsigned int i;
	int r;

	for (i = 0; i < fx->nr_spares; i++)
		paths[i + 1] = fx->spares[i];
	dmremap_scan_free(fx->scan);
	fx->scan = NULL;
	fx->set = NULL;
	r = dmremap_scan_new(0, paths, &fx->scan, &fx->err);
	if (r < 0)
		fail_msg("scan: %s", fx->err.text);
	if (!dmremap_scan_next(fx->scan, &fx->set))
		return;
	r = dmremap_set_load(fx->set, fx->adopt ? fx->data : NULL, &fx->err);
	if (r < 0)
		fail_msg("load: %s", fx->err.text);
}

const struct dmremap_set_info *fx_info(struct fixture *fx)
{
	assert_non_null(fx->set);
	return dmremap_set_info(fx->set);
}

const char *fx_path(struct fixture *fx, unsigned int member)
{
	return member ? fx->spares[member - 1] : fx->data;
}

struct dmri_dev *fx_open(struct fixture *fx, unsigned int member)
{
	struct dmri_dev *dev;

	assert_int_equal(dmri_dev_open(fx_path(fx, member), DMRI_WRITE, &dev, NULL), 0);
	return dev;
}

void fx_copy(const char *from, const char *to)
{
	char command[256];

	dmri_text(command, sizeof(command), "cp --sparse=always %s %s", from, to);
	assert_int_equal(system(command), 0);
}

static void copy_all(struct fixture *fx, bool save)
{
	unsigned int i;

	for (i = 0; i <= fx->nr_spares; i++) {
		char saved[128];

		dmri_text(saved, sizeof(saved), "%s.saved", fx_path(fx, i));
		fx_copy(save ? fx_path(fx, i) : saved, save ? saved : fx_path(fx, i));
	}
}

void fx_save(struct fixture *fx)
{
	copy_all(fx, true);
}

void fx_restore(struct fixture *fx)
{
	copy_all(fx, false);
}

void fx_poke(const char *path, uint64_t offset, const void *bytes, size_t size)
{
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, offset), size);
	close(fd);
}

void fx_flip(const char *path, uint64_t offset)
{
	int fd = open(path, O_RDWR);
	unsigned char c;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, offset), 1);
	c ^= 0x40;
	assert_int_equal(pwrite(fd, &c, 1, offset), 1);
	close(fd);
}

void fx_zero(const char *path, uint64_t offset, size_t size)
{
	void *zeroes = calloc(1, size);

	fx_poke(path, offset, zeroes, size);
	free(zeroes);
}

/* --- Commits ------------------------------------------------------------------- */

struct content {
	struct dmri_image *image;
	const struct dmr_record *records;
	size_t nr;
	void (*edit)(struct dmr_root *root);
};

static int make_content(void *arg, u32 page, void *buf)
{
	struct content *c = arg;
	struct dmr_page *p = buf;

	if (dmri_image_page(c->image, page, buf) < 0)
		memset(buf, 0, DMR_FRAME_SIZE);
	if (c->edit)
		c->edit(buf);
	else
		memcpy(p->records, c->records, c->nr * sizeof(*c->records));
	return 0;
}

static void commit_page(struct fixture *fx, u32 page, struct content *c)
{
	struct dmri_opened opened = { 0 };
	struct dmri_image *image;
	unsigned int indexes[DMREMAP_MAX_MEMBERS], i;
	struct dmri_commit commit = { .content = make_content, .arg = c, .session = 4711 };

	assert_int_equal(dmri_set_open(fx->set, DMRI_WRITE, &opened, NULL), 0);
	assert_int_equal(dmri_image_read(fx->set->uuid, fx->set->info.nr_pages,
					 fx->set->info.nr_frames, opened.sources, opened.nr,
					 NULL, NULL, &image), 0);
	c->image = image;
	for (i = 0; i < opened.nr; i++)
		indexes[i] = opened.sources[i].index;
	commit.image = image;
	commit.sources = opened.sources;
	commit.nr_sources = opened.nr;
	commit.indexes = indexes;
	commit.gen = image->assembly.gen + 1;
	commit.digest_before = image->assembly.digest;
	commit.digest_after = image->assembly.digest + dmr_page_digest(page, commit.gen, 4711);
	if (image->candidates[page].gen)
		commit.digest_after -= dmr_page_digest(page, image->candidates[page].gen,
						       image->candidates[page].session);
	commit.pages = calloc(image->nr_pages, sizeof(bool));
	commit.pages[page] = true;
	assert_int_equal(dmri_commit_write(&commit, NULL), 0);
	free(commit.pages);
	dmri_image_free(image);
	dmri_opened_close(&opened);
	fx_load(fx);
}

void fx_commit(struct fixture *fx, uint32_t page, const struct dmr_record *records, size_t nr)
{
	struct content c = { .records = records, .nr = nr };

	commit_page(fx, page, &c);
}

void fx_commit_root(struct fixture *fx, void (*edit)(struct dmr_root *root))
{
	struct content c = { .edit = edit };

	commit_page(fx, 0, &c);
}

struct dmr_record fx_record(unsigned int state, unsigned int member, uint64_t block,
			    uint32_t slot, uint32_t invalid)
{
	return (struct dmr_record){
		.key = cpu_to_le64(dmr_key(state, member, block)),
		.slot = cpu_to_le32(slot),
		.invalid = cpu_to_le32(invalid),
	};
}

unsigned int fx_frames(struct fixture *fx, unsigned int member, uint32_t page, uint64_t gen,
		       void (*fn)(struct fixture *fx, const char *path, uint64_t offset))
{
	struct dmri_dev *dev = fx_open(fx, member);
	struct dmr_frame_header *h = dmri_alloc(DMR_FRAME_SIZE);
	u32 i, nr_frames = fx_info(fx)->nr_frames;
	unsigned int nr = 0;

	for (i = 0; i < nr_frames; i++) {
		u64 sector = DMR_FRAMES_SECTOR + (u64)i * DMR_FRAME_SECTORS;

		assert_int_equal(dmri_dev_read(dev, sector, h, DMR_FRAME_SIZE), 0);
		if (le32_to_cpu(h->magic) != DMR_FRAME_MAGIC || le32_to_cpu(h->page) != page ||
		    (gen && le64_to_cpu(h->gen) != gen))
			continue;
		nr++;
		if (fn)
			fn(fx, fx_path(fx, member), sector * 512);
	}
	free(h);
	dmri_dev_close(dev);
	return nr;
}

void fx_erase(struct fixture *fx, const char *path, uint64_t offset)
{
	fx_zero(path, offset, DMR_FRAME_SIZE);
}

/* --- Asserting ------------------------------------------------------------------- */

bool fx_plan_has(struct dmremap_plan *plan, enum dmremap_plan_kind kind, const char *part)
{
	enum dmremap_plan_kind k;
	const char *text;

	dmremap_plan_rewind(plan);
	while (dmremap_plan_next(plan, &k, &text) == 1)
		if (k == kind && strstr(text, part))
			return true;
	return false;
}

void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not hold \"%s\"", text, part);
}
