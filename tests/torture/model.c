// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What each sector may hold, worked out from nothing but what the user did and
 * was told, and from what happened to the media. Each write has a version, and
 * sectors name themselves and their version. A list of changes for each sector,
 * and one rule: a change may be seen, unless another one began after it had ended
 * and is there for certain.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/common.h"
#include "torture.h"

#define MARK	0x006572757472006fULL

struct stamp {
	uint64_t mark, sector, version, check;
};

/* The content of this version can be lost since then. */
struct loss {
	uint64_t version;
	uint32_t since;
};

struct list {
	uint32_t *ops, nr, size;
	struct loss *losses;
	uint32_t nr_losses, size_losses;
};

struct model {
	uint32_t sectors;
	struct op *ops;
	uint32_t nr, size;
	uint32_t flushed_up_to;		/* ops before it are durable or failed */
	uint64_t version;
	uint32_t zeroes_lost;		/* zeroes on a spare, of nobody knows whom */
	struct list *of;
};

/* --- Content ------------------------------------------------------------- */

void fill(void *buf, uint64_t sector, uint32_t nr, uint64_t version)
{
	struct stamp *s = buf;

	for (uint32_t i = 0; i < nr; i++)
		for (size_t k = 0; k < SECTOR / sizeof(*s); k++, s++)
			*s = (struct stamp){ MARK, sector + i, version,
					     mix(sector + i, version) };
}

void look(const void *buf, struct seen *seen)
{
	const struct stamp *s = buf;
	const uint8_t *bytes = buf;

	*seen = (struct seen){ .version = ~0ull };
	if (s->mark == MARK && s->check == mix(s->sector, s->version) &&
	    !memcmp(bytes, bytes + sizeof(*s), SECTOR - sizeof(*s))) {
		seen->version = s->version;
		seen->sector = s->sector;
	} else if (!bytes[0] && !memcmp(bytes, bytes + 1, SECTOR - 1)) {
		seen->version = 0;
	}
}

void describe(const struct seen *seen, char *text, size_t size)
{
	if (seen->error)
		snprintf(text, size, "%s", strerrorname_np(seen->error));
	else if (!seen->version)
		snprintf(text, size, "zeroes");
	else if (seen->version == ~0ull)
		snprintf(text, size, "what was never written");
	else
		snprintf(text, size, "version %llu of sector %llu",
			 (unsigned long long)seen->version, (unsigned long long)seen->sector);
}

/* --- Changes ------------------------------------------------------------- */

static void *grow(void *array, uint32_t nr, uint32_t *size, size_t each)
{
	if (nr < *size)
		return array;
	*size = *size ? 2 * *size : 4;
	array = realloc(array, *size * each);
	if (!array)
		die("out of memory");
	return array;
}

struct model *model_new(uint32_t sectors)
{
	struct model *m = calloc(1, sizeof(*m));

	if (!m || !(m->of = calloc(sectors, sizeof(*m->of))))
		die("out of memory");
	m->sectors = sectors;
	return m;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->sectors; i++) {
		free(m->of[i].ops);
		free(m->of[i].losses);
	}
	free(m->of);
	free(m->ops);
	free(m);
}

static uint32_t add_op(struct model *m, const struct op *op)
{
	m->ops = grow(m->ops, m->nr, &m->size, sizeof(*op));
	m->ops[m->nr] = *op;
	for (uint32_t i = 0; i < op->nr; i++) {
		struct list *l = &m->of[op->sector + i];

		l->ops = grow(l->ops, l->nr, &l->size, sizeof(*l->ops));
		l->ops[l->nr++] = m->nr;
	}
	return m->nr++;
}

static void add_past(struct model *m, enum op_kind kind, uint32_t sector, uint32_t nr,
		     uint64_t version)
{
	add_op(m, &(struct op){ .kind = kind, .sector = sector, .nr = nr,
				.version = version, .begin = 1, .end = 1, .durable = 1 });
}

