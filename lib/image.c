/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading the map of a set from its members: every frame once to learn which
 * versions of which pages lie where, then the chosen ones again for their
 * content. Which version is chosen is decided by dm-remap-assemble.h alone.
 * Works on open devices only and knows nothing of names, sysfs or the kernel.
 */
#include "private.h"

#define SCAN_FRAMES	256

u64 dmri_frame_sector(const struct dmri_source *s, u32 frame)
{
	return s->region_start + DMR_FRAMES_SECTOR + (u64)frame * DMR_FRAME_SECTORS;
}

bool dmri_frame_is_current(const struct dmri_image *image, const struct dmri_frame *f)
{
	const struct dmr_candidate *c = &image->candidates[f->page];

	return f->kind == DMRI_FRAME_VALID && f->gen == c->gen && f->session == c->session;
}

void dmri_source_release(struct dmri_source *s)
{
	free(s->frames);
	s->frames = NULL;
}

void dmri_image_free(struct dmri_image *image)
{
	if (!image)
		return;
	free(image->candidates);
	free(image->pages);
	free(image->records);
	free(image);
}

void dmri_image_freep(struct dmri_image **image)
{
	dmri_image_free(*image);
	*image = NULL;
}

static void set_fault(struct dmri_image *image, enum dmr_fault fault)
{
	image->fault = fault;
	dmri_text(image->reason, sizeof(image->reason), "%s", dmr_fault_text(fault));
}

static enum dmri_frame_kind judge_frame(struct dmri_image *image, struct dmri_source *s,
					u32 frame, const struct dmr_frame_header *h)
{
	u32 member = le32_to_cpu(h->member);

	if (dmri_is_zero(h, DMR_FRAME_SIZE))
		return DMRI_FRAME_EMPTY;
	switch (dmr_frame_check(h, image->set_uuid, member, frame, image->nr_pages)) {
	case DMR_OK:
		break;
	case DMR_BAD_CSUM:
		return DMRI_FRAME_DAMAGED;
	default:
		return DMRI_FRAME_FOREIGN;
	}
	if (member >= DMR_MAX_MEMBERS)
		return DMRI_FRAME_FOREIGN;
	if (s->index == DMREMAP_NOT_JOINED)
		s->index = member;
	return s->index == member ? DMRI_FRAME_VALID : DMRI_FRAME_FOREIGN;
}

static void take_frame(struct dmri_image *image, unsigned int source, u32 frame,
		       const struct dmr_frame_header *h)
{
	struct dmri_source *s = &image->sources[source];
	struct dmri_frame *f = &s->frames[frame];
	struct dmri_page *page;

	f->kind = judge_frame(image, s, frame, h);
	s->kinds[f->kind]++;
	if (f->kind != DMRI_FRAME_VALID)
		return;
	f->page = le32_to_cpu(h->page);
	f->gen = le64_to_cpu(h->gen);
	f->session = le64_to_cpu(h->session);
	dmr_newest_add(&s->newest, h);
	if (!f->page && f->gen > s->root_gen) {
		s->root_gen = f->gen;
		s->root_frame = frame;
	}
	if (s->aside)
		return;
	page = &image->pages[f->page];
	if (dmr_assembly_add(&image->assembly, h))
		page->nr = 0;
	if (dmri_frame_is_current(image, f) && page->nr < DMRI_MAX_COPIES)
		page->place[page->nr++] = (struct dmri_place){ source, frame };
}

static void scan_chunk(struct dmri_image *image, unsigned int source, u32 first, u32 nr,
		       char *buf)
{
	struct dmri_source *s = &image->sources[source];
	bool whole = !dmri_dev_read(s->dev, dmri_frame_sector(s, first), buf,
				    (size_t)nr * DMR_FRAME_SIZE);
	u32 i;

	for (i = 0; i < nr; i++) {
		void *frame = buf + (size_t)i * DMR_FRAME_SIZE;

		if (!whole && dmri_dev_read(s->dev, dmri_frame_sector(s, first + i), frame,
					    DMR_FRAME_SIZE) < 0) {
			s->frames[first + i].kind = DMRI_FRAME_UNREADABLE;
			s->kinds[DMRI_FRAME_UNREADABLE]++;
			continue;
		}
		take_frame(image, source, first + i, frame);
	}
}

static int scan_source(struct dmri_image *image, unsigned int source, char *buf,
		       dmremap_progress_fn progress, void *arg)
{
	struct dmri_source *s = &image->sources[source];
	u64 total = (u64)image->nr_frames * image->nr_sources;
	u32 first, nr;

	s->index = DMREMAP_NOT_JOINED;
	s->newest = (struct dmr_newest){ };
	s->root_gen = 0;
	memset(s->kinds, 0, sizeof(s->kinds));
	dmri_source_release(s);
	s->frames = calloc(image->nr_frames, sizeof(*s->frames));
	if (!s->frames)
		return -ENOMEM;
	for (first = 0; first < image->nr_frames; first += nr) {
		nr = MIN(image->nr_frames - first, (u32)SCAN_FRAMES);
		scan_chunk(image, source, first, nr, buf);
		if (progress && progress((u64)image->nr_frames * source + first + nr, total,
					 arg))
			return -ECANCELED;
	}
	return 0;
}

