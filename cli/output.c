// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The data model of what is printed: commands fill records that are described
 * by views. Printing is in output-json.c and output-text.c; nothing else in
 * cli/ prints results or builds JSON.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "output-model.h"

static void *zalloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		fputs(PROGRAM ": out of memory\n", stderr);
		no_memory();
	}
	return p;
}

struct output *output_new(void)
{
	struct output *out = zalloc(sizeof(*out));

	out->groups_end = &out->groups;
	return out;
}

static struct group *new_group(struct group ***end, const struct view *view)
{
	struct group *g = zalloc(sizeof(*g));

	g->view = view;
	g->records_end = &g->records;
	**end = g;
	*end = &g->next;
	return g;
}

struct group *output_group(struct output *out, const struct view *view)
{
	return new_group(&out->groups_end, view);
}

struct group *record_group(struct record *r, const struct view *view)
{
	return new_group(&r->groups_end, view);
}

static unsigned int nr_fields(const struct view *view)
{
	unsigned int n = 0;

	while (view->fields[n].key)
		n++;
	return n;
}

struct record *group_add(struct group *g)
{
	struct record *r = zalloc(sizeof(*r));

	r->view = g->view;
	r->values = zalloc((nr_fields(g->view) + 1) * sizeof(*r->values));
	r->groups_end = &r->groups;
	*g->records_end = r;
	g->records_end = &r->next;
	return r;
}

struct record *output_one(struct output *out, const struct view *view)
{
	return group_add(output_group(out, view));
}

struct record *record_one(struct record *r, const struct view *view)
{
	return group_add(record_group(r, view));
}

static struct value *find_value(struct record *r, const char *key)
{
	for (unsigned int i = 0; r->view->fields[i].key; i++)
		if (!strcmp(r->view->fields[i].key, key))
			return &r->values[i];
	fprintf(stderr, PROGRAM ": no field %s in %s\n", key, r->view->key);
	abort();
}

/* Bytes of the valid UTF-8 sequence at @s, or 0. */
static unsigned int utf8_length(const unsigned char *s)
{
	unsigned int n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 :
			 s[0] < 0xf5 ? 4 : 0;

	for (unsigned int i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what lies behind U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

void make_printable(char *text)
{
	unsigned char *s = (unsigned char *)text;
	unsigned int n;

	while (*s) {
		if (*s < 0x80) {
			if (*s < 0x20 || *s == 0x7f)
				*s = '?';
			s++;
			continue;
		}
		n = utf8_length(s);
		/* U+0080 to U+009F are control characters too. */
		if (!n || (s[0] == 0xc2 && s[1] < 0xa0)) {
			*s++ = '?';
			continue;
		}
		s += n;
	}
}

static void take_text(struct record *r, const char *key, char *text)
{
	struct value *v = find_value(r, key);

	if (!text)
		no_memory();
	make_printable(text);
	free(v->text);
	v->text = text;
	v->set = true;
}

void set_string(struct record *r, const char *key, const char *text)
{
	if (text)
		take_text(r, key, strdup(text));
}

void set_text(struct record *r, const char *key, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	take_text(r, key, text);
}

void set_number(struct record *r, const char *key, uint64_t n)
{
	struct value *v = find_value(r, key);

	v->number = n;
	v->set = true;
}

void set_bool(struct record *r, const char *key, bool value)
{
	set_number(r, key, value);
}

static void free_groups(struct group *g)
{
	while (g) {
		struct group *next = g->next;
		struct record *r = g->records;

		while (r) {
			struct record *next_record = r->next;

			for (unsigned int i = 0; r->view->fields[i].key; i++)
				free(r->values[i].text);
			free(r->values);
			free_groups(r->groups);
			free(r);
			r = next_record;
		}
		free(g);
		g = next;
	}
}

void output_free(struct output *out)
{
	if (!out)
		return;
	free_groups(out->groups);
	free(out);
}
