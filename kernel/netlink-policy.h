/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the attributes of each request must be like,
 * generated from dm-remap.yaml by make-netlink; do not edit.
 * What a table does not name is refused. Included by netlink.c alone.
 */
#ifndef DM_REMAP_NETLINK_POLICY_H
#define DM_REMAP_NETLINK_POLICY_H

#include <linux/kernel.h>
#include <net/netlink.h>

#include "../include/dm-remap-netlink.h"

static struct netlink_range_validation dmr_a_policy_slow_ms_range = {
	.max = 600000,
};

static struct netlink_range_validation dmr_a_policy_sample_range = {
	.max = 65536,
};

static struct netlink_range_validation dmr_a_policy_breaker_ms_range = {
	.min = 100,
	.max = 600000,
};

static struct netlink_range_validation dmr_a_policy_lifetime_range = {
	.max = 31536000,
};

static const struct nla_policy dmr_policy_attr_policy[] = {
	[DMR_A_POLICY_VERSION] = { .type = NLA_U64 },
	[DMR_A_POLICY_HEAL] = NLA_POLICY_MAX(NLA_U32, DMR_NL_HEAL_MAX),
	[DMR_A_POLICY_UNREADABLE] = NLA_POLICY_MAX(NLA_U32, DMR_NL_UNREADABLE_MAX),
	[DMR_A_POLICY_IOERR] = NLA_POLICY_MAX(NLA_U32, DMR_NL_IOERR_MAX),
	[DMR_A_POLICY_RETRIES] = NLA_POLICY_MAX(NLA_U32, 10),
	[DMR_A_POLICY_SLOW_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &dmr_a_policy_slow_ms_range),
	[DMR_A_POLICY_SAMPLE] = NLA_POLICY_FULL_RANGE(NLA_U32, &dmr_a_policy_sample_range),
	[DMR_A_POLICY_BREAKER_STREAK] = NLA_POLICY_RANGE(NLA_U32, 1, 4096),
	[DMR_A_POLICY_BREAKER_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &dmr_a_policy_breaker_ms_range),
	[DMR_A_POLICY_RELOCATE_RATE] = { .type = NLA_U32 },
	[DMR_A_POLICY_SCRUB_RATE] = NLA_POLICY_MIN(NLA_U32, 64),
	[DMR_A_POLICY_SPARE_LOW] = NLA_POLICY_MAX(NLA_U32, 100),
	[DMR_A_POLICY_LIFETIME] = NLA_POLICY_FULL_RANGE(NLA_U32, &dmr_a_policy_lifetime_range),
};

static const struct nla_policy dmr_device_get_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
};

#define DMR_DEVICE_GET_NL_MAXATTR (ARRAY_SIZE(dmr_device_get_nl_policy) - 1)

static const struct nla_policy dmr_spare_get_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
};

#define DMR_SPARE_GET_NL_MAXATTR (ARRAY_SIZE(dmr_spare_get_nl_policy) - 1)

static const struct nla_policy dmr_map_get_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_FIRST] = { .type = NLA_U64 },
	[DMR_A_COUNT] = NLA_POLICY_MIN(NLA_U64, 1),
};

#define DMR_MAP_GET_NL_MAXATTR (ARRAY_SIZE(dmr_map_get_nl_policy) - 1)

static const struct nla_policy dmr_unreadable_get_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_FIRST] = { .type = NLA_U64 },
	[DMR_A_COUNT] = NLA_POLICY_MIN(NLA_U64, 1),
};

#define DMR_UNREADABLE_GET_NL_MAXATTR (ARRAY_SIZE(dmr_unreadable_get_nl_policy) - 1)

static const struct nla_policy dmr_stats_get_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
};

#define DMR_STATS_GET_NL_MAXATTR (ARRAY_SIZE(dmr_stats_get_nl_policy) - 1)

static const struct nla_policy dmr_policy_get_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
};

#define DMR_POLICY_GET_NL_MAXATTR (ARRAY_SIZE(dmr_policy_get_nl_policy) - 1)

static const struct nla_policy dmr_policy_set_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_POLICY] = NLA_POLICY_NESTED(dmr_policy_attr_policy),
};

#define DMR_POLICY_SET_NL_MAXATTR (ARRAY_SIZE(dmr_policy_set_nl_policy) - 1)

static const struct nla_policy dmr_relocate_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_FIRST] = { .type = NLA_U64 },
	[DMR_A_COUNT] = NLA_POLICY_MIN(NLA_U64, 1),
	[DMR_A_SLOW_ONLY] = { .type = NLA_FLAG },
};

#define DMR_RELOCATE_NL_MAXATTR (ARRAY_SIZE(dmr_relocate_nl_policy) - 1)

static const struct nla_policy dmr_release_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_FIRST] = { .type = NLA_U64 },
	[DMR_A_COUNT] = NLA_POLICY_MIN(NLA_U64, 1),
};

#define DMR_RELEASE_NL_MAXATTR (ARRAY_SIZE(dmr_release_nl_policy) - 1)

static const struct nla_policy dmr_scrub_get_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
};

#define DMR_SCRUB_GET_NL_MAXATTR (ARRAY_SIZE(dmr_scrub_get_nl_policy) - 1)

static const struct nla_policy dmr_scrub_start_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_FIRST] = { .type = NLA_U64 },
	[DMR_A_COUNT] = NLA_POLICY_MIN(NLA_U64, 1),
};

#define DMR_SCRUB_START_NL_MAXATTR (ARRAY_SIZE(dmr_scrub_start_nl_policy) - 1)

static const struct nla_policy dmr_scrub_pause_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
};

#define DMR_SCRUB_PAUSE_NL_MAXATTR (ARRAY_SIZE(dmr_scrub_pause_nl_policy) - 1)

static const struct nla_policy dmr_scrub_resume_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
};

#define DMR_SCRUB_RESUME_NL_MAXATTR (ARRAY_SIZE(dmr_scrub_resume_nl_policy) - 1)

static const struct nla_policy dmr_scrub_cancel_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
};

#define DMR_SCRUB_CANCEL_NL_MAXATTR (ARRAY_SIZE(dmr_scrub_cancel_nl_policy) - 1)

static const struct nla_policy dmr_spare_add_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_SPARE_MAJOR] = { .type = NLA_U32 },
	[DMR_A_SPARE_MINOR] = { .type = NLA_U32 },
};

#define DMR_SPARE_ADD_NL_MAXATTR (ARRAY_SIZE(dmr_spare_add_nl_policy) - 1)

static const struct nla_policy dmr_spare_retire_nl_policy[] = {
	[DMR_A_NAME] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_UUID] = { .type = NLA_NUL_STRING, .len = 127 },
	[DMR_A_SPARE] = NLA_POLICY_MAX(NLA_U32, 31),
};

#define DMR_SPARE_RETIRE_NL_MAXATTR (ARRAY_SIZE(dmr_spare_retire_nl_policy) - 1)

#endif /* DM_REMAP_NETLINK_POLICY_H */
