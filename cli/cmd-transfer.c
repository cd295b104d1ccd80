// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * map export and import: lists of blocks in the formats of other tools. The
 * formats themselves are read and written by libdmremap.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "map.h"
#include "message.h"
#include "output.h"

static const char *const format_names[] = { "badblocks", "ddrescue", "json", "auto", NULL };

enum { FORMAT_AUTO = DMREMAP_LIST_JSON + 1 };

/* --block-size: bytes per number of a badblocks list; *@bytes 0 if not given. */
static int read_unit(const struct invocation *inv, uint32_t *bytes)
{
	uint64_t size = 0;
	int err = option_size(inv, "block-size", &size);

	if (err)
		return err;
	if (option_given(inv, "block-size") && (!size || size % 512 || size > 1 << 20))
		return wrong_usage("--block-size %s: a multiple of 512, at most 1 MiB, is needed",
				   option_text(inv, "block-size"));
	*bytes = (uint32_t)size;
	return DONE;
}

/* --- export ----------------------------------------------------------------------- */

static const struct field export_fields[] = {
	{ .key = "name" }, { .key = "format" }, { .key = "file" }, {},
};

static const struct view export_view = {
	.key = "export", .style = VIEW_JSON, .one = true, .fields = export_fields,
};

/*
 * Where a list goes. @new_path: a file beside @path that takes its place when it is whole, so
 * that a list which is there already is not lost for one that can not be written.
 */
struct target {
	const char *path;
	char *new_path;		/* NULL: @path itself is written to */
	bool made;		/* that is a new file, which goes if it stays incomplete */
	FILE *file;
};

static const char *written_path(const struct target *t)
{
	return t->new_path ?: t->path;
}

/* Only with --force one that is there. What is no regular file is written to as it is. */
static int target_open(struct target *t, bool force)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, fd;
	struct stat st;

	if (force && !lstat(t->path, &st) && S_ISREG(st.st_mode)) {
		if (asprintf(&t->new_path, "%s.%d.new", t->path, (int)getpid()) < 0)
			no_memory();
	} else if (force && !lstat(t->path, &st)) {
		flags = O_WRONLY | O_TRUNC | O_CLOEXEC;
	}
	t->made = flags & O_CREAT;
	fd = open(written_path(t), flags, 0666);
	if (fd < 0) {
		int err = errno;

		fail_errno(-err, "%s", written_path(t));
		if (err == EEXIST)
			advise("To write over it, give --force.");
		free(t->new_path);
		return FAILED;
	}
	if (t->new_path)
		fchmod(fd, st.st_mode & 07777);
	t->file = fdopen(fd, "w");
	if (!t->file)
		no_memory();
	return DONE;
}

static int sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd, err;

	if (!copy)
		no_memory();
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = fd < 0 || fsync(fd) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	free(copy);
	return err;
}

/* @err: what became of the writing so far. Whole and durable under its name, or not there. */
static int target_close(struct target *t, int err)
{
	/* A pipe or a terminal has nothing to be synced. */
	if (!err && (fflush(t->file) || (t->made && fsync(fileno(t->file)))))
		err = -errno;
	if (fclose(t->file) && !err)
		err = -errno;
	if (!err && t->new_path && rename(t->new_path, t->path))
		err = -errno;
	if (!err && t->made)
		err = sync_directory(t->path);
	else if (err && t->made)
		unlink(written_path(t));
	free(t->new_path);
	return err;
}

static int export_to(struct invocation *inv, struct dmremap_map *map,
		     const struct dmremap_export *how)
{
	struct target target = { .path = option_text(inv, "output"), .file = stdout };
	const char *path = target.path;
	struct dmremap_error error = {};
	struct record *r;
	int err;

	if (path && target_open(&target, option_given(inv, "force")))
		return FAILED;
	err = dmremap_export(target.file, map, how, &error);
	if (path)
		err = target_close(&target, err);
	if (err < 0) {
		if (error.text[0])
			fail_lib(inv, err, &error);
		else
			fail_errno(err, "%s", path ? path : "standard output");
		if (path)
			advise("Nothing was written to %s.", path);
		return FAILED;
	}
	if (!path) {
		inv->printed = true;
		return DONE;
	}
	r = output_one(inv->out, &export_view);
	set_string(r, "name", inv->args[0]);
	set_string(r, "format", format_names[how->format]);
	set_string(r, "file", path);
	say("The map of set %s is written to %s (%s).", inv->args[0], path,
	    format_names[how->format]);
	return DONE;
}

