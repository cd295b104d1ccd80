/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backups of a set's metadata. A backup file is laid out like a member, so that
 * the same code reads and checks it:
 *
 *	0		header: struct backup_header
 *	4 KiB		anchors of the members that were there, 4 KiB each
 *	256 KiB		the newest version of each page that was ever written, as a
 *			frame of member 0; digest_before and digest_after are those
 *			of the whole, so that a missing page is noticed
 *	last 4 KiB	trailer: struct backup_trailer, with the CRC of all before
 */
#include <fcntl.h>
#include <libgen.h>
#include <sys/stat.h>
#include <time.h>

#include "private.h"

#define BACKUP_MAGIC		"dmrbkup\n"
#define BACKUP_END_MAGIC	"dmrbkend"
#define BACKUP_VERSION		1
#define FRAMES_AT		512u	/* sectors: 256 KiB */
#define BACKUP_TRIES		10	/* of a set that runs */

struct backup_header {
	uint8_t magic[8];
	__le32 csum;			/* as in all metadata, over these 4096 bytes */
	__le32 version;
	uint8_t set_uuid[16];
	__le64 created;
	__le64 generation;
	__le32 nr_anchors;
	__le32 nr_pages;		/* of the set */
	__le32 nr_stored;		/* pages in this file */
	__le32 reserved0;
	uint8_t reserved[4096 - 64];
};

struct backup_trailer {
	uint8_t magic[8];
	__le32 csum;
	__le32 crc;			/* CRC32C of everything before the trailer */
	__le64 bytes;			/* and how much that is */
	uint8_t reserved[4096 - 24];
};

_Static_assert(sizeof(struct backup_header) == DMR_FRAME_SIZE, "backup header size");
_Static_assert(sizeof(struct backup_trailer) == DMR_FRAME_SIZE, "backup trailer size");
_Static_assert((1 + DMREMAP_MAX_MEMBERS) * DMR_FRAME_SECTORS <= FRAMES_AT + DMR_FRAME_SECTORS,
	       "room for anchors");

/* --- Reading ------------------------------------------------------------------ */

void dmri_backup_free(struct dmri_backup *b)
{
	if (!b)
		return;
	dmri_source_release(&b->source);
	dmri_image_free(b->image);
	dmri_dev_close(b->file);
	free(b);
}

static void backup_freep(struct dmri_backup **b)
{
	dmri_backup_free(*b);
}

static int damaged(const char *path, struct dmremap_error *err, const char *what)
{
	return dmri_error(err, -EUCLEAN, "The backup %.200s is damaged: %s.", path, what);
}

static int check_whole(struct dmri_backup *b, const char *path, struct dmremap_error *err)
{
	u64 at, sectors = b->file->sectors - DMR_FRAME_SECTORS;
	_free_ struct backup_trailer *t = dmri_alloc(sizeof(*t));
	u32 crc = ~0u;
	int r;

	if (!t)
		return dmri_error_sys(err, -ENOMEM, "%.200s", path);
	for (at = 0; at <= sectors; at += DMR_FRAME_SECTORS) {
		r = dmri_dev_read(b->file, at, t, sizeof(*t));
		if (r < 0)
			return dmri_error_sys(err, r, "%.200s can not be read", path);
		if (at < sectors)
			crc = dmr_crc32c(crc, t, sizeof(*t));
	}
	if (memcmp(t->magic, BACKUP_END_MAGIC, sizeof(t->magic)) ||
	    le32_to_cpu(t->csum) != dmr_block_csum(t, offsetof(struct backup_trailer, csum)) ||
	    le64_to_cpu(t->bytes) != sectors * 512)
		return damaged(path, err, "its end is missing");
	if (le32_to_cpu(t->crc) != ~crc)
		return damaged(path, err, "checksum mismatch");
	return 0;
}

