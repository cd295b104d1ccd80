/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking the drives of all members for SMART, one at a time, by smartctl as a child that
 * is started in a lane of its own, since the disk with the program may hang, and watched
 * from the loop. A sleeping drive is left asleep. One that hangs is left
 * behind, and not asked again before its child has ended; the others are.
 */
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smart.h"

#define SPACING_USEC	(USEC_PER_SEC / 5)	/* between two drives */
#define DEATH_USEC	(5 * USEC_PER_SEC)	/* for a child that was killed */
#define RARELY		(24 * 3600ULL)		/* seconds: what has no SMART */
#define GROWN_NS	(7 * 24 * 3600 * NSEC_PER_SEC)	/* so long growth is a condition */
#define FORGET_NS	(60 * 24 * 3600 * NSEC_PER_SEC)	/* a drive that is no member any more */
#define KEY_SIZE	(64 + DMR_ID_SIZE + DMREMAP_PATH_SIZE)
#define STATE_KEY	"smart"
#define MAX_DRIVES	1024

struct drive {
	LIST_ENTRY(drive) link;
	struct disk disk;
	char key[KEY_SIZE];		/* what it is known by across restarts */
	bool wanted;			/* is a member still */
	bool failing;			/* what was told of it */
	bool hangs;			/* a child of it has not ended yet */
	bool complained;		/* that it can not be asked */
	unsigned int fails;		/* in a row */
	uint64_t due;			/* CLOCK_BOOTTIME, microseconds */
	bool have_values;
	struct smart_values values;
	uint64_t grown_at;		/* 0: not lately */
	char grown[256];		/* a sentence */
};

LIST_HEAD(drives, drive);

/* One run of smartctl. */
struct query {
	LIST_ENTRY(query) link;
	struct smart *smart;
	char path[DMREMAP_PATH_SIZE], key[KEY_SIZE];
	char program[DMREMAP_PATH_SIZE];
	bool spawning;			/* the lane has it, and `pid` and `out` */
	pid_t pid;
	int out;			/* the child's end of the pipe */
	int pidfd, pipe;
	sd_event_source *exit, *input, *timer;
	char *output;
	size_t size;
	bool killed, too_much;
};

struct smart {
	struct daemon *daemon;
	struct drives drives;
	unsigned int nr;
	struct query *current;
	LIST_HEAD(, query) left_behind;
	sd_event_source *timer;
};

uint64_t smart_limit_usec = 60 * USEC_PER_SEC;
uint64_t smart_first_usec = 5 * USEC_PER_SEC;

static uint64_t boottime(struct smart *smart)
{
	uint64_t usec = 0;

	sd_event_now(smart->daemon->event, CLOCK_BOOTTIME, &usec);
	return usec;
}

static void schedule(struct smart *smart);

/* --- Drives --------------------------------------------------------------- */

/* In the history, where a drive is looked up by what is printed on it. */
static const char *subject_of(const struct drive *d)
{
	return *d->disk.serial ? d->disk.serial : d->disk.path;
}

static struct drive *drive_by_key(struct smart *smart, const char *key)
{
	struct drive *d;

	LIST_FOREACH(d, &smart->drives, link)
		if (!strcmp(d->key, key))
			return d;
	return NULL;
}

/* Paths change with each boot and serial numbers need not be unique: both, if they must. */
static void make_key(struct smart *smart, const struct disk *disk, char key[KEY_SIZE])
{
	struct drive *other;

	if (!*disk->serial) {
		snprintf(key, KEY_SIZE, "%s", disk->path);
		return;
	}
	snprintf(key, KEY_SIZE, "%s %s", disk->model, disk->serial);
	other = drive_by_key(smart, key);
	if (other && other->wanted && strcmp(other->disk.path, disk->path))
		snprintf(key, KEY_SIZE, "%s %s %s", disk->model, disk->serial, disk->path);
}

static void tell(struct smart *smart, struct drive *d, bool holds, const char *detail,
		 const char *reason)
{
	struct alert alert = { .kind = ALERT_DISK_FAILING, .subject = d->key,
			       .disk = d->disk.path, .detail = detail, .reason = reason };

	bool changed = d->failing != holds;

	d->failing = holds;
	alert_condition(smart->daemon, &alert, holds);
	if (changed)
		policy_health_changed(smart->daemon);
}

