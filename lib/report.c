/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The full examination of a set's metadata: every anchor, frame, page and record,
 * and what it means. Judges, repairs nothing.
 */
#include "private.h"

struct finding {
	enum dmremap_severity severity;
	char *text;
};

struct dmremap_report {
	struct dmri_opened opened;	/* kept open for the frames' headers */
	struct dmri_image *image;
	unsigned int nr_members;
	struct dmremap_member_report members[DMREMAP_MAX_MEMBERS];
	struct finding *findings;
	size_t nr_findings, room, next_finding;
	enum dmremap_severity severity;
	bool active;
	unsigned int at_member;
	u32 at_frame;
};

void dmremap_report_free(struct dmremap_report *report)
{
	size_t i;

	if (!report)
		return;
	dmri_image_free(report->image);
	dmri_opened_close(&report->opened);
	for (i = 0; i < report->nr_findings; i++)
		free(report->findings[i].text);
	free(report->findings);
	free(report);
}

static void report_freep(struct dmremap_report **report)
{
	dmremap_report_free(*report);
}

_printf_(3, 4)
static void finding(struct dmremap_report *report, enum dmremap_severity severity,
		    const char *fmt, ...)
{
	char *text;
	va_list args;
	int n;

	report->severity = MAX(report->severity, severity);
	if (report->nr_findings == report->room) {
		size_t room = report->room ? 2 * report->room : 16;
		struct finding *more = reallocarray(report->findings, room, sizeof(*more));

		if (!more)
			return;
		report->findings = more;
		report->room = room;
	}
	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n >= 0)
		report->findings[report->nr_findings++] = (struct finding){ severity, text };
}

/*
 * Beside a running module, members are read one after the other, and what was
 * committed meanwhile is found on some of them only. Versions from this commit on
 * are not missed anywhere.
 */
static u64 settled(const struct dmremap_report *report)
{
	u64 gen = UINT64_MAX;
	unsigned int i;

	for (i = 0; report->active && i < report->opened.nr; i++)
		if (report->opened.sources[i].newest.gen)
			gen = MIN(gen, report->opened.sources[i].newest.gen);
	return gen;
}

static int count_pages(struct dmremap_report *report, unsigned int n,
		       struct dmremap_member_report *m)
{
	const struct dmri_image *image = report->image;
	_free_ uint8_t *copies = calloc(image->nr_pages, 1);
	const struct dmri_frame *frames = report->opened.sources[n].frames;
	u64 until = settled(report);
	u32 i;

	if (!copies)
		return -ENOMEM;
	for (i = 0; i < image->nr_frames; i++) {
		if (!dmri_frame_is_current(image, &frames[i]))
			continue;
		m->current_++;
		copies[frames[i].page] += copies[frames[i].page] < 2;
	}
	for (i = 0; i < image->nr_pages; i++) {
		if (!image->candidates[i].gen || image->candidates[i].gen >= until)
			continue;
		m->pages_missing += !copies[i];
		m->pages_single += copies[i] == 1;
	}
	return 0;
}

static int fill_member(struct dmremap_report *report, struct dmremap_set *set,
		       unsigned int n, unsigned int index)
{
	struct dmremap_member_report *m = &report->members[n];
	const struct dmri_source *s = &report->opened.sources[n];
	struct dmri_anchors *a = &set->found[n].anchors;
	unsigned int i;

	m->index = index;
	dmri_copy(m->path, sizeof(m->path), set->found[n].path);
	for (i = 0; i < DMR_ANCHOR_COPIES; i++) {
		m->anchors[i].read = a->read[i];
		m->anchors[i].fault = a->fault[i];
	}
	m->frames = report->image->nr_frames;
	m->valid = s->kinds[DMRI_FRAME_VALID];
	m->empty = s->kinds[DMRI_FRAME_EMPTY];
	m->damaged = s->kinds[DMRI_FRAME_DAMAGED];
	m->foreign = s->kinds[DMRI_FRAME_FOREIGN];
	m->unreadable = s->kinds[DMRI_FRAME_UNREADABLE];
	m->gen = s->newest.gen;
	return count_pages(report, n, m);
}

