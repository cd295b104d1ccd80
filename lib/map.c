/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Going through the map: of an active set by asking the module page by page, of
 * an inactive one from what its members hold.
 */
#include "private.h"

struct dmremap_map {
	u32 block_size;
	u64 data_sectors;
	u64 next;			/* first block not given yet */
	/* disk */
	struct dmri_record *records;
	size_t nr_records, at;
	/* active */
	char device[DMREMAP_NAME_SIZE];
	char *answer;
	const char *p;			/* rest of the answer; NULL: ask */
	bool end;
};

void dmremap_map_free(struct dmremap_map *map)
{
	if (!map)
		return;
	free(map->records);
	free(map->answer);
	free(map);
}

uint32_t dmremap_map_block_size(const struct dmremap_map *map)
{
	return map->block_size;
}

uint64_t dmremap_map_data_sectors(const struct dmremap_map *map)
{
	return map->data_sectors;
}

int dmremap_map_open_active(const char *name, struct dmremap_map **ret,
			    struct dmremap_error *err)
{
	_free_ struct dmremap_status *status = malloc(sizeof(*status));
	struct dmremap_map *map;
	int r;

	if (!status)
		return dmri_error_sys(err, -ENOMEM, "The map of %s", name);
	r = dmremap_status(name, status, err);
	if (!r)
		r = dmremap_status_answers(status, err);
	if (r < 0)
		return r;
	map = calloc(1, sizeof(*map));
	if (!map)
		return dmri_error_sys(err, -ENOMEM, "The map of %s", name);
	map->block_size = status->block_size;
	map->data_sectors = status->sectors;
	dmri_copy(map->device, sizeof(map->device), status->name);
	*ret = map;
	return 0;
}

int dmremap_map_open_disk(struct dmremap_set *set, struct dmremap_map **ret,
			  struct dmremap_error *err)
{
	const struct dmri_image *image;
	struct dmremap_map *map;
	size_t bytes;
	int r;

	if (set->info.active)
		return dmri_error(err, -EALREADY, "%s is active; its map is read from the module.",
				  set->info.name);
	if (!set->image) {
		r = dmremap_set_load(set, NULL, err);
		if (r < 0)
			return r;
	}
	image = set->image;
	if (image->fault)
		return dmri_error(err, dmri_fault_errno(image->fault),
				  "The map of %s can not be read: %s.", set->info.name,
				  image->reason);
	map = calloc(1, sizeof(*map));
	bytes = image->nr_records * sizeof(*map->records);
	if (map && bytes) {
		map->records = malloc(bytes);
		if (map->records)
			memcpy(map->records, image->records, bytes);
	}
	if (!map || (bytes && !map->records)) {
		dmremap_map_free(map);
		return dmri_error_sys(err, -ENOMEM, "The map of %s", set->info.name);
	}
	map->nr_records = image->nr_records;
	map->block_size = set->info.block_size;
	map->data_sectors = set->info.data_sectors;
	*ret = map;
	return 0;
}

void dmremap_map_seek(struct dmremap_map *map, uint64_t block)
{
	map->next = block;
	map->p = NULL;
	map->end = false;
	map->at = 0;
}

static int next_from_disk(struct dmremap_map *map, struct dmremap_map_entry *entry)
{
	size_t low = map->at, high = map->nr_records, mid;

	while (low < high && map->records[low].block < map->next) {
		mid = low + (high - low) / 2;
		if (map->records[mid].block < map->next)
			low = mid + 1;
		else
			high = mid;
	}
	if (low >= map->nr_records)
		return 0;
	map->at = low;
	*entry = (struct dmremap_map_entry){
		.block = map->records[low].block,
		.remapped = map->records[low].state == DMR_RECORD_REMAPPED,
		.member = map->records[low].member,
		.slot = map->records[low].slot,
		.invalid = map->records[low].invalid,
	};
	return 1;
}

static int ask(struct dmremap_map *map, struct dmremap_error *err)
{
	char text[48];
	int r;

	free(map->answer);
	map->answer = NULL;
	dmri_text(text, sizeof(text), "map %llu", (unsigned long long)map->next);
	r = dmri_dm_message(map->device, text, &map->answer, err);
	map->p = map->answer;
	return r;
}

static int not_understood(const struct dmremap_map *map, struct dmremap_error *err)
{
	return dmri_error(err, -EBADMSG,
			  "The map of %s is not understood; do module and tools fit together? It says \"%.100s\".",
			  map->device, map->p);
}

/* One line of the answer: 1 with an entry, 0 at the end, 2 to ask again. */
static int take_line(struct dmremap_map *map, struct dmremap_map_entry *entry,
		     struct dmremap_error *err)
{
	unsigned long long block;
	unsigned int member, slot, invalid;
	int n = 0;

	map->p += strspn(map->p, "\n");
	if (!strncmp(map->p, "end", 3)) {
		map->end = true;
		return 0;
	}
	if (sscanf(map->p, "next %llu%n", &block, &n) == 1) {
		if (block < map->next)
			return not_understood(map, err);
		map->next = block;
		map->p = NULL;
		return 2;
	}
	if (sscanf(map->p, "%llu %u %u %x%n", &block, &member, &slot, &invalid, &n) != 4 ||
	    block < map->next || member >= DMR_MAX_MEMBERS)
		return not_understood(map, err);
	map->p += n;
	*entry = (struct dmremap_map_entry){
		.block = block,
		.remapped = member,
		.member = member,
		.slot = slot,
		.invalid = invalid,
	};
	return 1;
}

static int next_from_module(struct dmremap_map *map, struct dmremap_map_entry *entry,
			    struct dmremap_error *err)
{
	u64 asked = ~0ULL;
	int r;

	do {
		if (map->end)
			return 0;
		if (!map->p) {
			if (asked == map->next)	/* an answer without any progress */
				return dmri_error(err, -EBADMSG, "The map of %s has no end.",
						  map->device);
			asked = map->next;
			r = ask(map, err);
			if (r < 0)
				return r;
		}
		r = take_line(map, entry, err);
	} while (r == 2);
	return r;
}

int dmremap_map_next(struct dmremap_map *map, struct dmremap_map_entry *entry,
		     struct dmremap_error *err)
{
	int r = *map->device ? next_from_module(map, entry, err) : next_from_disk(map, entry);

	if (r == 1)
		map->next = entry->block + 1;
	return r;
}