static void judge(struct smart *smart, struct drive *d)
{
	char why[256];

	if (d->have_values && smart_says_failing(&d->values, why, sizeof(why)))
		tell(smart, d, true, why, "health");
	else if (d->grown_at && clock_now() < d->grown_at + GROWN_NS)
		tell(smart, d, true, d->grown, "growth");
	else if (d->have_values)
		tell(smart, d, false, NULL, NULL);
}

/* --- What outlives the daemon --------------------------------------------- */

static struct json_object *kept(struct smart *smart, const char *key)
{
	struct json_object *one = json_get(state_get(smart->daemon, STATE_KEY), key);

	return json_object_is_type(one, json_type_object) ? one : NULL;
}

static void load_drive(struct smart *smart, struct drive *d)
{
	struct json_object *one = kept(smart, d->key);

	if (!one)
		return;
	smart_from_json(one, &d->values);
	d->have_values = true;
	d->grown_at = json_get_number(one, "grown_at");
	/* A clock that was wrong then. */
	if (d->grown_at > clock_now())
		d->grown_at = clock_now();
	snprintf(d->grown, sizeof(d->grown), "%s", json_get_text(one, "grown") ?: "");
}

static void save_drive(struct smart *smart, const struct drive *d)
{
	struct json_object *old = state_get(smart->daemon, STATE_KEY);
	struct json_object *all = json_new(), *one = smart_to_json(&d->values);
	uint64_t now = clock_now();

	if (json_object_is_type(old, json_type_object)) {
		json_object_object_foreach(old, key, value) {
			if (strcmp(key, d->key) && json_get_number(value, "seen") + FORGET_NS > now)
				json_add(all, key, json_object_get(value));
		}
	}
	json_add_number(one, "seen", now);
	if (d->grown_at) {
		json_add_number(one, "grown_at", d->grown_at);
		json_add_text(one, "grown", d->grown);
	}
	json_add(all, d->key, one);
	state_put(smart->daemon, STATE_KEY, all);
}

/* --- An answer ------------------------------------------------------------ */

static void take_values(struct smart *smart, struct drive *d, const struct smart_values *v)
{
	struct json_object *one = kept(smart, d->key), *sample;
	struct smart_values before;
	char why[256];

	smart_from_json(one, &before);
	if (smart_has_grown(v, one ? &before : NULL, why, sizeof(why))) {
		d->grown_at = clock_now();
		snprintf(d->grown, sizeof(d->grown), "%s", why);
	}
	d->values = *v;
	d->have_values = true;
	save_drive(smart, d);
	judge(smart, d);
	sample = smart_to_json(v);
	json_add_text(sample, "path", d->disk.path);
	record_sample(smart->daemon, "smart", subject_of(d), sample);
	json_object_put(sample);
}

static void take_failure(struct drive *d, const char *why)
{
	d->fails++;
	if (!d->complained)
		log_warning("SMART of %s could not be read: %s", d->disk.path, why);
	d->complained = true;
}

static void take_answer(struct smart *smart, struct drive *d, const struct query *q, int status)
{
	uint64_t seconds = smart->daemon->config->smart_interval;
	struct dmremap_error err = { "" };
	struct smart_values v;
	int r = -EBADMSG;

	if (q->too_much)
		snprintf(err.text, sizeof(err.text), "the answer of smartctl is too long.");
	else if (q->killed)
		snprintf(err.text, sizeof(err.text), "smartctl did not end in time.");
	else
		r = smart_parse(q->output, q->size, status, &v, &err);
	if (r == SMART_OK) {
		d->fails = 0;
		d->complained = false;
		take_values(smart, d, &v);
	} else if (r == SMART_ASLEEP) {
		d->fails = 0;
		judge(smart, d);
	} else if (r == SMART_NONE) {
		seconds = seconds > RARELY ? seconds : RARELY;
	} else {
		take_failure(d, err.text);
	}
	/* Less often each time, up to a day. */
	for (r = d->fails; r > 1 && seconds < RARELY; r--)
		seconds *= 2;
	d->due = boottime(smart) + seconds * USEC_PER_SEC;
}

/* --- The child ------------------------------------------------------------ */

