// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * doctor: is the module there, which one is it, and would the kernel take it?
 * Read from /sys, /proc, /lib/modules and the EFI variables directly.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <libdevmapper.h>

#include "doctor.h"

#define PATH_SIZE	512

/*
 * Read the first bytes of a file below the root. Returns their number, or -1;
 * @buf ends with a NUL, and its last newline is cut off.
 */
static PRINTF(4, 5) ssize_t read_start(const struct doctor *d, char *buf, size_t size,
				       const char *fmt, ...)
{
	char path[PATH_SIZE];
	va_list args;
	ssize_t n;
	int fd, at;

	at = snprintf(path, sizeof(path), "%s", d->root);
	va_start(args, fmt);
	vsnprintf(path + at, sizeof(path) - (size_t)at, fmt, args);
	va_end(args);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -1;
	buf[n] = '\0';
	if (n && buf[n - 1] == '\n')
		buf[n - 1] = '\0';
	return n;
}

static PRINTF(2, 3) bool exists(const struct doctor *d, const char *fmt, ...)
{
	char path[PATH_SIZE];
	va_list args;
	int at;

	at = snprintf(path, sizeof(path), "%s", d->root);
	va_start(args, fmt);
	vsnprintf(path + at, sizeof(path) - (size_t)at, fmt, args);
	va_end(args);
	return !access(path, F_OK);
}

/* --- Secure Boot ------------------------------------------------------------------ */

#define EFI_SECURE_BOOT \
	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* Why the kernel takes signed modules only, or NULL if it takes any. */
static const char *signature_needed(const struct doctor *d)
{
	char buf[64];

	if (read_start(d, buf, sizeof(buf), "/sys/module/module/parameters/sig_enforce") > 0 &&
	    buf[0] == 'Y')
		return "the kernel enforces module signatures";
	if (read_start(d, buf, sizeof(buf), "/sys/kernel/security/lockdown") > 0)
		return strstr(buf, "[none]") ? NULL :
		       "the kernel is locked down, as it is under Secure Boot";
	/* Four bytes of attributes, then the value. */
	if (read_start(d, buf, sizeof(buf), EFI_SECURE_BOOT) == 5 && buf[4] == 1)
		return "Secure Boot is on";
	return NULL;
}

static void check_signing(struct doctor *d, bool loaded)
{
	const char *why = signature_needed(d);

	if (!why)
		report(d, HEALTH_OK, "secure-boot", NULL,
		       "The kernel does not ask for signed modules.");
	else if (loaded)
		report(d, HEALTH_OK, "secure-boot", NULL,
		       "Modules have to be signed, since %s; dm-remap was accepted.", why);
	else
		report(d, HEALTH_WARNING, "secure-boot",
		       "Sign the module with a key that the firmware knows. DKMS signs with its own key: enrol that with \"mokutil --import /var/lib/dkms/mok.pub\" and confirm it at the next boot. Nothing is enrolled on its own.",
		       "Only a signed dm-remap module can be loaded, since %s.", why);
}

/* --- The module ------------------------------------------------------------------- */

/* Is dm-remap among the modules installed for this kernel? Its path in @path. */
static bool find_module(const struct doctor *d, const char *release, char *path, size_t size)
{
	char name[PATH_SIZE], *line = NULL;
	bool found = false;
	size_t room = 0;
	FILE *file;

	snprintf(name, sizeof(name), "%s/lib/modules/%s/modules.dep", d->root, release);
	file = fopen(name, "re");
	if (!file)
		return false;
	while (!found && getline(&line, &room, file) > 0) {
		char *end = strchr(line, ':'), *base;

		if (!end)
			continue;
		*end = '\0';
		base = strrchr(line, '/');
		base = base ? base + 1 : line;
		if (!strncmp(base, "dm-remap.ko", 11) || !strncmp(base, "dm_remap.ko", 11)) {
			snprintf(path, size, "%s", line);
			found = true;
		}
	}
	free(line);
	fclose(file);
	return found;
}

