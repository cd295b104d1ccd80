/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How io-cost tells profile.c what of it is to be counted: it calls these addresses. */
#ifndef BENCH_MARKS_H
#define BENCH_MARKS_H

#define MARKS		0x6d61726b0000ULL	/* where nothing else is */
#define MARK_SIZE	64
#define MARK_PHASES	16

#endif
