/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What active sets report, and stopping them.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "private.h"

static void devno_of(const char *text, unsigned int *major, unsigned int *minor)
{
	struct stat st;

	if (sscanf(text, "%u:%u", major, minor) == 2)
		return;
	if (stat(text, &st) || !S_ISBLK(st.st_mode))
		return;
	*major = major(st.st_rdev);
	*minor = minor(st.st_rdev);
}

static void take_table(struct dmremap_status *status, const char *params)
{
	struct dmri_table table;

	if (dmri_table_parse(params, &table) < 0)
		return;
	devno_of(table.data, &status->data_major, &status->data_minor);
	status->data_offset = table.data_offset;
	status->degraded = table.degraded;
	dmri_devno_path(status->data_major, status->data_minor, status->data_path,
			sizeof(status->data_path));
	if (!*status->uuid)
		dmri_copy(status->uuid, sizeof(status->uuid), table.set_uuid);
}

int dmremap_status(const char *name, struct dmremap_status *status,
		   struct dmremap_error *err)
{
	_free_ struct dmri_dm_info *info = malloc(sizeof(*info));
	struct dmri_dm_name found;
	unsigned int i;
	int r;

	if (!info)
		return dmri_error_sys(err, -ENOMEM, "%s", name);
	memset(status, 0, sizeof(*status));
	r = dmri_dm_resolve(name, &found, err);
	if (!r)
		r = dmri_dm_table(found.name, info, err);
	if (r < 0)
		return r;
	dmri_copy(status->name, sizeof(status->name), found.name);
	dmri_copy(status->uuid, sizeof(status->uuid), found.uuid);
	status->mode = DMREMAP_MODE_INACTIVE;
	if (!info->live_table)
		return 0;
	take_table(status, info->params);

	r = dmri_dm_status(found.name, info, err);
	if (r < 0)
		return r;
	status->major = info->major;
	status->minor = info->minor;
	status->suspended = info->suspended;
	status->read_only = info->read_only;
	status->open_count = info->open_count;
	status->event_nr = info->event_nr;
	status->sectors = info->length;
	if (dmri_status_parse(info->params, status) < 0)
		return dmri_error(err, -EBADMSG,
				  "The status of %s is not understood; do module and tools fit together? It is \"%.200s\".",
				  name, info->params);
	for (i = 0; i < status->nr_spares; i++)
		if (status->spares[i].major || status->spares[i].minor)
			dmri_devno_path(status->spares[i].major, status->spares[i].minor,
					status->spares[i].path, sizeof(status->spares[i].path));
	return 0;
}

int dmremap_status_answers(const struct dmremap_status *status, struct dmremap_error *err)
{
	if (status->suspended)
		return dmri_dm_suspended(status->name, err);
	if (status->mode == DMREMAP_MODE_INACTIVE)
		return dmri_error(err, -ENOTCONN,
				  "%s has a table, but was never resumed; see dmremapctl status.",
				  status->name);
	return 0;
}

int dmremap_wait_event(const char *name, uint32_t event_nr, struct dmremap_error *err)
{
	struct dmri_dm_name found;
	int r = dmri_dm_resolve(name, &found, err);

	return r < 0 ? r : dmri_dm_wait(found.name, event_nr, err);
}

int dmremap_stop(const char *name, unsigned int flags, struct dmremap_error *err)
{
	_free_ struct dmri_dm_info *info = malloc(sizeof(*info));
	unsigned int major, minor;
	struct dmri_table table;
	struct dmri_dm_name found;
	int r;

	if (!info)
		return dmri_error_sys(err, -ENOMEM, "%s", name);
	r = dmri_dm_resolve(name, &found, err);
	if (!r)
		r = dmri_dm_table(found.name, info, err);	/* refuses other targets */
	if (!r && !*found.uuid && !info->live_table)
		r = dmri_error(err, -EINVAL, "%s is a mapped device, but not of dm-remap.", name);
	if (!r)
		r = dmri_dm_remove(info, flags & DMREMAP_STOP_DEFERRED, err);
	/* An adopted data device that is not known otherwise is its own again. */
	if (r >= 0 && !dmri_table_parse(info->params, &table) &&
	    sscanf(table.data, "%u:%u", &major, &minor) == 2)
		dmri_udev_change(major, minor);
	return r;
}
