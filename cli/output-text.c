// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The same records as screens, tables and lists for people.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <libsmartcols.h>

#include "cli.h"
#include "dm-remap.h"
#include "output-model.h"

#define INDENT 2	/* of what belongs to a record */

#define CELL_TEXT 64

/* What a field shows on a screen; @buf is used unless it is text. */
static const char *cell_text(char buf[CELL_TEXT], const struct field *f,
			     const struct value *v)
{
	struct tm tm;
	time_t t;

	if (!v->set)
		return "-";
	switch (f->type) {
	case FIELD_TEXT:
		return v->text;
	case FIELD_NUMBER:
		snprintf(buf, CELL_TEXT, "%" PRIu64, v->number);
		break;
	case FIELD_BYTES:
		return dmremap_format_size(v->number, buf, CELL_TEXT);
	case FIELD_SECTORS:
		return dmremap_format_size(v->number * 512, buf, CELL_TEXT);
	case FIELD_PERCENT:
		snprintf(buf, CELL_TEXT, "%" PRIu64 " %%", v->number);
		break;
	case FIELD_BOOL:
		return v->number ? "yes" : "no";
	case FIELD_TIME:
		t = (time_t)v->number;
		if (!localtime_r(&t, &tm) ||
		    !strftime(buf, CELL_TEXT, "%Y-%m-%d %H:%M:%S", &tm))
			return "-";
		break;
	case FIELD_HEX:
		if (!v->number)
			return "-";
		snprintf(buf, CELL_TEXT, "0x%" PRIx64, v->number);
		break;
	}
	return buf;
}

static bool on_screen(const struct field *f)
{
	return !(f->flags & (FIELD_JSON | FIELD_TITLE)) && f->label;
}

void print_wrapped(FILE *file, const char *text, int column, int indent, int width)
{
	while (*text) {
		int blanks = (int)strspn(text, " ");
		int word = (int)strcspn(text + blanks, " ");

		if (column > indent && column + blanks + word > width) {
			fprintf(file, "\n%*s", indent, "");
			column = indent;
			blanks = 0;
			text += strspn(text, " ");
		}
		fprintf(file, "%.*s", blanks + word, text);
		column += blanks + word;
		text += blanks + word;
	}
	fputc('\n', file);
}

int screen_width(FILE *file)
{
	struct winsize size;

	if (!isatty(fileno(file)))
		return INT32_MAX;
	if (ioctl(fileno(file), TIOCGWINSZ, &size) || size.ws_col < 40)
		return 80;
	return size.ws_col;
}

static void print_table(const struct group *g, int indent, FILE *file)
{
	const struct field *fields = g->view->fields;
	struct libscols_table *t = scols_new_table();
	int width = screen_width(file);
	char buf[CELL_TEXT], *text = NULL, *line, *rest;

	if (!t)
		no_memory();
	if (width != INT32_MAX) {
		scols_table_set_termforce(t, SCOLS_TERMFORCE_ALWAYS);
		scols_table_set_termwidth(t, (size_t)(width - indent));
	} else {
		scols_table_set_termforce(t, SCOLS_TERMFORCE_NEVER);
	}
	for (const struct field *f = fields; f->key; f++)
		if (on_screen(f) &&
		    !scols_table_new_column(t, f->label, 0,
					    (f->flags & FIELD_BRIEF ? SCOLS_FL_TRUNC : 0) |
					    (f->type == FIELD_TEXT || f->type == FIELD_BOOL ||
					     f->type == FIELD_TIME ? 0 : SCOLS_FL_RIGHT)))
			no_memory();
	for (const struct record *r = g->records; r; r = r->next) {
		struct libscols_line *ln = scols_table_new_line(t, NULL);
		size_t column = 0;

		if (!ln)
			no_memory();
		for (unsigned int i = 0; fields[i].key; i++)
			if (on_screen(&fields[i]) &&
			    scols_line_set_data(ln, column++,
						cell_text(buf, &fields[i], &r->values[i])))
				no_memory();
	}
	if (scols_print_table_to_string(t, &text) || !text)
		no_memory();
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		size_t length = strlen(line);

		while (length && line[length - 1] == ' ')
			length--;
		fprintf(file, "%*s%.*s\n", indent, "", (int)length, line);
	}
	free(text);
	scols_unref_table(t);
}