static void judge_member(struct dmremap_report *report, const struct dmremap_member_report *m,
			 bool joined)
{
	unsigned int i;

	for (i = 0; i < DMR_ANCHOR_COPIES; i++) {
		if (!m->anchors[i].read)
			finding(report, DMREMAP_WARNING,
				"%s: copy %u of the anchor can not be read.", m->path, i);
		else if (m->anchors[i].fault)
			finding(report, DMREMAP_WARNING, "%s: copy %u of the anchor: %s.",
				m->path, i, dmr_fault_text(m->anchors[i].fault));
	}
	if (m->unreadable)
		finding(report, DMREMAP_WARNING, "%s: %u frames can not be read.", m->path,
			m->unreadable);
	if (!joined) {
		if (!report->image->fault)
			finding(report, DMREMAP_INFO,
				"%s: a spare that joins at the next start.", m->path);
		return;
	}
	if (m->damaged)
		finding(report, DMREMAP_INFO,
			"%s: %u frames are torn or damaged; they count only where a copy is missing.",
			m->path, m->damaged);
	if (m->foreign)
		finding(report, DMREMAP_INFO, "%s: %u frames hold something else.", m->path,
			m->foreign);
	if (m->pages_missing)
		finding(report, DMREMAP_WARNING,
			"%s: %u pages of the map have no copy on it.", m->path,
			m->pages_missing);
	if (m->pages_single)
		finding(report, DMREMAP_WARNING,
			"%s: %u pages of the map have one copy instead of two on it.", m->path,
			m->pages_single);
}

static void judge_set(struct dmremap_report *report, const struct dmremap_set *set)
{
	const struct dmremap_set_info *info = &set->info;
	unsigned int i;

	if (report->image->fault) {
		finding(report, DMREMAP_CRITICAL, "The map: %s.", report->image->reason);
		return;
	}
	if (info->torn)
		finding(report, DMREMAP_INFO,
			"The last commit was cut short, as by a power failure; the commit before it is whole.");
	if (info->verdict == DMREMAP_REFUSED)
		finding(report, DMREMAP_CRITICAL, "%s", info->reason);
	else if (info->verdict == DMREMAP_DEGRADED)
		finding(report, DMREMAP_CRITICAL, "%s", info->reason);
	for (i = 0; i < info->nr_members; i++) {
		const struct dmremap_member_info *m = &info->members[i];

		if (m->state == DMR_MEMBER_OUT)
			finding(report, DMREMAP_WARNING, "%s %u (%s) is out of the set%s%s.",
				m->index ? "Spare" : "Member", m->index,
				*m->path ? m->path : m->uuid, *m->reason ? ": " : "",
				m->reason);
	}
	if (info->records && info->records_used * 10 >= info->records * 9)
		finding(report, DMREMAP_WARNING, "The map is nearly full: %llu of %llu entries.",
			(unsigned long long)info->records_used,
			(unsigned long long)info->records);
}

static unsigned int found_index(const struct dmremap_set *set, unsigned int found,
				bool *joined)
{
	unsigned int i;

	for (i = 0; i < set->info.nr_members; i++) {
		if (set->member_found[i] != (int)found)
			continue;
		*joined = set->info.members[i].state == DMR_MEMBER_ACTIVE;
		return set->info.members[i].index;
	}
	*joined = false;
	return DMREMAP_NOT_JOINED;
}

int dmremap_report_new(struct dmremap_set *set, dmremap_progress_fn progress, void *arg,
		       struct dmremap_report **ret, struct dmremap_error *err)
{
	_cleanup_(report_freep) struct dmremap_report *report = calloc(1, sizeof(*report));
	bool joined;
	unsigned int i;
	int r, tries = set->info.active ? 5 : 1;

