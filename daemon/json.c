// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Objects of json-c for the state and the history. Half of one is never kept for the whole.
 */
#include <json-c/json.h>
#include <string.h>

#include "daemon.h"

static struct json_object *made(struct json_object *object)
{
	if (!object)
		out_of_memory();
	return object;
}

struct json_object *json_new(void)
{
	return made(json_object_new_object());
}

struct json_object *json_new_list(void)
{
	return made(json_object_new_array());
}

void json_add(struct json_object *o, const char *key, struct json_object *value)
{
	if (json_object_object_add(o, key, value))
		out_of_memory();
}

void json_add_number(struct json_object *o, const char *key, uint64_t value)
{
	json_add(o, key, made(json_object_new_uint64(value)));
}

void json_add_text(struct json_object *o, const char *key, const char *value)
{
	if (value)
		json_add(o, key, made(json_object_new_string(value)));
}

void json_append(struct json_object *list, struct json_object *value)
{
	if (json_object_array_add(list, value))
		out_of_memory();
}

void json_append_number(struct json_object *list, uint64_t value)
{
	json_append(list, made(json_object_new_uint64(value)));
}

struct json_object *json_get(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	if (json_object_is_type(o, json_type_object))
		json_object_object_get_ex(o, key, &value);
	return value;
}

uint64_t json_get_number(struct json_object *o, const char *key)
{
	return json_object_get_uint64(json_get(o, key));
}

const char *json_get_text(struct json_object *o, const char *key)
{
	return json_object_get_string(json_get(o, key));
}

char *json_text(struct json_object *o, int flags)
{
	const char *text = json_object_to_json_string_ext(o, flags);

	return text ? strdup(text) : NULL;
}
