/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The history: what is asked for comes back, its size is bounded, damage is put aside. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.h"

static char dir[64], path[128];
static struct dmremap_error err;

static int begin(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/dmr-history-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	chmod(dir, 0755);
	snprintf(path, sizeof(path), "%s/history.db", dir);
	return 0;
}

static int end(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static struct dmremap_history *create(void)
{
	struct dmremap_history *h;

	assert_int_equal(dmremap_history_create(path, &h, &err), 0);
	return h;
}

static void add(struct dmremap_history *h, const char *name, u64 time, u32 kind)
{
	struct dmremap_event e = { .kind = kind, .time = time, .time_last = time, .member = -1,
				   .direction = -1, .class_ = -1, .breaker = -1, .reason = -1,
				   .seq = time, .occurrences = 1, .nr_extents = 2 };

	dmri_text(e.name, sizeof(e.name), "%s", name);
	dmri_text(e.uuid, sizeof(e.uuid), "uuid-of-%s", name);
	e.extents[0] = (struct dmremap_range){ time, 8 };
	e.extents[1] = (struct dmremap_range){ time + 100, 8 };
	assert_int_equal(dmremap_history_add_event(h, &e, &err), 0);
}

struct seen {
	u64 nr, first, last, sum;
	bool ordered;
	u64 stop_after;
};

static int see(const struct dmremap_event *e, void *arg)
{
	struct seen *s = arg;

	if (!s->nr++)
		s->first = e->time;
	else if (e->time < s->last)
		s->ordered = false;
	s->last = e->time;
	s->sum += e->extents[1].start;
	return s->nr == s->stop_after ? 42 : 0;
}

static struct seen ask(struct dmremap_history *h, struct dmremap_history_query query)
{
	struct seen seen = { .ordered = true };

	assert_int_equal(dmremap_history_events(h, &query, see, &seen, &err), 0);
	assert_true(seen.ordered);
	return seen;
}

static void queries(void **state)
{
	struct dmremap_history *h = create();
	struct seen seen = { 0 };
	u64 i;

	for (i = 1; i <= 100; i++)
		add(h, i % 2 ? "odd" : "even", i * 1000, i % 10 == 0 ? DMR_NL_EVENT_SCRUB :
		    DMR_NL_EVENT_READ_ERROR);
	/* Not in order of time. */
	add(h, "late", 500, DMR_NL_EVENT_FROZEN);
	assert_int_equal(dmremap_history_sync(h, &err), 0);

	seen = ask(h, (struct dmremap_history_query){ 0 });
	assert_int_equal(seen.nr, 101);
	assert_int_equal(seen.first, 500);
	assert_int_equal(seen.sum, 5050 * 1000 + 500 + 101 * 100);
	assert_int_equal(ask(h, (struct dmremap_history_query){ .name = "odd" }).nr, 50);
	assert_int_equal(ask(h, (struct dmremap_history_query){ .name = "uuid-of-even" }).nr, 50);
	assert_int_equal(ask(h, (struct dmremap_history_query){ .name = "none" }).nr, 0);
	seen = ask(h, (struct dmremap_history_query){ .since = 10000, .until = 20000 });
	assert_int_equal(seen.nr, 11);
	assert_int_equal(seen.first, 10000);
	seen = ask(h, (struct dmremap_history_query){ .last = 3 });
	assert_int_equal(seen.nr, 3);
	assert_int_equal(seen.first, 98000);
	assert_int_equal(ask(h, (struct dmremap_history_query){
		.kinds = 1ULL << DMR_NL_EVENT_SCRUB | 1ULL << DMR_NL_EVENT_FROZEN }).nr, 11);
	seen = ask(h, (struct dmremap_history_query){ .kinds = 1ULL << DMR_NL_EVENT_SCRUB,
						      .last = 2 });
	assert_int_equal(seen.first, 90000);

	seen = (struct seen){ .stop_after = 7 };
	assert_int_equal(dmremap_history_events(h, NULL, see, &seen, &err), 42);
	dmremap_history_free(h);
	dmremap_history_free(NULL);
}

static char got[512];

static int see_sample(const char *subject, u64 time, const char *json, void *arg)
{
	size_t used = strlen(got);

	snprintf(got + used, sizeof(got) - used, "%s@%" PRIu64 "%s ", subject, time, json);
	return 0;
}

static void samples(void **state)
{
	struct dmremap_history *h = create();

	assert_int_equal(dmremap_history_add_sample(h, "smart", "sda", 1, "{\"a\":1}", &err), 0);
	assert_int_equal(dmremap_history_add_sample(h, "smart", "sdb", 2, "{\"a\":2}", &err), 0);
	assert_int_equal(dmremap_history_add_sample(h, "stats", "sda", 3, "{\"a\":3}", &err), 0);
	assert_int_equal(dmremap_history_add_sample(h, "smart", "sda", 4, "{\"a\":4}", &err), 0);
	dmremap_history_free(h);
	h = create();
	got[0] = '\0';
	assert_int_equal(dmremap_history_samples(h, "smart", "sda", 0, 0, see_sample, NULL, &err),
			 0);
	assert_string_equal(got, "sda@1{\"a\":1} sda@4{\"a\":4} ");
	got[0] = '\0';
	assert_int_equal(dmremap_history_samples(h, "smart", NULL, 2, 4, see_sample, NULL, &err),
			 0);
	assert_string_equal(got, "sdb@2{\"a\":2} sda@4{\"a\":4} ");
	dmremap_history_free(h);
}

/* What was not synced is lost with the process, what was is not. */
static void killed(void **state)
{
	struct dmremap_history *h;
	pid_t pid = fork();

	if (!pid) {
		h = create();
		add(h, "a", 1, 0);
		if (dmremap_history_sync(h, &err) < 0)
			_exit(1);
		add(h, "a", 2, 0);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	h = create();
	assert_int_equal(ask(h, (struct dmremap_history_query){ 0 }).nr, 1);
	dmremap_history_free(h);
}

static u64 size_of(const char *suffix)
{
	char file[160];
	struct stat st;

	snprintf(file, sizeof(file), "%s%s", path, suffix);
	return stat(file, &st) < 0 ? 0 : st.st_size;
}

static void bounded(void **state)
{
	struct dmremap_history *h = create();
	u64 i, most = 0, size;
	struct seen seen;

	assert_int_equal(dmremap_history_add_sample(h, "smart", "sda", 1, "{}", &err), 0);
	for (i = 1; i <= 20000; i++) {
		add(h, "a", i, 0);
		if (i % 256)
			continue;
		assert_int_equal(dmremap_history_trim(h, 2 << 20, &err), 0);
		size = size_of("") + size_of("-wal");
		most = MAX(most, size);
	}
	assert_in_range(most, 1 << 20, 2 << 20);
	seen = ask(h, (struct dmremap_history_query){ 0 });
	assert_in_range(seen.nr, 1000, 19000);
	assert_int_equal(seen.last, 20000);
	assert_int_equal(seen.nr, 20000 - seen.first + 1);
	/* A storm of events does not push out samples. */
	got[0] = '\0';
	assert_int_equal(dmremap_history_samples(h, "smart", NULL, 0, 0, see_sample, NULL, &err),
			 0);
	assert_string_equal(got, "sda@1{} ");
	/* A bound that is lowered holds. */
	assert_int_equal(dmremap_history_trim(h, 1 << 20, &err), 0);
	assert_in_range(size_of("") + size_of("-wal"), 1, 1 << 20);
	assert_int_equal(ask(h, (struct dmremap_history_query){ 0 }).last, 20000);
	dmremap_history_free(h);
}

/* One who reads, and stops in the middle, hinders nobody; the limit is told at last. */
static void reader(void **state)
{
	struct dmremap_history *h = create(), *r;
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int ret = 0;
	u64 i;

	for (i = 1; i <= 100; i++)
		add(h, "a", i, 0);
	assert_int_equal(dmremap_history_sync(h, &err), 0);
	assert_int_equal(dmremap_history_open(path, &r, &err), 0);
	assert_int_equal(ask(r, (struct dmremap_history_query){ 0 }).nr, 100);
	add(h, "a", 101, 0);
	assert_int_equal(ask(r, (struct dmremap_history_query){ 0 }).nr, 100);
	assert_int_equal(dmremap_history_sync(h, &err), 0);
	assert_int_equal(ask(r, (struct dmremap_history_query){ 0 }).nr, 101);
	assert_int_equal(dmremap_history_add_sample(r, "a", "b", 1, "{}", &err), -EROFS);
	dmremap_history_free(r);

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM events", -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	for (i = 0; i < 20000 && ret >= 0; i++) {
		add(h, "a", 1000 + i, 0);
		if (i % 256 == 0)
			ret = dmremap_history_trim(h, 1 << 20, &err);
	}
	assert_int_equal(ret, -EBUSY);
	assert_in_range(size_of("") + size_of("-wal"), 1 << 20, 6 << 20);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	assert_int_equal(dmremap_history_trim(h, 1 << 20, &err), 0);
	assert_in_range(size_of("") + size_of("-wal"), 1, 1 << 20);
	dmremap_history_free(h);
}

/* As somebody without rights: 0, or what opening it returns, which is told in err. */
static int open_as_nobody(void)
{
	struct dmremap_history *r;
	int status, ret;
	pid_t pid = fork();

	if (!pid) {
		if (!getuid() && setuid(65534) < 0)
			_exit(255);
		ret = dmremap_history_open(path, &r, &err);
		if (!ret && ask(r, (struct dmremap_history_query){ 0 }).nr != 1)
			_exit(254);
		if (ret == -EACCES && !strstr(err.text, "Permission denied"))
			_exit(253);
		_exit(-ret);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

/*
 * Anyone may read it, while the daemon runs and when it does not: its umask is its own,
 * whatever the unit has. Where somebody has taken that away, it is said.
 */
static void unprivileged(void **state)
{
	mode_t before = umask(0022);
	struct dmremap_history *h = create();
	int running;

	umask(before);
	add(h, "a", 1, 0);
	assert_int_equal(dmremap_history_sync(h, &err), 0);
	for (running = 1; running >= 0; running--) {
		chmod(dir, 0555);
		assert_int_equal(open_as_nobody(), 0);
		chmod(path, 0200);
		assert_int_equal(open_as_nobody(), -EACCES);
		chmod(path, 0644);
		chmod(dir, 0755);
		dmremap_history_free(h);
		h = NULL;
	}
}

static unsigned int count_damaged(void)
{
	unsigned int nr = 0;
	struct dirent *entry;
	DIR *d = opendir(dir);

	while ((entry = readdir(d)))
		nr += !!strstr(entry->d_name, "history.db.damaged-");
	closedir(d);
	return nr;
}

static void damage(u64 offset, size_t size)
{
	char junk[4096];
	int fd = open(path, O_RDWR);

	memset(junk, 0xa5, sizeof(junk));
	assert_true(fd >= 0);
	for (; size; size -= MIN(size, sizeof(junk)), offset += sizeof(junk))
		assert_true(pwrite(fd, junk, MIN(size, sizeof(junk)), offset) > 0);
	close(fd);
}

static void damaged(void **state)
{
	struct dmremap_history *h = create();
	u64 i, places[] = { 0, 100, 4096, 20000, 30000 };
	size_t p;

	for (p = 0; p < ARRAY_SIZE(places); p++) {
		for (i = 1; i <= 500; i++)
			add(h, "a", i, 0);
		dmremap_history_free(h);
		damage(places[p], places[p] ? 8000 : 16);
		err.text[0] = '\0';
		assert_int_equal(dmremap_history_create(path, &h, &err), 1);
		assert_non_null(strstr(err.text, "put aside as"));
		assert_in_range(count_damaged(), 1, 2);
		assert_int_equal(ask(h, (struct dmremap_history_query){ 0 }).nr, 0);
	}
	dmremap_history_free(h);
	/* A reader is told, and puts nothing aside. */
	damage(0, 16);
	assert_int_equal(dmremap_history_open(path, &h, &err), -EUCLEAN);
	assert_int_equal(access(path, F_OK), 0);
}

static void refused(void **state)
{
	struct dmremap_history *h;
	sqlite3 *db;

	assert_int_equal(dmremap_history_open(path, &h, &err), -ENOENT);
	assert_int_equal(dmremap_history_create("/nonexistent/x/history.db", &h, &err), -ENOENT);
	dmremap_history_free(create());
	/* Of a later version: neither read nor put aside. */
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(dmremap_history_create(path, &h, &err), -EPROTONOSUPPORT);
	assert_int_equal(dmremap_history_open(path, &h, &err), -EPROTONOSUPPORT);
	assert_int_equal(count_damaged(), 0);
}

/* A full disk: an error now, and all well when there is room. */
static void full(void **state)
{
	struct dmremap_history *h = create();
	struct rlimit limit, old;
	u64 i;
	int ret = 0;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = 300000;
	setrlimit(RLIMIT_FSIZE, &limit);
	for (i = 1; i < 5000 && ret >= 0; i++) {
		add(h, "a", i, 0);
		if (i % 100 == 0)
			ret = dmremap_history_sync(h, &err);
	}
	setrlimit(RLIMIT_FSIZE, &old);
	assert_true(ret < 0);
	assert_true(ret != -EUCLEAN);
	add(h, "a", 9999, 0);
	assert_int_equal(dmremap_history_sync(h, &err), 0);
	assert_int_equal(ask(h, (struct dmremap_history_query){ .last = 1 }).first, 9999);
	dmremap_history_free(h);
	assert_int_equal(dmremap_history_create(path, &h, &err), 0);
	dmremap_history_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(queries, begin, end),
		cmocka_unit_test_setup_teardown(samples, begin, end),
		cmocka_unit_test_setup_teardown(killed, begin, end),
		cmocka_unit_test_setup_teardown(bounded, begin, end),
		cmocka_unit_test_setup_teardown(reader, begin, end),
		cmocka_unit_test_setup_teardown(unprivileged, begin, end),
		cmocka_unit_test_setup_teardown(damaged, begin, end),
		cmocka_unit_test_setup_teardown(refused, begin, end),
		cmocka_unit_test_setup_teardown(full, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