	if (!report)
		return dmri_error_sys(err, -ENOMEM, "Examining %s", set->info.name);
	if (!set->nr_found)
		return dmri_error(err, -EAGAIN, "The members of %s can not be read now.",
				  set->info.name);
	r = dmremap_set_load(set, NULL, err);
	if (!r)
		r = dmri_set_open(set, 0, &report->opened, err);
	if (r < 0)
		return r;
	do {
		dmri_image_freep(&report->image);
		r = dmri_image_read(set->uuid, set->info.nr_pages, set->info.nr_frames,
				    report->opened.sources, report->opened.nr, progress, arg,
				    &report->image);
		if (!r)
			r = dmri_image_records(report->image);
	} while (!r && report->image->fault && --tries > 0);
	if (r == -ECANCELED)
		return dmri_error(err, r, "Stopped.");
	if (r < 0)
		return dmri_error_sys(err, r, "Examining %s", set->info.name);

	report->nr_members = report->opened.nr;
	report->active = set->info.active;
	judge_set(report, set);
	for (i = 0; i < report->nr_members; i++) {
		struct dmri_found *f = &set->found[i];

		dmri_anchors_read(report->opened.sources[i].dev, f->region_start, &f->anchors);
		if (!f->anchors.found)
			finding(report, DMREMAP_CRITICAL,
				"%s: no copy of its anchor is left since it was found.", f->path);
		if (f->internal &&
		    !dmri_locator_leads(report->opened.sources[i].dev, f->region_start))
			finding(report, DMREMAP_WARNING,
				"%s: the locator of the internal spare, in the last 4 KiB, is lost; only the header of the data device leads to it.",
				f->path);
		r = fill_member(report, set, i, found_index(set, i, &joined));
		if (r < 0)
			return dmri_error_sys(err, r, "Examining %s", set->info.name);
		judge_member(report, &report->members[i], joined);
	}
	*ret = report;
	report = NULL;
	return 0;
}

enum dmremap_severity dmremap_report_severity(const struct dmremap_report *report)
{
	return report->severity;
}

unsigned int dmremap_report_members(const struct dmremap_report *report)
{
	return report->nr_members;
}

const struct dmremap_member_report *
dmremap_report_member(const struct dmremap_report *report, unsigned int n)
{
	return n < report->nr_members ? &report->members[n] : NULL;
}

int dmremap_report_next_finding(struct dmremap_report *report,
				enum dmremap_severity *severity, const char **text)
{
	if (report->next_finding >= report->nr_findings)
		return 0;
	*severity = report->findings[report->next_finding].severity;
	*text = report->findings[report->next_finding++].text;
	return 1;
}

void dmremap_report_rewind(struct dmremap_report *report)
{
	report->next_finding = 0;
	report->at_member = 0;
	report->at_frame = 0;
}

static void fill_frame(struct dmremap_report *report, unsigned int member, u32 frame,
		       struct dmremap_frame_report *f)
{
	struct dmri_source *s = &report->opened.sources[member];
	const struct dmri_frame *known = &s->frames[frame];
	_free_ struct dmr_frame_header *h = dmri_alloc(DMR_FRAME_SIZE);

	memset(f, 0, sizeof(*f));
	f->member = member;
	f->frame = frame;
	f->fault = DMR_BAD_CSUM;
	f->empty = known->kind == DMRI_FRAME_EMPTY;
	if (!h || dmri_dev_read(s->dev, dmri_frame_sector(s, frame), h, DMR_FRAME_SIZE) < 0)
		return;
	f->read = true;
	f->fault = dmr_frame_check(h, report->image->set_uuid, s->index, frame,
				   report->image->nr_pages);
	if (f->fault)
		return;
	f->current_ = dmri_frame_is_current(report->image, known);
	f->page = le32_to_cpu(h->page);
	f->gen = le64_to_cpu(h->gen);
	f->session = le64_to_cpu(h->session);
	f->digest_before = le64_to_cpu(h->digest_before);
	f->digest_after = le64_to_cpu(h->digest_after);
}

int dmremap_report_next_frame(struct dmremap_report *report, struct dmremap_frame_report *f)
{
	while (report->at_member < report->nr_members) {
		unsigned int member = report->at_member;
		u32 frame = report->at_frame++;

		if (frame >= report->image->nr_frames) {
			report->at_member++;
			report->at_frame = 0;
			continue;
		}
		if (report->opened.sources[member].frames[frame].kind == DMRI_FRAME_EMPTY)
			continue;
		fill_frame(report, member, frame, f);
		return 1;
	}
	return 0;
}