int dmri_image_page(struct dmri_image *image, u32 page, void *buf)
{
	const struct dmr_candidate *c = &image->candidates[page];
	const struct dmri_page *p = &image->pages[page];
	struct dmr_frame_header *h = buf;
	unsigned int i;

	if (!c->gen)
		return -ENOENT;
	for (i = 0; i < p->nr; i++) {
		struct dmri_source *s = &image->sources[p->place[i].source];
		u32 frame = p->place[i].frame;

		if (!dmri_dev_read(s->dev, dmri_frame_sector(s, frame), buf, DMR_FRAME_SIZE) &&
		    dmr_frame_check(h, image->set_uuid, s->index, frame,
				    image->nr_pages) == DMR_OK &&
		    le32_to_cpu(h->page) == page && le64_to_cpu(h->gen) == c->gen &&
		    le64_to_cpu(h->session) == c->session)
			return 0;
	}
	return -EIO;
}

static int choose(struct dmri_image *image)
{
	_free_ struct dmr_root *root = dmri_alloc(sizeof(*root));
	enum dmr_fault fault;

	if (!root)
		return -ENOMEM;
	fault = dmr_assembly_finish(&image->assembly);
	if (fault == DMR_OK || fault == DMR_INCOMPLETE || fault == DMR_DIVERGED) {
		/* Even an incomplete set can tell who its members are. */
		if (dmri_image_page(image, 0, root) < 0) {
			fault = fault ? fault : DMR_NO_MAP;
		} else {
			enum dmr_fault bad = dmr_root_check(root, image->nr_pages,
							    &image->bounds);

			image->have_root = bad == DMR_OK;
			image->root = *root;
			fault = fault ? fault : bad;
		}
	}
	set_fault(image, fault);
	return 0;
}

static int read_sources(struct dmri_image *image, char *buf, dmremap_progress_fn progress,
			void *arg)
{
	unsigned int i;

	memset(image->candidates, 0, image->nr_pages * sizeof(*image->candidates));
	memset(image->pages, 0, image->nr_pages * sizeof(*image->pages));
	image->have_root = false;
	image->assembly = (struct dmr_assembly){
		.pages = image->candidates, .nr_pages = image->nr_pages,
	};
	for (i = 0; i < image->nr_sources; i++) {
		int r = scan_source(image, i, buf, progress, arg);

		if (r < 0)
			return r;
	}
	return choose(image);
}

/*
 * Sources that a newest root knows as out: there may be two of one commit, see
 * put_aside() of the module. 0: there are none, or each knows the other as out; 1: some.
 */
static int put_aside(struct dmri_image *image)
{
	_free_ struct dmr_root *root = dmri_alloc(sizeof(*root));
	u64 out = 0, by = 0;
	unsigned int i, j;

	if (!root)
		return -ENOMEM;
	for (i = 0; i < image->nr_sources; i++) {
		const struct dmri_source *s = &image->sources[i];

		if (!s->root_gen || s->root_gen != image->candidates[0].gen ||
		    dmri_dev_read(s->dev, dmri_frame_sector(s, s->root_frame), root,
				  sizeof(*root)) < 0 ||
		    dmr_frame_check(&root->header, image->set_uuid, s->index, s->root_frame,
				    image->nr_pages))
			continue;
		for (j = 0; j < image->nr_sources; j++) {
			const struct dmri_source *other = &image->sources[j];

			if (!other->newest.gen ||
			    !dmr_member_left(root, other->index, &other->newest))
				continue;
			out |= 1ull << j;
			by |= i == j ? 0 : 1ull << i;
		}
	}
	if (!out || out & by)
		return 0;
	for (j = 0; j < image->nr_sources; j++)
		image->sources[j].aside = out >> j & 1;
	return 1;
}

int dmri_image_read(const uint8_t set_uuid[16], u32 nr_pages, u32 nr_frames,
		    struct dmri_source *sources, unsigned int nr_sources,
		    dmremap_progress_fn progress, void *arg, struct dmri_image **ret)
{
	_cleanup_(dmri_image_freep) struct dmri_image *image = calloc(1, sizeof(*image));
	_free_ char *buf = dmri_alloc(MIN(nr_frames, (u32)SCAN_FRAMES) * DMR_FRAME_SIZE);
	unsigned int i;
	int r;

	if (!image || !buf)
		return -ENOMEM;
	memcpy(image->set_uuid, set_uuid, sizeof(image->set_uuid));
	image->nr_pages = nr_pages;
	image->nr_frames = nr_frames;
	image->sources = sources;
	image->nr_sources = nr_sources;
	image->candidates = calloc(nr_pages, sizeof(*image->candidates));
	image->pages = calloc(nr_pages, sizeof(*image->pages));
	if (!image->candidates || !image->pages)
		return -ENOMEM;
	for (i = 0; i < nr_sources; i++)
		sources[i].aside = false;
	r = read_sources(image, buf, progress, arg);
	if (!r && (image->fault == DMR_INCOMPLETE || image->fault == DMR_DIVERGED))
		r = put_aside(image);
	if (r > 0)
		r = read_sources(image, buf, NULL, NULL);
	if (r < 0)
		return r;
	*ret = image;
	image = NULL;
	return 0;
}
