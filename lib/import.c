/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading lists of bad places: badblocks(8), map files of GNU ddrescue, and our
 * own JSON (see export.c for its form). Strict: what is not understood is refused
 * with its line, so that no bad block is overlooked.
 */
#include <ctype.h>
#include <json-c/json.h>

#include "private.h"

#define JSON_MAX	(64u << 20)
#define LINE_SIZE	4096
#define DDRESCUE_STATUSES	"?*/-+"

struct import {
	const struct dmremap_import *how;
	const char *name;
	struct dmremap_ranges *ranges;
	unsigned long line;
	struct dmremap_error *err;
};

_printf_(3, 4)
static int bad_line(struct import *in, int code, const char *fmt, ...)
{
	char why[300];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(why, sizeof(why), fmt, args) < 0)
		why[0] = '\0';
	va_end(args);
	if (in->line)
		return dmri_error(in->err, code, "%.120s, line %lu: %s", in->name, in->line, why);
	return dmri_error(in->err, code, "%.120s: %s", in->name, why);
}

/* A range in bytes of the list's device; rounded outwards to sectors. */
static int take_bytes(struct import *in, u64 start, u64 bytes)
{
	u64 first, end;
	int r;

	if (!bytes)
		return 0;
	if (__builtin_add_overflow(start, bytes, &end))
		return bad_line(in, -ERANGE, "position and size overflow 64 bits.");
	first = start / 512;
	end = end / 512 + !!(end % 512);
	if (first < in->how->origin)
		return bad_line(in, -ERANGE,
				"sector %llu lies before the data, which begins at sector %llu.",
				(unsigned long long)first,
				(unsigned long long)in->how->origin);
	first -= in->how->origin;
	end -= in->how->origin;
	if (in->how->limit && end > in->how->limit)
		return bad_line(in, -ERANGE,
				"sector %llu lies behind the end of the device, which has %llu sectors. Is the unit right, and does the list belong to this device?",
				(unsigned long long)end - 1,
				(unsigned long long)in->how->limit);
	r = dmremap_ranges_add(in->ranges, first, end - first);
	if (r == -E2BIG)
		return bad_line(in, r, "too many separate ranges.");
	return r < 0 ? bad_line(in, r, "%s.", strerror(-r)) : 0;
}

static char *skip_space(char *p)
{
	while (isblank((unsigned char)*p))
		p++;
	return p;
}

/* Digits up to white space or the end. @hex: also 0x... */
static bool take_number(char **p, bool hex, u64 *value)
{
	char *end;

	if (!isdigit((unsigned char)**p))
		return false;
	errno = 0;
	*value = strtoull(*p, &end, hex && !strncasecmp(*p, "0x", 2) ? 16 : 10);
	if (errno || (*end && !isspace((unsigned char)*end)))
		return false;
	*p = end;
	return true;
}

/* --- badblocks ---------------------------------------------------------------- */

static int badblocks_line(struct import *in, char *line)
{
	u32 unit = in->how->unit_bytes ? in->how->unit_bytes : 1024;
	char *p = skip_space(line);
	u64 block, start;

	if (!*p)
		return 0;
	if (!take_number(&p, false, &block) || *skip_space(p))
		return bad_line(in, -EBADMSG, "\"%.40s\" is not a block number.", line);
	if (__builtin_mul_overflow(block, (u64)unit, &start))
		return bad_line(in, -ERANGE, "block %llu is out of range.",
				(unsigned long long)block);
	return take_bytes(in, start, unit);
}

/* --- ddrescue ------------------------------------------------------------------ */

/* "current_pos current_status [current_pass]", the first line that is no comment */
static bool is_ddrescue_status_line(char *p)
{
	u64 number;

	if (!take_number(&p, true, &number))
		return false;
	p = skip_space(p);
	if (!*p || !strchr("?*/-FG+", *p))
		return false;
	p = skip_space(p + 1);
	if (*p && !take_number(&p, true, &number))
		return false;
	return !*skip_space(p);
}

