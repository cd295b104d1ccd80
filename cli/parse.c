// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Numbers, ranges and spares as people type them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parse.h"

/* A number at the start of @text; *@end is what follows it. */
static int number_prefix(const char *text, uint64_t *n, const char **end)
{
	int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	unsigned long long value;
	char *stop;

	/* strtoull() accepts blanks and signs, and a lone "0x". */
	if (base == 16 ? !isxdigit((unsigned char)text[2]) :
			 !isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &stop, base);
	if (errno)
		return -errno;
	*n = value;
	*end = stop;
	return 0;
}

int parse_number(const char *text, uint64_t *n)
{
	const char *end;
	int err = number_prefix(text, n, &end);

	if (!err && *end)
		err = -EINVAL;
	return err;
}

/* --- Times ------------------------------------------------------------------------ */

#define NS_PER_S	1000000000ULL

/* "2h", "-2h", "2h ago": seconds */
static int parse_ago(const char *text, uint64_t *seconds)
{
	static const struct {
		const char *unit;
		uint64_t seconds;
	} units[] = {
		{ "s", 1 }, { "sec", 1 }, { "m", 60 }, { "min", 60 }, { "h", 3600 },
		{ "d", 86400 }, { "w", 604800 },
	};
	const char *end;
	size_t length;
	uint64_t n;
	int err;

	if (*text == '-')
		text++;
	err = number_prefix(text, &n, &end);
	if (err)
		return err;
	end += strspn(end, " ");
	length = strcspn(end, " ");
	if (end[length] && strcmp(end + length, " ago"))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strlen(units[i].unit) != length || strncmp(end, units[i].unit, length))
			continue;
		if (n > UINT32_MAX)
			return -ERANGE;
		*seconds = n * units[i].seconds;
		return 0;
	}
	return -EINVAL;
}

/* A date, a time of the day @tm holds, or both. */
static int parse_date(const char *text, struct tm *tm)
{
	static const char *const formats[] = {
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
		"%Y-%m-%d", "%H:%M:%S", "%H:%M",
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		struct tm parsed = *tm;
		const char *end;

		parsed.tm_hour = parsed.tm_min = parsed.tm_sec = 0;
		end = strptime(text, formats[i], &parsed);
		if (!end || *end)
			continue;
		*tm = parsed;
		return 0;
	}
	return -EINVAL;
}

int parse_time(const char *text, uint64_t *ns)
{
	time_t now = time(NULL), t;
	uint64_t seconds;
	struct tm tm;
	int err;

	if (*text == '@') {
		err = parse_number(text + 1, &seconds);
		if (!err && seconds > UINT64_MAX / NS_PER_S)
			err = -ERANGE;
		if (!err)
			*ns = seconds * NS_PER_S;
		return err;
	}
	err = parse_ago(text, &seconds);
	if (err == -ERANGE)
		return err;
	if (!err) {
		*ns = seconds < (uint64_t)now ? ((uint64_t)now - seconds) * NS_PER_S : 1;
		return 0;
	}
	if (!localtime_r(&now, &tm))
		return -EINVAL;
	tm.tm_isdst = -1;
	if (!strcmp(text, "today") || !strcmp(text, "yesterday")) {
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		tm.tm_mday -= text[0] == 'y';
	} else if (strcmp(text, "now") && parse_date(text, &tm)) {
		return -EINVAL;
	}
	t = mktime(&tm);
	if (t < 0 || (uint64_t)t > UINT64_MAX / NS_PER_S)
		return -ERANGE;
	*ns = (uint64_t)t * NS_PER_S;
	return 0;
}

/* --- Ranges and spares --------------------------------------------------------------- */

int parse_range(const char *text, uint64_t *first, uint64_t *count)
{
	const char *end;
	uint64_t n;
	int err = number_prefix(text, first, &end);

	if (err)
		return err;
	if (!*end) {
		*count = 1;
		return 0;
	}
	if (*end != '-' && *end != '+')
		return -EINVAL;
	err = parse_number(end + 1, &n);
	if (err)
		return err;
	if (*end == '-') {
		if (n < *first)
			return -EINVAL;
		n -= *first;
		if (n == UINT64_MAX)
			return -ERANGE;
		n++;
	}
	if (!n)
		return -EINVAL;
	if (*first + (n - 1) < *first)
		return -ERANGE;
	*count = n;
	return 0;
}

int parse_spare(const char *text, char **path, uint32_t *tier)
{
	const char *comma = strrchr(text, ',');
	uint64_t n = 0;
	int err;

	if (comma && strchr(comma, '=')) {
		if (strncmp(comma, ",tier=", 6))
			return -EINVAL;
		err = parse_number(comma + 6, &n);
		if (!err && n > UINT32_MAX)
			err = -ERANGE;
		if (err)
			return err;
	} else {
		comma = text + strlen(text);
	}
	if (comma == text)
		return -EINVAL;
	*path = strndup(text, (size_t)(comma - text));
	*tier = (uint32_t)n;
	return *path ? 0 : -ENOMEM;
}
