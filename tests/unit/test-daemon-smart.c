/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMART: answers as smartctl gives them (tests/unit/smartctl), and the asking, of a fake
 * smartctl that answers, sleeps, hangs and lies.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <json-c/json.h>

#include "smart.h"

static char dir[64];

/* --- What smart.c stands on ------------------------------------------------------- */

static struct json_object *state;
static unsigned int samples, complaints;
static bool failing;
static char failing_subject[512];
static unsigned int contradicted;
static char detail[256], subjects[16][DMR_ID_SIZE];
static uint64_t clock_ = 1700000000 * NSEC_PER_SEC;
static struct disk resolved[8];
static unsigned int nr_resolved;

uint64_t clock_now(void)
{
	return clock_;
}

void log_print(int priority, const char *format, ...)
{
	complaints += priority <= LOG_WARNING;
}

struct json_object *state_get(struct daemon *daemon, const char *key)
{
	return state;
}

void state_put(struct daemon *daemon, const char *key, struct json_object *value)
{
	json_object_put(state);
	state = value;
}

void record_sample(struct daemon *daemon, const char *what, const char *subject,
		   struct json_object *sample)
{
	assert_string_equal(what, "smart");
	snprintf(subjects[samples++ % 16], sizeof(subjects[0]), "%s", subject);
}

static unsigned int health_changes;

void policy_health_changed(struct daemon *daemon)
{
	health_changes++;
}

void alert_condition(struct daemon *daemon, const struct alert *alert, bool holds)
{
	assert_int_equal(alert->kind, ALERT_DISK_FAILING);
	failing = holds;
	if (holds)
		snprintf(failing_subject, sizeof(failing_subject), "%s", alert->subject);
	else if (!strcmp(failing_subject, alert->subject))
		contradicted++;
	snprintf(detail, sizeof(detail), "%s", alert->detail ?: "");
}

int disk_resolve(unsigned int major, unsigned int minor, struct disk *disks, size_t max)
{
	if (major != 8)
		return 0;
	memcpy(disks, resolved, nr_resolved * sizeof(disks[0]));
	return nr_resolved;
}

/* The disk with the program does not answer. */
static atomic_bool spawn_hangs;

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
		const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	static typeof(posix_spawn) *real;

	if (!real)
		real = (typeof(real))dlsym(RTLD_NEXT, "posix_spawn");
	while (spawn_hangs)
		usleep(1000);
	return real(pid, path, files, attributes, argv, envp);
}

/* --- Answers ------------------------------------------------------------------------ */

static struct smart_values v;
static struct dmremap_error err;

static char *load(const char *name, size_t *size)
{
	static char buf[1 << 16];
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "tests/unit/smartctl/%s.json", name);
	f = fopen(path, "r");
	assert_non_null(f);
	*size = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	return buf;
}

static int parse(const char *name, int status)
{
	size_t size;
	char *text = load(name, &size);

	err.text[0] = '\0';
	return smart_parse(text, size, status, &v, &err);
}

static void ata(void **unused)
{
	char why[256];

	assert_int_equal(parse("ata", 0), SMART_OK);
	assert_string_equal(v.model, "WDC WD40EFRX-68N32N0");
	assert_string_equal(v.serial, "WD-WCC7K0000001");
	assert_string_equal(v.protocol, "ATA");
	assert_int_equal(v.temperature, 32);
	assert_int_equal(v.power_on_hours, 28731);
	assert_int_equal(v.reallocated, 3);
	assert_int_equal(v.pending, 0);
	assert_int_equal(v.uncorrectable, 1);
	assert_int_equal(v.crc_errors, 7);
	assert_int_equal(v.percentage_used, -1);
	assert_int_equal(v.grown_defects, -1);
	assert_int_equal(v.passed, 1);
	assert_false(smart_says_failing(&v, why, sizeof(why)));
	/* The log of errors holds some: that is the past. */
	assert_int_equal(parse("ata", 0x40), SMART_OK);
	assert_false(smart_says_failing(&v, why, sizeof(why)));
	assert_int_equal(parse("ata", 0x10), SMART_OK);
	assert_true(smart_says_failing(&v, why, sizeof(why)));
	assert_int_equal(parse("ata-failing", 24), SMART_OK);
	assert_true(smart_says_failing(&v, why, sizeof(why)));
	assert_int_equal(v.pending, 16);
}

