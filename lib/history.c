// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The history: one SQLite file with a row for each event and each sample, as JSON. One
 * writer, the daemon, in WAL mode, so that readers never wait for it nor it for
 * them. Its size is bounded by dropping the oldest rows.
 */
#include <dirent.h>
#include <fnmatch.h>
#include <libgen.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <time.h>

#include "private.h"

#define APPLICATION_ID	0x444d5248	/* "DMRH", so that file(1) can tell */
#define SCHEMA_VERSION	1
#define BUSY_MS		2000
#define CHECKPOINT_PAGES 256
#define DAMAGED_KEPT	2		/* files put aside; older ones go */

static const char schema[] =
	"PRAGMA auto_vacuum = INCREMENTAL;"
	"PRAGMA journal_mode = WAL;"
	"BEGIN IMMEDIATE;"
	"CREATE TABLE events (id INTEGER PRIMARY KEY, time INTEGER NOT NULL,"
	" uuid TEXT NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL, json TEXT NOT NULL);"
	"CREATE INDEX events_time ON events (time);"
	"CREATE TABLE samples (id INTEGER PRIMARY KEY, what TEXT NOT NULL,"
	" subject TEXT NOT NULL, time INTEGER NOT NULL, json TEXT NOT NULL);"
	"CREATE INDEX samples_subject ON samples (what, subject, time);"
	"PRAGMA application_id = 0x444d5248;"
	"PRAGMA user_version = 1;"
	"COMMIT;";

_Static_assert(APPLICATION_ID == 0x444d5248 && SCHEMA_VERSION == 1, "as in the schema");

struct dmremap_history {
	sqlite3 *db;
	sqlite3_stmt *add_event, *add_sample;
	char path[DMREMAP_PATH_SIZE];
};

static int code_errno(sqlite3 *db, int code)
{
	int sys = db ? sqlite3_system_errno(db) : 0;

	switch (code & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return sys > 0 ? -sys : -ENOENT;
	default:
		return sys > 0 ? -sys : -EIO;
	}
}

static int fail(struct dmremap_history *h, int code, struct dmremap_error *err)
{
	return dmri_error(err, code_errno(h->db, code), "The history %s can not be used: %s.",
			  h->path, h->db ? sqlite3_errmsg(h->db) : sqlite3_errstr(code));
}

