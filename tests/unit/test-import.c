/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of bad places: what is read, what is refused and how it is named. */
#include "fixture.h"

static struct dmremap_error err;

/* The ranges as "start+count ...", or NULL with the error number in *r. */
static const char *import_size(const struct dmremap_import *how, const char *text, size_t size,
			       int *r)
{
	static char out[4096];
	struct dmremap_ranges *ranges;
	FILE *f = size ? fmemopen((void *)text, size, "r") : fopen("/dev/null", "r");
	size_t i, at = 0;

	err.text[0] = '\0';
	out[0] = '\0';
	assert_non_null(f);
	*r = dmremap_import(f, "list", how, &ranges, &err);
	fclose(f);
	if (*r < 0) {
		assert_true(*err.text);
		return NULL;
	}
	assert_string_equal(err.text, "");
	for (i = 0; i < dmremap_ranges_count(ranges); i++)
		at += snprintf(out + at, sizeof(out) - at, "%s%llu+%llu", at ? " " : "",
			       (unsigned long long)dmremap_ranges_get(ranges, i)->start,
			       (unsigned long long)dmremap_ranges_get(ranges, i)->count);
	dmremap_ranges_free(ranges);
	return out;
}

static void good(const struct dmremap_import *how, const char *text, const char *expected)
{
	int r;
	const char *out = import_size(how, text, strlen(text), &r);

	if (r < 0)
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(out, expected);
}

static void bad(const struct dmremap_import *how, const char *text, int code, const char *part)
{
	int r;

	import_size(how, text, strlen(text), &r);
	assert_int_equal(r, code);
	assert_contains(err.text, part);
	assert_contains(err.text, "list");
}

static void badblocks(void **state)
{
	struct dmremap_import how = { .format = DMREMAP_LIST_BADBLOCKS };

	good(&how, "\n", "");
	good(&how, "0\n1\n2\n10\n", "0+6 20+2");
	good(&how, "  10 \r\n\n0", "0+2 20+2");
	how.unit_bytes = 4096;
	good(&how, "3\n1\n", "8+8 24+8");
	how.unit_bytes = 512;
	how.origin = 100;
	how.limit = 50;
	good(&how, "100\n149\n", "0+1 49+1");
	bad(&how, "100\n99\n", -ERANGE, "line 2");
	bad(&how, "150\n", -ERANGE, "line 1");
	how.limit = 0;
	how.origin = 0;
	how.unit_bytes = 1024;
	bad(&how, "1\nx\n", -EBADMSG, "line 2: \"x\"");
	bad(&how, "-1\n", -EBADMSG, "line 1");
	bad(&how, "0x10\n", -EBADMSG, "line 1");
	bad(&how, "1 2\n", -EBADMSG, "line 1");
	bad(&how, "1.5\n", -EBADMSG, "line 1");
	bad(&how, "99999999999999999999\n", -EBADMSG, "line 1");
	bad(&how, "18446744073709551615\n", -ERANGE, "line 1");
	bad(&how, "18014398509481983\n", -ERANGE, "line 1");
	how.unit_bytes = 1000;
	import_size(&how, "1\n", 2, &(int){ 0 });
	assert_contains(err.text, "multiple of 512");
}

/* A file without any line must not be read into memory whole. */
static void long_line(void **state)
{
	struct dmremap_import how = { 0 };
	static char text[100001];

	memset(text, '7', sizeof(text) - 1);
	bad(&how, text, -EBADMSG, "line 1: is too long");
}

static void nul(void **state)
{
	struct dmremap_import how = { .format = DMREMAP_LIST_BADBLOCKS };
	int r;

	import_size(&how, "1\n2\0003\n", 6, &r);
	assert_int_equal(r, -EBADMSG);
	assert_contains(err.text, "line 2");
}

#define MAP "# Mapfile. Created by GNU ddrescue version 1.27\n"		\
	"# current_pos  current_status  current_pass\n"			\
	"0x00120000     ?               1\n"				\
	"#      pos        size  status\n"				\
	"0x00000000  0x00001000  +\n"					\
	"0x00001000  0x00000400  -\n"					\
	"0x00001400  1024  *\n"						\
	"6144  0x00000200  /\n"						\
	"0x00001A00  0x00000200  ?\n"					\
	"0x00002001  0x00000001  -\n"

