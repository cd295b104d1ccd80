// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What outlives the daemon: one small JSON file, written whole beside the old one, made
 * durable, and renamed, so that a crash leaves the old or the new one. Written by
 * the storage lane, one write at a time and at most one a second.
 */
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"

#define STATE_MAX	(8 << 20)	/* bytes; larger is damage */
#define SPACING_USEC	USEC_PER_SEC

struct state {
	struct daemon *daemon;
	char path[DMREMAP_PATH_SIZE];
	struct json_object *root;
	sd_event_source *timer;
	bool dirty, writing, failed;
	uint64_t written;		/* CLOCK_MONOTONIC, microseconds */
};

struct state_write {
	char path[DMREMAP_PATH_SIZE];
	char *text;
};

static int read_whole(const char *path, char **text)
{
	_cleanup_free_ char *buf = NULL;
	struct stat st;
	ssize_t n = 0;
	size_t got;
	int fd, ret = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		ret = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > STATE_MAX)
		ret = -EFBIG;
	else if (!(buf = malloc(st.st_size + 1)))
		ret = -ENOMEM;
	for (got = 0; !ret && got < (size_t)st.st_size; got += n) {
		n = read(fd, buf + got, st.st_size - got);
		if (n <= 0) {
			ret = n < 0 ? -errno : -EIO;
			n = 0;
		}
	}
	close(fd);
	if (ret < 0)
		return ret;
	buf[got] = '\0';
	*text = buf;
	buf = NULL;
	return 0;
}

static int sync_directory(const char *path)
{
	char dir[DMREMAP_PATH_SIZE];
	int fd, ret;

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
	fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static int write_whole(int fd, const char *text, size_t size)
{
	ssize_t n;

	for (; size; text += n, size -= n) {
		n = write(fd, text, size);
		if (n < 0)
			return -errno;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_job(struct worker *worker, void *arg, struct dmremap_error *err)
{
	struct state_write *job = arg;
	char beside[DMREMAP_PATH_SIZE + 8];
	int fd, ret;

	snprintf(beside, sizeof(beside), "%s.new", job->path);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	ret = fd < 0 ? -errno : write_whole(fd, job->text, strlen(job->text));
	if (fd >= 0 && close(fd) < 0 && !ret)
		ret = -errno;
	if (!ret && rename(beside, job->path) < 0)
		ret = -errno;
	if (!ret)
		ret = sync_directory(job->path);
	if (ret < 0)
		snprintf(err->text, sizeof(err->text), "The state can not be written to %s: %s.",
			 job->path, strerror(-ret));
	return ret;
}

static void schedule(struct state *state);

static void write_done(struct daemon *daemon, void *arg, int result,
		       const struct dmremap_error *err)
{
	struct state *state = daemon->state;
	struct state_write *job = arg;

	free(job->text);
	free(job);
	if (!state)
		return;
	state->writing = false;
	/* Once for each time that it begins to fail: the disk may be full for days. */
	if (result < 0 && result != -ECANCELED && !state->failed)
		log_error("%s Until it can, a restart may repeat alerts.", err->text);
	if (result != -ECANCELED)
		state->failed = result < 0;
	if (result < 0)
		state->dirty = true;
	if (state->dirty && result != -ECANCELED)
		schedule(state);
}

static int submit(struct state *state)
{
	struct state_write *job = calloc(1, sizeof(*job));
	int ret;

	if (!job)
		return -ENOMEM;
	snprintf(job->path, sizeof(job->path), "%s", state->path);
	job->text = json_text(state->root, JSON_C_TO_STRING_PRETTY);
	ret = job->text ? worker_submit(state->daemon, WORKER_STORAGE, write_job, job,
					write_done) : -ENOMEM;
	if (ret < 0) {
		free(job->text);
		free(job);
		return ret;
	}
	state->writing = true;
	state->dirty = false;
	sd_event_now(state->daemon->event, CLOCK_MONOTONIC, &state->written);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct state *state = arg;

	if (state->dirty && !state->writing && submit(state) < 0) {
		sd_event_now(state->daemon->event, CLOCK_MONOTONIC, &state->written);
		schedule(state);
	}
	return 0;
}

static void schedule(struct state *state)
{
	/* A disk that refuses now is tried again every minute. */
	uint64_t when = state->written + (state->failed ? 60 : 1) * SPACING_USEC;

	if (!state->written)
		when = 0;
	if (state->timer) {
		sd_event_source_set_time(state->timer, when);
		sd_event_source_set_enabled(state->timer, SD_EVENT_ONESHOT);
	} else {
		sd_event_add_time(state->daemon->event, &state->timer, CLOCK_MONOTONIC, when,
				  USEC_PER_SEC / 20, on_timer, state);
	}
}

static void put_aside(const char *path)
{
	char aside[DMREMAP_PATH_SIZE + 16];

	snprintf(aside, sizeof(aside), "%s.damaged", path);
	if (rename(path, aside) < 0)
		log_error("The state in %s is damaged and can not be put aside: %s.", path,
			  strerror(errno));
	else
		log_error("The state in %s was damaged. It was put aside as %s, and begins anew: alerts that were told may be told again.",
			  path, aside);
}

int state_open(struct daemon *daemon)
{
	const char *directory = getenv("STATE_DIRECTORY");
	_cleanup_free_ char *text = NULL;
	struct state *state;
	int ret;

	state = calloc(1, sizeof(*state));
	if (!state)
		return -ENOMEM;
	state->daemon = daemon;
	/* systemd lists several with colons; there is one. */
	if (directory && *directory == '/')
		snprintf(state->path, sizeof(state->path), "%.*s/state.json",
			 (int)strcspn(directory, ":"), directory);
	else
		snprintf(state->path, sizeof(state->path), "%s%s/state.json", daemon->root,
			 STATE_DIRECTORY);

	errno = 0;
	ret = read_whole(state->path, &text);
	if (!ret)
		state->root = json_tokener_parse(text);
	/* It is not the file's fault: another time it can be read. */
	if (ret == -ENOMEM || ret == -EMFILE || ret == -ENFILE ||
	    (!ret && !state->root && errno == ENOMEM)) {
		free(state);
		return ret < 0 ? ret : -ENOMEM;
	}
	if (ret < 0 && ret != -ENOENT)
		log_error("The state in %s can not be read: %s.", state->path, strerror(-ret));
	if (state->root && !json_object_is_type(state->root, json_type_object)) {
		json_object_put(state->root);
		state->root = NULL;
	}
	if (!state->root && (!ret || ret == -EFBIG))
		put_aside(state->path);
	if (!state->root)
		state->root = json_new();
	daemon->state = state;
	return 0;
}

struct json_object *state_get(struct daemon *daemon, const char *key)
{
	return json_get(daemon->state->root, key);
}

void state_put(struct daemon *daemon, const char *key, struct json_object *value)
{
	struct state *state = daemon->state;

	json_add(state->root, key, value);
	state->dirty = true;
	if (!state->writing)
		schedule(state);
}

void state_close(struct daemon *daemon)
{
	struct state *state = daemon->state;

	if (!state)
		return;
	/* A write that is under way is older: jobs of a lane are done in order. */
	if (state->dirty && submit(state) < 0)
		log_error("The state could not be written at the end.");
	sd_event_source_disable_unref(state->timer);
	json_object_put(state->root);
	free(state);
	daemon->state = NULL;
}