static void query_free(struct query *q)
{
	if (!q)
		return;
	sd_event_source_disable_unref(q->exit);
	sd_event_source_disable_unref(q->input);
	sd_event_source_disable_unref(q->timer);
	if (q->pidfd >= 0)
		close(q->pidfd);
	if (q->pipe >= 0)
		close(q->pipe);
	if (q->out >= 0)
		close(q->out);
	free(q->output);
	free(q);
}

/* Itself and what it started. Not reaped yet: the group can not be another's. */
static void kill_child(struct query *q)
{
	q->killed = true;
	kill(-q->pid, SIGKILL);
}

/* What there is; no more than is allowed. */
static void read_output(struct query *q)
{
	char buf[4096], *more;
	ssize_t n;

	while (q->pipe >= 0 && !q->too_much && (n = read(q->pipe, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break;
		if (q->size + n > SMART_OUTPUT_MAX) {
			q->too_much = true;
			break;
		}
		more = realloc(q->output, q->size + n);
		if (!more) {
			q->too_much = true;
			break;
		}
		q->output = more;
		memcpy(q->output + q->size, buf, n);
		q->size += n;
	}
	q->input = sd_event_source_disable_unref(q->input);
	if (q->pipe >= 0)
		close(q->pipe);
	q->pipe = -1;
	if (q->too_much)
		kill_child(q);
}

static int output_ready(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	read_output(arg);
	return 0;
}

static void finish(struct query *q, int status)
{
	struct smart *smart = q->smart;
	struct drive *d = drive_by_key(smart, q->key);

	if (q == smart->current) {
		smart->current = NULL;
		if (d)
			take_answer(smart, d, q, status);
	} else {
		LIST_REMOVE(q, link);
		if (d)
			d->hangs = false;
	}
	query_free(q);
	schedule(smart);
}

static int child_ended(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	siginfo_t info = { .si_pid = 0 };
	struct query *q = arg;
	int status = 0;

	read_output(q);
	if (waitid(P_PID, q->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
		return 0;
	/* What it left behind. */
	kill(-q->pid, SIGKILL);
	waitid(P_PID, q->pid, &info, WEXITED | WNOHANG);
	if (info.si_code == CLD_EXITED)
		status = info.si_status;
	else
		q->killed = true;
	finish(q, status);
	return 0;
}

/* First it is killed; if even that does not end it, the disk hangs, and others are asked. */
static int time_over(sd_event_source *source, uint64_t usec, void *arg)
{
	struct query *q = arg;
	struct smart *smart = q->smart;
	struct drive *d;

	if (!q->killed) {
		kill_child(q);
		sd_event_source_set_time_relative(source, DEATH_USEC);
		sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
		return 0;
	}
	if (q != smart->current)
		return 0;
	smart->current = NULL;
	LIST_INSERT_HEAD(&smart->left_behind, q, link);
	d = drive_by_key(smart, q->key);
	if (d) {
		d->hangs = true;
		take_answer(smart, d, q, 0);
	}
	schedule(smart);
	return 0;
}

static int spawn(const char *program, const char *path, int out, pid_t *pid)
{
	char *const arguments[] = { (char *)program, "--json", "-n", "standby", "-a",
				    (char *)path, NULL };
	char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
				 POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	r = posix_spawn(pid, program, &files, &attributes, arguments, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return -r;
}

static int watch(struct smart *smart, struct query *q)
{
	sd_event *event = smart->daemon->event;
	int r;

	q->pidfd = syscall(SYS_pidfd_open, q->pid, 0);
	if (q->pidfd < 0)
		return -errno;
	r = sd_event_add_io(event, &q->exit, q->pidfd, EPOLLIN, child_ended, q);
	if (r >= 0)
		r = sd_event_add_io(event, &q->input, q->pipe, EPOLLIN, output_ready, q);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &q->timer, CLOCK_MONOTONIC,
					       smart_limit_usec, 0, time_over, q);
	return r < 0 ? r : 0;
}

static void ask_failed(struct smart *smart, struct drive *d, const char *program, int error)
{
	char why[DMREMAP_PATH_SIZE + 128];

	snprintf(why, sizeof(why), "%s can not be run: %s.", program, strerror(-error));
	take_failure(d, why);
	/* Without the program there is nothing to hurry for. */
	d->due = boottime(smart) + (error == -ENOENT ? RARELY :
				    smart->daemon->config->smart_interval) * USEC_PER_SEC;
	schedule(smart);
}

/* In the thread: it returns when the program was read, which its disk may not allow. */
static int spawn_fn(struct worker *worker, void *arg, struct dmremap_error *err)
{
	struct query *q = arg;

	return spawn(q->program, q->path, q->out, &q->pid);
}

static void spawned(struct daemon *daemon, void *arg, int result,
		    const struct dmremap_error *err)
{
	struct smart *smart = daemon->smart;
	struct query *q = arg;
	struct drive *d;
	int r = result;

	q->spawning = false;
	close(q->out);
	q->out = -1;
	if (!r)
		r = smart ? watch(smart, q) : -ECANCELED;
	if (!r)
		return;
	if (!result) {
		kill_child(q);
		waitpid(q->pid, NULL, WNOHANG);
	}
	d = smart ? drive_by_key(smart, q->key) : NULL;
	if (smart)
		smart->current = NULL;
	if (d && r != -ECANCELED)
		ask_failed(smart, d, q->program, r);
	else if (smart)
		schedule(smart);
	query_free(q);
}

static int ask(struct smart *smart, struct drive *d)
{
	struct query *q = calloc(1, sizeof(*q));
	int fds[2], r;

	if (!q)
		return -ENOMEM;
	q->smart = smart;
	q->pipe = q->pidfd = q->out = -1;
	snprintf(q->path, sizeof(q->path), "%s", d->disk.path);
	snprintf(q->key, sizeof(q->key), "%s", d->key);
	snprintf(q->program, sizeof(q->program), "%s", smart->daemon->config->smartctl);
	if (pipe2(fds, O_CLOEXEC) < 0) {
		r = -errno;
		query_free(q);
		return r;
	}
	q->pipe = fds[0];
	q->out = fds[1];
	fcntl(q->pipe, F_SETFL, O_NONBLOCK);
	r = worker_submit(smart->daemon, WORKER_SMART, spawn_fn, q, spawned);
	if (r < 0) {
		query_free(q);
		return r;
	}
	q->spawning = true;
	smart->current = q;
	return 0;
}

/* --- When ----------------------------------------------------------------- */

static struct drive *next_due(struct smart *smart)
{
	struct drive *d, *next = NULL;

	LIST_FOREACH(d, &smart->drives, link)
		if (d->wanted && !d->hangs && (!next || d->due < next->due))
			next = d;
	return next;
}

static int due(sd_event_source *source, uint64_t usec, void *arg)
{
	struct smart *smart = arg;
	struct drive *d = next_due(smart);
	int r;

	if (smart->current || !d)
		return 0;
	if (d->due > boottime(smart)) {
		schedule(smart);
		return 0;
	}
	r = ask(smart, d);
	if (r < 0)
		ask_failed(smart, d, smart->daemon->config->smartctl, r);
	return 0;
}

static void schedule(struct smart *smart)
{
	struct drive *d = next_due(smart);
	uint64_t at;

	if (smart->current || !d || !smart->daemon->config->smart) {
		sd_event_source_set_enabled(smart->timer, SD_EVENT_OFF);
		return;
	}
	at = boottime(smart) + SPACING_USEC;
	sd_event_source_set_time(smart->timer, d->due > at ? d->due : at);
	sd_event_source_set_enabled(smart->timer, SD_EVENT_ONESHOT);
}

/* --- Members -------------------------------------------------------------- */

static void want(struct smart *smart, const struct disk *disk)
{
	char key[KEY_SIZE];
	struct drive *d;

	if (disk->virtual_)
		return;
	LIST_FOREACH(d, &smart->drives, link) {
		if (!strcmp(d->disk.path, disk->path) && !strcmp(d->disk.serial, disk->serial)) {
			d->disk = *disk;
			d->wanted = true;
			return;
		}
	}
	make_key(smart, disk, key);
	d = drive_by_key(smart, key);
	if (!d) {
		if (smart->nr >= MAX_DRIVES)
			return;
		d = calloc(1, sizeof(*d));
		if (!d)
			return;
		snprintf(d->key, sizeof(d->key), "%s", key);
		d->due = boottime(smart) + smart_first_usec;
		d->disk = *disk;
		load_drive(smart, d);
		LIST_INSERT_HEAD(&smart->drives, d, link);
		smart->nr++;
		/* What it said before holds until it says otherwise. */
		if (smart->daemon->config->smart)
			judge(smart, d);
	}
	d->disk = *disk;
	d->wanted = true;
}

static void want_all(struct smart *smart, unsigned int major, unsigned int minor)
{
	struct disk *disks;
	int i, n;

	if (!major && !minor)
		return;
	disks = calloc(DISK_MAX, sizeof(*disks));
	n = disks ? disk_resolve(major, minor, disks, DISK_MAX) : 0;
	for (i = 0; i < n; i++)
		want(smart, &disks[i]);
	free(disks);
}

void smart_members_changed(struct daemon *daemon)
{
	struct smart *smart = daemon->smart;
	struct watched_set *set;
	struct drive *d, *next;
	unsigned int i;

	if (!smart)
		return;
	LIST_FOREACH(d, &smart->drives, link)
		d->wanted = false;
	LIST_FOREACH(set, &daemon->sets, link) {
		want_all(smart, set->device.data_major, set->device.data_minor);
		for (i = 0; i < set->nr_spares; i++)
			want_all(smart, set->spares[i].major, set->spares[i].minor);
	}
	for (d = LIST_FIRST(&smart->drives); d; d = next) {
		next = LIST_NEXT(d, link);
		if (d->wanted || d->hangs)
			continue;
		if (d->failing)
			tell(smart, d, false, NULL, NULL);
		LIST_REMOVE(d, link);
		smart->nr--;
		free(d);
	}
	schedule(smart);
}

bool smart_failing(struct daemon *daemon, unsigned int major, unsigned int minor)
{
	struct disk *disks;
	bool failing = false;
	struct drive *d;
	int i, n;

	if (!daemon->smart || LIST_EMPTY(&daemon->smart->drives))
		return false;
	disks = calloc(DISK_MAX, sizeof(*disks));
	n = disks ? disk_resolve(major, minor, disks, DISK_MAX) : 0;
	for (i = 0; i < n; i++)
		LIST_FOREACH(d, &daemon->smart->drives, link)
			failing |= d->failing && !strcmp(d->disk.path, disks[i].path);
	free(disks);
	return failing;
}

int smart_start(struct daemon *daemon)
{
	struct smart *smart = calloc(1, sizeof(*smart));
	int r;

	if (!smart)
		return -ENOMEM;
	smart->daemon = daemon;
	LIST_INIT(&smart->drives);
	LIST_INIT(&smart->left_behind);
	r = sd_event_add_time(daemon->event, &smart->timer, CLOCK_BOOTTIME, UINT64_MAX,
			      SPACING_USEC, due, smart);
	if (r < 0) {
		free(smart);
		return r;
	}
	sd_event_source_set_enabled(smart->timer, SD_EVENT_OFF);
	daemon->smart = smart;
	smart_members_changed(daemon);
	return 0;
}

void smart_reload(struct daemon *daemon)
{
	struct smart *smart = daemon->smart;
	uint64_t latest;
	struct drive *d;

	if (!smart)
		return;
	/* A shorter interval counts from now. */
	latest = boottime(smart) + daemon->config->smart_interval * USEC_PER_SEC;
	LIST_FOREACH(d, &smart->drives, link) {
		if (d->due > latest)
			d->due = latest;
		if (!daemon->config->smart && d->failing)
			tell(smart, d, false, NULL, NULL);
	}
	schedule(smart);
}

void smart_stop(struct daemon *daemon)
{
	struct smart *smart = daemon->smart;
	struct query *q;
	struct drive *d;

	if (!smart)
		return;
	if (smart->current && !smart->current->spawning) {
		kill_child(smart->current);
		waitpid(smart->current->pid, NULL, WNOHANG);
		query_free(smart->current);
	}
	while ((q = LIST_FIRST(&smart->left_behind))) {
		LIST_REMOVE(q, link);
		query_free(q);
	}
	while ((d = LIST_FIRST(&smart->drives))) {
		LIST_REMOVE(d, link);
		free(d);
	}
	sd_event_source_disable_unref(smart->timer);
	free(smart);
	daemon->smart = NULL;
}
