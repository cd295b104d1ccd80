/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between supported kernels, decided by compile probes in Kbuild.
 * The code is written to the newest interface; this file brings older kernels
 * up to it.
 */
#ifndef DM_REMAP_COMPAT_H
#define DM_REMAP_COMPAT_H

/* 6.5 replaced fmode_t by blk_mode_t for block devices. */
#ifndef HAVE_BLK_MODE
#define BLK_OPEN_READ FMODE_READ
#define BLK_OPEN_WRITE FMODE_WRITE
#endif

/* 6.7, and 6.1.68, let a family ask for privilege of who joins a group. */
#ifdef GENL_MCAST_CAP_NET_ADMIN
#define GROUP_FOR_ADMIN .flags = GENL_MCAST_CAP_NET_ADMIN
#else
#define GROUP_FOR_ADMIN
#endif

/* 6.6 gave dumps the same information as requests: HAVE_GENL_INFO_DUMP. */
#ifndef HAVE_GENL_INFO_DUMP
#define genl_info_dump(cb) genl_dumpit_info(cb)
#endif

/* 6.12 moved the unaligned accessors; nothing here needs them. */

#endif /* DM_REMAP_COMPAT_H */
