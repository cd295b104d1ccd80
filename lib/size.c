/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The project's one parser of sizes, and its counterpart for people. Also the
 * check of a set's name.
 */
#include <ctype.h>
#include <strings.h>

#include "private.h"

/* The factor that a unit stands for, or 0. */
static u64 unit_factor(const char *unit)
{
	static const char letters[] = "kmgtpe";
	const char *letter;
	u64 base = 1024, factor = 1;

	if (!*unit || !strcasecmp(unit, "b"))
		return 1;
	if (!strcasecmp(unit, "s"))
		return 512;
	letter = strchr(letters, tolower((unsigned char)*unit));
	if (!letter)
		return 0;
	if (!strcasecmp(unit + 1, "b"))
		base = 1000;
	else if (unit[1] && strcasecmp(unit + 1, "ib"))
		return 0;
	for (; letter >= letters; letter--)
		factor *= base;
	return factor;
}

int dmremap_parse_size(const char *text, uint64_t *bytes, struct dmremap_error *err)
{
	u64 factor, value = 0;
	const char *p = text;

	if (!isdigit((unsigned char)*p))
		return dmri_error(err, -EINVAL,
				  "\"%.64s\" is not a size; write a number and a unit, as in 64M, 1GiB or 2048s.",
				  text);
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (u64)(*p - '0'), &value))
			return dmri_error(err, -ERANGE, "The size \"%.64s\" is too large.",
					  text);
	factor = unit_factor(p);
	if (!factor)
		return dmri_error(err, -EINVAL,
				  "\"%.64s\" has no known unit; use B, s (sectors of 512 bytes), K, M, G, T, P, E, or KB, MB and so on for powers of 1000.",
				  text);
	if (__builtin_mul_overflow(value, factor, &value))
		return dmri_error(err, -ERANGE, "The size \"%.64s\" is too large.", text);
	*bytes = value;
	return 0;
}

int dmremap_parse_sectors(const char *text, uint64_t *sectors, struct dmremap_error *err)
{
	u64 bytes;
	int r = dmremap_parse_size(text, &bytes, err);

	if (r < 0)
		return r;
	if (bytes % 512)
		return dmri_error(err, -EINVAL,
				  "\"%.64s\" is not a multiple of 512 bytes.", text);
	*sectors = bytes / 512;
	return 0;
}

char *dmremap_format_size(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned int n = 0, tenths;
	u64 rest = 0;

	while (bytes >= 1024 && n + 1 < ARRAY_SIZE(units)) {
		rest = bytes % 1024;
		bytes /= 1024;
		n++;
	}
	tenths = rest * 10 / 1024;
	if (bytes < 100 && tenths)
		dmri_text(buf, size, "%llu.%u %s", (unsigned long long)bytes, tenths, units[n]);
	else
		dmri_text(buf, size, "%llu %s", (unsigned long long)bytes, units[n]);
	return buf;
}

int dmremap_name_check(const char *name, struct dmremap_error *err)
{
	static const char punctuation[] = "#+-.:=@_";
	const char *p;

	if (!*name)
		return dmri_error(err, -EINVAL, "The name of a set must not be empty.");
	if (strlen(name) >= DMREMAP_NAME_SIZE)
		return dmri_error(err, -ENAMETOOLONG,
				  "The name \"%.40s...\" is longer than %d characters.",
				  name, DMREMAP_NAME_SIZE - 1);
	for (p = name; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		      (*p >= '0' && *p <= '9') || strchr(punctuation, *p)))
			return dmri_error(err, -EINVAL,
					  "The name \"%s\" holds a character that is not allowed; use letters, digits and %s.",
					  name, punctuation);
	if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "control"))
		return dmri_error(err, -EINVAL,
				  "\"%s\" can not be the name of a set, since it has a meaning in /dev/mapper.",
				  name);
	return 0;
}
