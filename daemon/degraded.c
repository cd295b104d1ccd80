// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmremapd --start-degraded UUID, for dm-remap-degraded@.service: starts a set without
 * the spares that are missing, where the configuration says that this may be. It is
 * no part of the daemon that runs; it shares the configuration with it.
 */
#include "daemon.h"

/* A set that is complete and does not run was stopped by someone, and stays so. */
static int start_set(const struct config *config, struct dmremap_set *set)
{
	const struct dmremap_set_info *info = dmremap_set_info(set);
	const struct dmremap_start start = { .degraded = true };
	struct dmremap_error err;
	int ret;

	if (info->active)
		return 0;
	if (!config_of(config, info->name, info->uuid)->start_degraded) {
		log_info("Set %s is not started without its missing members: start-degraded is off.",
			 info->name);
		return 0;
	}
	ret = dmremap_set_load(set, NULL, &err);
	if (ret < 0) {
		log_error("Set %s can not be looked at: %s", info->name, err.text);
		return ret;
	}
	if (info->verdict != DMREMAP_DEGRADED) {
		log_notice("Set %s is left as it is%s%s", info->name,
			   info->verdict == DMREMAP_REFUSED ? ": " : ".", info->reason);
		return 0;
	}
	log_warning("Starting set %s degraded: %s", info->name, info->reason);
	ret = dmremap_start(set, &start, &err);
	if (ret == -EALREADY || ret == -EEXIST)
		return 0;
	if (ret < 0)
		log_error("Set %s can not be started: %s", info->name, err.text);
	else
		log_notice("Set %s is running degraded.", info->name);
	return ret;
}

int start_degraded(const struct config *config, const char *uuid)
{
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	struct dmremap_error err;
	int ret = dmremap_scan_new(0, NULL, &scan, &err);

	if (ret < 0) {
		log_error("Sets can not be looked for: %s", err.text);
		return ret;
	}
	ret = dmremap_scan_find(scan, uuid, &set, &err);
	if (ret == -ENOENT) {
		log_info("Set %s is gone again.", uuid);
		ret = 0;
	} else if (ret < 0) {
		log_error("%s", err.text);
	} else {
		ret = start_set(config, set);
	}
	dmremap_scan_free(scan);
	return ret;
}