static int ddrescue_line(struct import *in, char *line, bool *status_seen, u64 *expected)
{
	const char *bad = in->how->statuses ? in->how->statuses : "-";
	char *p = skip_space(line), status;
	u64 position, size;

	if (!*p || *p == '#')
		return 0;
	if (!*status_seen) {
		*status_seen = true;
		if (is_ddrescue_status_line(p))
			return 0;
		return bad_line(in, -EBADMSG,
				"the status line of a ddrescue map file was expected, not \"%.40s\".",
				line);
	}
	if (!take_number(&p, true, &position))
		return bad_line(in, -EBADMSG, "\"%.40s\" does not begin with a position.", line);
	p = skip_space(p);
	if (!take_number(&p, true, &size) || !size)
		return bad_line(in, -EBADMSG, "the size of the area is missing or wrong.");
	p = skip_space(p);
	status = *p;
	if (!status || !strchr(DDRESCUE_STATUSES, status) || *skip_space(p + 1))
		return bad_line(in, -EBADMSG, "the status of the area is not one of %s.",
				DDRESCUE_STATUSES);
	if (position < *expected)
		return bad_line(in, -EBADMSG, "the area overlaps the one before it.");
	if (__builtin_add_overflow(position, size, expected))
		return bad_line(in, -ERANGE, "position and size overflow 64 bits.");
	return strchr(bad, status) ? take_bytes(in, position, size) : 0;
}

/* The next line without its end, in bounded memory: 1, 0 at the end, or negative. */
static int next_line(struct import *in, FILE *file, char line[LINE_SIZE])
{
	size_t n = 0;
	int c;

	in->line++;
	while ((c = getc(file)) != EOF && c != '\n') {
		if (!c)
			return bad_line(in, -EBADMSG, "holds a NUL; this is not a text file.");
		if (n + 1 == LINE_SIZE)
			return bad_line(in, -EBADMSG, "is too long; this is not such a list.");
		line[n++] = c;
	}
	line[n] = '\0';
	line[strcspn(line, "\r")] = '\0';
	return c != EOF || n;
}

static int import_lines(struct import *in, FILE *file)
{
	bool ddrescue = in->how->format == DMREMAP_LIST_DDRESCUE, status_seen = false;
	char line[LINE_SIZE];
	u64 expected = 0;
	int r;

	while ((r = next_line(in, file, line)) == 1) {
		r = ddrescue ? ddrescue_line(in, line, &status_seen, &expected) :
			       badblocks_line(in, line);
		if (r < 0)
			break;
	}
	if (r < 0)
		return r;
	in->line = 0;
	if (ferror(file))
		return bad_line(in, -EIO, "can not be read.");
	if (ddrescue && !status_seen)
		return bad_line(in, -EBADMSG, "is empty; a ddrescue map file has a status line.");
	return 0;
}

/* --- JSON ----------------------------------------------------------------------- */

static void json_freep(struct json_object **o)
{
	json_object_put(*o);
}

static int read_all(struct import *in, FILE *file, char **text, size_t *size)
{
	size_t room = 0, n = 0;
	char *buf = NULL, *more;

	do {
		if (n == room) {
			room = room ? 2 * room : 65536;
			more = room > 2 * (size_t)JSON_MAX ? NULL : realloc(buf, room);
			if (!more) {
				free(buf);
				return bad_line(in, -E2BIG, "is too large.");
			}
			buf = more;
		}
		n += fread(buf + n, 1, room - n, file);
	} while (n == room && n <= JSON_MAX);
	*text = buf;
	*size = n;
	if (ferror(file))
		return bad_line(in, -EIO, "can not be read.");
	if (n > JSON_MAX)
		return bad_line(in, -E2BIG, "is larger than 64 MiB.");
	return 0;
}

/* A non-negative integer member; false if it is missing or anything else. */
static bool json_u64(struct json_object *o, const char *key, u64 *value)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_int))
		return false;
	if (json_object_get_int64(v) < 0)
		return false;
	*value = json_object_get_uint64(v);
	return true;
}

static int json_entry(struct import *in, struct json_object *entry, size_t n, u64 block_sectors)
{
	struct json_object *state;
	u64 block, invalid, start, i;
	bool remapped;
	int r;

	if (!json_object_is_type(entry, json_type_object) ||
	    !json_object_object_get_ex(entry, "state", &state) ||
	    !json_object_is_type(state, json_type_string) ||
	    !json_u64(entry, "block", &block) || !json_u64(entry, "invalid", &invalid))
		return bad_line(in, -EBADMSG,
				"entry %zu needs \"block\", \"state\" and \"invalid\".", n);
	remapped = !strcmp(json_object_get_string(state), "remapped");
	if (!remapped && strcmp(json_object_get_string(state), "lost"))
		return bad_line(in, -EBADMSG, "the state of entry %zu is not known.", n);
	if (invalid >> block_sectors || (!remapped && !invalid))
		return bad_line(in, -EBADMSG, "\"invalid\" of entry %zu is out of range.", n);
	if (__builtin_mul_overflow(block, block_sectors * 512, &start))
		return bad_line(in, -ERANGE, "block %llu is out of range.",
				(unsigned long long)block);
	if (remapped && !in->how->json_lost_only) {
		u64 end = start / 512 + block_sectors, limit = in->how->origin + in->how->limit;

		/* The device need not end with a whole block. */
		if (in->how->limit && start / 512 < limit && end > limit)
			end = limit;
		return take_bytes(in, start, (end - start / 512) * 512);
	}
	for (i = 0, r = 0; i < block_sectors && !r; i++)
		if (invalid >> i & 1)
			r = take_bytes(in, start + i * 512, 512);
	return r;
}

