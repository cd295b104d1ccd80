/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the JSON of smartctl. See smart.h, and for the bits of the exit status
 * smartctl(8): 1 means that the device could not be opened, or was asleep.
 */
#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "smart.h"

#define EXIT_USAGE	(1 << 0)
#define EXIT_OPEN	(1 << 1)
#define EXIT_FAILING	(1 << 3)
#define EXIT_THRESHOLD	(1 << 4)

#define ATA_REALLOCATED		5
#define ATA_UNCORRECTABLE	187
#define ATA_PENDING		197
#define ATA_OFFLINE_UNCORRECTABLE	198
#define ATA_CRC_ERRORS		199

/* NVMe: spare below its threshold, reliability degraded, read-only, backup of memory gone */
#define NVME_FAILING	(1 << 0 | 1 << 2 | 1 << 3 | 1 << 4)

static const struct {
	const char *name;
	size_t offset;
	bool grows;		/* should not */
	const char *noun;
} numbers[] = {
#define NUMBER(field, grows, noun) { #field, offsetof(struct smart_values, field), grows, noun }
	NUMBER(passed, false, NULL),
	NUMBER(threshold_reached, false, NULL),
	NUMBER(temperature, false, NULL),
	NUMBER(power_on_hours, false, NULL),
	NUMBER(reallocated, true, "reallocated sectors"),
	NUMBER(pending, true, "pending sectors"),
	NUMBER(uncorrectable, true, "uncorrectable sectors"),
	NUMBER(crc_errors, false, NULL),
	NUMBER(percentage_used, false, NULL),
	NUMBER(media_errors, true, "media errors"),
	NUMBER(spare, false, NULL),
	NUMBER(spare_threshold, false, NULL),
	NUMBER(critical_warning, false, NULL),
	NUMBER(grown_defects, true, "grown defects"),
};

#define NR_NUMBERS	(sizeof(numbers) / sizeof(numbers[0]))

static int64_t *number_of(struct smart_values *values, unsigned int i)
{
	return (int64_t *)((char *)values + numbers[i].offset);
}

static int64_t value_of(const struct smart_values *values, unsigned int i)
{
	return *(const int64_t *)((const char *)values + numbers[i].offset);
}

/* --- JSON ----------------------------------------------------------------- */

/* By names, each inside the one before; ended by NULL. */
static struct json_object *get(struct json_object *object, const char *const *path)
{
	for (; *path; path++)
		if (!json_object_is_type(object, json_type_object) ||
		    !json_object_object_get_ex(object, *path, &object))
			return NULL;
	return object;
}

#define GET(object, ...) get(object, (const char *const[]){ __VA_ARGS__, NULL })

static int64_t number(struct json_object *object)
{
	int64_t n;

	if (!json_object_is_type(object, json_type_int))
		return -1;
	n = json_object_get_int64(object);
	return n < 0 ? -1 : n;
}

static int64_t truth(struct json_object *object)
{
	return json_object_is_type(object, json_type_boolean) ?
	       json_object_get_boolean(object) : -1;
}

/* Printable characters only. */
static void text(struct json_object *object, char *buf, size_t size)
{
	const char *from = json_object_is_type(object, json_type_string) ?
			   json_object_get_string(object) : "";
	size_t n = 0;

	for (; *from && n + 1 < size; from++)
		if (isprint((unsigned char)*from) && (n || *from != ' '))
			buf[n++] = *from;
	while (n && buf[n - 1] == ' ')
		n--;
	buf[n] = '\0';
}

/* Does a message of smartctl hold this? The last one goes to @buf. */
static bool messages(struct json_object *root, const char *part, char *buf, size_t size)
{
	struct json_object *list = GET(root, "smartctl", "messages");
	size_t i, n = json_object_is_type(list, json_type_array) ?
		      json_object_array_length(list) : 0;
	bool found = false;

	for (i = 0; i < n; i++) {
		text(GET(json_object_array_get_idx(list, i), "string"), buf, size);
		found |= strstr(buf, part) != NULL;
	}
	return found;
}

