// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon's state file: any bytes are a state, or are put aside. */
#include <json-c/json.h>
#include <unistd.h>

#include "daemon.h"
#include "fuzz.h"
#include "smart.h"

static char dir[64], path[128];

void log_print(int priority, const char *format, ...)
{
}

static void remove_dir(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	require(!system(command));
}

static void make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/dmr-fuzz-XXXXXX");
	require(mkdtemp(dir));
	atexit(remove_dir);
	require(!setenv("STATE_DIRECTORY", dir, 1));
	snprintf(path, sizeof(path), "%s/state.json", dir);
}

static void write_file(const uint8_t *data, size_t size)
{
	FILE *file = fopen(path, "w");

	require(file && fwrite(data, 1, size, file) == size);
	require(!fclose(file));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct daemon daemon = { .root = "" };
	struct smart_values values;

	if (!*dir)
		make_dir();
	write_file(data, size);
	require(!state_open(&daemon));
	smart_from_json(state_get(&daemon, "smart"), &values);
	state_close(&daemon);
	return 0;
}
