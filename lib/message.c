/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages to an active set: moving blocks in portions.
 *
 * A portion is so large that it takes about a quarter of a second, so that
 * progress moves and stopping is quick without many flushes.
 */
#include <time.h>

#include "private.h"

#define PORTION_FIRST	32
#define PORTION_MAX	8192
#define PORTION_MS	250
#define MESSAGE_SIZE	2048
#define MESSAGE_ROOM	44	/* " <20 digits> <20 digits>" and the NUL */

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Answer: pairs of a word and a number. @word's number is added to *sum. */
static void answer_add(const char *answer, const char *word, u64 *sum)
{
	char name[32];
	unsigned long long value;
	int n;

	for (; sscanf(answer, " %31s %llu%n", name, &value, &n) == 2; answer += n)
		if (!strcmp(name, word))
			*sum += value;
}

/* Takes the counts; a module that stopped early ends them with "error <-errno>". */
static int answer_take(const char *answer, struct dmremap_result *result)
{
	const char *error = strstr(answer, " error ");
	int code;

	answer_add(answer, "relocated", &result->relocated);
	answer_add(answer, "released", &result->released);
	answer_add(answer, "lost", &result->lost);
	answer_add(answer, "unchanged", &result->unchanged);
	answer_add(answer, "failed", &result->failed);
	if (!error)
		return 0;
	return sscanf(error, " error %d", &code) == 1 && code < 0 ? code : -EBADMSG;
}

static int stopped_early(struct dmremap_error *err, int r, const char *name, const char *verb)
{
	if (r == -ENOSPC)
		return dmri_error(err, r,
				  "%s: \"%s\" stopped, since no spare block or no room in the map is left; what was done stays. Add a spare (\"dmremapctl spare add\") and repeat it.",
				  name, verb);
	return dmri_error(err, r, "%s: \"%s\" stopped: %s; what was done stays. Repeat it to go on.",
			  name, verb, strerror(-r));
}

struct position {
	size_t range;
	u64 within;
};

/* Write the next ranges, up to @portion units, into @text. Returns how many. */
static u64 next_portion(struct dmremap_ranges *ranges, struct position *pos, u64 portion,
			char *text)
{
	size_t nr = dmremap_ranges_count(ranges), at = strlen(text);
	u64 done = 0, count;

	while (pos->range < nr && done < portion && at + MESSAGE_ROOM < MESSAGE_SIZE) {
		const struct dmremap_range *range = dmremap_ranges_get(ranges, pos->range);

		count = MIN(range->count - pos->within, portion - done);
		at += snprintf(text + at, MESSAGE_SIZE - at, " %llu %llu",
			       (unsigned long long)(range->start + pos->within),
			       (unsigned long long)count);
		done += count;
		pos->within += count;
		if (pos->within == range->count) {
			pos->range++;
			pos->within = 0;
		}
	}
	return done;
}

static int send_ranges(const char *name, const char *verb, struct dmremap_ranges *ranges,
		       dmremap_progress_fn progress, void *arg,
		       struct dmremap_result *result, struct dmremap_error *err)
{
	u64 total = dmremap_ranges_total(ranges), done = 0, portion = PORTION_FIRST;
	struct dmremap_result unused;
	struct position pos = { 0 };
	struct dmri_dm_name found;
	int r = dmri_dm_resolve(name, &found, err);

	if (!result)
		result = &unused;
	memset(result, 0, sizeof(*result));
	if (r < 0)
		return r;
	if (progress && progress(0, total, arg))
		return dmri_error(err, -ECANCELED, "Stopped before anything was done.");
	while (done < total) {
		_free_ char *answer = NULL;
		char text[MESSAGE_SIZE];
		u64 start = now_ms(), took, sent;

		dmri_text(text, sizeof(text), "%s", verb);
		sent = next_portion(ranges, &pos, portion, text);
		r = dmri_dm_message(found.name, text, &answer, err);
		if (r < 0)
			return r;
		r = answer_take(answer, result);
		if (r < 0)
			return stopped_early(err, r, found.name, verb);
		done += sent;
		took = now_ms() - start;
		if (took < PORTION_MS / 2)
			portion = MIN(portion * 2, (u64)PORTION_MAX);
		else if (took > PORTION_MS * 2)
			portion = MAX(portion / 2, (u64)1);
		if (progress && progress(done, total, arg) && done < total)
			return dmri_error(err, -ECANCELED,
					  "Stopped after %llu of %llu; what was done stays.",
					  (unsigned long long)done, (unsigned long long)total);
	}
	return 0;
}

int dmremap_relocate(const char *name, struct dmremap_ranges *blocks,
		     dmremap_progress_fn progress, void *arg,
		     struct dmremap_result *result, struct dmremap_error *err)
{
	return send_ranges(name, "relocate", blocks, progress, arg, result, err);
}

int dmremap_release(const char *name, struct dmremap_ranges *blocks,
		    dmremap_progress_fn progress, void *arg,
		    struct dmremap_result *result, struct dmremap_error *err)
{
	return send_ranges(name, "release", blocks, progress, arg, result, err);
}

int dmremap_unreadable(const char *name, struct dmremap_ranges *sectors,
		       dmremap_progress_fn progress, void *arg,
		       struct dmremap_result *result, struct dmremap_error *err)
{
	return send_ranges(name, "unreadable", sectors, progress, arg, result, err);
}

int dmremap_evacuate(const char *name, unsigned int member, struct dmremap_error *err)
{
	struct dmri_dm_name found;
	char text[32];
	int r = dmri_dm_resolve(name, &found, err);

	if (r < 0)
		return r;
	dmri_text(text, sizeof(text), "evacuate %u", member);
	r = dmri_dm_message(found.name, text, NULL, err);
	if (r == -ENXIO)
		return dmri_error(err, r,
				  "Spare %u of %s is missing, and blocks live on it that can not be read from anywhere else. Bring it back; or write those blocks again, so that they move (\"dmremapctl map list %s\"), and repeat this.",
				  member, found.name, found.name);
	if (r == -ENOSPC)
		return dmri_error(err, r,
				  "The other spares of %s have no room for all blocks of spare %u; what has moved stays. Add a spare first (\"dmremapctl spare add\").",
				  found.name, member);
	return r;
}
