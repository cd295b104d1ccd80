// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of settings; what was read is printed so that it is read the same. */
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "fuzz.h"

static char root[64], path[128];

static void remove_root(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	require(!system(command));
}

static void make_root(void)
{
	char dir[128];

	snprintf(root, sizeof(root), "/tmp/dmr-fuzz-XXXXXX");
	require(mkdtemp(root));
	atexit(remove_root);
	snprintf(dir, sizeof(dir), "%s/etc", root);
	require(!mkdir(dir, 0700));
	snprintf(dir, sizeof(dir), "%s%s", root, CONFIG_ADMIN);
	require(!mkdir(dir, 0700));
	snprintf(path, sizeof(path), "%s/dmremapd.conf", dir);
}

static void write_file(const void *data, size_t size)
{
	FILE *file = fopen(path, "w");

	require(file && fwrite(data, 1, size, file) == size);
	require(!fclose(file));
}

static char *print(const struct config *config)
{
	size_t size;
	char *text, *sets;
	FILE *file = open_memstream(&text, &size);

	require(file);
	config_print(config, file);
	require(!fclose(file));
	/* A section of a set that changes nothing is not read again. */
	sets = strstr(text, "\n[set ");
	if (sets)
		*sets = '\0';
	return text;
}

static void read_again(const struct config *config)
{
	struct dmremap_error err = { "" };
	struct config *again;
	char *text = print(config), *same;

	write_file(text, strlen(text));
	if (config_load(root, &again, &err) < 0)
		fprintf(stderr, "%s\n%s", err.text, text);
	require(!*err.text);
	same = print(again);
	require(!strcmp(text, same));
	free(same);
	free(text);
	config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dmremap_error err = { "" };
	struct config *config;

	if (!*root)
		make_root();
	/* An empty file is masked. */
	write_file(data, size);
	if (config_load(root, &config, &err) < 0) {
		require(*err.text);
		return 0;
	}
	read_again(config);
	config_free(config);
	return 0;
}
