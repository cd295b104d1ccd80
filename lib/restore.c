/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Putting the map of a backup back onto the members of an inactive set, as one
 * new commit (write.c): until all of it has landed, the set is the old one or
 * refuses to start; never a mixture.
 *
 * The restored root says OPEN, not CLEAN: nothing is known of what happened to
 * the data device since.
 */
#include "private.h"

struct restore {
	struct dmremap_set *set;
	struct dmri_backup *backup;
	struct dmri_opened opened;
	struct dmri_image *disk;	/* as it is */
	struct dmr_root root;		/* as it will be */
	unsigned int nr;		/* members that are written */
	struct dmri_source members[DMREMAP_MAX_MEMBERS];
	unsigned int indexes[DMREMAP_MAX_MEMBERS];
	bool missing;
	bool rewrite;			/* all pages, since the disks can not be trusted */
	bool *pages;
	u64 gen;
};

static void restore_release(struct dmremap_plan *plan)
{
	struct restore *x = plan->data;

	if (!x)
		return;
	dmri_backup_free(x->backup);
	dmri_image_free(x->disk);
	dmri_opened_close(&x->opened);
	free(x->pages);
	free(x);
}

/* --- Does the backup belong to this set and its members? --------------------- */

static int check_identity(const struct restore *x, struct dmremap_error *err)
{
	const struct dmremap_set *set = x->set;
	const struct dmr_anchor *a = &x->backup->anchors[0], *b = dmri_set_anchor(set);

	if (memcmp(a->set_uuid, set->uuid, sizeof(set->uuid)))
		return dmri_error(err, -ESTALE, "The backup is of set %s (%s), not of %s (%s).",
				  x->backup->info.name, x->backup->info.uuid, set->info.name,
				  set->info.uuid);
	if (a->nr_pages != b->nr_pages || a->nr_frames != b->nr_frames ||
	    a->block_sectors != b->block_sectors || a->data_sectors != b->data_sectors)
		return dmri_error(err, -EUCLEAN,
				  "The backup and the members of %s disagree about the sizes of the set.",
				  set->info.name);
	return 0;
}

static int found_by_uuid(const struct dmremap_set *set, const uint8_t uuid[16])
{
	unsigned int i;

	for (i = 0; i < set->nr_found; i++)
		if (!memcmp(set->found[i].anchors.anchor.member_uuid, uuid, 16))
			return i;
	return -1;
}

static int check_members(struct restore *x, unsigned int flags, struct dmremap_plan *plan,
			 struct dmremap_error *err)
{
	const struct dmr_root *root = &x->backup->image->root;
	bool known[DMREMAP_MAX_MEMBERS] = { false };
	unsigned int i;
	int n;

	for (i = 0; i < le32_to_cpu(root->nr_members); i++) {
		const struct dmr_member *m = &root->members[i];
		char uuid[DMREMAP_UUID_SIZE];

		if (le32_to_cpu(m->flags) & DMR_MEMBER_NO_METADATA)
			continue;
		n = found_by_uuid(x->set, m->uuid);
		if (n >= 0)
			known[n] = true;
		/* One that has come back since then has no part in this commit either. */
		x->missing |= le32_to_cpu(m->state) == DMR_MEMBER_OUT;
		if (le32_to_cpu(m->state) != DMR_MEMBER_ACTIVE)
			continue;
		if (n >= 0) {
			x->members[x->nr] = x->opened.sources[n];
			x->indexes[x->nr++] = i;
			continue;
		}
		dmri_uuid_text(m->uuid, uuid);
		x->missing = true;
		if (!(flags & DMREMAP_FORCE))
			return dmri_error(err, -ENXIO,
					  "Member %u (%s) is missing; attach it, or use --force to restore without it. It can not be used with the set after that.",
					  i, uuid);
		dmri_plan_add(plan, DMREMAP_PLAN_LOSS,
			      "Member %u (%s) is missing; it will be out of date, and blocks that live on it are lost.",
			      i, uuid);
	}
	for (i = 0; i < x->set->nr_found; i++) {
		if (known[i])
			continue;
		if (!(flags & DMREMAP_FORCE))
			return dmri_error(err, -ESTALE,
					  "%s is a spare of the set that the backup does not know; it was added later. Use --force to restore all the same: it then joins anew, and what it holds is lost.",
					  x->set->found[i].path);
		dmri_plan_add(plan, DMREMAP_PLAN_LOSS,
			      "%s was added after the backup; blocks that live on it are lost.",
			      x->set->found[i].path);
	}
	if (!x->nr)
		return dmri_error(err, -ENXIO, "No member of %s is there to restore to.",
				  x->set->info.name);
	return 0;
}

/* --- What is to be written ------------------------------------------------------ */

static int content(void *arg, u32 page, void *buf)
{
	struct restore *x = arg;
	int r;

	if (!page) {
		memcpy(buf, &x->root, sizeof(x->root));
		return 0;
	}
	r = dmri_image_page(x->backup->image, page, buf);
	if (r == -ENOENT) {	/* written since: empty as at the time of the backup */
		memset(buf, 0, DMR_FRAME_SIZE);
		r = 0;
	}
	return r;
}

