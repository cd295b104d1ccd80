// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stats: what went which way since the set was started, which errors its members
 * returned, and how long they take, as a small histogram.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "set.h"

#define BAR_WIDTH 20

enum { READS, WRITES };

static const struct field set_fields[] = {
	{ .key = "name", .flags = FIELD_TITLE },
	{ .key = "uuid", .label = NULL },
	{ .key = "note", .label = "Latency", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{ .key = "no_errors", .label = "Errors", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{},
};

static const struct view set_view = {
	.key = "sets", .style = VIEW_SCREEN, .fields = set_fields,
	.empty = "No set is in use.",
};

static const struct field io_fields[] = {
	{ .key = "path", .label = "I/O" },
	{ .key = "reads", .label = "READS", .type = FIELD_NUMBER },
	{ .key = "read_bytes", .label = "READ", .type = FIELD_BYTES },
	{ .key = "writes", .label = "WRITES", .type = FIELD_NUMBER },
	{ .key = "written_bytes", .label = "WRITTEN", .type = FIELD_BYTES },
	{},
};

static const struct view io_view = {
	.key = "io", .style = VIEW_TABLE, .fields = io_fields,
};

static const struct field error_fields[] = {
	{ .key = "member", .label = "ERRORS OF", .type = FIELD_NUMBER, .flags = FIELD_JSON },
	{ .key = "of", .label = "ERRORS OF", .flags = FIELD_SCREEN },
	{ .key = "class", .label = "KIND" },
	{ .key = "reads", .label = "READS", .type = FIELD_NUMBER },
	{ .key = "writes", .label = "WRITES", .type = FIELD_NUMBER },
	{},
};

static const struct view error_view = {
	.key = "errors", .style = VIEW_TABLE, .fields = error_fields,
};

static const struct field member_fields[] = {
	{ .key = "title", .flags = FIELD_TITLE | FIELD_SCREEN },
	{ .key = "member", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "path", .label = NULL },
	{ .key = "read_p50_us", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "read_p99_us", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "write_p50_us", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "write_p99_us", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "reads", .label = "Reads", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{ .key = "writes", .label = "Writes", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{},
};

static const struct view member_view = {
	.key = "members", .style = VIEW_SCREEN, .fields = member_fields,
};

static const struct field latency_fields[] = {
	{ .key = "range", .label = "TOOK", .flags = FIELD_SCREEN },
	{ .key = "from_us", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "to_us", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "reads", .label = "READS", .type = FIELD_NUMBER },
	{ .key = "read_bar", .label = "", .flags = FIELD_SCREEN },
	{ .key = "writes", .label = "WRITES", .type = FIELD_NUMBER },
	{ .key = "write_bar", .label = "", .flags = FIELD_SCREEN },
	{},
};

static const struct view latency_view = {
	.key = "latency", .style = VIEW_TABLE, .fields = latency_fields,
};

/* --- Numbers ---------------------------------------------------------------------- */

/* "512 us", "8.2 ms", "4.2 s" */
static const char *format_us(uint64_t us, char buf[32])
{
	if (us < 1000)
		snprintf(buf, 32, "%" PRIu64 " us", us);
	else if (us < 1000000)
		snprintf(buf, 32, "%.3g ms", (double)us / 1000);
	else
		snprintf(buf, 32, "%.3g s", (double)us / 1000000);
	return buf;
}

/* Where a bucket ends; 0: nowhere. */
static uint64_t bucket_end(unsigned int n)
{
	return n + 1 < DMR_NL_BUCKETS ? UINT64_C(2) << n : 0;
}

static uint64_t bucket_start(unsigned int n)
{
	return n ? UINT64_C(1) << n : 0;
}

static uint64_t sum(const uint64_t *buckets)
{
	uint64_t n = 0;

	for (int i = 0; i < DMR_NL_BUCKETS; i++)
		n += buckets[i];
	return n;
}

/* What @share percent stay below: an end of a bucket. */
static uint64_t percentile(const uint64_t *buckets, unsigned int share)
{
	uint64_t all = sum(buckets), below = 0;

	for (unsigned int i = 0; i + 1 < DMR_NL_BUCKETS; i++) {
		below += buckets[i];
		if ((double)below >= (double)all * share / 100)
			return bucket_end(i);
	}
	return bucket_start(DMR_NL_BUCKETS - 1);
}

static void set_bar(struct record *r, const char *key, uint64_t n, uint64_t most)
{
	char bar[BAR_WIDTH + 1];
	int length = most ? (int)((double)n * BAR_WIDTH / (double)most + 0.5) : 0;

	/* What is there is seen. */
	if (n && !length)
		length = 1;
	memset(bar, '#', sizeof(bar));
	bar[length] = '\0';
	set_string(r, key, bar);
}

/* --- Filling ------------------------------------------------------------------------ */

struct collected {
	struct dmremap_nl_stats stats[DMR_MAX_MEMBERS];
	unsigned int nr;
};

static int collect(const struct dmremap_nl_stats *stats, void *arg)
{
	struct collected *c = arg;

	if (c->nr < DMR_MAX_MEMBERS)
		c->stats[c->nr++] = *stats;
	return 0;
}

static void name_member(const struct dmremap_status *s, unsigned int member, char *buf,
			size_t size, const char **path)
{
	*path = NULL;
	if (!member) {
		*path = s->data_path;
		snprintf(buf, size, "data device");
	} else {
		for (unsigned int i = 0; i < s->nr_spares; i++)
			if (s->spares[i].member == member)
				*path = s->spares[i].path;
		snprintf(buf, size, "spare %u", member);
	}
	if (*path && **path)
		snprintf(buf + strlen(buf), size - strlen(buf), " (%s)", *path);
	else
		*path = NULL;
}

static void fill_io(struct record *r, const struct dmremap_nl_stats *stats)
{
	static const char *const names[DMREMAP_NL_PATHS] = {
		"direct", "remapped", "unreadable", "deferred",
	};
	struct group *g = record_group(r, &io_view);

	for (int path = 0; path < DMREMAP_NL_PATHS; path++) {
		struct record *row = group_add(g);

		set_string(row, "path", names[path]);
		set_number(row, "reads", stats->ios[READS][path]);
		set_number(row, "read_bytes", stats->sectors[READS][path] * 512);
		set_number(row, "writes", stats->ios[WRITES][path]);
		set_number(row, "written_bytes", stats->sectors[WRITES][path] * 512);
	}
}

static unsigned int fill_errors(struct group *g, const struct dmremap_nl_stats *stats,
				const struct dmremap_status *s)
{
	char name[DMREMAP_PATH_SIZE + 32];
	const char *path;
	unsigned int nr = 0;

	name_member(s, stats->member, name, sizeof(name), &path);
	for (uint32_t i = 0; i < DMREMAP_NL_CLASSES; i++) {
		struct record *row;

		if (!stats->errors[READS][i] && !stats->errors[WRITES][i])
			continue;
		row = group_add(g);
		set_number(row, "member", stats->member);
		set_string(row, "of", name);
		set_string(row, "class", dmremap_class_name(i));
		set_number(row, "reads", stats->errors[READS][i]);
		set_number(row, "writes", stats->errors[WRITES][i]);
		nr++;
	}
	return nr;
}

static void fill_percentiles(struct record *r, const uint64_t *buckets, const char *text,
			     const char *p50, const char *p99)
{
	uint64_t half = percentile(buckets, 50), most = percentile(buckets, 99);
	char a[32], b[32];

	if (!sum(buckets))
		return;
	set_number(r, p50, half);
	set_number(r, p99, most);
	set_text(r, text, "%" PRIu64 " measured, half of them below %s, 99 %% below %s",
		 sum(buckets), format_us(half, a), format_us(most, b));
}

static void fill_latency(struct group *g, const struct dmremap_nl_stats *stats,
			 const struct dmremap_status *s)
{
	const uint64_t *reads = stats->latency[READS], *writes = stats->latency[WRITES];
	unsigned int first = DMR_NL_BUCKETS, last = 0;
	char name[DMREMAP_PATH_SIZE + 32], from[32], to[32];
	struct record *r = group_add(g), *row;
	uint64_t most[2] = {};
	const char *path;

	name_member(s, stats->member, name, sizeof(name), &path);
	set_text(r, "title", stats->member ? "Latency of %s" : "Latency of the %s", name);
	set_number(r, "member", stats->member);
	set_string(r, "path", path);
	fill_percentiles(r, reads, "reads", "read_p50_us", "read_p99_us");
	fill_percentiles(r, writes, "writes", "write_p50_us", "write_p99_us");
	for (unsigned int i = 0; i < DMR_NL_BUCKETS; i++) {
		if (!reads[i] && !writes[i])
			continue;
		if (first == DMR_NL_BUCKETS)
			first = i;
		last = i;
		most[READS] = reads[i] > most[READS] ? reads[i] : most[READS];
		most[WRITES] = writes[i] > most[WRITES] ? writes[i] : most[WRITES];
	}
	g = record_group(r, &latency_view);
	for (unsigned int i = first; i <= last; i++) {
		row = group_add(g);
		if (bucket_end(i)) {
			set_number(row, "to_us", bucket_end(i));
			set_text(row, "range", "%s to %s", format_us(bucket_start(i), from),
				 format_us(bucket_end(i), to));
		} else {
			set_text(row, "range", "%s and more",
				 format_us(bucket_start(i), from));
		}
		set_number(row, "from_us", bucket_start(i));
		set_number(row, "reads", reads[i]);
		set_number(row, "writes", writes[i]);
		set_bar(row, "read_bar", reads[i], most[READS]);
		set_bar(row, "write_bar", writes[i], most[WRITES]);
	}
}

static void fill_set(struct group *sets, const struct dmremap_status *s,
		     const struct collected *c)
{
	struct record *r = group_add(sets);
	struct group *g;
	unsigned int nr = 0;
	bool measured = false;

	set_string(r, "name", s->name);
	set_string(r, "uuid", s->uuid);
	for (unsigned int i = 0; i < c->nr; i++)
		if (!c->stats[i].member)
			fill_io(r, &c->stats[i]);
	g = record_group(r, &error_view);
	for (unsigned int i = 0; i < c->nr; i++)
		nr += fill_errors(g, &c->stats[i], s);
	if (!nr)
		set_string(r, "no_errors", "none since the start");
	g = record_group(r, &member_view);
	for (unsigned int i = 0; i < c->nr; i++) {
		if (!sum(c->stats[i].latency[READS]) && !sum(c->stats[i].latency[WRITES]))
			continue;
		fill_latency(g, &c->stats[i], s);
		measured = true;
	}
	if (!measured)
		set_text(r, "note", "nothing was measured; one of 16 I/Os is after: " PROGRAM
			 " policy set %s sample=16", s->name);
}

/* --- Command --------------------------------------------------------------------------- */

struct asked {
	struct invocation *inv;
	struct dmremap_nl *nl;
	struct group *sets;
	struct dmremap_status *status;
	struct collected *collected;
	bool failed;
};

static int ask_set(struct asked *a, const char *name)
{
	struct dmremap_error error = {};
	int err;

	a->collected->nr = 0;
	err = dmremap_nl_stats(a->nl, name, collect, a->collected, &error);
	if (err < 0)
		return fail_module(a->inv, name, err, &error);
	err = dmremap_status(name, a->status, &error);
	if (err < 0)
		return fail_lib(a->inv, err, &error);
	fill_set(a->sets, a->status, a->collected);
	return DONE;
}

/* One that can not be asked does not hide the others. */
static int ask_each(const struct dmremap_nl_device *d, void *arg)
{
	struct asked *a = arg;

	if (ask_set(a, d->name))
		a->failed = true;
	return 0;
}

int cmd_stats(struct invocation *inv)
{
	struct asked a = { .inv = inv, .sets = output_group(inv->out, &set_view) };
	struct dmremap_error error = {};
	int err;

	err = open_module(inv, &a.nl);
	if (err)
		return err;
	a.status = calloc(1, sizeof(*a.status));
	a.collected = calloc(1, sizeof(*a.collected));
	if (!a.status || !a.collected)
		no_memory();
	if (inv->nr_args) {
		err = ask_set(&a, inv->args[0]);
	} else {
		err = dmremap_nl_devices(a.nl, NULL, ask_each, &a, &error);
		err = err < 0 ? fail_lib(inv, err, &error) : a.failed ? FAILED : DONE;
	}
	free(a.status);
	free(a.collected);
	dmremap_nl_free(a.nl);
	return err;
}