/* The first field is a word in front of the others, which are paragraphs. */
static void print_list(const struct group *g, int indent, FILE *file)
{
	const struct field *fields = g->view->fields;
	char buf[CELL_TEXT];
	int width = 0;

	for (const struct record *r = g->records; r; r = r->next) {
		int length = (int)strlen(cell_text(buf, &fields[0], &r->values[0]));

		if (length > width)
			width = length;
	}
	for (const struct record *r = g->records; r; r = r->next) {
		fprintf(file, "%*s%-*s", indent, "", width,
			cell_text(buf, &fields[0], &r->values[0]));
		for (unsigned int i = 1, printed = 0; fields[i].key; i++) {
			if (!on_screen(&fields[i]) || !r->values[i].set)
				continue;
			fprintf(file, "%*s", printed++ ? indent + width + 2 : 2, "");
			print_wrapped(file, cell_text(buf, &fields[i], &r->values[i]),
				      indent + width + 2, indent + width + 2,
				      screen_width(file));
		}
	}
}

/* How far the printing has come. */
struct pen {
	FILE *file;
	bool complete;	/* an empty table means that there is nothing */
	bool first;	/* nothing printed yet */
};

static void print_groups(const struct group *g, int indent, struct pen *pen);

static void print_screen(const struct record *r, int indent, struct pen *pen)
{
	const struct field *fields = r->view->fields;
	FILE *file = pen->file;
	char buf[CELL_TEXT];
	int label = 0;

	for (unsigned int i = 0; fields[i].key; i++) {
		if (fields[i].flags & FIELD_TITLE) {
			fprintf(file, "%*s%s\n", indent, "",
				cell_text(buf, &fields[i], &r->values[i]));
			indent += INDENT;
		}
		if (on_screen(&fields[i]) && (int)strlen(fields[i].label) > label)
			label = (int)strlen(fields[i].label);
	}
	for (unsigned int i = 0; fields[i].key; i++) {
		if (!on_screen(&fields[i]) ||
		    (fields[i].flags & FIELD_OPTIONAL && !r->values[i].set))
			continue;
		fprintf(file, "%*s%-*s  ", indent, "", label, fields[i].label);
		print_wrapped(file, cell_text(buf, &fields[i], &r->values[i]),
			      indent + label + 2, indent + label + 2, screen_width(file));
	}
	print_groups(r->groups, indent, pen);
}

static void print_groups(const struct group *g, int indent, struct pen *pen)
{
	for (; g; g = g->next) {
		FILE *file = pen->file;

		if (g->view->style == VIEW_JSON ||
		    (!g->records && (!g->view->empty || !pen->complete)))
			continue;
		if (!pen->first)
			fputc('\n', file);
		pen->first = false;
		if (!g->records) {
			fprintf(file, "%*s%s\n", indent, "", g->view->empty);
			continue;
		}
		if (g->view->title)
			fprintf(file, "%*s%s\n", indent, "", g->view->title);
		if (g->view->style == VIEW_TABLE) {
			print_table(g, indent, file);
			continue;
		}
		if (g->view->style == VIEW_LIST) {
			print_list(g, indent, file);
			continue;
		}
		for (const struct record *r = g->records; r; r = r->next) {
			if (r != g->records)
				fputc('\n', file);
			print_screen(r, indent, pen);
		}
	}
}

void output_print_text(const struct output *out, bool complete, FILE *file)
{
	struct pen pen = { .file = file, .complete = complete, .first = true };

	print_groups(out->groups, 0, &pen);
}
