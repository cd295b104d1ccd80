/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The target's table and status lines: text to structure and back. Pure.
 */
#include <ctype.h>

#include "private.h"

struct tokens {
	const char *p;
	char word[256];
};

/* The next word, or false at the end. */
static bool next_word(struct tokens *t)
{
	size_t n = 0;

	while (isspace((unsigned char)*t->p))
		t->p++;
	while (*t->p && !isspace((unsigned char)*t->p)) {
		if (n + 1 < sizeof(t->word))
			t->word[n++] = *t->p;
		t->p++;
	}
	t->word[n] = '\0';
	return n;
}

/* The word, if there is room for all of it: half a name is another name. */
static bool take_word(const struct tokens *t, char *to, size_t size)
{
	dmri_copy(to, size, t->word);
	return strlen(t->word) < size;
}

static bool to_u64(const char *text, u64 *value)
{
	u64 number;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || *end)
		return false;
	*value = number;
	return true;
}

static bool next_u64(struct tokens *t, u64 *value)
{
	return next_word(t) && to_u64(t->word, value);
}

/* "a/b/c" into @n numbers. */
static bool next_fraction(struct tokens *t, u64 *values, unsigned int n)
{
	char *p, *save = NULL;
	unsigned int i = 0;

	if (!next_word(t))
		return false;
	for (p = strtok_r(t->word, "/", &save); p; p = strtok_r(NULL, "/", &save), i++)
		if (i >= n || !to_u64(p, &values[i]))
			return false;
	return i == n;
}

static bool devno_parse(const char *text, unsigned int *major, unsigned int *minor)
{
	int end = 0;

	return sscanf(text, "%u:%u%n", major, minor, &end) == 2 && !text[end];
}

static bool feature_parse(struct dmri_table *table, struct tokens *t, u64 *left)
{
	if (!next_word(t))
		return false;
	(*left)--;
	if (!strcmp(t->word, "degraded")) {
		table->degraded = true;
		return true;
	}
	if (!*left)
		return false;
	(*left)--;
	if (!strcmp(t->word, "data_offset"))
		return next_u64(t, &table->data_offset);
	if (!strcmp(t->word, "internal_spare")) {
		table->internal = true;
		return next_u64(t, &table->internal_sector);
	}
	if (!strcmp(t->word, "set_uuid"))
		return next_word(t) && take_word(t, table->set_uuid, sizeof(table->set_uuid));
	return false;
}

int dmri_table_parse(const char *params, struct dmri_table *table)
{
	struct tokens t = { .p = params };
	u64 left = 0;

	memset(table, 0, sizeof(*table));
	if (!next_word(&t) || !take_word(&t, table->data, sizeof(table->data)))
		return -EBADMSG;
	while (next_word(&t)) {
		if (to_u64(t.word, &left))
			break;
		if (table->nr_spares == DMR_MAX_MEMBERS ||
		    !take_word(&t, table->spares[table->nr_spares++], sizeof(table->spares[0])))
			return -EBADMSG;
	}
	while (left)
		if (!feature_parse(table, &t, &left))
			return -EBADMSG;
	return 0;
}

int dmri_table_format(const struct dmri_table *table, char *buf, size_t size)
{
	char features[256] = "";
	unsigned int i, nr = 0;
	int n, at;

	if (table->data_offset) {
		dmri_text(features, sizeof(features), " data_offset %llu",
			  (unsigned long long)table->data_offset);
		nr += 2;
	}
	if (table->internal) {
		at = strlen(features);
		dmri_text(features + at, sizeof(features) - at, " internal_spare %llu",
			  (unsigned long long)table->internal_sector);
		nr += 2;
	}
	if (*table->set_uuid) {
		at = strlen(features);
		dmri_text(features + at, sizeof(features) - at, " set_uuid %s",
			  table->set_uuid);
		nr += 2;
	}
	if (table->degraded) {
		at = strlen(features);
		dmri_text(features + at, sizeof(features) - at, " degraded");
		nr++;
	}

	at = snprintf(buf, size, "%s", table->data);
	for (i = 0; i < table->nr_spares && at >= 0 && (size_t)at < size; i++)
		at += snprintf(buf + at, size - at, " %s", table->spares[i]);
	if (nr && (size_t)at < size) {
		n = snprintf(buf + at, size - at, " %u%s", nr, features);
		at += n;
	}
	return (size_t)at < size ? 0 : -ENAMETOOLONG;
}

/* --- Status --------------------------------------------------------------- */

static bool spare_parse(struct tokens *t, struct dmremap_spare_status *s)
{
	static const char *const states[] = { "active", "out", "missing" };
	u64 member, values[3];
	unsigned int i;

	memset(s, 0, sizeof(*s));
	if (!next_u64(t, &member) || member >= DMR_MAX_MEMBERS || !next_word(t))
		return false;
	s->member = member;
	if (strcmp(t->word, "-") && !devno_parse(t->word, &s->major, &s->minor))
		return false;
	if (!next_word(t))
		return false;
	for (i = 0; i < ARRAY_SIZE(states); i++)
		if (!strcmp(t->word, states[i]))
			break;
	if (i == ARRAY_SIZE(states) || !next_fraction(t, values, 3))
		return false;
	s->state = i;
	s->used = values[0];
	s->bad = values[1];
	s->slots = values[2];
	return true;
}

static bool lists_parse(struct tokens *t, struct dmremap_status *status)
{
	struct dmremap_counter counter;
	u64 nr, i;

	if (!next_u64(t, &nr) || nr > DMR_MAX_MEMBERS)
		return false;
	for (i = 0; i < nr; i++)
		if (!spare_parse(t, &status->spares[i]))
			return false;
	status->nr_spares = nr;
	if (!next_u64(t, &nr))
		return false;
	for (i = 0; i < nr; i++) {
		if (!next_word(t))
			return false;
		dmri_copy(counter.name, sizeof(counter.name), t->word);
		if (!next_u64(t, &counter.value))
			return false;
		/* A newer module may have more: keep what there is room for. */
		if (status->nr_counters < DMREMAP_MAX_COUNTERS)
			status->counters[status->nr_counters++] = counter;
	}
	return true;
}

int dmri_status_parse(const char *params, struct dmremap_status *status)
{
	struct tokens t = { .p = params };
	u64 values[2];

	if (!next_word(&t))
		return -EBADMSG;
	if (!strcmp(t.word, "inactive")) {
		status->mode = DMREMAP_MODE_INACTIVE;
		return 0;
	}
	if (!strcmp(t.word, "rw"))
		status->mode = DMREMAP_MODE_RW;
	else if (!strcmp(t.word, "frozen"))
		status->mode = DMREMAP_MODE_FROZEN;
	else
		return -EBADMSG;
	if (!next_u64(&t, &status->generation) || !next_u64(&t, &values[0]) ||
	    values[0] > DMR_MAX_BLOCK_SECTORS)
		return -EBADMSG;
	status->block_size = values[0] * 512;
	if (!next_fraction(&t, values, 2))
		return -EBADMSG;
	status->used = values[0];
	status->slots = values[1];
	if (!next_u64(&t, &status->remapped) || !next_u64(&t, &status->lost) ||
	    !next_fraction(&t, values, 2) || !next_word(&t))
		return -EBADMSG;
	status->records_used = values[0];
	status->records = values[1];
	if (strcmp(t.word, "open") && strcmp(t.word, "closed"))
		return -EBADMSG;
	status->breaker_open = !strcmp(t.word, "open");
	return lists_parse(&t, status) ? 0 : -EBADMSG;
}