int cmd_map_export(struct invocation *inv)
{
	struct dmremap_export how = {};
	struct dmremap_set_info *info;
	struct dmremap_scan *scan;
	struct dmremap_map *map;
	int format = DMREMAP_LIST_JSON, err;

	err = option_choice(inv, "format", format_names, &format);
	if (!err && format == FORMAT_AUTO)
		err = wrong_usage("map export: --format auto is for import");
	if (!err)
		err = read_unit(inv, &how.unit_bytes);
	if (err)
		return err;
	if (inv->json && !option_text(inv, "output"))
		return wrong_usage("map export: with --json the list needs --output FILE");
	how.format = (enum dmremap_list_format)format;
	if (option_given(inv, "unreadable"))
		how.what |= DMREMAP_EXPORT_LOST;
	if (option_given(inv, "remapped"))
		how.what |= DMREMAP_EXPORT_REMAPPED;

	info = malloc(sizeof(*info));
	if (!info)
		no_memory();
	err = open_map(inv, inv->args[0], &scan, &map, info);
	if (!err) {
		how.set_name = info->name;
		how.set_uuid = info->uuid;
		if (option_given(inv, "raw"))
			how.origin = info->data_offset;
		err = export_to(inv, map, &how);
		dmremap_map_free(map);
		dmremap_scan_free(scan);
	}
	free(info);
	return err;
}

/* --- import ----------------------------------------------------------------------- */

static const char *const as_names[] = { "relocate", "unreadable", NULL };

enum { AS_RELOCATE, AS_UNREADABLE };

static const struct field import_fields[] = {
	{ .key = "name", .flags = FIELD_TITLE },
	{ .key = "file", .label = "File" },
	{ .key = "format", .label = "Format" },
	{ .key = "as", .label = "Import as" },
	{ .key = "ranges", .label = "Ranges", .type = FIELD_NUMBER },
	{ .key = "sectors", .label = "Sectors", .type = FIELD_NUMBER },
	{ .key = "blocks", .label = "Blocks", .type = FIELD_NUMBER },
	{},
};

static const struct view import_view = {
	.key = "import", .style = VIEW_SCREEN, .one = true, .fields = import_fields,
};

static const struct field range_fields[] = {
	{ .key = "sector", .label = "SECTOR", .type = FIELD_NUMBER },
	{ .key = "count", .label = "COUNT", .type = FIELD_NUMBER }, {},
};

static const struct view range_view = {
	.key = "ranges", .style = VIEW_TABLE, .fields = range_fields,
};

/*
 * The format by the first line that says something: "{" begins JSON, "#" or two
 * words ddrescue's map file, a lone number badblocks.
 */
static int detect_format(FILE *file, const char *path, int *format)
{
	char line[256];

	*format = -1;
	while (*format < 0 && fgets(line, sizeof(line), file)) {
		const char *s = line + strspn(line, " \t\r\n");

		if (!*s)
			continue;
		if (*s == '{')
			*format = DMREMAP_LIST_JSON;
		else if (*s == '#' || strpbrk(s, " \tx"))
			*format = DMREMAP_LIST_DDRESCUE;
		else
			*format = DMREMAP_LIST_BADBLOCKS;
	}
	if (fseek(file, 0, SEEK_SET)) {
		wrong_usage("%s: can not be read twice to find its format", path);
		advise("Give --format badblocks, ddrescue or json.");
		return WRONG_USAGE;
	}
	if (*format < 0)
		*format = DMREMAP_LIST_BADBLOCKS;	/* badblocks(8) found none */
	return DONE;
}

/* What the list is cut to: sizes and offset of the set. */
static int target_of_import(struct invocation *inv, const char *name,
			    struct dmremap_import *import, uint32_t *block_size)
{
	struct dmremap_error error = {};
	const struct dmremap_set_info *info;
	struct dmremap_status status;
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	int err = -ENOTCONN;

