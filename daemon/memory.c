// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is kept and told must be whole. Without memory for it the daemon ends, is started
 * anew by systemd, and has the state that was written before; what it did not tell it finds
 * in the sets once more. No set needs it meanwhile.
 */
#include <unistd.h>

#include "daemon.h"

/* Without the journal's fields: there is no memory for them. */
void out_of_memory(void)
{
	static const char text[] = "dmremapd: There is no memory left. It ends, to be started anew.\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}
