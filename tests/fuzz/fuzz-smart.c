// SPDX-License-Identifier: GPL-2.0-or-later
/* What smartctl answers, and what the state file remembers of it. */
#include <json-c/json.h>

#include "fuzz.h"
#include "smart.h"

static void remember(const struct smart_values *values)
{
	struct json_object *object = smart_to_json(values);
	struct smart_values again;
	char why[256];

	require(object);
	smart_from_json(object, &again);
	require(again.temperature == values->temperature && again.pending == values->pending);
	require(!smart_has_grown(values, &again, why, sizeof(why)) || *why);
	smart_has_grown(values, NULL, why, sizeof(why));
	smart_says_failing(values, why, sizeof(why));
	json_object_put(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);
	int status = take(&in, 1);
	struct dmremap_error err = { "" };
	struct smart_values values;
	int r = smart_parse((const char *)in.at, in.end - in.at, status, &values, &err);

	require(r >= SMART_OK ? r <= SMART_NONE : *err.text);
	if (r == SMART_OK)
		remember(&values);
	return 0;
}
