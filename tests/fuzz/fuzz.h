/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzzers share: taking an input apart, and conditions that hold whatever it
 * is. Each fuzzer is one file; input that ends early reads as zeroes.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define require(condition) do {							\
	if (!(condition)) {							\
		fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,	\
			#condition);						\
		abort();							\
	}									\
} while (0)

struct input {
	const uint8_t *at, *end;
};

static inline struct input input_of(const uint8_t *data, size_t size)
{
	return (struct input){ data, data + size };
}

static inline bool input_left(const struct input *in)
{
	return in->at < in->end;
}

static inline uint64_t take(struct input *in, unsigned int bytes)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < bytes && input_left(in); i++)
		n |= (uint64_t)*in->at++ << (8 * i);
	return n;
}

/* All that is left, as a string; free(). */
static inline char *take_text(struct input *in)
{
	size_t size = in->end - in->at;
	char *text = malloc(size + 1);

	require(text);
	if (size)
		memcpy(text, in->at, size);
	text[size] = '\0';
	in->at = in->end;
	return text;
}

#endif
