/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing to a journal that does not take anything for a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon.h"

static atomic_bool blocked;
static atomic_uint written, lost, wrong;

/* In place of libsystemd's. */
int sd_journal_sendv(const struct iovec *fields, int nr)
{
	unsigned int n;
	char text[256];

	while (blocked)
		usleep(1000);
	snprintf(text, sizeof(text), "%.*s", (int)fields[0].iov_len,
		 (const char *)fields[0].iov_base);
	if (sscanf(text, "MESSAGE=number %u", &n) == 1) {
		wrong += n != written + lost;
		written++;
	} else if (sscanf(text, "MESSAGE=%u entries were not written", &n) == 1) {
		lost += n;
	} else {
		wrong++;
	}
	return 0;
}

static void waits_for_nobody(void **state)
{
	unsigned int i;
	char stream[64];
	struct stat st;

	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open(false, false);
	log_notice("number %u", 0);
	assert_int_equal(written, 1);
	assert_int_equal(log_start(NULL), 0);
	blocked = true;
	alarm(10);
	for (i = 1; i < 1000; i++)
		log_notice("number %u", i);
	alarm(0);
	assert_int_equal(written, 1);
	/* It ends although nothing is taken. */
	log_stop(1000);
	blocked = false;
	log_stop(5000);
	assert_in_range(written, 200, 400);
	assert_int_equal(written + lost, 1000);
	/* In order. */
	assert_int_equal(wrong, 0);
	log_notice("number %u", 1000);
	assert_int_equal(written + lost, 1001);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(waits_for_nobody) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
