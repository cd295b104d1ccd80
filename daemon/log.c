// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the daemon writes: to the journal if systemd connected stderr with it, else to
 * stderr for a person who runs it by hand. And the clock, which tests replace.
 */
#include <inttypes.h>
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

static bool to_journal, tell_debug;

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
		sd_journal_print(priority, "%s", text);
	else
		fprintf(stderr, "dmremapd: %s\n", text);
}

void log_fields(int priority, const struct iovec *fields, int nr)
{
	int i;

	if (to_journal) {
		sd_journal_sendv(fields, nr);
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