static void take_ata(struct json_object *root, struct smart_values *v)
{
	struct json_object *table = GET(root, "ata_smart_attributes", "table");
	size_t i, n = json_object_is_type(table, json_type_array) ?
		      json_object_array_length(table) : 0;

	for (i = 0; i < n; i++) {
		struct json_object *row = json_object_array_get_idx(table, i);
		int64_t raw = number(GET(row, "raw", "value"));

		switch (number(GET(row, "id"))) {
		case ATA_REALLOCATED:
			v->reallocated = raw;
			break;
		case ATA_PENDING:
			v->pending = raw;
			break;
		case ATA_UNCORRECTABLE:
			if (raw > v->uncorrectable)
				v->uncorrectable = raw;
			break;
		case ATA_OFFLINE_UNCORRECTABLE:
			if (raw > v->uncorrectable)
				v->uncorrectable = raw;
			break;
		case ATA_CRC_ERRORS:
			v->crc_errors = raw;
			break;
		default:
			break;
		}
	}
}

static void take_nvme(struct json_object *root, struct smart_values *v)
{
	struct json_object *log = GET(root, "nvme_smart_health_information_log");

	if (!log)
		return;
	v->critical_warning = number(GET(log, "critical_warning"));
	v->spare = number(GET(log, "available_spare"));
	v->spare_threshold = number(GET(log, "available_spare_threshold"));
	v->percentage_used = number(GET(log, "percentage_used"));
	v->media_errors = number(GET(log, "media_errors"));
	if (v->power_on_hours < 0)
		v->power_on_hours = number(GET(log, "power_on_hours"));
}

static void take_scsi(struct json_object *root, struct smart_values *v)
{
	static const char *const directions[] = { "read", "write", "verify" };
	unsigned int i;
	int64_t n;

	v->grown_defects = number(GET(root, "scsi_grown_defect_list"));
	for (i = 0; i < 3; i++) {
		n = number(GET(root, "scsi_error_counter_log", directions[i],
			       "total_uncorrected_errors"));
		if (n >= 0)
			v->uncorrectable = (v->uncorrectable < 0 ? 0 : v->uncorrectable) + n;
	}
}

static void take_values(struct json_object *root, int status, struct smart_values *v)
{
	struct json_object *name = GET(root, "model_name");

	if (!name)
		name = GET(root, "scsi_model_name");
	text(name, v->model, sizeof(v->model));
	text(GET(root, "serial_number"), v->serial, sizeof(v->serial));
	text(GET(root, "device", "protocol"), v->protocol, sizeof(v->protocol));
	v->passed = truth(GET(root, "smart_status", "passed"));
	if (status & EXIT_FAILING)
		v->passed = 0;
	v->threshold_reached = !!(status & EXIT_THRESHOLD);
	v->temperature = number(GET(root, "temperature", "current"));
	v->power_on_hours = number(GET(root, "power_on_time", "hours"));
	take_ata(root, v);
	take_nvme(root, v);
	take_scsi(root, v);
}

static bool says_nothing(const struct smart_values *v)
{
	unsigned int i;

	for (i = 0; i < NR_NUMBERS; i++)
		if (value_of(v, i) >= 0 && strcmp(numbers[i].name, "threshold_reached") &&
		    strcmp(numbers[i].name, "temperature"))
			return false;
	return true;
}

static int bad(struct dmremap_error *err, const char *what)
{
	snprintf(err->text, sizeof(err->text), "smartctl %s.", what);
	return -EBADMSG;
}

static int judge(struct json_object *root, int status, struct smart_values *v,
		 struct dmremap_error *err)
{
	char message[256] = "", what[320];
	int64_t available = truth(GET(root, "smart_support", "available"));
	int64_t enabled = truth(GET(root, "smart_support", "enabled"));

