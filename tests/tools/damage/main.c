// SPDX-License-Identifier: GPL-2.0-or-later
/* What is damaged, in which order; see damage.h. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"

static const char usage[] =
	"usage: metadata-damage save DIR TABLE\n"
	"       metadata-damage run [OPTION...] DIR TABLE [-- COMMAND...]\n"
	"save keeps the metadata of a stopped set as it is now. run damages what is\n"
	"there now, with what was kept as the older state, and asks the module or,\n"
	"if there is one, the command, which must end with 1.\n"
	"  --stride N     of the bytes behind the headers (256)\n"
	"  --mixtures N   (100)\n"
	"  --seed N\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "stride", 1, NULL, 's' }, { "mixtures", 1, NULL, 'm' },
		{ "seed", 1, NULL, 'S' },   { "help", 0, NULL, 'h' },
		{ }
	};
	unsigned int stride = 256, nr_mixtures = 100;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's': stride = strtoul(optarg, NULL, 0); break;
		case 'm': nr_mixtures = strtoul(optarg, NULL, 0); break;
		case 'S': random_state = strtoull(optarg, NULL, 0); break;
		default:
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : 2;
		}
	}
	if (argc - optind < 3) {
		fputs(usage, stderr);
		return 2;
	}
	take_table(argv[optind + 2]);
	if (!strcmp(argv[optind], "save")) {
		save_older(argv[optind + 1]);
		return 0;
	}
	verdict_begin(argc - optind > 3 ? argv + optind + 3 : NULL);
	read_set(argv[optind + 1]);
	verdict_undamaged();

	flip_anchors(stride);
	flip_frames(stride);
	spoil_all();
	swaps();
	older_versions();
	diverged_versions();
	nonsense();
	if (module_judges()) {
		harmless();
		mixtures(nr_mixtures);
	}
	return verdict_end() ? 1 : 0;
}