	if (!option_given(inv, "device"))
		err = dmremap_status(name, &status, &error);
	else if (!option_given(inv, "dry-run"))
		return wrong_usage("map import: --device goes with --dry-run only");
	if (!err) {
		err = dmremap_status_answers(&status, &error);
		if (err < 0)
			return fail_lib(inv, err, &error);
		import->limit = status.sectors;
		import->origin = status.data_offset;
		*block_size = status.block_size;
		return DONE;
	}
	if ((err != -ENOTCONN && err != -ENODEV))
		return fail_lib(inv, err, &error);
	if (!option_given(inv, "dry-run")) {
		fail_lib(inv, err, &error);
		advise("Moving blocks needs the running set: " PROGRAM " start %s", name);
		return FAILED;
	}
	err = find_set(inv, name, &scan, &set);
	if (err)
		return err;
	info = dmremap_set_info(set);
	import->limit = info->data_sectors;
	import->origin = info->data_offset;
	*block_size = info->block_size;
	dmremap_scan_free(scan);
	return DONE;
}

static int read_list(struct invocation *inv, const char *path, struct dmremap_import *import,
		     int format, struct dmremap_ranges **ranges)
{
	struct dmremap_error error = {};
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	int err = DONE;

	if (!file)
		return fail_errno(-errno, "%s", path);
	if (format == FORMAT_AUTO)
		err = detect_format(file, path, &format);
	if (!err) {
		import->format = (enum dmremap_list_format)format;
		err = dmremap_import(file, path, import, ranges, &error);
		err = err < 0 ? fail_lib(inv, err, &error) : DONE;
	}
	if (file != stdin)
		fclose(file);
	return err;
}

static int import_ranges(struct invocation *inv, struct dmremap_ranges *sectors, int format,
			 int as, uint32_t block_size)
{
	const char *name = inv->args[0];
	struct dmremap_ranges *blocks;
	struct record *r;
	int err;

	err = dmremap_ranges_to_blocks(sectors, block_size, &blocks);
	if (err < 0)
		return fail_errno(err, "map import");
	if (inv->json || option_given(inv, "dry-run")) {
		r = output_one(inv->out, &import_view);
		set_string(r, "name", name);
		set_string(r, "file", inv->args[1]);
		set_string(r, "format", format_names[format]);
		set_string(r, "as", as_names[as]);
		set_number(r, "ranges", dmremap_ranges_count(sectors));
		set_number(r, "sectors", dmremap_ranges_total(sectors));
		set_number(r, "blocks", dmremap_ranges_total(blocks));
	}
	err = DONE;
	if (option_given(inv, "dry-run")) {
		struct group *g = output_group(inv->out, &range_view);
		const struct dmremap_range *range;

		for (size_t n = 0; (range = dmremap_ranges_get(sectors, n)); n++) {
			r = group_add(g);
			set_number(r, "sector", range->start);
			set_number(r, "count", range->count);
		}
	} else if (!dmremap_ranges_count(sectors)) {
		say("%s lists nothing; the map was not changed.", inv->args[1]);
	} else if (as == AS_UNREADABLE) {
		if (!option_given(inv, "force"))
			err = confirm("--force",
				      "Make %" PRIu64 " sectors of set %s read as errors until they are written?",
				      dmremap_ranges_total(sectors), name);
		if (!err)
			err = send_ranges(inv, name, sectors, dmremap_unreadable);
	} else {
		err = send_ranges(inv, name, blocks, dmremap_relocate);
	}
	dmremap_ranges_free(blocks);
	return err;
}

int cmd_map_import(struct invocation *inv)
{
	struct dmremap_import import = {};
	struct dmremap_ranges *ranges;
	uint32_t block_size = 0;
	int format = FORMAT_AUTO, as = AS_RELOCATE, err;

	err = option_choice(inv, "format", format_names, &format);
	if (!err)
		err = option_choice(inv, "as", as_names, &as);
	if (!err)
		err = read_unit(inv, &import.unit_bytes);
	if (err)
		return err;
	import.statuses = option_text(inv, "statuses");
	if (import.statuses && strspn(import.statuses, "?*/-+") != strlen(import.statuses))
		return wrong_usage("--statuses %s: only ? * / - + are statuses of ddrescue",
				   import.statuses);
	/* What was never copied has no content; what was never tried may be fine. */
	if (!import.statuses)
		import.statuses = as == AS_UNREADABLE ? "?*/-" : "*/-";
	import.json_lost_only = as == AS_UNREADABLE;

	err = target_of_import(inv, inv->args[0], &import, &block_size);
	if (err)
		return err;
	if (!option_given(inv, "raw"))
		import.origin = 0;
	err = read_list(inv, inv->args[1], &import, format, &ranges);
	if (err)
		return err;
	err = import_ranges(inv, ranges, (int)import.format, as, block_size);
	dmremap_ranges_free(ranges);
	return err;
}