static int differs(struct restore *x, u32 page, void *a, void *b, bool *ret)
{
	int r = content(x, page, a);

	if (!r)
		r = dmri_image_page(x->disk, page, b);
	*ret = r || memcmp((char *)a + DMR_FRAME_HEADER_SIZE, (char *)b + DMR_FRAME_HEADER_SIZE,
			   DMR_PAGE_PAYLOAD);
	return 0;
}

static int choose_pages(struct restore *x, u32 *nr)
{
	_free_ void *a = dmri_alloc(DMR_FRAME_SIZE), *b = dmri_alloc(DMR_FRAME_SIZE);
	u32 p;
	int r = 0;

	x->pages = calloc(x->disk->nr_pages, sizeof(*x->pages));
	if (!a || !b || !x->pages)
		return -ENOMEM;
	*nr = 0;
	for (p = 0; p < x->disk->nr_pages && !r; p++) {
		if (!x->backup->image->candidates[p].gen && !x->disk->candidates[p].gen)
			continue;
		x->pages[p] = true;
		if (p && !x->rewrite)
			r = differs(x, p, a, b, &x->pages[p]);
		*nr += x->pages[p];
	}
	return r;
}

static void make_root(struct restore *x)
{
	struct dmr_root *root = &x->root;

	*root = x->backup->image->root;
	root->state = cpu_to_le32(DMR_SET_OPEN);
	root->identity.fingerprint = 0;
	root->identity.fingerprint_bytes = 0;
	if (x->disk->have_root && le64_to_cpu(x->disk->root.activations) >
				  le64_to_cpu(root->activations))
		root->activations = x->disk->root.activations;
}

/* Starting and stopping commit the root alone: what blocks it tells of is as it was. */
static bool same_records(const struct restore *x, u32 nr)
{
	return !x->rewrite && nr == 1 &&
	       !memcmp(x->disk->root.members, x->root.members, sizeof(x->root.members)) &&
	       !memcmp(&x->disk->root.policy, &x->root.policy, sizeof(x->root.policy));
}

static int check_age(const struct restore *x, u32 nr, unsigned int flags,
		     struct dmremap_plan *plan, struct dmremap_error *err)
{
	u64 disk = x->disk->assembly.gen, backup = x->backup->info.generation;

	if (disk <= backup)
		return 0;
	if (same_records(x, nr)) {
		dmri_plan_add(plan, DMREMAP_PLAN_NOTE,
			      "The map on disk is newer, but holds the same records.");
		return 0;
	}
	if (!(flags & DMREMAP_FORCE))
		return dmri_error(err, -ESTALE,
				  "The members hold commit %llu, newer than the backup's %llu: blocks that were moved since then would be lost, and read as what they were before. Use --force if the map on disk is beyond repair (see \"metadata verify\" and \"metadata repair\").",
				  (unsigned long long)disk, (unsigned long long)backup);
	dmri_plan_add(plan, DMREMAP_PLAN_LOSS,
		      "All changes of the map after commit %llu, up to %llu, are forgotten: blocks moved since then read as what they were before.",
		      (unsigned long long)backup, (unsigned long long)disk);
	return 0;
}

static u64 digest_after(const struct restore *x, u64 session)
{
	u64 digest = 0;
	u32 p;

	for (p = 0; p < x->disk->nr_pages; p++) {
		const struct dmr_candidate *c = &x->disk->candidates[p];

		if (x->pages[p])
			digest += dmr_page_digest(p, x->gen, session);
		else if (c->gen)
			digest += dmr_page_digest(p, c->gen, c->session);
	}
	return digest;
}

/* --- Doing it -------------------------------------------------------------------- */

static int wipe_unknown(struct restore *x, struct dmremap_error *err)
{
	unsigned int i, n;
	int r = 0;

	for (i = 0; i < x->set->nr_found && !r; i++) {
		const struct dmri_source *s = &x->opened.sources[i];
		const struct dmr_root *root = &x->backup->image->root;

		for (n = 0; n < le32_to_cpu(root->nr_members); n++)
			if (!memcmp(root->members[n].uuid,
				    x->set->found[i].anchors.anchor.member_uuid, 16))
				break;
		if (n < le32_to_cpu(root->nr_members))
			continue;
		r = dmri_dev_zero(s->dev, dmri_frame_sector(s, 0),
				  (u64)x->disk->nr_frames * DMR_FRAME_SECTORS);
		if (!r)
			r = dmri_dev_flush(s->dev);
		if (r < 0)
			dmri_error_sys(err, r, "%s can not be written", s->dev->path);
	}
	return r;
}