static int import_json(struct import *in, FILE *file)
{
	_cleanup_(json_freep) struct json_object *root = NULL;
	struct json_object *format, *entries;
	_free_ char *text = NULL;
	struct json_tokener *tok;
	u64 version, block_size;
	size_t size = 0, i, nr;
	int r = read_all(in, file, &text, &size);

	if (r < 0)
		return r;
	tok = json_tokener_new();
	if (!tok)
		return bad_line(in, -ENOMEM, "out of memory.");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	root = json_tokener_parse_ex(tok, text, size);
	if (!root)
		r = bad_line(in, -EBADMSG, "is not valid JSON: %s, at byte %zu.",
			     json_tokener_error_desc(json_tokener_get_error(tok)),
			     json_tokener_get_parse_end(tok));
	json_tokener_free(tok);
	if (r < 0)
		return r;
	if (!json_object_is_type(root, json_type_object) ||
	    !json_object_object_get_ex(root, "format", &format) ||
	    !json_object_is_type(format, json_type_string) ||
	    strcmp(json_object_get_string(format), "dm-remap-map") ||
	    !json_u64(root, "version", &version))
		return bad_line(in, -EBADMSG, "is JSON, but not a map of dm-remap.");
	if (version != 1)
		return bad_line(in, -EPROTONOSUPPORT, "has version %llu; only 1 is known.",
				(unsigned long long)version);
	if (!json_u64(root, "block_size", &block_size) || block_size % 512 ||
	    !dmr_block_sectors_ok(block_size / 512) ||
	    !json_object_object_get_ex(root, "entries", &entries) ||
	    !json_object_is_type(entries, json_type_array))
		return bad_line(in, -EBADMSG, "has no valid \"block_size\" or \"entries\".");
	nr = json_object_array_length(entries);
	for (i = 0; i < nr && !r; i++)
		r = json_entry(in, json_object_array_get_idx(entries, i), i, block_size / 512);
	return r;
}

/* --- Public --------------------------------------------------------------------- */

int dmremap_list_format_parse(const char *text, enum dmremap_list_format *format,
			      struct dmremap_error *err)
{
	static const char *const names[] = { "badblocks", "ddrescue", "json" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]))
			continue;
		*format = i;
		return 0;
	}
	return dmri_error(err, -EINVAL,
			  "\"%.64s\" is no format of lists; use badblocks, ddrescue or json.",
			  text);
}

static int check_options(const struct dmremap_import *how, struct dmremap_error *err)
{
	if (how->unit_bytes % 512)
		return dmri_error(err, -EINVAL,
				  "A unit of %u bytes is not a multiple of 512.",
				  how->unit_bytes);
	if (how->statuses && (!*how->statuses || how->statuses[strspn(how->statuses,
							DDRESCUE_STATUSES)]))
		return dmri_error(err, -EINVAL, "\"%.32s\" is not out of %s.", how->statuses,
				  DDRESCUE_STATUSES);
	return 0;
}

int dmremap_import(FILE *file, const char *name, const struct dmremap_import *how,
		   struct dmremap_ranges **ranges, struct dmremap_error *err)
{
	struct import in = { .how = how, .name = name, .err = err };
	int r = check_options(how, err);

	if (!r && dmremap_ranges_new(0, &in.ranges) < 0)
		r = dmri_error_sys(err, -ENOMEM, "%.120s", name);
	if (!r)
		r = how->format == DMREMAP_LIST_JSON ? import_json(&in, file) :
						       import_lines(&in, file);
	if (r < 0) {
		dmremap_ranges_free(in.ranges);
		return r;
	}
	*ranges = in.ranges;
	return 0;
}
