// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The history, from the loop: events and samples are gathered for a second or until
 * there are many, and the storage lane writes them in one transaction. If the disk
 * hangs, a bounded number waits and the rest is counted as not kept.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"

#define BATCH_ROWS	256
#define BATCHES_WAITING	8
#define GATHER_USEC	USEC_PER_SEC
#define REOPEN_NSEC	(60 * NSEC_PER_SEC)

struct row {
	struct dmremap_event *event;	/* or a sample: */
	char *what, *subject, *json;
	uint64_t time;
};

struct batch {
	struct daemon *daemon;
	struct store *store;
	uint64_t max_bytes;
	bool close;
	bool damaged;			/* a damaged file was put aside; the error tells */
	unsigned int nr;
	struct row rows[BATCH_ROWS];
};

/* The storage lane's alone. */
struct store {
	char path[DMREMAP_PATH_SIZE];
	struct dmremap_history *history;
	uint64_t failed_open;		/* clock_now() */
};

struct record {
	struct store *store;		/* freed by the job that closes it */
	struct batch *batch;		/* being gathered */
	sd_event_source *timer;
	unsigned int waiting;
	bool failing;
	uint64_t not_kept;
};

static void batch_free(struct batch *batch)
{
	unsigned int i;

	for (i = 0; i < batch->nr; i++) {
		free(batch->rows[i].event);
		free(batch->rows[i].what);
		free(batch->rows[i].subject);
		free(batch->rows[i].json);
	}
	free(batch);
}

static int store_open(struct batch *batch, struct dmremap_error *err)
{
	struct store *store = batch->store;
	int ret;

	if (store->history)
		return 0;
	/* What failed a moment ago fails again; do not check a large file each second. */
	if (store->failed_open && clock_now() - store->failed_open < REOPEN_NSEC) {
		snprintf(err->text, sizeof(err->text), "The history %s can not be opened.",
			 store->path);
		return -EAGAIN;
	}
	ret = dmremap_history_create(store->path, &store->history, err);
	store->failed_open = ret < 0 ? clock_now() : 0;
	batch->damaged = ret > 0;
	return ret < 0 ? ret : 0;
}

static int add_rows(struct batch *batch, struct dmremap_error *err)
{
	struct dmremap_history *history = batch->store->history;
	unsigned int i;
	int ret;

	/* Where a reader that stands still keeps it from shrinking, nothing is added. */
	ret = dmremap_history_trim(history, batch->max_bytes, err);
	for (i = 0; i < batch->nr && ret >= 0; i++) {
		struct row *row = &batch->rows[i];

		if (row->event)
			ret = dmremap_history_add_event(history, row->event, err);
		else
			ret = dmremap_history_add_sample(history, row->what, row->subject,
							 row->time, row->json, err);
	}
	if (ret >= 0)
		ret = dmremap_history_sync(history, err);
	if (ret < 0)
		return ret;
	/* These rows are kept, whatever comes of this. */
	ret = dmremap_history_trim(history, batch->max_bytes, err);
	return ret == -EUCLEAN ? ret : 0;
}

static int write_job(struct worker *worker, void *arg, struct dmremap_error *err)
{
	struct dmremap_error first;
	struct batch *batch = arg;
	int ret = 0, tries;

	/* Twice: one that turns out damaged is put aside when it is opened again. */
	for (tries = 0; tries < 2 && (batch->nr || batch->store->history); tries++) {
		ret = store_open(batch, err);
		first = *err;
		if (!ret)
			ret = add_rows(batch, err);
		if (ret != -EUCLEAN)
			break;
		dmremap_history_free(batch->store->history);
		batch->store->history = NULL;
	}
	if (batch->damaged && !ret)
		*err = first;
	if (batch->close) {
		dmremap_history_free(batch->store->history);
		free(batch->store);
	}
	return ret;
}

static void write_done(struct daemon *daemon, void *arg, int result,
		       const struct dmremap_error *err)
{
	struct record *record = daemon->record;
	struct batch *batch = arg;

	if (batch->damaged && record)
		alert_tell(daemon, &(struct alert){ .kind = ALERT_HISTORY_DAMAGED,
						    .detail = err->text });
	if (record) {
		record->waiting--;
		if (result < 0)
			record->not_kept += batch->nr;
		/* Told when it begins and when it is over, not for each batch. */
		if (result < 0 && !record->failing)
			log_error("%s Events are not kept meanwhile.", err->text);
		if (result >= 0 && record->failing)
			log_notice("The history is written again; %" PRIu64 " entries were not kept.",
				   record->not_kept);
		record->failing = result < 0;
		if (result >= 0)
			record->not_kept = 0;
	}
	batch_free(batch);
}