static int read_header(struct dmri_backup *b, const char *path, struct backup_header *h,
		       struct dmremap_error *err)
{
	struct dmremap_backup_info *info = &b->info;

	if (b->file->sectors < FRAMES_AT + 2 * DMR_FRAME_SECTORS ||
	    dmri_dev_read(b->file, 0, h, sizeof(*h)) < 0 ||
	    memcmp(h->magic, BACKUP_MAGIC, sizeof(h->magic)))
		return dmri_error(err, -EUCLEAN, "%.200s is not a backup of dm-remap metadata.",
				  path);
	if (le32_to_cpu(h->version) != BACKUP_VERSION)
		return dmri_error(err, -EPROTONOSUPPORT,
				  "The backup %.200s has version %u; only %u is known.", path,
				  le32_to_cpu(h->version), BACKUP_VERSION);
	if (le32_to_cpu(h->csum) != dmr_block_csum(h, offsetof(struct backup_header, csum)))
		return damaged(path, err, "checksum mismatch in its header");
	b->nr_anchors = le32_to_cpu(h->nr_anchors);
	info->version = BACKUP_VERSION;
	info->created = le64_to_cpu(h->created);
	info->generation = le64_to_cpu(h->generation);
	info->nr_pages = le32_to_cpu(h->nr_pages);
	info->pages = le32_to_cpu(h->nr_stored);
	dmri_uuid_text(h->set_uuid, info->uuid);
	if (!b->nr_anchors || b->nr_anchors > DMREMAP_MAX_MEMBERS - 1 ||
	    info->nr_pages < 2 || info->nr_pages > DMR_MAX_PAGES || !info->pages ||
	    info->pages > info->nr_pages ||
	    b->file->sectors != FRAMES_AT + (u64)(info->pages + 1) * DMR_FRAME_SECTORS)
		return damaged(path, err, "its sizes contradict each other");
	return 0;
}

static int read_anchors(struct dmri_backup *b, const char *path,
			const struct backup_header *h, struct dmremap_error *err)
{
	_free_ struct dmr_anchor *a = dmri_alloc(sizeof(*a));
	u32 i;

	if (!a)
		return dmri_error_sys(err, -ENOMEM, "%.200s", path);
	for (i = 0; i < b->nr_anchors; i++) {
		if (dmri_dev_read(b->file, (u64)(i + 1) * DMR_FRAME_SECTORS, a, sizeof(*a)) < 0 ||
		    dmr_anchor_check(a, 0, le64_to_cpu(a->region_start), UINT64_MAX) ||
		    memcmp(a->set_uuid, h->set_uuid, sizeof(a->set_uuid)) ||
		    le32_to_cpu(a->nr_pages) != b->info.nr_pages)
			return damaged(path, err, "an anchor in it is not valid");
		b->anchors[i] = *a;
	}
	dmri_copy_text(b->info.name, sizeof(b->info.name), b->anchors[0].label,
		       sizeof(b->anchors[0].label));
	return 0;
}

static int read_map(struct dmri_backup *b, const char *path, const struct backup_header *h,
		    struct dmremap_error *err)
{
	const struct dmr_root *root;
	unsigned int i;
	int r;

	b->source.dev = b->file;
	b->source.region_start = FRAMES_AT - DMR_FRAMES_SECTOR;
	r = dmri_image_read(h->set_uuid, b->info.nr_pages, b->info.pages, &b->source, 1, NULL,
			    NULL, &b->image);
	if (!r)
		r = dmri_image_records(b->image);
	if (r < 0)
		return dmri_error_sys(err, r, "%.200s can not be read", path);
	if (b->image->fault)
		return damaged(path, err, b->image->reason);
	if (b->source.kinds[DMRI_FRAME_VALID] != b->info.pages ||
	    b->image->assembly.torn || b->image->assembly.gen != b->info.generation)
		return damaged(path, err, "its pages are not those that it says");
	root = &b->image->root;
	b->info.remapped = b->image->remapped;
	b->info.lost = b->image->lost;
	for (i = 0; i < le32_to_cpu(root->nr_members); i++)
		if (le32_to_cpu(root->members[i].state) != DMR_MEMBER_NONE)
			dmri_uuid_text(root->members[i].uuid,
				       b->info.member_uuids[b->info.nr_members++]);
	return 0;
}