static void ddrescue(void **state)
{
	struct dmremap_import how = { .format = DMREMAP_LIST_DDRESCUE };

	good(&how, MAP, "8+2 16+1");
	how.statuses = "-*/?";
	good(&how, MAP, "8+6 16+1");
	how.statuses = "?";
	good(&how, MAP, "13+1");
	how.statuses = "-x";
	import_size(&how, MAP, strlen(MAP), &(int){ 0 });
	assert_contains(err.text, "-x");
	how.statuses = NULL;
	good(&how, "0x0 +\n", "");
	good(&how, "0 F 2\n0 512 -\n512 512 -\n", "0+2");
	bad(&how, "", -EBADMSG, "empty");
	bad(&how, "# only\n", -EBADMSG, "empty");
	bad(&how, "0 512 -\n", -EBADMSG, "status line");
	bad(&how, "0 Z\n", -EBADMSG, "line 1");
	bad(&how, "0 ?\n0 512\n", -EBADMSG, "line 2");
	bad(&how, "0 ?\n0 512 x\n", -EBADMSG, "line 2");
	bad(&how, "0 ?\n0 512 -x\n", -EBADMSG, "line 2");
	bad(&how, "0 ?\n0 512 - 1\n", -EBADMSG, "line 2");
	bad(&how, "0 ?\n0 0 -\n", -EBADMSG, "line 2");
	bad(&how, "0 ?\nx 1 -\n", -EBADMSG, "line 2");
	bad(&how, "0 ?\n0 1024 +\n512 512 -\n", -EBADMSG, "line 3: the area overlaps");
	bad(&how, "0 ?\n0xFFFFFFFFFFFFFF00 0x200 -\n", -ERANGE, "line 2");
}

#define JSON_HEAD "{\"format\":\"dm-remap-map\",\"version\":1,\"block_size\":4096,\"entries\":["

static void json(void **state)
{
	struct dmremap_import how = { .format = DMREMAP_LIST_JSON };

	good(&how, JSON_HEAD "]}\n", "");
	good(&how, JSON_HEAD "{\"block\":1,\"state\":\"remapped\",\"member\":1,\"slot\":0,"
	     "\"invalid\":0},{\"block\":3,\"state\":\"lost\",\"invalid\":131}]}", "8+8 24+2 31+1");
	/* A device of 12 sectors has one and a half blocks. */
	how.limit = 12;
	good(&how, JSON_HEAD "{\"block\":1,\"state\":\"remapped\",\"invalid\":0}]}", "8+4");
	bad(&how, JSON_HEAD "{\"block\":2,\"state\":\"remapped\",\"invalid\":0}]}", -ERANGE,
	    "behind the end");
	how.limit = 0;
	how.json_lost_only = true;
	good(&how, JSON_HEAD "{\"block\":1,\"state\":\"remapped\",\"invalid\":2}]}", "9+1");
	bad(&how, "", -EBADMSG, "JSON");
	bad(&how, "[]", -EBADMSG, "not a map");
	bad(&how, "{\"format\":\"x\",\"version\":1}", -EBADMSG, "not a map");
	bad(&how, "{\"format\":\"dm-remap-map\",\"version\":2}", -EPROTONOSUPPORT, "version 2");
	bad(&how, "{\"format\":\"dm-remap-map\",\"version\":1,\"block_size\":1000,\"entries\":[]}",
	    -EBADMSG, "block_size");
	bad(&how, "{\"format\":\"dm-remap-map\",\"version\":1,\"block_size\":512}", -EBADMSG,
	    "entries");
	bad(&how, JSON_HEAD "1]}", -EBADMSG, "entry 0");
	bad(&how, JSON_HEAD "{\"block\":1,\"state\":\"odd\",\"invalid\":1}]}", -EBADMSG, "entry 0");
	bad(&how, JSON_HEAD "{\"block\":1,\"state\":\"lost\",\"invalid\":0}]}", -EBADMSG, "entry 0");
	bad(&how, JSON_HEAD "{\"block\":1,\"state\":\"lost\",\"invalid\":256}]}", -EBADMSG,
	    "entry 0");
	bad(&how, JSON_HEAD "{\"block\":-1,\"state\":\"lost\",\"invalid\":1}]}", -EBADMSG,
	    "entry 0");
	bad(&how, JSON_HEAD "{\"block\":9007199254740991,\"state\":\"lost\",\"invalid\":1}]}",
	    -ERANGE, "block");
	bad(&how, JSON_HEAD "]} x", -EBADMSG, "JSON");
	bad(&how, JSON_HEAD, -EBADMSG, "JSON");
}

static void formats(void **state)
{
	enum dmremap_list_format f;

	assert_int_equal(dmremap_list_format_parse("ddrescue", &f, NULL), 0);
	assert_int_equal(f, DMREMAP_LIST_DDRESCUE);
	assert_int_equal(dmremap_list_format_parse("csv", &f, &err), -EINVAL);
	assert_contains(err.text, "csv");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(badblocks),
		cmocka_unit_test(nul),
		cmocka_unit_test(long_line),
		cmocka_unit_test(ddrescue),
		cmocka_unit_test(json),
		cmocka_unit_test(formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
