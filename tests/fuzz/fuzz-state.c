// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon's state file: any bytes are a state, or are put aside. Who keeps something in
 * it takes it back, acts on it at once and much later, and writes it; the file that comes of
 * that reads as the same state again.
 */
#include <json-c/json.h>
#include <sys/uio.h>
#include <unistd.h>

#include "alert.h"
#include "fuzz.h"
#include "smart.h"

#define SET_A	"2f1c8a52-0000-4000-8000-00000000000a"
#define START	(1700000000 * NSEC_PER_SEC)
#define DAY	(86400 * NSEC_PER_SEC)

static char dir[64], path[128];
static uint64_t now;
static struct config config;
static unsigned int moved_aside;

/* --- In place of the rest of the daemon ------------------------------------- */

uint64_t clock_now(void)
{
	return now;
}

void log_print(int priority, const char *format, ...)
{
	moved_aside += !!strstr(format, "put aside");
}

void log_fields(int priority, const struct iovec *fields, int nr)
{
	int i;

	require(nr > 3);
	for (i = 0; i < nr; i++)
		require(memchr(fields[i].iov_base, '=', fields[i].iov_len));
}

void hooks_run(struct daemon *daemon, const char *const *environment)
{
}

void record_event(struct daemon *daemon, const struct dmremap_event *event)
{
	require(*event->act && *event->message);
}

void daemon_status(struct daemon *daemon)
{
}

/* At once, but for what goes to the module. */
int worker_submit(struct daemon *daemon, enum worker_lane lane, worker_fn fn, void *arg,
		  worker_done_fn done)
{
	struct dmremap_error err = { "" };
	int ret = lane == WORKER_STORAGE ? fn(NULL, arg, &err) : 0;

	done(daemon, arg, ret, &err);
	return 0;
}

int worker_nl(struct worker *worker, struct dmremap_nl **nl, struct dmremap_error *err)
{
	return -ENOENT;
}

void worker_nl_drop(struct worker *worker)
{
}

struct watched_set *set_find(struct daemon *daemon, const char *uuid)
{
	return NULL;
}

/* --- One daemon ------------------------------------------------------------- */

static void remove_dir(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	require(!system(command));
}

static void make_dir(void)
{
	/* What is written is made durable, which would take most of the time. */
	snprintf(dir, sizeof(dir), "%s/dmr-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	require(mkdtemp(dir));
	atexit(remove_dir);
	require(!setenv("STATE_DIRECTORY", dir, 1));
	snprintf(path, sizeof(path), "%s/state.json", dir);
	config.reminder_interval = 86400;
	config.defaults.scrub_interval = 7 * 86400;
}

static void write_file(const uint8_t *data, size_t size)
{
	FILE *file = fopen(path, "w");

	require(file && fwrite(data, 1, size, file) == size);
	require(!fclose(file));
}

static void begin(struct daemon *daemon)
{
	memset(daemon, 0, sizeof(*daemon));
	daemon->root = "";
	daemon->config = &config;
	LIST_INIT(&daemon->sets);
	require(sd_event_default(&daemon->event) >= 0);
	require(!state_open(daemon));
	require(!alert_start(daemon));
	require(!scrub_start(daemon));
}

static void end(struct daemon *daemon)
{
	scrub_stop(daemon);
	alert_stop(daemon);
	state_close(daemon);
	sd_event_unref(daemon->event);
}

/* What alerts know, as they write it; something has to change for that. */
static char *alerts_text(struct daemon *daemon)
{
	struct alert alert = { .kind = ALERT_SPARE_LOW, .name = "fuzz", .uuid = SET_A,
		.detail = "What changes." };

	alert_condition(daemon, &alert, true);
	alert.detail = NULL;
	alert_condition(daemon, &alert, true);
	require(state_get(daemon, "alerts"));
	return strdup(json_object_to_json_string(state_get(daemon, "alerts")));
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) && value ?
	       json_object_get_string(value) : "";
}

/* None of them is below 0: what was kept as such is 0. */
static uint64_t number_of(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) ? json_object_get_uint64(value) : 0;
}