int dmri_backup_open(const char *path, struct dmri_backup **ret, struct dmremap_error *err)
{
	_cleanup_(backup_freep) struct dmri_backup *b = calloc(1, sizeof(*b));
	_free_ struct backup_header *h = dmri_alloc(sizeof(*h));
	int r;

	if (!b || !h)
		return dmri_error_sys(err, -ENOMEM, "%.200s", path);
	r = dmri_dev_open(path, 0, &b->file, err);
	if (!r)
		r = read_header(b, path, h, err);
	if (!r)
		r = check_whole(b, path, err);
	if (!r)
		r = read_anchors(b, path, h, err);
	if (!r)
		r = read_map(b, path, h, err);
	if (r < 0)
		return r;
	*ret = b;
	b = NULL;
	return 0;
}

int dmremap_backup_verify(const char *path, struct dmremap_backup_info *info,
			  struct dmremap_error *err)
{
	struct dmri_backup *b;
	int r = dmri_backup_open(path, &b, err);

	if (r < 0)
		return r;
	if (info)
		*info = b->info;
	dmri_backup_free(b);
	return 0;
}

/* --- Writing ------------------------------------------------------------------ */

struct writer {
	int fd;
	u32 crc;
	u64 bytes;
};

static int put(struct writer *w, const void *block)
{
	size_t done = 0;
	ssize_t n;

	while (done < DMR_FRAME_SIZE) {
		n = write(w->fd, (const char *)block + done, DMR_FRAME_SIZE - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += n;
	}
	w->crc = dmr_crc32c(w->crc, block, DMR_FRAME_SIZE);
	w->bytes += DMR_FRAME_SIZE;
	return 0;
}

static int put_head(struct writer *w, const struct dmremap_set *set,
		    const struct dmri_image *image, void *buf)
{
	struct backup_header *h = buf;
	u32 p, stored = 0;
	unsigned int i;
	int r;

	for (p = 0; p < image->nr_pages; p++)
		stored += image->candidates[p].gen != 0;
	memset(h, 0, sizeof(*h));
	memcpy(h->magic, BACKUP_MAGIC, sizeof(h->magic));
	h->version = cpu_to_le32(BACKUP_VERSION);
	memcpy(h->set_uuid, set->uuid, sizeof(h->set_uuid));
	h->created = cpu_to_le64(time(NULL));
	h->generation = cpu_to_le64(image->assembly.gen);
	h->nr_anchors = cpu_to_le32(set->nr_found);
	h->nr_pages = cpu_to_le32(image->nr_pages);
	h->nr_stored = cpu_to_le32(stored);
	h->csum = cpu_to_le32(dmr_block_csum(h, offsetof(struct backup_header, csum)));
	r = put(w, h);
	for (i = 0; i < set->nr_found && !r; i++) {
		memcpy(buf, &set->found[i].anchors.anchor, DMR_FRAME_SIZE);
		dmri_anchor_seal(buf, 0);
		r = put(w, buf);
	}
	memset(buf, 0, DMR_FRAME_SIZE);
	while (!r && w->bytes < FRAMES_AT * 512)
		r = put(w, buf);
	return r;
}

static int put_pages(struct writer *w, struct dmri_image *image, void *buf)
{
	struct dmr_frame_header *h = buf;
	u32 p, frame = 0;
	int r;

	for (p = 0; p < image->nr_pages; p++) {
		r = dmri_image_page(image, p, buf);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		h->digest_before = cpu_to_le64(image->assembly.digest);
		h->digest_after = h->digest_before;
		dmri_frame_seal(buf, image->set_uuid, 0, frame++);
		r = put(w, buf);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_trailer(struct writer *w, void *buf)
{
	struct backup_trailer *t = buf;

	memset(t, 0, sizeof(*t));
	memcpy(t->magic, BACKUP_END_MAGIC, sizeof(t->magic));
	t->crc = cpu_to_le32(~w->crc);
	t->bytes = cpu_to_le64(w->bytes);
	t->csum = cpu_to_le32(dmr_block_csum(t, offsetof(struct backup_trailer, csum)));
	return put(w, t);
}

static int write_file(int fd, const struct dmremap_set *set, struct dmri_image *image)
{
	struct writer w = { .fd = fd, .crc = ~0u };
	_free_ void *buf = dmri_alloc(DMR_FRAME_SIZE);
	int r = buf ? 0 : -ENOMEM;

	if (!r && (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0))
		r = -errno;
	if (!r)
		r = put_head(&w, set, image, buf);
	if (!r)
		r = put_pages(&w, image, buf);
	if (!r)
		r = put_trailer(&w, buf);
	if (!r && fsync(fd) < 0)
		r = -errno;
	return r;
}

int dmri_sync_directory(const char *path)
{
	_free_ char *copy = strdup(path);
	_close_ int fd = -1;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Read the map and write it; beside a running module until no commit disturbs. */
static int copy_map(struct dmremap_set *set, int fd, const char *path,
		    struct dmremap_error *err)
{
	_cleanup_(dmri_opened_close) struct dmri_opened opened = { 0 };
	int tries = set->info.active ? BACKUP_TRIES : 1;
	int r = dmri_set_open(set, 0, &opened, err);

	if (r < 0)
		return r;
	for (;;) {
		_cleanup_(dmri_image_freep) struct dmri_image *image = NULL;

		r = dmri_image_read(set->uuid, set->info.nr_pages, set->info.nr_frames,
				    opened.sources, opened.nr, NULL, NULL, &image);
		if (!r)
			r = dmri_image_records(image);
		if (r < 0)
			return dmri_error_sys(err, r, "Reading the map of %s", set->info.name);
		/* Half of a commit that others are waiting for is no state to come back to. */
		if (set->info.active && image->assembly.torn) {
			r = -EAGAIN;
		} else if (!image->fault) {
			r = write_file(fd, set, image);
			if (!r)
				return 0;
		} else {
			r = dmri_fault_errno(image->fault);
		}
		if (--tries > 0 && (image->fault || r == -EIO || r == -EAGAIN)) {
			usleep(50000);
			continue;
		}
		if (r == -EAGAIN)
			return dmri_error(err, r,
					  "The map of set %s is being changed; try again, or stop the set first.",
					  set->info.name);
		if (image->fault)
			return dmri_error(err, r,
					  "The metadata of set %s can not be backed up: %s.",
					  set->info.name, image->reason);
		return dmri_error_sys(err, r, "%.200s can not be written", path);
	}
}

int dmremap_backup(struct dmremap_set *set, const char *path, struct dmremap_error *err)
{
	_close_ int fd = -1;
	int r;

	if (!set->nr_found)
		return dmri_error(err, -EAGAIN, "The members of %s can not be read now.",
				  set->info.name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return dmri_error(err, -EEXIST,
				  "%.200s exists already and is not overwritten; name another file.",
				  path);
	if (fd < 0)
		return dmri_error_sys(err, -errno, "%.200s can not be created", path);
	r = copy_map(set, fd, path, err);
	if (!r) {
		r = dmri_sync_directory(path);
		if (r < 0)
			dmri_error_sys(err, r, "%.200s can not be made durable", path);
	}
	if (!r) {
		/* Read what is on the disk, not what is in memory. */
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		r = dmremap_backup_verify(path, NULL, err);
	}
	if (r < 0)
		unlink(path);
	return r;
}