void model_start(struct model *m, uint64_t version)
{
	add_past(m, OP_WRITE, 0, m->sectors, version);
	m->version = version;
}

uint32_t model_begin(struct model *m, enum op_kind kind, uint32_t sector, uint32_t nr,
		     bool fua)
{
	return add_op(m, &(struct op){ .kind = kind, .fua = fua, .sector = sector, .nr = nr,
				       .version = ++m->version, .begin = moment() });
}

void model_end(struct model *m, uint32_t op, bool failed)
{
	struct op *o = &m->ops[op];

	o->end = moment();
	o->failed = failed;
	/* The loss of sectors is told when it is durable. */
	if (!failed && (o->fua || o->kind == OP_LOSE))
		o->durable = o->end;
}

uint64_t model_version(const struct model *m, uint32_t op)
{
	return m->ops[op].version;
}

void model_flushed(struct model *m, uint32_t begin, uint32_t end)
{
	bool all = true;

	for (uint32_t i = m->flushed_up_to; i < m->nr; i++) {
		struct op *o = &m->ops[i];

		if (!o->durable && !o->failed && !o->unsure && o->end && o->end < begin)
			o->durable = end;
		all = all && (o->durable || o->failed || (o->unsure && o->end));
		if (all)
			m->flushed_up_to = i + 1;
	}
}

void model_flush_failed(struct model *m)
{
	for (uint32_t i = m->flushed_up_to; i < m->nr; i++)
		m->ops[i].unsure = !m->ops[i].durable;
}

static void add_loss(struct model *m, uint32_t sector, uint64_t version)
{
	struct list *l = &m->of[sector];

	l->losses = grow(l->losses, l->nr_losses, &l->size_losses, sizeof(*l->losses));
	l->losses[l->nr_losses++] = (struct loss){ version, moment() };
}

/* Zeroes do not tell whose they are: @home is the sector if it lies in place. */
void model_lost(struct model *m, const uint8_t *content, int64_t home)
{
	struct seen seen;

	look(content, &seen);
	if (seen.version && seen.version != ~0ull && seen.sector < m->sectors)
		add_loss(m, seen.sector, seen.version);
	else if (!seen.version && home >= 0 && home < m->sectors)
		add_loss(m, home, 0);
	else if (!seen.version && !m->zeroes_lost)
		m->zeroes_lost = moment();
}

/* --- The judge ----------------------------------------------------------- */

static bool is_zero_op(const struct op *o)
{
	return o->kind == OP_ZERO || o->kind == OP_DISCARD;
}

/* May its content be an error instead, at this moment? */
static bool may_be_lost(const struct model *m, const struct list *l, const struct op *o,
			uint32_t at)
{
	if (o->kind == OP_LOSE || o->failed)
		return true;
	if (is_zero_op(o) && m->zeroes_lost && m->zeroes_lost <= at)
		return true;
	for (uint32_t i = 0; i < l->nr_losses; i++)
		if (l->losses[i].since <= at &&
		    l->losses[i].version == (is_zero_op(o) ? 0 : o->version))
			return true;
	return false;
}

static bool op_allows(const struct model *m, const struct list *l, const struct op *o,
		      uint32_t sector, const struct seen *seen, uint32_t at)
{
	if (seen->error)
		return may_be_lost(m, l, o, at);
	if (is_zero_op(o))
		return !seen->version;
	return o->kind == OP_WRITE && seen->version == o->version && seen->sector == sector;
}

/* The newest change that is there for certain began then. */
static uint32_t floor_of(const struct model *m, const struct list *l, uint32_t at,
			 bool durable)
{
	uint32_t floor = 0;

	for (uint32_t i = 0; i < l->nr; i++) {
		const struct op *o = &m->ops[l->ops[i]];
		uint32_t since = durable ? o->durable : o->end;

		if (o->kind != OP_DISCARD && !o->failed && since && since <= at &&
		    o->begin > floor)
			floor = o->begin;
	}
	return floor;
}