static int read_back(struct restore *x, struct dmremap_error *err)
{
	_cleanup_(dmri_image_freep) struct dmri_image *image = NULL;
	int r = dmri_image_read(x->set->uuid, x->disk->nr_pages, x->disk->nr_frames,
				x->opened.sources, x->opened.nr, NULL, NULL, &image);

	if (!r)
		r = dmri_image_records(image);
	if (r < 0)
		return dmri_error_sys(err, r, "Reading the map back");
	if (image->fault)
		return dmri_error(err, -EIO, "What was written does not read back: %s.",
				  image->reason);
	if (image->assembly.gen != x->gen || image->remapped != x->backup->info.remapped ||
	    image->lost != x->backup->info.lost)
		return dmri_error(err, -EIO, "What was written does not read back.");
	return 0;
}

static int restore_commit(struct dmremap_plan *plan, dmremap_progress_fn progress,
			  void *arg, struct dmremap_error *err)
{
	struct restore *x = plan->data;
	struct dmri_commit commit = {
		.image = x->disk,
		.sources = x->members,
		.nr_sources = x->nr,
		.indexes = x->indexes,
		.gen = x->gen,
		.pages = x->pages,
		.content = content,
		.arg = x,
		.wipe_others = x->rewrite,
		.progress = progress,
		.progress_arg = arg,
	};
	int r = dmri_random(&commit.session, sizeof(commit.session));

	if (!r)
		r = dmri_random(&commit.digest_before, sizeof(commit.digest_before));
	if (r < 0)
		return dmri_error_sys(err, r, "Restoring");
	commit.digest_after = digest_after(x, commit.session);
	r = dmri_commit_write(&commit, err);
	if (!r)
		r = wipe_unknown(x, err);
	return r ? r : read_back(x, err);
}

static void add_lines(const struct restore *x, u32 nr, struct dmremap_plan *plan)
{
	unsigned int i;

	for (i = 0; i < x->nr; i++)
		dmri_plan_add(plan, DMREMAP_PLAN_STEP,
			      "Write %u pages of the map to %s, as commit %llu.", nr,
			      x->members[i].dev->path, (unsigned long long)x->gen);
	dmri_plan_add(plan, DMREMAP_PLAN_NOTE,
		      "The map will hold %llu remapped blocks and %llu with lost sectors; on disk there are %llu and %llu.",
		      (unsigned long long)x->backup->info.remapped,
		      (unsigned long long)x->backup->info.lost,
		      (unsigned long long)x->disk->remapped,
		      (unsigned long long)x->disk->lost);
	if (x->disk->fault)
		dmri_plan_add(plan, DMREMAP_PLAN_NOTE,
			      "The map on disk can not be used (%s); it is replaced whole.",
			      x->disk->reason);
}

int dmremap_restore_plan(struct dmremap_set *set, const char *path, unsigned int flags,
			 struct dmremap_plan **ret, struct dmremap_error *err)
{
	_cleanup_(dmri_plan_freep) struct dmremap_plan *plan = NULL;
	struct restore *x;
	unsigned int i;
	u32 nr;
	int r;

	if (set->info.active)
		return dmri_error(err, -EALREADY, "%s is active; stop it first.",
				  set->info.device);
	x = calloc(1, sizeof(*x));
	if (!x || dmri_plan_new(&plan) < 0) {
		free(x);
		return dmri_error_sys(err, -ENOMEM, "Planning");
	}
	plan->data = x;
	plan->release = restore_release;
	plan->commit = restore_commit;
	x->set = set;
	r = dmri_backup_open(path, &x->backup, err);
	if (!r)
		r = check_identity(x, err);
	if (!r)
		r = dmri_set_writable(set, err);
	if (!r)
		r = dmremap_set_load(set, NULL, err);
	if (!r)
		r = dmri_set_open(set, DMRI_WRITE | DMRI_EXCL, &x->opened, err);
	if (r < 0)
		return r;
	plan->info = set->info;
	r = dmri_image_read(set->uuid, set->info.nr_pages, set->info.nr_frames,
			    x->opened.sources, x->opened.nr, NULL, NULL, &x->disk);
	if (!r)
		r = dmri_image_records(x->disk);
	if (r < 0)
		return dmri_error_sys(err, r, "Reading the map of %s", set->info.name);
	r = check_members(x, flags, plan, err);
	if (r < 0)
		return r;
	x->rewrite = x->disk->fault != DMR_OK;
	/* What one has too much that was out must not count once the root says that it is not. */
	for (i = 0; i < x->opened.nr; i++)
		x->rewrite |= x->opened.sources[i].aside;
	/* A member that is missing must be seen to be out of date. */
	x->gen = MAX(x->disk->assembly.gen, x->backup->info.generation) + 1 + x->missing;
	if (x->gen >> 63)
		return dmri_error(err, -ERANGE,
				  "The newest commit on disk or in the backup has the number %llu, which leaves no room for another.",
				  (unsigned long long)x->gen - 1 - x->missing);
	make_root(x);
	r = choose_pages(x, &nr);
	if (r < 0)
		return dmri_error_sys(err, r, "Reading the map of %s", set->info.name);
	r = check_age(x, nr, flags, plan, err);
	if (r < 0)
		return r;
	add_lines(x, nr, plan);
	*ret = plan;
	plan = NULL;
	return 0;
}
