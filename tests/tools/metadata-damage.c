// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Damages the metadata of a stopped set in every way that a disk, a cable or a
 * person can, and asks after each what is made of it: by the module, which must
 * activate the true map with the true data or refuse with a reason, or by a
 * command, which must tell. Knows the format by itself. The truth is what the
 * undamaged set shows at the start. Devices only: the module reads past any cache.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define NAME		"damage"
#define ANCHOR_FIELDS	(offsetof(struct dmr_anchor, label) + 8)
#define CHUNK		65536
#define FULL_READ	100	/* activations until all is read once */
#define SAMPLES		5

struct member {
	const char *path;
	int fd;
	uint64_t region;	/* byte where it begins */
	unsigned int index;	/* what its frames say */
	uint32_t nr_frames;
	size_t size;		/* bytes of metadata */
	uint8_t *base, *older, *now;	/* now: damaged */
	uint8_t *disk;			/* what was found after the trial */
};

static struct member members[DMR_MAX_MEMBERS];
static unsigned int nr_members;
static uint64_t length;
static char arguments[2048];
static uint32_t nr_pages, block_sectors;
static uint64_t newest;

/* The frames that hold the current version of a page on a member. */
struct copy {
	unsigned int member;
	uint32_t frame;
};

#define MAX_COPIES (DMR_MAX_MEMBERS * DMR_FRAME_COPIES)

static struct {
	uint64_t gen;
	unsigned int nr;
	struct copy copies[MAX_COPIES];
	uint8_t older[DMR_FRAME_SIZE];	/* a version that was current once; magic 0: none */
} pages[64];

static struct map truth;
static uint8_t *content;	/* of the mapped device */
static uint8_t *readable;	/* one byte a sector */
static int device = -1;

static unsigned int stride = 256;
static char **command;

/* --- The set ------------------------------------------------------------- */

static void add_member(const char *path, uint64_t region_sector)
{
	struct member *m = &members[nr_members++];
	struct dmr_anchor *a = aligned(sizeof(*a));

	m->path = path;
	m->fd = device_open(path);
	m->region = region_sector * 512;
	read_all(m->fd, a, sizeof(*a), m->region);
	if (!anchor_valid(a))
		die("%s carries no anchor", path);
	m->nr_frames = le32_to_cpu(a->nr_frames);
	nr_pages = le32_to_cpu(a->nr_pages);
	block_sectors = le32_to_cpu(a->block_sectors);
	m->size = DMR_FRAMES_SECTOR * 512 + (size_t)m->nr_frames * DMR_FRAME_SIZE;
	m->base = aligned(m->size);
	m->now = aligned(m->size);
	m->disk = aligned(m->size);
	free(a);
}

/* "0 LENGTH remap DATA SPARE... [FEATURES]" */
static void take_table(const char *table)
{
	char *word, *save = NULL, *paths[DMR_MAX_MEMBERS];
	uint64_t internal = 0, data_offset = 0;
	unsigned int nr = 0;
	int at = 0;

	if (sscanf(table, "0 %llu remap %n", (unsigned long long *)&length, &at) != 1 || !at)
		die("not a table: %s", table);
	snprintf(arguments, sizeof(arguments), "%s", table + at);
	arguments[strcspn(arguments, "\n")] = '\0';
	paths[nr++] = strtok_r(strdup(arguments), " ", &save);
	while ((word = strtok_r(NULL, " ", &save))) {
		if (strchr(word, '/') || strchr(word, ':'))
			paths[nr++] = word;
		else if (!strcmp(word, "data_offset"))
			data_offset = strtoull(strtok_r(NULL, " ", &save), NULL, 10);
		else if (!strcmp(word, "internal_spare"))
			internal = strtoull(strtok_r(NULL, " ", &save), NULL, 10);
	}
	if (data_offset)
		add_member(paths[0], 0);
	for (unsigned int i = 1; i < nr; i++)
		add_member(paths[i], 0);
	if (internal)
		add_member(paths[0], internal);
	if (nr_pages > ARRAY_SIZE(pages))
		die("too many pages for this");
}

static uint8_t *frame_of(uint8_t *image, uint32_t frame)
{
	return image + DMR_FRAMES_SECTOR * 512 + (size_t)frame * DMR_FRAME_SIZE;
}

static uint8_t *anchor_of(uint8_t *image, unsigned int copy)
{
	return image + (copy ? DMR_ANCHOR1_SECTOR : DMR_ANCHOR0_SECTOR) * 512;
}

static struct dmr_frame_header *header(uint8_t *frame)
{
	return (struct dmr_frame_header *)frame;
}

/* The gen of a frame that is valid in its place, else 0. */
static uint64_t frame_gen(struct member *m, uint8_t *image, uint32_t frame)
{
	struct dmr_frame_header *h = header(frame_of(image, frame));

	if (!frame_valid(h) || le32_to_cpu(h->frame) != frame ||
	    le32_to_cpu(h->member) != m->index || le32_to_cpu(h->page) >= nr_pages)
		return 0;
	return le64_to_cpu(h->gen);
}

static void find_index(struct member *m)
{
	for (uint32_t f = 0; f < m->nr_frames; f++) {
		struct dmr_frame_header *h = header(frame_of(m->base, f));

		if (frame_valid(h) && le32_to_cpu(h->frame) == f) {
			m->index = le32_to_cpu(h->member);
			return;
		}
	}
	die("%s has no valid frame", m->path);
}