static bool allowed(const struct model *m, uint32_t sector, const struct seen *seen,
		    uint32_t floor, uint32_t at)
{
	const struct list *l = &m->of[sector];

	for (uint32_t i = 0; i < l->nr; i++) {
		const struct op *o = &m->ops[l->ops[i]];

		if (o->begin <= at && !(o->end && o->end < floor) &&
		    op_allows(m, l, o, sector, seen, at))
			return true;
	}
	return false;
}

bool model_allows_read(const struct model *m, uint32_t sector, const struct seen *seen,
		       uint32_t begin, uint32_t end)
{
	return allowed(m, sector, seen, floor_of(m, &m->of[sector], begin, false), end);
}

bool model_allows_cut(const struct model *m, uint32_t sector, const struct seen *seen,
		      uint32_t cut)
{
	return allowed(m, sector, seen, floor_of(m, &m->of[sector], cut, true), cut);
}

void model_explain(const struct model *m, uint32_t sector, uint32_t cut, char *text,
		   size_t size)
{
	static const char *const names[] = { "write", "zero", "discard", "lose" };
	const struct list *l = &m->of[sector];
	uint32_t floor = floor_of(m, l, cut, true);
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < l->nr && used < size; i++) {
		const struct op *o = &m->ops[l->ops[i]];

		if (o->begin > cut || (o->end && o->end < floor))
			continue;
		used += snprintf(text + used, size - used,
				 "%s%s %llu of %u+%u%s (%u to %u, durable %u)%s",
				 used ? ", " : "", names[o->kind],
				 (unsigned long long)o->version, o->sector, o->nr,
				 o->fua ? " FUA" : "", o->begin, o->end, o->durable,
				 o->failed ? " failed" : may_be_lost(m, l, o, cut) ? " or lost" : "");
	}
}

void model_prune(struct model *m, uint32_t before)
{
	for (uint32_t s = 0; s < m->sectors; s++) {
		struct list *l = &m->of[s];
		uint32_t floor, kept = 0;

		if (l->nr < 8 && l->nr_losses < 8)
			continue;
		floor = floor_of(m, l, before, false);
		for (uint32_t i = 0; i < l->nr; i++) {
			const struct op *o = &m->ops[l->ops[i]];

			if (!o->end || o->end >= floor)
				l->ops[kept++] = l->ops[i];
		}
		l->nr = kept;
		kept = 0;
		for (uint32_t i = 0; i < l->nr_losses; i++) {
			bool used = !l->losses[i].version;

			for (uint32_t k = 0; k < l->nr && !used; k++)
				used = m->ops[l->ops[k]].version == l->losses[i].version;
			if (used)
				l->losses[kept++] = l->losses[i];
		}
		l->nr_losses = kept;
	}
}

/* What can not be read may be readable again, if it was written when power went. */
static void add_unread(struct model *m, const struct model *before, uint32_t sector, uint32_t cut)
{
	const struct list *l = &before->of[sector];
	uint32_t floor = floor_of(before, l, cut, true);

	for (uint32_t i = 0; i < l->nr; i++) {
		const struct op *o = &before->ops[l->ops[i]];

		if (o->begin <= cut && !(o->end && o->end < floor))
			add_past(m, o->kind, sector, 1, o->version);
	}
	add_past(m, OP_LOSE, sector, 1, 0);
}

struct model *model_after(const struct model *before, const struct seen *seen, uint32_t cut)
{
	struct model *m = model_new(before->sectors);

	/* Versions of before are not used again. */
	m->version = before->version | 1ull << 62;
	for (uint32_t s = 0; s < m->sectors; s++) {
		if (seen[s].error)
			add_unread(m, before, s, cut);
		else
			add_past(m, seen[s].version ? OP_WRITE : OP_ZERO, s, 1,
				 seen[s].version);
	}
	return m;
}
