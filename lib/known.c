/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The data devices of adopted sets that this machine knows. Nothing on such a
 * device tells what it is, and at boot it may appear before any spare of its set: so
 * that udev can keep it from being used raw, its identity is in a small
 * file for each set, in /etc for the next boot, and in /run where /etc is read-only.
 *
 * These files start nothing by themselves. What may be started is judged by the metadata on
 * the spares alone (R7); but no other set is started on such a device, and it is overwritten for
 * a good reason only. That one of them can not be written or read fails nothing.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "private.h"

static const char *const places[] = { "/etc/dm-remap", "/run/dm-remap" };

#define SUBDIRECTORY	"adopted"

static void known_path(unsigned int place, const char *uuid, char *buf, size_t size)
{
	dmri_text(buf, size, "%s/" SUBDIRECTORY "/%s", places[place], uuid);
}

/* One line each; what tidied text off sysfs holds has no line breaks. */
static void write_text(FILE *f, const struct dmremap_set *set)
{
	const struct dmr_identity *id = &set->root.identity;
	const struct dmremap_set_info *info = &set->info;

	fprintf(f, "# The data device of a set of dm-remap. Written by its tools; see dmremapctl(8).\n"
		"name=%s\nuuid=%s\nsectors=%llu\nserial=%s\nwwn=%s\npartuuid=%s\n",
		info->name, info->uuid, (unsigned long long)le64_to_cpu(id->device_sectors),
		info->data_serial, info->data_wwn, info->data_partuuid);
}

static int write_file(unsigned int place, const char *uuid, const char *text, size_t size)
{
	char path[128], new[140];
	_close_ int fd = -1;
	int r = 0;

	mkdir(places[place], 0755);
	dmri_text(path, sizeof(path), "%s/" SUBDIRECTORY, places[place]);
	mkdir(path, 0755);
	known_path(place, uuid, path, sizeof(path));
	dmri_text(new, sizeof(new), "%s.new", path);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text, size) != (ssize_t)size)
		r = -EIO;
	/* At the next boot it is needed even if this one ends in a power cut. */
	if (!r && (fsync(fd) < 0 || rename(new, path) < 0))
		r = -errno;
	if (!r)
		r = dmri_sync_directory(path);
	if (r)
		unlink(new);
	return r;
}

static bool file_holds(unsigned int place, const char *uuid, const char *text, size_t size)
{
	char path[128], old[2048];
	_close_ int fd = -1;

	known_path(place, uuid, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && size < sizeof(old) && read(fd, old, sizeof(old)) == (ssize_t)size &&
	       !memcmp(old, text, size);
}

void dmri_known_remember(const struct dmremap_set *set)
{
	const struct dmremap_set_info *info = &set->info;
	_free_ char *text = NULL;
	size_t size = 0;
	FILE *f;
	unsigned int i;

	if (!info->loaded || !info->adopted || !set->nr_found ||
	    (!set->found[0].major && !set->found[0].minor))
		return;
	/* Without any of these it can not be told from another disk of its size. */
	if (!*info->data_serial && !*info->data_wwn && !*info->data_partuuid)
		return;
	f = open_memstream(&text, &size);
	if (!f)
		return;
	write_text(f, set);
	if (fclose(f))
		return;
	for (i = 0; i < ARRAY_SIZE(places); i++)
		if (file_holds(i, info->uuid, text, size) ||
		    !write_file(i, info->uuid, text, size))
			return;
}

void dmri_known_forget(const char *uuid)
{
	char path[128];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		known_path(i, uuid, path, sizeof(path));
		unlink(path);
	}
}

/* --- Reading ----------------------------------------------------------------- */

static void take_line(char *line, struct dmr_identity *id, struct dmremap_raw *raw)
{
	const struct {
		const char *key;
		char *value;
		size_t size;
	} keys[] = {
		{ "name", raw->set_name, sizeof(raw->set_name) },
		{ "uuid", raw->set_uuid, sizeof(raw->set_uuid) },
		{ "serial", id->serial, sizeof(id->serial) },
		{ "wwn", id->wwn, sizeof(id->wwn) },
		{ "partuuid", id->partuuid, sizeof(id->partuuid) },
	};
	char *value = strchr(line, '=');
	unsigned int i;

	if (*line == '#' || !value)
		return;
	*value++ = '\0';
	value[strcspn(value, "\n")] = '\0';
	if (!strcmp(line, "sectors"))
		id->device_sectors = cpu_to_le64(strtoull(value, NULL, 10));
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(line, keys[i].key))
			dmri_copy(keys[i].value, keys[i].size, value);
}

static bool file_matches(int dirfd, const char *name, const struct dmremap_device *d,
			 struct dmremap_raw *raw)
{
	struct dmr_identity id = { .serial = "" };
	_fclose_ FILE *f = NULL;
	uint8_t uuid[16];
	char line[512];
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return false;
	f = fdopen(fd, "re");
	if (!f) {
		close(fd);
		return false;
	}
	raw->set_name[0] = raw->set_uuid[0] = '\0';
	while (fgets(line, sizeof(line), f))
		take_line(line, &id, raw);
	return !dmri_uuid_parse(raw->set_uuid, uuid) && !dmremap_name_check(raw->set_name, NULL) &&
	       dmri_identity_match(&id, d) == DMRI_SAME;
}

bool dmri_known_match(const struct dmremap_device *d, struct dmremap_raw *raw)
{
	struct dmremap_raw found = { .kind = DMREMAP_RAW_NONE };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		_dir_ DIR *dir = NULL;
		struct dirent *e;
		char path[64];

		dmri_text(path, sizeof(path), "%s/" SUBDIRECTORY, places[i]);
		dir = opendir(path);
		while (dir && (e = readdir(dir))) {
			if (strlen(e->d_name) != DMREMAP_UUID_SIZE - 1 ||
			    !file_matches(dirfd(dir), e->d_name, d, &found))
				continue;
			dmri_copy(raw->set_name, sizeof(raw->set_name), found.set_name);
			dmri_copy(raw->set_uuid, sizeof(raw->set_uuid), found.set_uuid);
			return true;
		}
	}
	return false;
}
