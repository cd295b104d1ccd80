/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people type besides names and sizes: numbers, ranges and spares (sizes:
 * dmremap_parse_size()). Nothing is rounded or clamped; what does not fit is
 * an error.
 */
#ifndef DMREMAP_PARSE_H
#define DMREMAP_PARSE_H

#include <stdint.h>

/* A decimal or 0x number. 0, -EINVAL or -ERANGE. */
int parse_number(const char *text, uint64_t *n);

/*
 * A time in nanoseconds since 1970: "@SECONDS"; "now", "today", "yesterday"; a date, a
 * time of today, or both ("2026-11-24 07:30:00"), in local time; or how long ago, in s,
 * min, h, d or w ("90min", "2h ago", "-2h"). 0, -EINVAL or -ERANGE.
 */
int parse_time(const char *text, uint64_t *ns);

/* "7", "7-12" (the last included) or "7+6". 0, -EINVAL or -ERANGE. */
int parse_range(const char *text, uint64_t *first, uint64_t *count);

/*
 * "DEV" or "DEV,tier=N". The path is allocated for the caller. 0, -EINVAL,
 * -ERANGE or -ENOMEM.
 */
int parse_spare(const char *text, char **path, uint32_t *tier);

#endif /* DMREMAP_PARSE_H */