static void finalizep(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

static int exec(struct dmremap_history *h, const char *sql, struct dmremap_error *err)
{
	int code = sqlite3_exec(h->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : fail(h, code, err);
}

/* The first column of the first row; 0 if there is none. */
static int get_number(struct dmremap_history *h, const char *sql, u64 *value,
		      struct dmremap_error *err)
{
	_cleanup_(finalizep) sqlite3_stmt *stmt = NULL;
	int code;

	code = sqlite3_prepare_v2(h->db, sql, -1, &stmt, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return fail(h, code, err);
	*value = code == SQLITE_ROW ? (u64)sqlite3_column_int64(stmt, 0) : 0;
	return 0;
}

void dmremap_history_free(struct dmremap_history *h)
{
	if (!h)
		return;
	if (h->db && !sqlite3_get_autocommit(h->db))
		sqlite3_exec(h->db, "COMMIT", NULL, NULL, NULL);
	sqlite3_finalize(h->add_event);
	sqlite3_finalize(h->add_sample);
	sqlite3_close(h->db);
	free(h);
}

static void history_freep(struct dmremap_history **h)
{
	dmremap_history_free(*h);
}

static int open_file(const char *path, const char *uri, int flags,
		     struct dmremap_history **history, struct dmremap_error *err)
{
	_cleanup_(history_freep) struct dmremap_history *h = calloc(1, sizeof(*h));
	int code;

	if (!h)
		return dmri_error(err, -ENOMEM, "Out of memory.");
	if (strlen(path) >= sizeof(h->path))
		return dmri_error(err, -ENAMETOOLONG, "The path %s is too long.", path);
	dmri_copy(h->path, sizeof(h->path), path);
	code = sqlite3_open_v2(uri, &h->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
	if (code != SQLITE_OK)
		return fail(h, code, err);
	sqlite3_extended_result_codes(h->db, 1);
	sqlite3_busy_timeout(h->db, BUSY_MS);
	code = exec(h, "PRAGMA cache_size = -256", err);
	if (code < 0)
		return code;
	*history = h;
	h = NULL;
	return 0;
}

/* 1 if it has our tables, 0 if it is empty. */
static int check_version(struct dmremap_history *h, struct dmremap_error *err)
{
	u64 version, application, tables;
	int ret;

	ret = get_number(h, "PRAGMA user_version", &version, err);
	if (!ret)
		ret = get_number(h, "PRAGMA application_id", &application, err);
	if (!ret)
		ret = get_number(h, "SELECT count(*) FROM sqlite_master", &tables, err);
	if (ret < 0)
		return ret;
	if (!version && !application && !tables)
		return 0;
	if (application != APPLICATION_ID)
		return dmri_error(err, -EUCLEAN, "%s is no history of dm-remap.", h->path);
	if (version != SCHEMA_VERSION)
		return dmri_error(err, -EPROTONOSUPPORT, "The history %s is of version %llu; this program knows version %d. Use a newer one, or move the file away.",
				  h->path, (unsigned long long)version, SCHEMA_VERSION);
	return 1;
}

/* "file:" URI of @path that SQLite reads without locks and without files beside it. */
static int immutable_uri(const char *path, char *buf, size_t size)
{
	size_t n = 0;

	n += snprintf(buf, size, "file:");
	for (; *path && n + 4 < size; path++)
		n += snprintf(buf + n, size - n, strchr("%?#", *path) ? "%%%02X" : "%c", *path);
	if (n + sizeof("?immutable=1") > size)
		return -ENAMETOOLONG;
	strcpy(buf + n, "?immutable=1");
	return 0;
}

int dmremap_history_open(const char *path, struct dmremap_history **history,
			 struct dmremap_error *err)
{
	_cleanup_(history_freep) struct dmremap_history *h = NULL;
	char uri[3 * DMREMAP_PATH_SIZE + 32], wal[DMREMAP_PATH_SIZE + 8];
	struct dmremap_error why;
	struct stat st;
	int ret;

	path = path ? path : DMREMAP_HISTORY_PATH;
	if (stat(path, &st) < 0)
		return errno == ENOENT ?
			dmri_error(err, -ENOENT, "There is no history %s yet; dmremapd makes it.",
				   path) :
			dmri_error_sys(err, -errno, "Can not read the history %s", path);

	ret = open_file(path, path, SQLITE_OPEN_READONLY, &h, &why);
	if (!ret)
		ret = check_version(h, &why);
	/*
	 * Without the daemon there is no WAL, and where its files can not be made (a directory
	 * or file system that is not writable) SQLite does not open the database. Nobody
	 * writes it then, so it can be read as it lies.
	 */
	snprintf(wal, sizeof(wal), "%s-wal", path);
	if (ret < 0 && ret != -EUCLEAN && ret != -EPROTONOSUPPORT &&
	    (stat(wal, &st) < 0 || !st.st_size) && !immutable_uri(path, uri, sizeof(uri))) {
		dmremap_history_free(h);
		h = NULL;
		ret = open_file(path, uri, SQLITE_OPEN_READONLY, &h, &why);
		if (!ret)
			ret = check_version(h, &why);
	}
	/* SQLite does not say why it can not open a file. */
	if (ret == -EACCES)
		return dmri_error_sys(err, ret, "Can not read the history %s", path);
	if (ret < 0)
		return dmri_error(err, ret, "%s", why.text);
	if (!ret)
		return dmri_error(err, -ENOENT, "The history %s is empty.", path);
	*history = h;
	h = NULL;
	return 0;
}

static int open_writable(const char *path, struct dmremap_history **history,
			 struct dmremap_error *err)
{
	_cleanup_(history_freep) struct dmremap_history *h = NULL;
	_cleanup_(finalizep) sqlite3_stmt *stmt = NULL;
	int ret, code;

	ret = open_file(path, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &h, err);
	if (!ret)
		ret = check_version(h, err);
	if (ret < 0)
		return ret;
	if (!ret)
		ret = exec(h, schema, err);
	if (ret < 0)
		return ret;

	code = sqlite3_prepare_v2(h->db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code != SQLITE_ROW)
		return fail(h, code, err);
	if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok"))
		return dmri_error(err, -EUCLEAN, "The history %s is damaged: %s.", path,
				  (const char *)sqlite3_column_text(stmt, 0));

	ret = exec(h, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", err);
	if (!ret) {
		sqlite3_wal_autocheckpoint(h->db, CHECKPOINT_PAGES);
		ret = exec(h, "PRAGMA journal_size_limit = 1048576", err);
	}
	if (ret < 0)
		return ret;
	code = sqlite3_prepare_v3(h->db, "INSERT INTO events (time, uuid, name, kind, json) VALUES (?, ?, ?, ?, ?)",
				  -1, SQLITE_PREPARE_PERSISTENT, &h->add_event, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v3(h->db, "INSERT INTO samples (time, what, subject, json) VALUES (?, ?, ?, ?)",
					  -1, SQLITE_PREPARE_PERSISTENT, &h->add_sample, NULL);
	if (code != SQLITE_OK)
		return fail(h, code, err);
	*history = h;
	h = NULL;
	return 0;
}

static int is_damaged_copy(const struct dirent *entry)
{
	return !fnmatch("*.damaged-[0-9]*[0-9]", entry->d_name, 0);
}

/* Of those put aside only the newest few are kept: a failing disk would make many. */
static void forget_old_damage(const char *path)
{
	char dir[DMREMAP_PATH_SIZE], base[DMREMAP_PATH_SIZE], file[3 * DMREMAP_PATH_SIZE];
	struct dirent **list = NULL;
	size_t length;
	int i, n, kept = 0;

	dmri_copy(dir, sizeof(dir), path);
	dmri_copy(base, sizeof(base), path);
	length = strlen(basename(base));
	n = scandir(dirname(dir), &list, is_damaged_copy, alphasort);
	for (i = n - 1; i >= 0; i--) {
		if (!strncmp(list[i]->d_name, basename(base), length) &&
		    !strncmp(list[i]->d_name + length, ".damaged-", 9) &&
		    ++kept > DAMAGED_KEPT) {
			snprintf(file, sizeof(file), "%s/%s", dir, list[i]->d_name);
			unlink(file);
			snprintf(file, sizeof(file), "%s/%s-wal", dir, list[i]->d_name);
			unlink(file);
		}
		free(list[i]);
	}
	free(list);
}

static int put_aside(const char *path, char *aside, size_t size, struct dmremap_error *err)
{
	char from[DMREMAP_PATH_SIZE + 8], to[DMREMAP_PATH_SIZE + 48], date[32];
	time_t now = time(NULL);
	struct tm tm;

	strftime(date, sizeof(date), "%Y%m%d%H%M%S", gmtime_r(&now, &tm));
	if ((size_t)snprintf(aside, size, "%s.damaged-%s", path, date) >= size)
		return dmri_error(err, -ENAMETOOLONG, "The path %s is too long.", path);
	if (rename(path, aside) < 0)
		return dmri_error_sys(err, -errno, "Can not put the damaged history %s aside",
				      path);
	/* What it had not taken over yet belongs to it, and never to the new one. */
	snprintf(from, sizeof(from), "%s-wal", path);
	snprintf(to, sizeof(to), "%s-wal", aside);
	if (rename(from, to) < 0 && errno != ENOENT)
		return dmri_error_sys(err, -errno, "Can not put %s aside", from);
	snprintf(from, sizeof(from), "%s-shm", path);
	unlink(from);
	forget_old_damage(path);
	return 0;
}

int dmremap_history_create(const char *path, struct dmremap_history **history,
			   struct dmremap_error *err)
{
	char aside[DMREMAP_PATH_SIZE + 40];
	struct dmremap_error why;
	int ret;

	path = path ? path : DMREMAP_HISTORY_PATH;
	ret = open_writable(path, history, &why);
	if (ret >= 0)
		return 0;
	if (ret != -EUCLEAN)
		return dmri_error(err, ret, "%s", why.text);
	ret = put_aside(path, aside, sizeof(aside), err);
	if (!ret)
		ret = open_writable(path, history, err);
	if (ret < 0)
		return ret;
	return dmri_error(err, 1, "%.300s It was put aside as %.180s.", why.text, aside);
}

static int begin(struct dmremap_history *h, struct dmremap_error *err)
{
	return sqlite3_get_autocommit(h->db) ? exec(h, "BEGIN IMMEDIATE", err) : 0;
}

static sqlite3_int64 clamp_time(u64 ns)
{
	return ns > INT64_MAX ? INT64_MAX : (sqlite3_int64)ns;
}

static int add_row(struct dmremap_history *h, sqlite3_stmt *stmt, struct dmremap_error *err)
{
	int code = sqlite3_step(stmt), ret = 0;

	if (code != SQLITE_DONE)
		ret = fail(h, code, err);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return ret;
}

int dmremap_history_add_event(struct dmremap_history *h, const struct dmremap_event *event,
			      struct dmremap_error *err)
{
	_free_ char *json = NULL;
	int ret;

	if (!h->add_event)
		return dmri_error(err, -EROFS, "The history %s was opened for reading only.",
				  h->path);
	ret = dmremap_event_to_json(event, &json);
	if (ret < 0)
		return dmri_error_sys(err, ret, "An event can not be written as JSON");
	ret = begin(h, err);
	if (ret < 0)
		return ret;
	sqlite3_bind_int64(h->add_event, 1, clamp_time(event->time));
	sqlite3_bind_text(h->add_event, 2, event->uuid, -1, SQLITE_STATIC);
	sqlite3_bind_text(h->add_event, 3, event->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(h->add_event, 4, event->kind);
	sqlite3_bind_text(h->add_event, 5, json, -1, SQLITE_STATIC);
	return add_row(h, h->add_event, err);
}

int dmremap_history_add_sample(struct dmremap_history *h, const char *what,
			       const char *subject, u64 time_ns, const char *json,
			       struct dmremap_error *err)
{
	int ret;

	if (!h->add_sample)
		return dmri_error(err, -EROFS, "The history %s was opened for reading only.",
				  h->path);
	ret = begin(h, err);
	if (ret < 0)
		return ret;
	sqlite3_bind_int64(h->add_sample, 1, clamp_time(time_ns));
	sqlite3_bind_text(h->add_sample, 2, what, -1, SQLITE_STATIC);
	sqlite3_bind_text(h->add_sample, 3, subject, -1, SQLITE_STATIC);
	sqlite3_bind_text(h->add_sample, 4, json, -1, SQLITE_STATIC);
	return add_row(h, h->add_sample, err);
}

int dmremap_history_sync(struct dmremap_history *h, struct dmremap_error *err)
{
	int ret;

	if (sqlite3_get_autocommit(h->db))
		return 0;
	ret = exec(h, "COMMIT", err);
	/* What can not be committed now (disk full) must not be tried for ever. */
	if (ret < 0 && !sqlite3_get_autocommit(h->db))
		sqlite3_exec(h->db, "ROLLBACK", NULL, NULL, NULL);
	return ret;
}

static int used_bytes(struct dmremap_history *h, u64 *bytes, struct dmremap_error *err)
{
	u64 pages, unused, size;
	int ret;

	ret = get_number(h, "PRAGMA page_count", &pages, err);
	if (!ret)
		ret = get_number(h, "PRAGMA freelist_count", &unused, err);
	if (!ret)
		ret = get_number(h, "PRAGMA page_size", &size, err);
	if (!ret)
		*bytes = (pages - unused) * size;
	return ret;
}

static u64 file_bytes(const char *path, const char *suffix)
{
	char file[DMREMAP_PATH_SIZE + 8];
	struct stat st;

	snprintf(file, sizeof(file), "%s%s", path, suffix);
	return stat(file, &st) < 0 ? 0 : (u64)st.st_size;
}

/*
 * An eighth of whichever table holds more goes: a storm of events does not push out
 * years of samples. 1, or 0 if nothing is left.
 */
static int drop_oldest(struct dmremap_history *h, struct dmremap_error *err)
{
	u64 events, samples, event_bytes, sample_bytes, nr;
	const char *table;
	char sql[160];
	int ret;

	ret = get_number(h, "SELECT count(*) FROM events", &events, err);
	if (!ret)
		ret = get_number(h, "SELECT count(*) FROM samples", &samples, err);
	if (!ret)
		ret = get_number(h, "SELECT sum(length(json) + 120) FROM events", &event_bytes,
				 err);
	if (!ret)
		ret = get_number(h, "SELECT sum(length(json) + 120) FROM samples",
				 &sample_bytes, err);
	if (ret < 0)
		return ret;
	if (!events && !samples)
		return 0;
	table = event_bytes >= sample_bytes ? "events" : "samples";
	nr = event_bytes >= sample_bytes ? events : samples;
	nr = MAX(nr / 8, 1);
	snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE id IN (SELECT id FROM %s ORDER BY id LIMIT %llu)",
		 table, table, (unsigned long long)nr);
	ret = exec(h, sql, err);
	return ret < 0 ? ret : 1;
}

/* Give free pages back to the file system. */
static int shrink(struct dmremap_history *h, struct dmremap_error *err)
{
	int ret = exec(h, "PRAGMA incremental_vacuum", err);

	if (ret < 0)
		return ret;
	/* As far as it goes: who waits for a reader here keeps all new events waiting. */
	sqlite3_busy_timeout(h->db, 0);
	sqlite3_wal_checkpoint_v2(h->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_busy_timeout(h->db, BUSY_MS);
	return 0;
}

int dmremap_history_trim(struct dmremap_history *h, u64 max_bytes, struct dmremap_error *err)
{
	u64 used = 0;
	int ret;

	ret = dmremap_history_sync(h, err);
	if (ret < 0)
		return ret;
	if (file_bytes(h->path, "") + file_bytes(h->path, "-wal") <= max_bytes)
		return 0;

	/*
	 * Down to three quarters, so that it is not done all the time; in steps, so that the
	 * WAL stays small meanwhile.
	 */
	while (ret >= 0) {
		ret = shrink(h, err);
		if (!ret)
			ret = used_bytes(h, &used, err);
		if (ret < 0)
			return ret;
		if (used <= max_bytes / 4 * 3)
			break;
		ret = drop_oldest(h, err);
		if (!ret)
			break;
	}
	if (ret < 0)
		return ret;
	/* A reader that stands still keeps the WAL from being emptied. */
	if (file_bytes(h->path, "-wal") > max_bytes)
		return dmri_error(err, -EBUSY, "The history %s can not be kept within its size, since a program has been reading it for long.",
				  h->path);
	return 0;
}

static void bind_query(sqlite3_stmt *stmt, const struct dmremap_history_query *query)
{
	if (query->name)
		sqlite3_bind_text(stmt, 1, query->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, clamp_time(query->since));
	sqlite3_bind_int64(stmt, 3, query->until ? clamp_time(query->until) : INT64_MAX);
	sqlite3_bind_int64(stmt, 4, query->kinds ? (sqlite3_int64)query->kinds : -1);
	sqlite3_bind_int64(stmt, 5, query->last && query->last < INT64_MAX ?
			   (sqlite3_int64)query->last : -1);
}

int dmremap_history_events(struct dmremap_history *h,
			   const struct dmremap_history_query *query,
			   dmremap_history_event_fn fn, void *arg, struct dmremap_error *err)
{
	static const struct dmremap_history_query everything;
	_cleanup_(finalizep) sqlite3_stmt *stmt = NULL;
	_free_ struct dmremap_event *event = malloc(sizeof(*event));
	const char *json;
	int code, ret;

	if (!event)
		return dmri_error(err, -ENOMEM, "Out of memory.");
	code = sqlite3_prepare_v2(h->db,
		"SELECT json FROM (SELECT id, time, json FROM events"
		" WHERE (?1 IS NULL OR name = ?1 OR uuid = ?1) AND time BETWEEN ?2 AND ?3"
		" AND (?4 >> kind) & 1 ORDER BY time DESC, id DESC LIMIT ?5)"
		" ORDER BY time, id", -1, &stmt, NULL);
	if (code != SQLITE_OK)
		return fail(h, code, err);
	bind_query(stmt, query ? query : &everything);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		json = (const char *)sqlite3_column_text(stmt, 0);
		/* What this program can not read hides nothing of the rest. */
		if (!json || dmremap_event_from_json(json, event, NULL) < 0)
			continue;
		ret = fn(event, arg);
		if (ret)
			return ret;
	}
	return code == SQLITE_DONE ? 0 : fail(h, code, err);
}

int dmremap_history_samples(struct dmremap_history *h, const char *what,
			    const char *subject, u64 since, u64 until,
			    dmremap_history_sample_fn fn, void *arg, struct dmremap_error *err)
{
	_cleanup_(finalizep) sqlite3_stmt *stmt = NULL;
	const char *name, *json;
	int code, ret;

	code = sqlite3_prepare_v2(h->db,
		"SELECT subject, time, json FROM samples WHERE what = ?1"
		" AND (?2 IS NULL OR subject = ?2) AND time BETWEEN ?3 AND ?4"
		" ORDER BY time, id", -1, &stmt, NULL);
	if (code != SQLITE_OK)
		return fail(h, code, err);
	sqlite3_bind_text(stmt, 1, what, -1, SQLITE_STATIC);
	if (subject)
		sqlite3_bind_text(stmt, 2, subject, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 3, clamp_time(since));
	sqlite3_bind_int64(stmt, 4, until ? clamp_time(until) : INT64_MAX);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		name = (const char *)sqlite3_column_text(stmt, 0);
		json = (const char *)sqlite3_column_text(stmt, 2);
		if (!name || !json)
			return dmri_error(err, -ENOMEM, "Out of memory.");
		ret = fn(name, (u64)sqlite3_column_int64(stmt, 1), json, arg);
		if (ret)
			return ret;
	}
	return code == SQLITE_DONE ? 0 : fail(h, code, err);
}
