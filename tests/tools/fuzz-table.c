// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random table lines, most of them nearly right. Each is refused, or what it starts
 * has the true map; and the good table starts again at the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

#define NAME		"fuzz-table"
#define MAX_WORDS	64

static char *good[MAX_WORDS], *words[MAX_WORDS];
static unsigned int nr_good, nr_words;
static uint64_t length;
static struct map truth;
static unsigned long tried, loaded, started;

static const char *const junk[] = {
	"", "-", "0", "1", "-1", "2", "17", "255", "4294967295", "4294967296", "18446744073709551615",
	"99999999999999999999999", "0x10", "1e3", "0:0", "7:200", "/dev/null", "/", "/dev/nonesuch",
	"data_offset", "internal_spare", "set_uuid", "degraded", "nonsense", "%s%n",
	"00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-00000000000",
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

static char *any_word(void)
{
	if (random_below(2))
		return good[random_below(nr_good)];
	return (char *)junk[random_below(ARRAY_SIZE(junk))];
}

static void insert(unsigned int at)
{
	if (nr_words == MAX_WORDS)
		return;
	memmove(&words[at + 1], &words[at], (nr_words - at) * sizeof(words[0]));
	words[at] = any_word();
	nr_words++;
}

static void delete(unsigned int at)
{
	nr_words--;
	memmove(&words[at], &words[at + 1], (nr_words - at) * sizeof(words[0]));
}

static void mutate(void)
{
	unsigned int n = 1 + random_below(3), at;
	char *word;

	memcpy(words, good, sizeof(good));
	nr_words = nr_good;
	while (n--) {
		at = random_below(nr_words + 1);
		switch (random_below(4)) {
		case 0:
			insert(at);
			break;
		case 1:
			if (at < nr_words && nr_words > 1)
				delete(at);
			break;
		case 2:
			if (at < nr_words)
				words[at] = any_word();
			break;
		case 3:
			if (at + 1 < nr_words) {
				word = words[at];
				words[at] = words[at + 1];
				words[at + 1] = word;
			}
			break;
		}
	}
}

static uint64_t any_length(void)
{
	switch (random_below(12)) {
	case 0:
		return 1;
	case 1:
		return length - 1;
	case 2:
		return length + 1;
	case 3:
		return 1ULL << random_below(63);
	default:
		return length;
	}
}

static void join(char *line, size_t size)
{
	size_t at = 0;

	line[0] = '\0';
	for (unsigned int i = 0; i < nr_words && at < size; i++)
		at += snprintf(line + at, size - at, "%s%s", i ? " " : "", words[i]);
}

static void check_started(const char *line)
{
	static struct map map;
	int r = map_ask(NAME, &map);

	started++;
	if (r || !map_equal(&map, &truth))
		die("\"%s\" starts with another map (%s)", line, strerror(-r));
}

static void try(const char *line, uint64_t sectors)
{
	tried++;
	if (dm_create(NAME))
		die("no device: %m");
	if (!dm_load(NAME, sectors, line)) {
		loaded++;
		if (!dm_resume(NAME))
			check_started(line);
	}
	if (dm_remove(NAME))
		die("can not be removed after \"%s\"", line);
}

int main(int argc, char **argv)
{
	char line[4096], *word, *save = NULL;
	unsigned long count;

	if (argc != 5) {
		fputs("usage: fuzz-table SEED COUNT LENGTH ARGUMENTS\n", stderr);
		return 2;
	}
	random_state = strtoull(argv[1], NULL, 10);
	count = strtoul(argv[2], NULL, 10);
	length = strtoull(argv[3], NULL, 10);
	snprintf(line, sizeof(line), "%s", argv[4]);
	for (word = strtok_r(argv[4], " ", &save); word && nr_good < MAX_WORDS / 2;
	     word = strtok_r(NULL, " ", &save))
		good[nr_good++] = word;
	dm_init();
	if (dm_create(NAME) || dm_load(NAME, length, line) || dm_resume(NAME) ||
	    map_ask(NAME, &truth) || dm_remove(NAME))
		die("\"%s\" does not start", line);
	while (count--) {
		mutate();
		join(line, sizeof(line));
		try(line, any_length());
	}
	memcpy(words, good, sizeof(good));
	nr_words = nr_good;
	join(line, sizeof(line));
	try(line, length);
	if (!started)
		die("the good table does not start any more");
	printf("%lu tables, %lu loaded, %lu started\n", tried, loaded, started);
	return 0;
}
