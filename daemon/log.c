// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the daemon writes: to the journal if systemd connected stderr with it, else to
 * stderr for a person who runs it by hand. And the clock, which tests replace.
 *
 * journald may wait for a disk that is watched here, and then its socket fills up and
 * blocks. So a thread writes; what does not fit into its queue is counted and told of.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon.h"

#define QUEUE_MAX	256		/* entries */
#define STACK_SIZE	(128u << 10)

static bool to_journal, tell_debug;

/* --- The queue ------------------------------------------------------------------ */

struct entry {
	STAILQ_ENTRY(entry) link;
	int nr;
	struct iovec fields[];		/* their bytes behind them */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake, empty;
	STAILQ_HEAD(, entry) entries;
	unsigned int nr;
	bool runs, stopping;
	uint64_t dropped;
} queue = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER,
	.empty = PTHREAD_COND_INITIALIZER, .entries = STAILQ_HEAD_INITIALIZER(queue.entries),
};

static struct entry *entry_new(const struct iovec *fields, int nr)
{
	size_t size = sizeof(struct entry) + nr * sizeof(*fields);
	struct entry *e;
	char *at;
	int i;

	for (i = 0; i < nr; i++)
		size += fields[i].iov_len;
	e = malloc(size);
	if (!e)
		return NULL;
	e->nr = nr;
	at = (char *)&e->fields[nr];
	for (i = 0; i < nr; i++) {
		e->fields[i].iov_base = at;
		e->fields[i].iov_len = fields[i].iov_len;
		memcpy(at, fields[i].iov_base, fields[i].iov_len);
		at += fields[i].iov_len;
	}
	return e;
}

static void send_text(int priority, const char *text)
{
	char message[1100], level[16];
	struct iovec fields[2] = { { .iov_base = message }, { .iov_base = level } };

	fields[0].iov_len = snprintf(message, sizeof(message), "MESSAGE=%s", text);
	fields[1].iov_len = snprintf(level, sizeof(level), "PRIORITY=%d", priority);
	log_fields(priority, fields, 2);
}

static void tell_dropped(uint64_t dropped)
{
	char text[128];

	snprintf(text, sizeof(text), "MESSAGE=%" PRIu64 " entries were not written, since the journal did not take them in time.",
		 dropped);
	sd_journal_sendv((struct iovec[]){ { text, strlen(text) },
					   { (char *)"PRIORITY=4", 10 } }, 2);
}

static void *write_entries(void *arg)
{
	struct entry *e;
	uint64_t dropped;

	pthread_mutex_lock(&queue.lock);
	while (queue.nr || queue.dropped || !queue.stopping) {
		e = STAILQ_FIRST(&queue.entries);
		if (!e && !queue.dropped) {
			pthread_cond_wait(&queue.wake, &queue.lock);
			continue;
		}
		dropped = e ? 0 : queue.dropped;
		if (e) {
			STAILQ_REMOVE_HEAD(&queue.entries, link);
			queue.nr--;
		} else {
			queue.dropped = 0;
		}
		pthread_mutex_unlock(&queue.lock);
		if (e)
			sd_journal_sendv(e->fields, e->nr);
		else
			tell_dropped(dropped);
		free(e);
		pthread_mutex_lock(&queue.lock);
	}
	queue.runs = false;
	pthread_cond_signal(&queue.empty);
	pthread_mutex_unlock(&queue.lock);
	return NULL;
}

int log_start(struct daemon *daemon)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int r;

	if (!to_journal)
		return 0;
	queue.stopping = false;
	r = pthread_attr_init(&attr);
	if (r)
		return -r;
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	queue.runs = true;
	r = pthread_create(&thread, &attr, write_entries, NULL);
	if (r)
		queue.runs = false;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

void log_stop(unsigned int timeout_ms)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += timeout_ms / 1000;
	pthread_mutex_lock(&queue.lock);
	queue.stopping = true;
	pthread_cond_signal(&queue.wake);
	while (queue.runs && pthread_cond_timedwait(&queue.empty, &queue.lock, &end) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&queue.lock);
}

/* --- For others ----------------------------------------------------------------- */

/* Is stderr the stream that systemd opened for this service? */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uint64_t device, inode;
	struct stat st;

	return stream && sscanf(stream, "%" SCNu64 ":%" SCNu64, &device, &inode) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == device && st.st_ino == inode;
}

void log_open(bool to_stderr, bool verbose)
{
	to_journal = !to_stderr && stderr_is_journal();
	tell_debug = verbose;
}

void log_print(int priority, const char *format, ...)
{
	char text[1024];
	va_list args;

	if (priority == LOG_DEBUG && !tell_debug)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (to_journal)
		send_text(priority, text);
	else
		fprintf(stderr, "dmremapd: %s\n", text);
}

void log_fields(int priority, const struct iovec *fields, int nr)
{
	struct entry *e;
	int i;

	if (to_journal) {
		pthread_mutex_lock(&queue.lock);
		if (!queue.runs) {
			/* Before the loop, and behind it. */
			pthread_mutex_unlock(&queue.lock);
			sd_journal_sendv(fields, nr);
			return;
		}
		/* None behind a gap until it was told: it stands where entries are missing. */
		e = queue.nr < QUEUE_MAX && !queue.dropped ? entry_new(fields, nr) : NULL;
		if (e) {
			STAILQ_INSERT_TAIL(&queue.entries, e, link);
			queue.nr++;
		} else {
			queue.dropped++;
		}
		pthread_cond_signal(&queue.wake);
		pthread_mutex_unlock(&queue.lock);
		return;
	}
	for (i = 0; i < nr; i++)
		if (fields[i].iov_len > 8 && !memcmp(fields[i].iov_base, "MESSAGE=", 8))
			fprintf(stderr, "dmremapd: %.*s\n", (int)fields[i].iov_len - 8,
				(const char *)fields[i].iov_base + 8);
}

uint64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}