/* What DKMS has of dm-remap for this kernel, as a sentence, and what to do. */
static void dkms_state(const struct doctor *d, const struct utsname *host,
		       char *text, size_t size, const char **action)
{
	char path[PATH_SIZE], version[64] = "";
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/var/lib/dkms/dm-remap", d->root);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && strncmp(entry->d_name, "kernel-", 7))
			snprintf(version, sizeof(version), "%.63s", entry->d_name);
	if (dir)
		closedir(dir);
	if (!version[0]) {
		snprintf(text, size, "DKMS does not know dm-remap.");
		*action = "Install the package with the module (dm-remap-dkms), or build it.";
	} else if (!exists(d, "/lib/modules/%s/build", host->release)) {
		snprintf(text, size,
			 "DKMS has dm-remap %s, but the headers of this kernel are not installed.",
			 version);
		*action = "Install the headers (linux-headers of this kernel), then \"dkms autoinstall\".";
	} else if (exists(d, "/var/lib/dkms/dm-remap/%s/%s", version, host->release)) {
		snprintf(text, size,
			 "DKMS has built dm-remap %s for this kernel, but it is not installed.",
			 version);
		*action = "\"dkms install dm-remap\", then \"depmod\".";
	} else {
		snprintf(text, size, "DKMS has dm-remap %s, not built for this kernel.", version);
		*action = "\"dkms autoinstall\"; its log under /var/lib/dkms/dm-remap tells what failed.";
	}
}

/* The version of the target, as device-mapper lists it. */
static void target_version(const struct doctor *d, char *text, size_t size)
{
	struct dm_task *task = d->root[0] ? NULL : dm_task_create(DM_DEVICE_LIST_VERSIONS);
	struct dm_versions *v = NULL, *last = NULL;

	snprintf(text, size, "unknown");
	if (task && dm_task_run(task))
		v = dm_task_get_versions(task);
	for (; v && v != last; last = v, v = (void *)((char *)v + v->next))
		if (!strcmp(v->name, "remap"))
			snprintf(text, size, "%u.%u.%u", v->version[0], v->version[1],
				 v->version[2]);
	if (task)
		dm_task_destroy(task);
}

static bool check_module(struct doctor *d)
{
	char version[64], path[PATH_SIZE], text[256];
	const char *action;
	struct utsname host;

	if (exists(d, "/sys/module/dm_remap")) {
		target_version(d, version, sizeof(version));
		report(d, HEALTH_OK, "module", NULL,
		       "dm-remap is loaded (target version %s); this is " PROGRAM " %s.",
		       version, dmremap_version());
		return true;
	}
	uname(&host);
	if (read_start(d, text, sizeof(host.release), "/proc/sys/kernel/osrelease") > 0)
		memcpy(host.release, text, strlen(text) + 1);
	if (find_module(d, host.release, path, sizeof(path))) {
		report(d, HEALTH_OK, "module", NULL,
		       "dm-remap is installed (%s), not loaded yet; the first start of a set loads it.",
		       path);
		return true;
	}
	dkms_state(d, &host, text, sizeof(text), &action);
	report(d, HEALTH_CRITICAL, "module", action,
	       "There is no dm-remap module for kernel %s. %s", host.release, text);
	return false;
}

/* --- Device-mapper ---------------------------------------------------------------- */

/* What libdevmapper would print is told by a finding. */
static void no_log(int level, const char *file, int line, int dm_errno,
		   const char *fmt, ...)
{
	(void)level;
	(void)file;
	(void)line;
	(void)dm_errno;
	(void)fmt;
}

static void check_device_mapper(struct doctor *d)
{
	char version[64];

	if (!exists(d, "/sys/module/dm_mod") && !exists(d, "/dev/mapper/control")) {
		report(d, HEALTH_CRITICAL, "device-mapper", "\"modprobe dm-mod\"",
		       "Device-mapper is not in the kernel.");
		return;
	}
	if (d->root[0])
		return;
	if (geteuid()) {
		report(d, HEALTH_INFO, "device-mapper", "Run it as root to check everything.",
		       "Device-mapper can be asked by root only.");
		return;
	}
	dm_log_with_errno_init(no_log);
	if (dm_driver_version(version, sizeof(version)))
		report(d, HEALTH_OK, "device-mapper", NULL,
		       "Device-mapper %s answers.", version);
	else
		report(d, HEALTH_CRITICAL, "device-mapper",
		       "See the kernel log; the dm-mod module may not be loaded.",
		       "Device-mapper does not answer.");
}

bool check_system(struct doctor *d)
{
	bool available;

	check_device_mapper(d);
	available = check_module(d);
	check_signing(d, exists(d, "/sys/module/dm_remap"));
	return available;
}
