// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records as one JSON object, complete or not at all.
 */
#include <json.h>

#include "cli.h"
#include "output-model.h"

static json_object *json_value(const struct field *f, const struct value *v)
{
	if (!v->set)
		return NULL;
	switch (f->type) {
	case FIELD_TEXT:
		return json_object_new_string(v->text);
	case FIELD_BOOL:
		return json_object_new_boolean(v->number != 0);
	default:
		return json_object_new_uint64(v->number);
	}
}

static void json_groups(json_object *to, const struct group *g);

static json_object *json_record(const struct record *r)
{
	json_object *object;

	if (r->view->raw)
		return json_tokener_parse(r->values[0].text);
	object = json_object_new_object();
	for (unsigned int i = 0; r->view->fields[i].key; i++) {
		const struct field *f = &r->view->fields[i];

		if (!(f->flags & FIELD_SCREEN))
			json_object_object_add(object, f->key,
					       json_value(f, &r->values[i]));
	}
	json_groups(object, r->groups);
	return object;
}

static void json_groups(json_object *to, const struct group *g)
{
	for (; g; g = g->next) {
		json_object *array;

		if (g->view->one) {
			json_object_object_add(to, g->view->key,
					       json_record(g->records));
			continue;
		}
		array = json_object_new_array();
		for (const struct record *r = g->records; r; r = r->next)
			json_object_array_add(array, json_record(r));
		json_object_object_add(to, g->view->key, array);
	}
}

int output_print_json(const struct output *out, const char *command, FILE *file)
{
	json_object *top = json_object_new_object();
	json_object *about = json_object_new_object();
	const char *text;
	int err = 0;

	json_object_object_add(about, "version", json_object_new_int(JSON_VERSION));
	if (command)
		json_object_object_add(about, "command",
				       json_object_new_string(command));
	json_object_object_add(top, "dmremap", about);
	json_groups(top, out->groups);
	text = json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY |
						   JSON_C_TO_STRING_SPACED |
						   JSON_C_TO_STRING_NOSLASHESCAPE);
	if (!text || fputs(text, file) == EOF || fputc('\n', file) == EOF)
		err = -1;
	json_object_put(top);
	return err;
}