static int flush(struct daemon *daemon, bool close)
{
	struct record *record = daemon->record;
	struct batch *batch = record->batch;
	int ret;

	sd_event_source_set_enabled(record->timer, SD_EVENT_OFF);
	if (!batch && close)
		batch = calloc(1, sizeof(*batch));
	if (!batch)
		return close ? -ENOMEM : 0;
	record->batch = NULL;
	batch->store = record->store;
	batch->max_bytes = daemon->config->history_max;
	batch->close = close;
	record->waiting++;
	ret = worker_submit(daemon, WORKER_STORAGE, write_job, batch, write_done);
	if (ret < 0) {
		record->waiting--;
		record->not_kept += batch->nr;
		batch_free(batch);
	}
	return ret;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	flush(arg, false);
	return 0;
}

/* Room for one more, or NULL: then it is counted. */
static struct row *new_row(struct daemon *daemon)
{
	struct record *record = daemon->record;

	if (!daemon->config->history)
		return NULL;
	if (record->waiting >= BATCHES_WAITING) {
		if (!record->failing)
			log_error("The history can not be written fast enough, or its disk does not answer. Events are not kept meanwhile.");
		record->failing = true;
		record->not_kept++;
		return NULL;
	}
	if (!record->batch) {
		record->batch = calloc(1, sizeof(*record->batch));
		if (!record->batch) {
			record->not_kept++;
			return NULL;
		}
		sd_event_source_set_time_relative(record->timer, GATHER_USEC);
		sd_event_source_set_enabled(record->timer, SD_EVENT_ONESHOT);
	}
	return &record->batch->rows[record->batch->nr];
}

static void added(struct daemon *daemon)
{
	if (++daemon->record->batch->nr == BATCH_ROWS)
		flush(daemon, false);
}

void record_event(struct daemon *daemon, const struct dmremap_event *event)
{
	struct row *row = new_row(daemon);

	if (!row)
		return;
	row->event = malloc(sizeof(*event));
	if (!row->event) {
		daemon->record->not_kept++;
		return;
	}
	*row->event = *event;
	added(daemon);
}

void record_sample(struct daemon *daemon, const char *what, const char *subject,
		   struct json_object *sample)
{
	struct row *row = new_row(daemon);

	if (!row)
		return;
	row->time = clock_now();
	row->what = strdup(what);
	row->subject = strdup(subject);
	row->json = json_text(sample, JSON_C_TO_STRING_PLAIN);
	if (!row->what || !row->subject || !row->json) {
		free(row->what);
		free(row->subject);
		free(row->json);
		memset(row, 0, sizeof(*row));
		daemon->record->not_kept++;
		return;
	}
	added(daemon);
}

static void set_path(struct daemon *daemon, char *path, size_t size)
{
	const char *directory = getenv("STATE_DIRECTORY");

	if (directory && *directory == '/')
		snprintf(path, size, "%.*s/history.db", (int)strcspn(directory, ":"), directory);
	else
		snprintf(path, size, "%s%s", daemon->root, DMREMAP_HISTORY_PATH);
}

int record_start(struct daemon *daemon)
{
	struct record *record = calloc(1, sizeof(*record));
	int ret;

	if (!record)
		return -ENOMEM;
	record->store = calloc(1, sizeof(*record->store));
	if (!record->store) {
		free(record);
		return -ENOMEM;
	}
	set_path(daemon, record->store->path, sizeof(record->store->path));
	ret = sd_event_add_time_relative(daemon->event, &record->timer, CLOCK_MONOTONIC, 0,
					 USEC_PER_SEC / 10, on_timer, daemon);
	if (ret < 0) {
		free(record->store);
		free(record);
		return ret;
	}
	sd_event_source_set_enabled(record->timer, SD_EVENT_OFF);
	daemon->record = record;
	return 0;
}

void record_stop(struct daemon *daemon)
{
	struct record *record = daemon->record;

	if (!record)
		return;
	flush(daemon, true);
	sd_event_source_disable_unref(record->timer);
	daemon->record = NULL;
	free(record);
}