static void read_base(void)
{
	for (unsigned int i = 0; i < nr_members; i++) {
		struct member *m = &members[i];

		read_all(m->fd, m->base, m->size, m->region);
		find_index(m);
		for (uint32_t f = 0; f < m->nr_frames; f++) {
			uint64_t gen = frame_gen(m, m->base, f);
			uint32_t p = le32_to_cpu(header(frame_of(m->base, f))->page);

			if (!gen)
				continue;
			if (gen > pages[p].gen) {
				pages[p].gen = gen;
				pages[p].nr = 0;
			}
			if (gen == pages[p].gen)
				pages[p].copies[pages[p].nr++] = (struct copy){ i, f };
			if (gen > newest)
				newest = gen;
		}
	}
}

static void read_older(const char *dir)
{
	for (unsigned int i = 0; i < nr_members; i++) {
		struct member *m = &members[i];
		char path[512];
		int fd;

		snprintf(path, sizeof(path), "%s/%u", dir, i);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			die("%s: %m", path);
		m->older = aligned(m->size);
		read_all(fd, m->older, m->size, 0);
		close(fd);
		for (uint32_t f = 0; f < m->nr_frames; f++) {
			uint64_t gen = frame_gen(m, m->older, f);
			uint8_t *frame = frame_of(m->older, f);
			uint32_t p = le32_to_cpu(header(frame)->page);

			if (gen && gen < pages[p].gen &&
			    gen > le64_to_cpu(header(pages[p].older)->gen))
				memcpy(pages[p].older, frame, DMR_FRAME_SIZE);
		}
	}
}

static void save(const char *dir)
{
	for (unsigned int i = 0; i < nr_members; i++) {
		struct member *m = &members[i];
		char path[512];
		int fd;

		snprintf(path, sizeof(path), "%s/%u", dir, i);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0)
			die("%s: %m", path);
		read_all(m->fd, m->base, m->size, m->region);
		write_all(fd, m->base, m->size, 0);
		close(fd);
	}
}

/* --- Damage: made in memory, written by changed block --------------------- */

static void read_disk(void)
{
	for (unsigned int i = 0; i < nr_members; i++)
		read_all(members[i].fd, members[i].disk, members[i].size, members[i].region);
}

/* What read_disk() found to be as it was made is not written again. */
static void restore(void)
{
	for (unsigned int i = 0; i < nr_members; i++) {
		struct member *m = &members[i];

		for (size_t at = 0; at < m->size; at += DMR_FRAME_SIZE)
			if (memcmp(m->disk + at, m->base + at, DMR_FRAME_SIZE))
				write_all(m->fd, m->base + at, DMR_FRAME_SIZE, m->region + at);
		memcpy(m->now, m->base, m->size);
	}
}

static void write_damage(void)
{
	for (unsigned int i = 0; i < nr_members; i++) {
		struct member *m = &members[i];

		for (size_t at = 0; at < m->size; at += DMR_FRAME_SIZE)
			if (memcmp(m->now + at, m->base + at, DMR_FRAME_SIZE))
				write_all(m->fd, m->now + at, DMR_FRAME_SIZE, m->region + at);
	}
}

/* What null_blk fails to read and write; empty: none. */
static struct bad {
	unsigned int member;
	uint64_t first, last;
} bads[MAX_COPIES];
static unsigned int nr_bads;

static void bad_write(const struct bad *b, char sign)
{
	const char *disk = strrchr(members[b->member].path, '/') + 1;
	char path[256], text[64];
	int fd, n;

	snprintf(path, sizeof(path), "/sys/kernel/config/nullb/%s/badblocks", disk);
	fd = open(path, O_WRONLY);
	n = snprintf(text, sizeof(text), "%c%llu-%llu", sign, (unsigned long long)b->first,
		     (unsigned long long)b->last);
	if (fd < 0 || write(fd, text, n) != n)
		die("%s: %m", path);
	close(fd);
}

static void make_bad(unsigned int member, const uint8_t *block)
{
	struct member *m = &members[member];
	struct bad *b = &bads[nr_bads++];

	b->member = member;
	b->first = (m->region + (block - m->now)) / 512 + random_below(DMR_FRAME_SECTORS);
	b->last = b->first;
}

/* --- Verdicts -------------------------------------------------------------- */

enum expected {
	EITHER,		/* the truth or a refusal */
	ACCEPTED,	/* there is enough left: the truth */
	REFUSED,	/* it can not be told */
};

static struct {
	unsigned long trials, accepted, refused, bad;
} total, class_total;

static struct {
	char text[256];
	unsigned long nr;
} reasons[64];

static void count_reason(const char *text)
{
	char plain[256];
	size_t n = 0;

	/* Numbers and devices differ from trial to trial. */
	for (; *text && n < sizeof(plain) - 1; text++) {
		if (*text >= '0' && *text <= '9') {
			if (!n || plain[n - 1] != 'N')
				plain[n++] = 'N';
		} else {
			plain[n++] = *text;
		}
	}
	plain[n] = '\0';
	for (unsigned int i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (!reasons[i].nr)
			strcpy(reasons[i].text, plain);
		if (!strcmp(reasons[i].text, plain)) {
			reasons[i].nr++;
			return;
		}
	}
}