	if (status & EXIT_OPEN) {
		/* "Device is in STANDBY mode, exit(2)", also SLEEP and the like */
		if (messages(root, " mode", message, sizeof(message)) || !*message)
			return SMART_ASLEEP;
		snprintf(what, sizeof(what), "can not open the device: %s", message);
		return bad(err, what);
	}
	if (status & EXIT_USAGE) {
		messages(root, "", message, sizeof(message));
		/* Of a bridge that it does not know, it asks for a type by hand. */
		if (*message)
			return SMART_NONE;
		return bad(err, "does not understand how it was called");
	}
	if (!available || !enabled)
		return SMART_NONE;
	take_values(root, status, v);
	return says_nothing(v) ? SMART_NONE : SMART_OK;
}

int smart_parse(const char *input, size_t size, int status, struct smart_values *v,
		struct dmremap_error *err)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *root = NULL;
	unsigned int i;
	int r;

	memset(v, 0, sizeof(*v));
	for (i = 0; i < NR_NUMBERS; i++)
		*number_of(v, i) = -1;
	if (!tokener)
		return bad(err, "gave an answer for which there is no memory");
	if (size && size < INT32_MAX)
		root = json_tokener_parse_ex(tokener, input, size);
	if (json_object_is_type(root, json_type_object) && GET(root, "smartctl"))
		r = judge(root, status, v, err);
	else
		r = bad(err, size ? "gave an answer that is no JSON of its own" :
				    "gave no answer");
	json_object_put(root);
	json_tokener_free(tokener);
	return r;
}

/* --- Samples -------------------------------------------------------------- */

struct json_object *smart_to_json(const struct smart_values *v)
{
	struct json_object *o = json_new();
	unsigned int i;

	json_add_text(o, "model", v->model);
	json_add_text(o, "serial", v->serial);
	json_add_text(o, "protocol", v->protocol);
	for (i = 0; i < NR_NUMBERS; i++)
		if (value_of(v, i) >= 0)
			json_add_number(o, numbers[i].name, value_of(v, i));
	return o;
}

void smart_from_json(struct json_object *object, struct smart_values *v)
{
	unsigned int i;

	memset(v, 0, sizeof(*v));
	for (i = 0; i < NR_NUMBERS; i++)
		*number_of(v, i) = number(GET(object, numbers[i].name));
}

/* --- Judgement ------------------------------------------------------------ */

bool smart_says_failing(const struct smart_values *v, char *why, size_t size)
{
	if (v->passed == 0)
		snprintf(why, size, "Its own assessment is that it is failing.");
	else if (v->critical_warning > 0 && v->critical_warning & NVME_FAILING)
		snprintf(why, size, "Its critical warning is 0x%02llx.",
			 (unsigned long long)v->critical_warning);
	else if (v->threshold_reached > 0)
		snprintf(why, size, "An attribute that foretells failure is at its threshold.");
	else
		return false;
	return true;
}

bool smart_has_grown(const struct smart_values *v, const struct smart_values *before, char *why,
		     size_t size)
{
	bool grown = false;
	unsigned int i;
	size_t at = 0;

	for (i = 0; i < NR_NUMBERS; i++) {
		int64_t now = value_of(v, i), then = before ? value_of(before, i) : -1;

		if (!numbers[i].grows || now < 0)
			continue;
		/* Seen for the first time, only what waits to be lost is news. */
		if (then < 0)
			then = strcmp(numbers[i].name, "pending") ? now : 0;
		if (now <= then)
			continue;
		if (at < size)
			at += snprintf(why + at, size - at, "%s%s: %lld, before %lld",
				       at ? "; " : "Grown: ", numbers[i].noun, (long long)now,
				       (long long)then);
		grown = true;
	}
	if (grown && at < size)
		snprintf(why + at, size - at, ".");
	return grown;
}