static bool same_text(struct json_object *a, struct json_object *b, const char *key)
{
	return !strcmp(text_of(a, key), text_of(b, key));
}

/* Each condition that is written is one that was read, with all that was known of it. */
static void check_written(struct json_object *read, struct json_object *written)
{
	static const char *const texts[] = { "name", "spare", "disk", "detail", "reason" };
	static const char *const numbers[] = { "count", "sector", "since", "told", "seen" };
	size_t i, n, k;

	for (i = 0; i < json_object_array_length(written); i++) {
		struct json_object *is = json_object_array_get_idx(written, i), *was = NULL;

		/* That of alerts_text(). */
		if (!strcmp(text_of(is, "event"), "spare-low") &&
		    !strcmp(text_of(is, "uuid"), SET_A) && !*text_of(is, "subject"))
			continue;
		require(json_object_is_type(read, json_type_array));
		for (n = 0; n < json_object_array_length(read) && !was; n++) {
			was = json_object_array_get_idx(read, n);
			if (!same_text(is, was, "event") || !same_text(is, was, "uuid") ||
			    !same_text(is, was, "subject"))
				was = NULL;
		}
		require(was);
		for (k = 0; k < sizeof(texts) / sizeof(*texts); k++)
			require(same_text(is, was, texts[k]));
		for (k = 0; k < sizeof(numbers) / sizeof(*numbers); k++)
			require(number_of(is, numbers[k]) == number_of(was, numbers[k]));
	}
}

static void scrubs(struct daemon *daemon)
{
	struct watched_set set = { .known = true };

	snprintf(set.device.uuid, sizeof(set.device.uuid), "%s", SET_A);
	LIST_INSERT_HEAD(&daemon->sets, &set, link);
	scrub_set_known(daemon, &set);
	LIST_REMOVE(&set, link);
	scrub_set_gone(daemon, &set);
}

static void smart(struct daemon *daemon)
{
	struct json_object *all = state_get(daemon, "smart"), *copy;
	struct smart_values values, again;
	char why[256];

	smart_from_json(all, &values);
	smart_has_grown(&values, NULL, why, sizeof(why));
	if (!json_object_is_type(all, json_type_object))
		return;
	json_object_object_foreach(all, key, one) {
		smart_from_json(one, &again);
		(void)key;
		require(!smart_has_grown(&values, &again, why, sizeof(why)) || *why);
		smart_says_failing(&again, why, sizeof(why));
		copy = smart_to_json(&again);
		smart_from_json(copy, &values);
		require(values.temperature == again.temperature);
		require(values.pending == again.pending);
		json_object_put(copy);
	}
}

/* Reminders and what is forgotten. */
static void live(struct daemon *daemon)
{
	static const unsigned int days[] = { 0, 1, 2, 200, 20000 };
	unsigned int i;

	for (i = 0; i < sizeof(days) / sizeof(*days); i++) {
		now = START + days[i] * DAY;
		alert_check(daemon);
		require(alert_count(daemon) <= 1024);
	}
	alert_set_gone(daemon, SET_A);
	alert_only(daemon, ALERT_SPARE_LOW, SET_A, NULL, 0);
	now += DAY;
	alert_check(daemon);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_object *read;
	struct daemon daemon;
	char *first, *second;

	if (!*dir)
		make_dir();
	now = START;
	write_file(data, size);
	begin(&daemon);
	smart(&daemon);
	scrubs(&daemon);
	read = json_object_get(state_get(&daemon, "alerts"));
	first = alerts_text(&daemon);
	check_written(read, state_get(&daemon, "alerts"));
	json_object_put(read);
	end(&daemon);

	/* From the file that this one wrote. */
	moved_aside = 0;
	begin(&daemon);
	require(!moved_aside);
	second = alerts_text(&daemon);
	live(&daemon);
	end(&daemon);
	if (strlen(first) != strlen(second))
		fprintf(stderr, "%s\n%s\n", first, second);
	require(strlen(first) == strlen(second));
	free(first);
	free(second);
	return 0;
}
