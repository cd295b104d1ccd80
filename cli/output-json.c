// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records as one JSON object, complete or not at all.
 */
#include <json.h>

#include "cli.h"
#include "output-model.h"

/* None of json-c's functions that make an object, or put one into another, may fail. */
static json_object *made(json_object *object)
{
	if (!object)
		no_memory();
	return object;
}

static void add(json_object *to, const char *key, json_object *value)
{
	if (json_object_object_add(to, key, value))
		no_memory();
}

static json_object *json_value(const struct field *f, const struct value *v)
{
	if (!v->set)
		return NULL;
	switch (f->type) {
	case FIELD_TEXT:
		return made(json_object_new_string(v->text));
	case FIELD_BOOL:
		return made(json_object_new_boolean(v->number != 0));
	default:
		return made(json_object_new_uint64(v->number));
	}
}

static void json_groups(json_object *to, const struct group *g);

static json_object *json_record(const struct record *r)
{
	json_object *object;

	if (r->view->raw)
		return made(json_tokener_parse(r->values[0].text));
	object = made(json_object_new_object());
	for (unsigned int i = 0; r->view->fields[i].key; i++) {
		const struct field *f = &r->view->fields[i];

		if (!(f->flags & FIELD_SCREEN))
			add(object, f->key, json_value(f, &r->values[i]));
	}
	json_groups(object, r->groups);
	return object;
}

static void json_groups(json_object *to, const struct group *g)
{
	for (; g; g = g->next) {
		json_object *array;

		if (g->view->one) {
			add(to, g->view->key, json_record(g->records));
			continue;
		}
		array = made(json_object_new_array());
		for (const struct record *r = g->records; r; r = r->next)
			if (json_object_array_add(array, json_record(r)))
				no_memory();
		add(to, g->view->key, array);
	}
}

int output_print_json(const struct output *out, const char *command, FILE *file)
{
	json_object *top = made(json_object_new_object());
	json_object *about = made(json_object_new_object());
	const char *text;
	int err = 0;

	add(about, "version", made(json_object_new_int(JSON_VERSION)));
	if (command)
		add(about, "command", made(json_object_new_string(command)));
	add(top, "dmremap", about);
	json_groups(top, out->groups);
	text = json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY |
						   JSON_C_TO_STRING_SPACED |
						   JSON_C_TO_STRING_NOSLASHESCAPE);
	if (!text || fputs(text, file) == EOF || fputc('\n', file) == EOF)
		err = -1;
	json_object_put(top);
	return err;
}
