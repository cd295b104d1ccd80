/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the commands that tell of a scrub share.
 */
#ifndef DMREMAP_SCRUB_H
#define DMREMAP_SCRUB_H

#include "dm-remap.h"

/* Blocks that it reads in all, and those that it has read. */
uint64_t scrub_total(const struct dmremap_scrub *s);
uint64_t scrub_done(const struct dmremap_scrub *s);

/* Seconds that are left; false if that is not known, or if it does not run. */
bool scrub_eta(const struct dmremap_scrub *s, uint32_t block_size, uint64_t *seconds);

/* "3 d 4:05 h", "1:02:03 h" or "2:03 min" */
void format_duration(uint64_t seconds, char *buf, size_t size);

#endif /* DMREMAP_SCRUB_H */
