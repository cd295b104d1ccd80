// SPDX-License-Identifier: GPL-2.0-or-later
/* Events as the history holds them; one that is read is written as it was. */
#include "fuzz.h"
#include "private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);
	struct dmremap_error err = { "" };
	struct dmremap_event event, again;
	char *text = take_text(&in), *json, line[512];

	if (!dmremap_event_from_json(text, &event, &err)) {
		dmremap_event_text(&event, line, sizeof(line));
		require(!dmremap_event_to_json(&event, &json));
		require(!dmremap_event_from_json(json, &again, &err));
		require(!memcmp(&event.extents, &again.extents, sizeof(event.extents)));
		require(again.kind == event.kind);
		free(json);
	} else {
		require(*err.text);
	}
	free(text);
	return 0;
}
