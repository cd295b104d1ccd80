/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Error texts, and the one table of words for the enums of the format.
 */
#include "private.h"

static void set_text(struct dmremap_error *err, const char *fmt, va_list args)
{
	if (vsnprintf(err->text, sizeof(err->text), fmt, args) < 0)
		err->text[0] = '\0';
}

int dmri_error(struct dmremap_error *err, int code, const char *fmt, ...)
{
	va_list args;

	if (err) {
		va_start(args, fmt);
		set_text(err, fmt, args);
		va_end(args);
	}
	return code;
}

int dmri_error_sys(struct dmremap_error *err, int code, const char *fmt, ...)
{
	va_list args;
	size_t used;

	if (err) {
		va_start(args, fmt);
		set_text(err, fmt, args);
		va_end(args);
		used = strlen(err->text);
		dmri_text(err->text + used, sizeof(err->text) - used, ": %s.",
			  strerror(-code));
	}
	return code;
}

void dmri_text(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(buf, size, fmt, args) < 0 && size)
		buf[0] = '\0';
	va_end(args);
}

void dmri_copy(char *dst, size_t size, const char *src)
{
	size_t n = strnlen(src, size - 1);

	memmove(dst, src, n);
	dst[n] = '\0';
}

/* Length of the valid UTF-8 sequence at @p, or 0. */
static size_t utf8_length(const unsigned char *p)
{
	size_t n = *p < 0x80 ? 1 : (*p & 0xe0) == 0xc0 ? 2 : (*p & 0xf0) == 0xe0 ? 3 :
		   (*p & 0xf8) == 0xf0 ? 4 : 0, i;

	if (*p < 0x20 || *p == 0x7f || *p == 0xc0 || *p == 0xc1)
		return 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

void dmri_copy_text(char *dst, size_t size, const char *src, size_t src_size)
{
	unsigned char *p;
	size_t n;

	dmri_copy(dst, MIN(size, src_size + 1), src);
	for (p = (unsigned char *)dst; *p; p += n) {
		n = utf8_length(p);
		if (!n) {
			*p = '?';
			n = 1;
		}
	}
}

int dmri_fault_errno(enum dmr_fault fault)
{
	switch (fault) {
	case DMR_OK:
		return 0;
	case DMR_BAD_VERSION:
	case DMR_BAD_FEATURE:
		return -EPROTONOSUPPORT;
	case DMR_BAD_SET:
	case DMR_BAD_LOCATION:
		return -ESTALE;
	default:
		return -EUCLEAN;
	}
}

static const char *word(const char *const *words, size_t nr, unsigned int n)
{
	return n < nr ? words[n] : "unknown";
}

#define WORDS(name, arg, ...)					\
const char *name(unsigned int arg)				\
{								\
	static const char *const words[] = { __VA_ARGS__ };	\
								\
	return word(words, ARRAY_SIZE(words), arg);		\
}

WORDS(dmremap_set_state_name, state, "clean", "opening", "open", "closing")
WORDS(dmremap_member_state_name, state, "none", "active", "out", "removed")
WORDS(dmremap_role_name, role, "none", "data", "spare")
WORDS(dmremap_fault_name, fault, "ok", "bad-magic", "bad-csum", "bad-version",
      "bad-feature", "bad-location", "bad-set", "bad-geometry", "bad-record",
      "no-map", "diverged", "incomplete")
WORDS(dmremap_record_state_name, state, "free", "remapped", "lost", "bad-slot")

const char *dmremap_fault_sentence(unsigned int fault)
{
	return dmr_fault_text(fault);
}

const char *dmremap_mode_name(enum dmremap_mode mode)
{
	static const char *const words[] = { "rw", "frozen", "inactive" };

	return word(words, ARRAY_SIZE(words), mode);
}

const char *dmremap_spare_state_name(enum dmremap_spare_state state)
{
	static const char *const words[] = { "active", "out", "missing" };

	return word(words, ARRAY_SIZE(words), state);
}

const char *dmremap_version(void)
{
	return DMREMAP_VERSION;
}