static void wrong(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void wrong(const char *what, const char *fmt, ...)
{
	char text[600];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	class_total.bad++;
	if (class_total.bad <= 5)
		printf("WRONG %s: %s\n", what, text);
}

static void read_device(void)
{
	uint64_t size = length * 512;

	for (uint64_t at = 0; at < size; at += CHUNK) {
		size_t n = size - at < CHUNK ? size - at : CHUNK;

		if (pread(device, content + at, n, at) == (ssize_t)n) {
			memset(readable + at / 512, 1, n / 512);
			continue;
		}
		for (size_t s = 0; s < n; s += 512)
			readable[(at + s) / 512] =
				pread(device, content + at + s, 512, at + s) == 512;
	}
}

/* The run of sectors from this one on that were read, or were not, at the start. */
static uint64_t run_end(uint64_t s, uint64_t most)
{
	uint64_t end = s + 1;

	while (end < length && end - s < most && readable[end] == readable[s])
		end++;
	return end;
}

static bool run_true(int fd, uint64_t s, uint64_t end)
{
	static uint8_t *buf;
	size_t size = (end - s) * 512;
	ssize_t n;

	if (!buf)
		buf = aligned(CHUNK);
	n = pread(fd, buf, size, s * 512);
	return readable[s] ? n == (ssize_t)size && !memcmp(buf, content + s * 512, size) : n < 0;
}

/*
 * Errors where there were errors, and the same content everywhere else. Since the
 * map says where each block lives, a few blocks are enough at most times.
 */
static bool data_true(uint64_t *where)
{
	uint64_t block = random_below(length / block_sectors);
	bool ok = true;
	uint64_t s, end;

	if (class_total.accepted % FULL_READ == 1) {
		for (s = 0; s < length && ok; s = end) {
			end = run_end(s, readable[s] ? CHUNK / 512 : 1);
			ok = run_true(device, s, end);
			*where = s;
		}
	}
	for (unsigned int i = 0; i < SAMPLES && ok; i++) {
		if (i && truth.nr)
			block = truth.entries[random_below(truth.nr)].block;
		s = block * block_sectors + random_below(block_sectors);
		if (s >= length)
			continue;
		ok = run_true(device, s, run_end(s, readable[s] ? 16 : 1));
		*where = s;
	}
	return ok;
}

/* After a clean stop every page must have two good copies on every member again. */
static bool repaired(char *why, size_t size)
{
	for (unsigned int i = 0; i < nr_members; i++) {
		struct member *m = &members[i];
		unsigned int good[ARRAY_SIZE(pages)] = { 0 };
		uint64_t gen[ARRAY_SIZE(pages)] = { 0 };

		for (uint32_t f = 0; f < m->nr_frames; f++) {
			uint64_t g = frame_gen(m, m->disk, f);
			uint32_t p = le32_to_cpu(header(frame_of(m->disk, f))->page);

			if (!g)
				continue;
			if (g > gen[p]) {
				gen[p] = g;
				good[p] = 0;
			}
			good[p] += g == gen[p];
		}
		for (uint32_t p = 0; p < nr_pages; p++) {
			if (pages[p].gen && (good[p] < 2 || gen[p] < pages[p].gen)) {
				snprintf(why, size,
					 "page %u has %u good copies on member %u afterwards", p,
					 good[p], m->index);
				return false;
			}
		}
	}
	return true;
}

static void cure(void)
{
	while (nr_bads)
		bad_write(&bads[--nr_bads], '-');
}

static void module_verdict(const char *what, enum expected expected)
{
	static struct map map;
	char why[256], state[4096];
	const char *reason;
	uint64_t where = 0;
	bool damaged;
	int r;

	dm_refusal_skip();
	r = dm_load(NAME, length, arguments);
	if (r)
		die("load: %s", strerror(-r));
	r = dm_resume(NAME);
	if (r) {
		class_total.refused++;
		reason = dm_refusal();
		if (!reason)
			wrong(what, "refused with %s and no reason", strerror(-r));
		else
			count_reason(reason);
		if (expected == ACCEPTED)
			wrong(what, "refused although good copies are there: %s",
			      reason ? reason : "?");
		cure();
		read_disk();
		for (unsigned int i = 0; i < nr_members; i++)
			if (memcmp(members[i].disk, members[i].now, members[i].size))
				wrong(what, "refused, but member %u was written to",
				      members[i].index);
		return;
	}
	class_total.accepted++;
	if (map_ask(NAME, &map))
		die("the map can not be read");
	if (!map_equal(&map, &truth))
		wrong(what, "activated with a wrong map of %zu entries", map.nr);
	else if (!data_true(&where))
		wrong(what, "sector %llu is not as it was", (unsigned long long)where);
	else if (expected == REFUSED)
		wrong(what, "activated");
	if (dm_status(NAME, state, sizeof(state)) || strncmp(state, "rw ", 3))
		wrong(what, "activated but %s", state);
	/* This stops the set; making a device anew would take longer. */
	if (dm_suspend(NAME))
		die("%s can not be suspended", NAME);
	damaged = nr_bads;
	cure();
	read_disk();
	if (!damaged && !repaired(why, sizeof(why)))
		wrong(what, "%s", why);
}

static int run_command(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		dup2(null, 2);
		execvp(command[0], command);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("fork: %m");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void command_verdict(const char *what, enum expected expected)
{
	int status = run_command();

	if (status == 1)
		class_total.refused++;
	else
		class_total.accepted++;
	if (!status && expected != EITHER)
		wrong(what, "is not told");
	else if (status > 1)
		wrong(what, "%s ended with %d", command[0], status);
}

/* Damage was made in now[]: what is said of it? */
static void trial(const char *what, enum expected expected)
{
	class_total.trials++;
	write_damage();
	for (unsigned int i = 0; i < nr_bads; i++)
		bad_write(&bads[i], '+');
	if (command)
		command_verdict(what, expected);
	else
		module_verdict(what, expected);
	if (command) {
		cure();
		read_disk();
	}
	restore();
}

static double started;

static void class_done(const char *name)
{
	static double last;

	printf("%-34s %5lu trials: %5lu %s, %5lu %s, %lu wrong, %.1f s\n", name,
	       class_total.trials, class_total.accepted, command ? "silent" : "true",
	       class_total.refused, command ? "told" : "refused", class_total.bad,
	       now() - (last ? last : started));
	last = now();
	fflush(stdout);
	total.trials += class_total.trials;
	total.accepted += class_total.accepted;
	total.refused += class_total.refused;
	total.bad += class_total.bad;
	memset(&class_total, 0, sizeof(class_total));
}

/* --- Targets --------------------------------------------------------------- */

static uint8_t *copy_now(const struct copy *c)
{
	return frame_of(members[c->member].now, c->frame);
}

static uint8_t *copy_older(const struct copy *c)
{
	return frame_of(members[c->member].older, c->frame);
}

/* If all copies of a page are lost, an older root may still tell the truth. */
static enum expected without_page(uint32_t page)
{
	return page ? REFUSED : EITHER;
}

static bool in_use(uint32_t page)
{
	return pages[page].gen;
}

static uint8_t some_bits(void)
{
	return 1 + random_below(255);
}

/* Every byte of a header, and every stride-th beyond, from a random start. */
static size_t next_offset(size_t offset, size_t head)
{
	if (offset + 1 < head)
		return offset + 1;
	if (offset + 1 == head)
		return head + random_below(stride);
	return offset + stride;
}

/* --- Classes of damage ------------------------------------------------------- */

static void flip_anchors(void)
{
	char what[128];

	for (size_t at = 0; at < DMR_FRAME_SIZE; at = next_offset(at, ANCHOR_FIELDS)) {
		struct member *m = &members[random_below(nr_members)];
		unsigned int copy = random_below(2);

		snprintf(what, sizeof(what), "byte %zu of anchor %u of member %u", at, copy,
			 m->index);
		anchor_of(m->now, copy)[at] ^= some_bits();
		trial(what, ACCEPTED);
	}
	class_done("a byte of an anchor");
	for (size_t at = 0; at < DMR_FRAME_SIZE; at = next_offset(at, ANCHOR_FIELDS)) {
		struct member *m = &members[random_below(nr_members)];
		uint8_t bits = some_bits();

		snprintf(what, sizeof(what), "byte %zu of both anchors of member %u", at, m->index);
		anchor_of(m->now, 0)[at] ^= bits;
		anchor_of(m->now, 1)[at] ^= bits;
		trial(what, REFUSED);
	}
	class_done("a byte of both anchors");
}

static uint32_t some_page(void)
{
	uint32_t p;

	do
		p = random_below(nr_pages);
	while (!in_use(p));
	return p;
}

static void flip_frames(void)
{
	char what[128];

	for (size_t at = 0; at < DMR_FRAME_SIZE; at = next_offset(at, DMR_FRAME_HEADER_SIZE)) {
		uint32_t p = some_page();
		struct copy *c = &pages[p].copies[random_below(pages[p].nr)];

		snprintf(what, sizeof(what), "byte %zu of a copy of page %u on member %u", at, p,
			 members[c->member].index);
		copy_now(c)[at] ^= some_bits();
		trial(what, ACCEPTED);
	}
	class_done("a byte of a frame");
	for (size_t at = 0; at < DMR_FRAME_SIZE; at = next_offset(at, DMR_FRAME_HEADER_SIZE)) {
		unsigned int member = random_below(nr_members);
		uint8_t bits = some_bits();
		uint32_t p = some_page();

		snprintf(what, sizeof(what), "byte %zu of page %u on member %u", at, p,
			 members[member].index);
		for (unsigned int i = 0; i < pages[p].nr; i++)
			if (pages[p].copies[i].member == member)
				copy_now(&pages[p].copies[i])[at] ^= bits;
		trial(what, nr_members > 1 ? ACCEPTED : without_page(p));
	}
	class_done("a byte of a page on one member");
	for (size_t at = 0; at < DMR_FRAME_SIZE; at = next_offset(at, DMR_FRAME_HEADER_SIZE)) {
		uint8_t bits = some_bits();
		uint32_t p = some_page();

		snprintf(what, sizeof(what), "byte %zu of all copies of page %u", at, p);
		for (unsigned int i = 0; i < pages[p].nr; i++)
			copy_now(&pages[p].copies[i])[at] ^= bits;
		trial(what, without_page(p));
	}
	class_done("a byte of all copies of a page");
}

/* How a block can be spoilt as a whole. */
static const char *const spoils[] = { "zeroed", "random", "torn", "older", "unreadable" };
enum spoil { ZEROED, RANDOM, TORN, OLDER, UNREADABLE };

/* False: cannot be done to this block (there is nothing older). */
static bool spoil(enum spoil how, unsigned int member, uint8_t *now, const uint8_t *older)
{
	size_t n;

	switch (how) {
	case ZEROED:
		memset(now, 0, DMR_FRAME_SIZE);
		return true;
	case RANDOM:
		for (n = 0; n < DMR_FRAME_SIZE; n += 8)
			*(uint64_t *)(now + n) = random_u64();
		return true;
	case TORN:
		n = 512 * (1 + random_below(DMR_FRAME_SECTORS - 1));
		if (!memcmp(now + n, older + n, DMR_FRAME_SIZE - n))
			return false;
		memcpy(now + n, older + n, DMR_FRAME_SIZE - n);
		return true;
	case OLDER:
		if (!memcmp(now, older, DMR_FRAME_SIZE))
			return false;
		memcpy(now, older, DMR_FRAME_SIZE);
		return true;
	case UNREADABLE:
		make_bad(member, now);
		return true;
	}
	return false;
}

static void spoil_blocks(enum spoil how)
{
	bool all_spoilt, some;
	char what[128];

	for (unsigned int i = 0; i < nr_members && how != OLDER && how != TORN; i++) {
		for (unsigned int copies = 1; copies <= 3; copies++) {
			snprintf(what, sizeof(what), "anchors %u of member %u %s", copies,
				 members[i].index, spoils[how]);
			for (unsigned int copy = 0; copy < 2; copy++)
				if (copies >> copy & 1)
					spoil(how, i, anchor_of(members[i].now, copy), NULL);
			trial(what, copies == 3 ? REFUSED : ACCEPTED);
		}
	}
	for (uint32_t p = 0; p < nr_pages; p++) {
		if (!in_use(p))
			continue;
		for (unsigned int i = 0; i < pages[p].nr; i++) {
			struct copy *c = &pages[p].copies[i];

			snprintf(what, sizeof(what), "a copy of page %u on member %u %s", p,
				 members[c->member].index, spoils[how]);
			if (spoil(how, c->member, copy_now(c), copy_older(c)))
				trial(what, ACCEPTED);
		}
		snprintf(what, sizeof(what), "all copies of page %u %s", p, spoils[how]);
		all_spoilt = true;
		some = false;
		for (unsigned int i = 0; i < pages[p].nr; i++) {
			struct copy *c = &pages[p].copies[i];
			bool done = spoil(how, c->member, copy_now(c), copy_older(c));

			all_spoilt &= done;
			some |= done;
		}
		if (some)
			trial(what, all_spoilt ? without_page(p) : EITHER);
	}
	/* All frames of one member: a lost head, or a disk as it was before. */
	for (unsigned int i = 0; i < nr_members && how != UNREADABLE; i++) {
		struct member *m = &members[i];

		/* That would be the set as it was, with nobody to know better. */
		if (how == OLDER && nr_members == 1)
			break;
		for (uint32_t f = 0; f < m->nr_frames; f++)
			spoil(how, i, frame_of(m->now, f), frame_of(m->older, f));
		snprintf(what, sizeof(what), "all frames of member %u %s", m->index, spoils[how]);
		trial(what, how == OLDER ? REFUSED : EITHER);
	}
	snprintf(what, sizeof(what), "blocks %s", spoils[how]);
	class_done(what);
}

static void swap_blocks(uint8_t *a, uint8_t *b)
{
	uint8_t keep[DMR_FRAME_SIZE];

	memcpy(keep, a, DMR_FRAME_SIZE);
	memcpy(a, b, DMR_FRAME_SIZE);
	memcpy(b, keep, DMR_FRAME_SIZE);
}

static void swaps(void)
{
	char what[128];

	for (uint32_t p = 0; p < nr_pages; p++) {
		for (uint32_t q = 0; q < nr_pages; q++) {
			if (!in_use(p) || !in_use(q) || p == q)
				continue;
			for (unsigned int try = 0; try < 4; try++) {
				struct copy *a = &pages[p].copies[random_below(pages[p].nr)];
				struct copy *b = &pages[q].copies[random_below(pages[q].nr)];

				snprintf(what, sizeof(what),
					 "page %u of member %u and %u of %u swapped", p,
					 members[a->member].index, q, members[b->member].index);
				swap_blocks(copy_now(a), copy_now(b));
				trial(what, ACCEPTED);
				snprintf(what, sizeof(what),
					 "page %u of member %u over %u of %u", p,
					 members[a->member].index, q, members[b->member].index);
				memcpy(copy_now(b), copy_now(a), DMR_FRAME_SIZE);
				trial(what, ACCEPTED);
			}
			snprintf(what, sizeof(what), "all copies of pages %u and %u swapped", p, q);
			for (unsigned int i = 0; i < pages[p].nr && i < pages[q].nr; i++)
				swap_blocks(copy_now(&pages[p].copies[i]),
					    copy_now(&pages[q].copies[i]));
			trial(what, without_page(p | q));
			snprintf(what, sizeof(what), "page %u over all copies of %u", p, q);
			for (unsigned int i = 0; i < pages[p].nr && i < pages[q].nr; i++)
				memcpy(copy_now(&pages[q].copies[i]),
				       copy_now(&pages[p].copies[i]), DMR_FRAME_SIZE);
			trial(what, without_page(q));
		}
	}
	class_done("frames swapped and duplicated");

	for (unsigned int i = 0; i < nr_members; i++) {
		snprintf(what, sizeof(what), "anchors of member %u swapped", members[i].index);
		swap_blocks(anchor_of(members[i].now, 0), anchor_of(members[i].now, 1));
		trial(what, REFUSED);
		for (unsigned int copy = 0; copy < 2; copy++) {
			snprintf(what, sizeof(what), "anchor %u of member %u over the other", copy,
				 members[i].index);
			memcpy(anchor_of(members[i].now, !copy), anchor_of(members[i].now, copy),
			       DMR_FRAME_SIZE);
			trial(what, ACCEPTED);
		}
		for (unsigned int j = 0; j < nr_members; j++) {
			if (i == j)
				continue;
			for (unsigned int copy = 0; copy < 2; copy++)
				memcpy(anchor_of(members[j].now, copy),
				       anchor_of(members[i].now, copy), DMR_FRAME_SIZE);
			snprintf(what, sizeof(what), "anchors of member %u on member %u",
				 members[i].index, members[j].index);
			trial(what, REFUSED);
			for (unsigned int copy = 0; copy < 2; copy++)
				swap_blocks(anchor_of(members[i].now, copy),
					    anchor_of(members[j].now, copy));
			snprintf(what, sizeof(what), "anchors of members %u and %u swapped",
				 members[i].index, members[j].index);
			trial(what, REFUSED);
			for (uint32_t f = 0; f < members[i].nr_frames; f++)
				swap_blocks(frame_of(members[i].now, f),
					    frame_of(members[j].now, f));
			snprintf(what, sizeof(what), "frames of members %u and %u swapped",
				 members[i].index, members[j].index);
			trial(what, REFUSED);
		}
	}
	class_done("anchors, members swapped");
}

/* Put @frame into the place of a copy, in order but for what the caller did to it. */
static void put_frame(const struct copy *c, const uint8_t *frame)
{
	struct dmr_frame_header *h = header(copy_now(c));

	memcpy(h, frame, DMR_FRAME_SIZE);
	h->member = cpu_to_le32(members[c->member].index);
	h->frame = cpu_to_le32(c->frame);
	frame_seal(h);
}

/* An older version of a page that is valid in its place: writes that were lost. */
static void older_versions(void)
{
	char what[128];

	for (uint32_t p = 0; p < nr_pages; p++) {
		if (!in_use(p) || !header(pages[p].older)->magic)
			continue;
		for (unsigned int i = 0; i < pages[p].nr; i++) {
			snprintf(what, sizeof(what), "an older page %u in the place of copy %u", p, i);
			put_frame(&pages[p].copies[i], pages[p].older);
			trial(what, ACCEPTED);
		}
		snprintf(what, sizeof(what), "an older page %u in all places", p);
		for (unsigned int i = 0; i < pages[p].nr; i++)
			put_frame(&pages[p].copies[i], pages[p].older);
		trial(what, without_page(p));
	}
	class_done("older versions in their places");
}

/* A copy of a member that lived on elsewhere: valid frames that can not both be. */
static void diverged_versions(void)
{
	uint8_t frame[DMR_FRAME_SIZE];
	char what[128];

	for (uint32_t p = 0; p < nr_pages; p++) {
		if (!in_use(p))
			continue;
		for (unsigned int more = 0; more < 3; more++) {
			struct copy *c = &pages[p].copies[random_below(pages[p].nr)];

			memcpy(frame, frame_of(members[c->member].base, c->frame), sizeof(frame));
			header(frame)->gen = cpu_to_le64(newest + more);
			header(frame)->session = cpu_to_le64(random_u64());
			header(frame)->digest_after = cpu_to_le64(random_u64());
			put_frame(c, frame);
			snprintf(what, sizeof(what), "page %u of another history, %u commits on", p,
				 more);
			trial(what, REFUSED);
		}
	}
	class_done("another history");
}

/* --- Blocks that are in order but hold nonsense ------------------------------ */

/* A record in use, for nonsense to begin with. */
static struct dmr_record *find_record(uint8_t *frame, unsigned int state, unsigned int nth)
{
	struct dmr_page *page = (struct dmr_page *)frame;

	for (unsigned int i = 0; i < DMR_PAGE_RECORDS; i++)
		if (dmr_key_state(le64_to_cpu(page->records[i].key)) == state && !nth--)
			return &page->records[i];
	return NULL;
}

static void flip_key(struct dmr_record *r, uint64_t bits)
{
	r->key ^= cpu_to_le64(bits);
}

static bool nonsense_record(unsigned int kind, uint8_t *frame)
{
	struct dmr_record *moved = find_record(frame, DMR_RECORD_REMAPPED, 0);
	struct dmr_record *other = find_record(frame, DMR_RECORD_REMAPPED, 1);
	struct dmr_record *lost = find_record(frame, DMR_RECORD_LOST, 0);
	struct dmr_record *bad = find_record(frame, DMR_RECORD_BAD_SLOT, 0);
	struct dmr_record *none = find_record(frame, DMR_RECORD_FREE, 0);
	uint64_t key;

	if (!moved || !other)
		return false;
	switch (kind) {
	case 0: flip_key(moved, 1ULL << 62); return true;	/* behind the end */
	case 1: moved->slot = cpu_to_le32(~0u); return true;
	case 2: flip_key(moved, 16ULL << DMR_KEY_MEMBER_SHIFT); return true;
	case 3: flip_key(moved, 128ULL << DMR_KEY_MEMBER_SHIFT); return true;
	case 4: flip_key(moved, 1ULL << 14); return true;	/* reserved */
	case 5: flip_key(moved, DMR_KEY_FORGOTTEN); return true;
	case 6: moved->invalid = cpu_to_le32(1u << 31); return true;
	case 7: flip_key(moved, DMR_RECORD_REMAPPED ^ 7); return true;	/* no such state */
	case 8: *moved = *other; return true;			/* twice */
	case 9:	/* two blocks in one slot */
		key = le64_to_cpu(moved->key) & ~(0xffULL << DMR_KEY_MEMBER_SHIFT);
		moved->key = cpu_to_le64(key | (uint64_t)dmr_key_member(le64_to_cpu(other->key))
						       << DMR_KEY_MEMBER_SHIFT);
		moved->slot = other->slot;
		return true;
	case 10:	/* one block in two slots */
		key = (le64_to_cpu(moved->key) & 0xfffff) |
		      dmr_key_block(le64_to_cpu(other->key)) << DMR_KEY_BLOCK_SHIFT;
		moved->key = cpu_to_le64(key);
		return true;
	case 11:	/* in a slot of the data device */
		flip_key(moved, (uint64_t)dmr_key_member(le64_to_cpu(moved->key))
					<< DMR_KEY_MEMBER_SHIFT);
		return true;
	case 12: if (lost) lost->invalid = 0; return lost;
	case 13: if (lost) lost->slot = cpu_to_le32(1); return lost;
	case 14: if (lost) flip_key(lost, 1ULL << DMR_KEY_MEMBER_SHIFT); return lost;
	case 15: if (bad) bad->slot = cpu_to_le32(~0u); return bad;
	case 16: if (bad) flip_key(bad, 1ULL << DMR_KEY_BLOCK_SHIFT); return bad;
	case 17: if (bad) bad->invalid = cpu_to_le32(1); return bad;
	case 18: if (none) none->slot = cpu_to_le32(1); return none;
	case 19: if (none) none->invalid = cpu_to_le32(1); return none;
	case 20: if (lost) flip_key(lost, 1ULL << 62); return lost;
	case 21:	/* lost and remapped at once */
		if (lost)
			lost->key = cpu_to_le64(
				(le64_to_cpu(lost->key) & 0xfffff) |
				dmr_key_block(le64_to_cpu(other->key)) << DMR_KEY_BLOCK_SHIFT);
		return lost;
	}
	return false;
}

static bool nonsense_root(unsigned int kind, struct dmr_root *r)
{
	struct dmr_member *spare = &r->members[1];

	switch (kind) {
	case 0: r->nr_members = 0; return true;
	case 1: r->nr_members = cpu_to_le32(DMR_MAX_MEMBERS + 1); return true;
	case 2: r->nr_members = cpu_to_le32(1); return true;
	case 3: r->state = cpu_to_le32(DMR_SET_CLOSING + 1); return true;
	case 4: r->data_offset = cpu_to_le64(le64_to_cpu(r->data_offset) + 8); return true;
	case 5: r->data_sectors = 0; return true;
	case 6: r->data_sectors = cpu_to_le64(le64_to_cpu(r->data_sectors) - 8); return true;
	case 7: r->data_sectors = ~0ULL; return true;
	case 8: r->block_sectors = 0; return true;
	case 9: r->block_sectors = cpu_to_le32(3); return true;
	case 10: r->block_sectors = cpu_to_le32(2 * le32_to_cpu(r->block_sectors)); return true;
	case 11: r->nr_pages = cpu_to_le32(nr_pages + 1); return true;
	case 12: r->policy.heal = cpu_to_le32(2); return true;
	case 13: r->policy.unreadable = cpu_to_le32(2); return true;
	case 14: r->policy.retries = cpu_to_le32(DMR_MAX_RETRIES + 1); return true;
	case 15: spare->state = cpu_to_le32(DMR_MEMBER_REMOVED + 1); return true;
	case 16: spare->state = cpu_to_le32(DMR_MEMBER_REMOVED); return true;
	case 17: spare->state = cpu_to_le32(DMR_MEMBER_NONE); return true;
	case 18: spare->uuid[0] ^= 1; return true;
	case 19: spare->sectors = cpu_to_le64(8); return true;
	}
	return false;
}

/* Fields of anchors that contradict the device or what this version knows. */
static bool nonsense_anchor(unsigned int kind, struct dmr_anchor *a)
{
	switch (kind) {
	case 0: a->version = cpu_to_le32(DMR_FORMAT_VERSION + 1); return true;
	case 1: a->version = 0; return true;
	case 2: a->incompat = cpu_to_le32(1u << random_below(32)); return true;
	case 3: a->ro_compat = cpu_to_le32(1u << random_below(32)); return true;
	case 4: a->role = cpu_to_le32(3); return true;
	case 5: a->role = cpu_to_le32(le32_to_cpu(a->role) ^ 3); return true;
	case 6: a->block_sectors = 0; return true;
	case 7: a->block_sectors = cpu_to_le32(64); return true;
	case 8: a->block_sectors = cpu_to_le32(le32_to_cpu(a->block_sectors) / 2); return true;
	case 9: a->nr_pages = 0; return true;
	case 10: a->nr_pages = cpu_to_le32(~0u); return true;
	case 11: a->nr_frames = cpu_to_le32(8); return true;
	case 12: a->nr_frames = cpu_to_le32(~0u); return true;
	case 13: a->region_start = cpu_to_le64(le64_to_cpu(a->region_start) + 8); return true;
	case 14: a->region_sectors = ~0ULL; return true;
	case 15: a->payload_start = cpu_to_le64(8); return true;
	case 16: a->payload_start = ~0ULL; return true;
	case 17: a->payload_sectors = 0; return true;
	case 18: a->payload_sectors = ~0ULL; return true;
	case 19: a->data_sectors = 0; return true;
	case 20: a->data_sectors = cpu_to_le64(le64_to_cpu(a->data_sectors) - 8); return true;
	case 21: a->set_uuid[5] ^= 1; return true;
	case 22: a->member_uuid[5] ^= 1; return true;
	}
	return false;
}

/* What may change in an anchor without harm. */
static bool harmless_anchor(unsigned int kind, struct dmr_anchor *a)
{
	switch (kind) {
	case 0: a->compat = cpu_to_le32(1u << random_below(32)); return true;
	case 1: a->created = cpu_to_le64(random_u64()); return true;
	case 2: a->label[0] ^= 1; return true;
	case 3: memset(a->label, 'x', sizeof(a->label)); return true;
	}
	return false;
}

static void nonsense(void)
{
	uint8_t frame[DMR_FRAME_SIZE];
	char what[128];

	for (uint32_t p = 1; p < nr_pages; p++) {
		for (unsigned int kind = 0; in_use(p) && kind < 22; kind++) {
			struct copy *first = &pages[p].copies[0];

			memcpy(frame, frame_of(members[first->member].base, first->frame),
			       sizeof(frame));
			if (!nonsense_record(kind, frame))
				continue;
			for (unsigned int i = 0; i < pages[p].nr; i++)
				put_frame(&pages[p].copies[i], frame);
			snprintf(what, sizeof(what), "impossible record %u in page %u", kind, p);
			trial(what, REFUSED);
		}
	}
	class_done("impossible records");
	for (unsigned int kind = 0;; kind++) {
		struct copy *first = &pages[0].copies[0];

		memcpy(frame, frame_of(members[first->member].base, first->frame), sizeof(frame));
		if (!nonsense_root(kind, (struct dmr_root *)frame))
			break;
		for (unsigned int i = 0; i < pages[0].nr; i++)
			put_frame(&pages[0].copies[i], frame);
		snprintf(what, sizeof(what), "impossible root %u", kind);
		trial(what, REFUSED);
	}
	class_done("impossible roots");
	for (unsigned int i = 0; i < nr_members; i++) {
		for (unsigned int kind = 0;; kind++) {
			bool more = true;

			for (unsigned int copy = 0; copy < 2 && more; copy++) {
				struct dmr_anchor *a = (void *)anchor_of(members[i].now, copy);

				more = nonsense_anchor(kind, a);
				anchor_seal(a);
			}
			if (!more)
				break;
			snprintf(what, sizeof(what), "impossible anchor %u of member %u", kind,
				 members[i].index);
			trial(what, REFUSED);
		}
	}
	class_done("impossible anchors");
	for (unsigned int i = 0; i < nr_members && !command; i++) {
		for (unsigned int kind = 0; kind < 4; kind++) {
			for (unsigned int copy = 0; copy < 2; copy++) {
				struct dmr_anchor *a = (void *)anchor_of(members[i].now, copy);

				harmless_anchor(kind, a);
				anchor_seal(a);
			}
			snprintf(what, sizeof(what), "harmless change %u in anchors of member %u",
				 kind, members[i].index);
			trial(what, ACCEPTED);
		}
	}
	if (!command)
		class_done("harmless anchors");
}

/* Much at once, wherever it may be. */
static void mixtures(unsigned int nr)
{
	char what[128];

	for (unsigned int n = 0; n < nr; n++) {
		uint64_t seed = random_u64();
		unsigned int percent;

		snprintf(what, sizeof(what), "mixture %#llx", (unsigned long long)seed);
		random_state = seed;
		percent = 1 + random_below(60);
		for (unsigned int i = 0; i < nr_members; i++) {
			struct member *m = &members[i];

			for (unsigned int copy = 0; copy < 2; copy++)
				if (random_below(300) < percent)
					spoil(random_below(2), i, anchor_of(m->now, copy), NULL);
			for (uint32_t f = 0; f < m->nr_frames; f++) {
				uint8_t *frame = frame_of(m->now, f);

				if (random_below(100) >= percent)
					continue;
				switch (random_below(3)) {
				case 0:
					frame[random_below(DMR_FRAME_SIZE)] ^= some_bits();
					break;
				case 1:
					spoil(random_below(4), i, frame, frame_of(m->older, f));
					break;
				case 2:
					swap_blocks(frame,
						    frame_of(m->now, random_below(m->nr_frames)));
					break;
				}
			}
		}
		trial(what, EITHER);
		random_state = seed + n;
	}
	class_done("mixtures");
}

/* What no longer matters: older frames, and the probe area. */
static void harmless(void)
{
	char what[128];

	for (unsigned int i = 0; i < nr_members; i++) {
		struct member *m = &members[i];

		for (uint32_t f = 0; f < m->nr_frames; f++) {
			uint64_t gen = frame_gen(m, m->base, f);
			uint32_t p = le32_to_cpu(header(frame_of(m->base, f))->page);

			if (gen && gen == pages[p].gen)
				continue;
			snprintf(what, sizeof(what), "unused frame %u of member %u", f, m->index);
			spoil(RANDOM, i, frame_of(m->now, f), NULL);
		}
		for (size_t at = 0; at < DMR_PROBE_BLOCKS * DMR_FRAME_SIZE; at++)
			m->now[DMR_PROBE_SECTOR * 512 + at] = random_u64();
		snprintf(what, sizeof(what), "all unused frames of member %u", m->index);
		trial(what, ACCEPTED);
	}
	class_done("what is not in use");
}

/* --- ------------------------------------------------------------------------- */

static void take_truth(void)
{
	int r;

	r = dm_create(NAME);
	if (!r)
		r = dm_load(NAME, length, arguments);
	if (!r)
		r = dm_resume(NAME);
	if (r)
		die("the set does not start: %s", strerror(-r));
	if (map_ask(NAME, &truth))
		die("the map can not be read");
	content = aligned(length * 512);
	readable = aligned(length);
	device = dm_open(NAME, O_RDONLY | O_DIRECT);
	read_device();
	if (dm_suspend(NAME))
		die("%s can not be suspended", NAME);
}

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
	unsigned int nr_mixtures = 100, lost = 0;
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
	started = now();
	take_table(argv[optind + 2]);
	if (!strcmp(argv[optind], "save")) {
		save(argv[optind + 1]);
		return 0;
	}
	command = argc - optind > 3 ? argv + optind + 3 : NULL;
	if (!command) {
		dm_init();
		take_truth();
	}
	read_base();
	read_older(argv[optind + 1]);
	read_disk();
	restore();
	for (uint64_t s = 0; !command && s < length; s++)
		lost += !readable[s];
	printf("%u members, %u pages, commit %llu, %zu entries, %u lost sectors\n", nr_members,
	       nr_pages, (unsigned long long)newest, truth.nr, lost);
	if (command && run_command())
		die("%s finds fault with the undamaged set", command[0]);

	flip_anchors();
	flip_frames();
	for (unsigned int how = 0; how < ARRAY_SIZE(spoils); how++)
		spoil_blocks(how);
	swaps();
	older_versions();
	diverged_versions();
	nonsense();
	if (!command) {
		harmless();
		mixtures(nr_mixtures);
	}

	if (!command) {
		close(device);
		if (dm_remove(NAME))
			die("%s can not be removed", NAME);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(reasons) && reasons[i].nr; i++)
		printf("%6lu refused: %s\n", reasons[i].nr, reasons[i].text);
	printf("%lu trials in %.1f s: %lu %s, %lu %s, %lu wrong\n", total.trials, now() - started,
	       total.accepted, command ? "silent" : "true", total.refused,
	       command ? "told" : "refused", total.bad);
	return total.bad ? 1 : 0;
}