static void nvme(void **unused)
{
	char why[256];

	assert_int_equal(parse("nvme", 0), SMART_OK);
	assert_string_equal(v.protocol, "NVMe");
	assert_int_equal(v.percentage_used, 7);
	assert_int_equal(v.media_errors, 2);
	assert_int_equal(v.spare, 100);
	assert_int_equal(v.spare_threshold, 10);
	assert_int_equal(v.critical_warning, 0);
	assert_int_equal(v.power_on_hours, 11842);
	assert_int_equal(v.reallocated, -1);
	/* Too warm is not failing; worn out is. */
	v.critical_warning = 2;
	assert_false(smart_says_failing(&v, why, sizeof(why)));
	v.critical_warning = 1;
	assert_true(smart_says_failing(&v, why, sizeof(why)));
}

static void scsi(void **unused)
{
	assert_int_equal(parse("scsi", 0), SMART_OK);
	assert_string_equal(v.model, "SEAGATE ST4000NM0023");
	assert_int_equal(v.grown_defects, 12);
	assert_int_equal(v.uncorrectable, 3);
	assert_int_equal(v.power_on_hours, 51422);
}

static void no_values(void **unused)
{
	assert_int_equal(parse("asleep", 2), SMART_ASLEEP);
	assert_int_equal(parse("gone", 2), -EBADMSG);
	assert_non_null(strstr(err.text, "No such device"));
	assert_int_equal(parse("none", 4), SMART_NONE);
}

static void garbage(void **unused)
{
	static const char *const texts[] = {
		"", "{", "[]", "null", "{}", "{\"smartctl\":[]}",
		"{\"smartctl\":{\"messages\":{}}}",
		"{\"smartctl\":{},\"ata_smart_attributes\":{\"table\":[1,null,{\"id\":\"x\"}]}}",
		"{\"smartctl\":{},\"temperature\":7,\"power_on_time\":{\"hours\":-5}}",
		"{\"smartctl\":{},\"power_on_time\":{\"hours\":99999999999999999999999}}",
		"{\"smartctl\":{},\"model_name\":\"\\u0001\\u001b[2J\"}", "\xff\xfe",
	};
	char *big = malloc(100000), *text;
	size_t i, size;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int r = smart_parse(texts[i], strlen(texts[i]), 0, &v, &err);

		assert_true(r == -EBADMSG || r == SMART_NONE || r == SMART_OK);
		assert_null(strchr(v.model, 27));
	}
	/* Deep, and cut anywhere. */
	memset(big, '[', 100000);
	assert_int_equal(smart_parse(big, 100000, 0, &v, &err), -EBADMSG);
	free(big);
	text = load("ata", &size);
	while (size && (text[size - 1] == '\n' || text[size - 1] == '}'))
		size--;
	for (i = 0; i < size; i += 7)
		assert_int_equal(smart_parse(text, i, 0, &v, &err), -EBADMSG);
}

static void growth(void **unused)
{
	struct smart_values before;
	struct json_object *o;
	char why[256];

	assert_int_equal(parse("ata", 0), SMART_OK);
	assert_false(smart_has_grown(&v, NULL, why, sizeof(why)));
	o = smart_to_json(&v);
	smart_from_json(o, &before);
	json_object_put(o);
	assert_int_equal(before.reallocated, 3);
	assert_int_equal(before.passed, 1);
	assert_int_equal(before.media_errors, -1);
	assert_false(smart_has_grown(&v, &before, why, sizeof(why)));
	v.crc_errors += 100;	/* a cable */
	assert_false(smart_has_grown(&v, &before, why, sizeof(why)));
	v.reallocated = 5;
	assert_true(smart_has_grown(&v, &before, why, sizeof(why)));
	assert_string_equal(why, "Grown: reallocated sectors: 5, before 3.");
	assert_true(smart_has_grown(&v, &before, why, 10));
	/* Pending sectors are news also when they are seen first. */
	v.pending = 8;
	assert_true(smart_has_grown(&v, NULL, why, sizeof(why)));
}

/* --- Asking -------------------------------------------------------------------------- */

static struct daemon daemon_;
static struct config config;
static struct watched_set set;

static void script(const char *body)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/smartctl", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\nfor disk; do :; done\ndisk=${disk##*/}\n"
		"echo \"$*\" >>%s/asked\n%s\n", dir, body);
	fclose(f);
	assert_int_equal(chmod(path, 0700), 0);
}

static unsigned int asked(const char *what)
{
	unsigned int n = 0;
	char path[128], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/asked", dir);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, what) != NULL;
	if (f)
		fclose(f);
	return n;
}

