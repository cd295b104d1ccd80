// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Numbers, ranges and spares as people type them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