static void disks(unsigned int nr, const char *const *names)
{
	unsigned int i;

	memset(resolved, 0, sizeof(resolved));
	for (i = 0; i < nr; i++) {
		snprintf(resolved[i].path, sizeof(resolved[i].path), "/dev/%s", names[i]);
		/* Two drives of one serial number: it happens. */
		snprintf(resolved[i].serial, sizeof(resolved[i].serial), "%s",
			 i < 2 ? "SAME" : names[i]);
	}
	nr_resolved = nr;
}

static int begin(void **unused)
{
	snprintf(dir, sizeof(dir), "%s/dmr-smart-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	assert_non_null(mkdtemp(dir));
	memset(&daemon_, 0, sizeof(daemon_));
	memset(&config, 0, sizeof(config));
	memset(&set, 0, sizeof(set));
	config.smart = true;
	config.smart_interval = 3600;
	snprintf(config.smartctl, sizeof(config.smartctl), "%s/smartctl", dir);
	daemon_.config = &config;
	set.device.data_major = 8;
	LIST_INIT(&daemon_.sets);
	LIST_INSERT_HEAD(&daemon_.sets, &set, link);
	assert_int_equal(sd_event_new(&daemon_.event), 0);
	assert_int_equal(worker_init(&daemon_), 0);
	samples = complaints = 0;
	failing = false;
	smart_first_usec = 0;
	return 0;
}

static int end(void **unused)
{
	char command[128];

	smart_stop(&daemon_);
	worker_stop(&daemon_, 2000);
	sd_event_unref(daemon_.event);
	json_object_put(state);
	state = NULL;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void run(unsigned int ms)
{
	unsigned int i;

	for (i = 0; i < ms / 10; i++) {
		while (sd_event_run(daemon_.event, 0) > 0)
			;
		usleep(10000);
	}
}

/* Until it is so, for three seconds at most. */
#define UNTIL(condition) do { \
	unsigned int tries_; \
	for (tries_ = 0; tries_ < 300 && !(condition); tries_++) \
		run(10); \
	assert_true(condition); \
} while (0)

static void asks_all(void **unused)
{
	disks(4, (const char *const[]){ "sda", "sdb", "nvme0n1", "vda" });
	resolved[3].virtual_ = true;
	script("cat tests/unit/smartctl/ata.json");
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(samples == 3);
	assert_int_equal(asked("--json -n standby -a /dev/sda"), 1);
	assert_int_equal(asked("/dev/sdb"), 1);
	assert_int_equal(asked("vda"), 0);
	assert_int_equal(json_object_object_length(state), 3);
	assert_false(failing || complaints);
	/* Not again before its time. */
	smart_members_changed(&daemon_);
	smart_reload(&daemon_);
	run(300);
	assert_int_equal(asked("/dev/"), 3);
}

static void tells(void **unused)
{
	disks(1, (const char *const[]){ "sda" });
	script("cat tests/unit/smartctl/ata-failing.json; exit 24");
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(failing);
	assert_true(smart_failing(&daemon_, 8, 0));
	assert_int_equal(health_changes, 1);
	/* After a restart it sleeps: it is not better for that. */
	smart_stop(&daemon_);
	script("cat tests/unit/smartctl/asleep.json; exit 2");
	failing = false;
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(failing);
	assert_int_equal(samples, 1);
	assert_int_equal(complaints, 0);
	/* It is exchanged. */
	nr_resolved = 0;
	health_changes = 0;
	smart_members_changed(&daemon_);
	assert_false(failing);
	assert_int_equal(health_changes, 1);
}

/* After a restart it does not answer: what it said last holds. */
static void remembers(void **unused)
{
	disks(1, (const char *const[]){ "sda" });
	script("cat tests/unit/smartctl/ata-failing.json; exit 24");
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(failing);
	smart_stop(&daemon_);
	script("cat tests/unit/smartctl/gone.json; exit 2");
	failing = false;
	health_changes = 0;
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(complaints == 1);
	assert_true(failing && smart_failing(&daemon_, 8, 0));
	assert_int_equal(health_changes, 1);
	/* Unless it is not to be asked at all. */
	smart_stop(&daemon_);
	config.smart = failing = false;
	assert_int_equal(smart_start(&daemon_), 0);
	assert_false(failing || smart_failing(&daemon_, 8, 0));
}

/* One of two drives with the same serial number fails: the other does not deny it. */
static void same_serial(void **unused)
{
	contradicted = 0;
	failing_subject[0] = '\0';
	disks(2, (const char *const[]){ "sda", "sdb" });
	script("[ $disk = sdb ] || { cat tests/unit/smartctl/ata.json; exit; }\n"
	       "cat tests/unit/smartctl/ata-failing.json; exit 24");
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(samples == 2);
	assert_true(*failing_subject);
	smart_stop(&daemon_);
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(samples == 4);
	assert_int_equal(contradicted, 0);
}

static void grows(void **unused)
{
	disks(1, (const char *const[]){ "sda" });
	script("cat tests/unit/smartctl/ata.json");
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(samples == 1);
	assert_false(failing);
	smart_stop(&daemon_);
	script("sed 's/\"value\": 3, \"string\": \"3\"/\"value\": 9, \"string\": \"9\"/'"
	       " tests/unit/smartctl/ata.json");
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(samples == 2);
	assert_true(failing);
	assert_string_equal(detail, "Grown: reallocated sectors: 9, before 3.");
	/* No more since; it counts for a week. */
	smart_stop(&daemon_);
	clock_ += 6 * 86400 * NSEC_PER_SEC;
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(samples == 3);
	assert_true(failing);
	smart_stop(&daemon_);
	clock_ += 2 * 86400 * NSEC_PER_SEC;
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(samples == 4);
	assert_false(failing);
}

/* One hangs: it is killed, and the next is asked. Its child's children die too. */
static void hangs(void **unused)
{
	char command[128];

	smart_limit_usec = USEC_PER_SEC / 2;
	disks(3, (const char *const[]){ "sda", "sdb", "sdc" });
	script("[ $disk = sdb ] || { cat tests/unit/smartctl/ata.json; exit; }\n"
	       "sleep 77.25 & sleep 77.25");
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(samples == 2 && complaints == 1);
	snprintf(command, sizeof(command), "! grep -qs '77[.]25' /proc/[0-9]*/cmdline");
	assert_int_equal(system(command), 0);
	smart_limit_usec = 60 * USEC_PER_SEC;
}

static void program_hangs(void **unused)
{
	disks(1, (const char *const[]){ "sda" });
	script("cat tests/unit/smartctl/ata.json");
	spawn_hangs = true;
	assert_int_equal(smart_start(&daemon_), 0);
	/* The loop goes on. */
	alarm(10);
	run(300);
	assert_int_equal(samples, 0);
	spawn_hangs = false;
	UNTIL(samples == 1);
	/* The daemon ends while it hangs. */
	spawn_hangs = true;
	smart_stop(&daemon_);
	assert_int_equal(smart_start(&daemon_), 0);
	run(300);
	smart_stop(&daemon_);
	spawn_hangs = false;
	alarm(0);
}

static void never_two(void **unused)
{
	char body[512];

	disks(4, (const char *const[]){ "sda", "sdb", "sdc", "sdd" });
	snprintf(body, sizeof(body),
		 "mkdir %s/running || touch %s/two\nsleep 0.1\nrmdir %s/running\n"
		 "cat tests/unit/smartctl/nvme.json", dir, dir, dir);
	script(body);
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(samples == 4);
	snprintf(body, sizeof(body), "%s/two", dir);
	assert_int_equal(access(body, F_OK), -1);
}

static void lies(void **unused)
{
	disks(4, (const char *const[]){ "sda", "sdb", "sdc", "sdd" });
	script("case $disk in sda) exec cat /dev/zero ;; sdb) echo nonsense ;;\n"
	       "sdc) kill -9 $$ ;; sdd) cat tests/unit/smartctl/none.json; exit 4 ;; esac");
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(asked("/dev/") == 4 && complaints == 3);
	run(100);
	assert_int_equal(samples, 0);
	assert_false(failing);
}

static void no_program(void **unused)
{
	disks(2, (const char *const[]){ "sda", "sdb" });
	assert_int_equal(smart_start(&daemon_), 0);
	UNTIL(complaints == 2);
	run(100);
	assert_int_equal(complaints, 2);
	assert_int_equal(samples, 0);
}

static void switched_off(void **unused)
{
	config.smart = false;
	disks(1, (const char *const[]){ "sda" });
	script("cat tests/unit/smartctl/ata.json");
	assert_int_equal(smart_start(&daemon_), 0);
	run(500);
	assert_int_equal(asked("/dev/"), 0);
	config.smart = true;
	smart_reload(&daemon_);
	UNTIL(samples == 1);
}

#define ASKING(f)	cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ata), cmocka_unit_test(nvme), cmocka_unit_test(scsi),
		cmocka_unit_test(no_values), cmocka_unit_test(garbage), cmocka_unit_test(growth),
		ASKING(asks_all), ASKING(tells), ASKING(remembers), ASKING(same_serial),
		ASKING(grows), ASKING(hangs), ASKING(program_hangs), ASKING(never_two),
		ASKING(lies), ASKING(no_program), ASKING(switched_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
