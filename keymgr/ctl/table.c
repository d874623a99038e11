/*
 * Tables: a box of sections, one for each object or list of objects, those inside others
 * framed once more.  Where the columns do not fit the terminal, an object's members stand
 * below each other.
 */
#include <stdlib.h>
#include <string.h>
#include "base/secret.h"
#include "keymgr/ctl/output.h"

#define PADDING 4
#define COLUMNS_MAX 64

struct row { char *cells[COLUMNS_MAX]; };

struct section {
	const char *title;
	size_t indent;
	const char *headers[COLUMNS_MAX];
	size_t header_count, columns;
	struct row *rows;
	size_t row_count;
};

struct table {
	struct section *sections;
	size_t count;
	int failed;		/* no memory */
};

static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static struct section *add_section(struct table *t, const char *title, size_t indent)
{
	struct section *grown = realloc(t->sections, (t->count + 1) * sizeof(*grown));

	if (!grown) {
		t->failed = 1;
		return NULL;
	}
	t->sections = grown;
	grown[t->count] = (struct section){ .title = title, .indent = indent };
	return &grown[t->count++];
}

static struct row *add_row(struct table *t, struct section *s)
{
	struct row *grown = realloc(s->rows, (s->row_count + 1) * sizeof(*grown));

	if (!grown) {
		t->failed = 1;
		return NULL;
	}
	s->rows = grown;
	grown[s->row_count] = (struct row){ { NULL } };
	return &grown[s->row_count++];
}

static void set_cell(struct table *t, struct section *s, struct row *row, size_t column, const json_t *value)
{
	if (!row || column >= COLUMNS_MAX)
		return;
	row->cells[column] = value ? output_scalar(value) : strdup("");
	if (!row->cells[column])
		t->failed = 1;
	if (s->columns <= column)
		s->columns = column + 1;
}

/* Headers and titles point to the names in `value`, which outlives the table: an object, or a list of them. */
static const char *lasting_name(const json_t *value, const char *name)
{
	json_t *entry;
	size_t i;
	void *at = json_object_iter_at((json_t *)value, name);

	json_array_foreach(value, i, entry)
		at = at ? at : json_object_iter_at(entry, name);
	return at ? json_object_iter_key(at) : "";
}

static void build(struct table *t, const char *title, const json_t *value, size_t indent);

static void build_inner(struct table *t, const json_t *object, const char *const *names, size_t count, size_t indent)
{
	for (size_t i = 0; i < count; i++)
		if (json_object_get(object, names[i]))
			build(t, lasting_name(object, names[i]), json_object_get(object, names[i]), indent + 1);
}

static void add_headers(struct section *s, const json_t *value, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count && i < COLUMNS_MAX; i++)
		s->headers[s->header_count++] = lasting_name(value, names[i]);
}

static void add_object_row(struct table *t, struct section *s, const json_t *object, const char *const *names, size_t count)
{
	struct row *row = add_row(t, s);

	for (size_t i = 0; i < count; i++)
		set_cell(t, s, row, i, json_object_get(object, names[i]));
}

/* A single scalar is a row of name and value. */
static void build_object(struct table *t, struct section *s, const json_t *object, size_t indent)
{
	size_t count, inner_count;
	const char **names = output_names(object, 1, &count), **inner = output_names(object, 0, &inner_count);

	if (count == 1) {
		struct row *row = add_row(t, s);
		json_t *name = json_string(names[0]);

		set_cell(t, s, row, 0, name);
		set_cell(t, s, row, 1, json_object_get(object, names[0]));
		json_decref(name);
	} else if (count > 1) {
		add_headers(s, object, names, count);
		add_object_row(t, s, object, names, count);
	}
	if (inner)
		build_inner(t, object, inner, inner_count, indent);
	free(names);
	free(inner);
}

/* One object with every member that an entry of the list has. */
static json_t *all_members(const json_t *list)
{
	json_t *all = json_object(), *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		json_object_update(all, entry);
	return all;
}

static void build_objects(struct table *t, const char *title, const json_t *list, size_t indent)
{
	size_t count, inner_count, i;
	json_t *all = all_members(list), *entry;
	const char **names = output_names(all, 1, &count), **inner = output_names(all, 0, &inner_count);
	struct section *s = &t->sections[t->count - 1];

	if (!names || !inner)
		t->failed = 1;
	else
		add_headers(s, list, names, count);
	json_array_foreach(list, i, entry) {
		if (t->failed)
			break;
		if (i > 0 && inner_count > 0) {
			s = add_section(t, title, indent);
			if (!s)
				break;
			add_headers(s, list, names, count);
		}
		add_object_row(t, s, entry, names, count);
		build_inner(t, entry, inner, inner_count, indent);
	}
	free(names);
	free(inner);
	json_decref(all);
}

static void build(struct table *t, const char *title, const json_t *value, size_t indent)
{
	struct section *s;
	json_t *entry;
	size_t i;

	if ((json_is_array(value) && json_array_size(value) == 0) ||
	    (json_is_object(value) && json_object_size(value) == 0))
		return;
	s = add_section(t, title, indent);
	if (!s)
		return;
	if (json_is_object(value)) {
		build_object(t, s, value, indent);
	} else if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
		build_objects(t, title, value, indent);
	} else {
		json_array_foreach(value, i, entry)
			set_cell(t, s, add_row(t, s), 0, entry);
	}
}

static size_t column_width(const struct section *s, size_t column)
{
	size_t width = column < s->header_count ? text_width(s->headers[column]) : 0;

	for (size_t i = 0; i < s->row_count; i++) {
		size_t cell = s->rows[i].cells[column] ? text_width(s->rows[i].cells[column]) : 0;

		width = cell > width ? cell : width;
	}
	return width;
}

static size_t section_width(const struct section *s)
{
	size_t width = 2, title = text_width(s->title) + 2;

	for (size_t i = 0; i < s->columns; i++)
		width += column_width(s, i) + PADDING;
	return (width > title ? width : title) + 2 * s->indent;
}

static size_t table_width(const struct table *t)
{
	size_t width = 0;

	for (size_t i = 0; i < t->count; i++)
		width = section_width(&t->sections[i]) > width ? section_width(&t->sections[i]) : width;
	return width;
}

/* Sections of one row are turned: a row for each member. */
static void turn(struct table *t, struct section *s)
{
	struct row row;
	size_t count = s->header_count;

	if (s->row_count != 1 || count == 0)
		return;
	row = s->rows[0];
	s->row_count = s->columns = s->header_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct row *to = add_row(t, s);

		if (!to)
			break;
		to->cells[0] = strdup(s->headers[i]);
		to->cells[1] = row.cells[i];
		t->failed |= !to->cells[0];
		s->columns = 2;
	}
}

/* Widths that add up to `total`, in proportion to what the columns need. */
static void scale(const struct section *s, size_t total, size_t widths[COLUMNS_MAX])
{
	size_t needed = 0, given = 0;

	for (size_t i = 0; i < s->columns; i++)
		needed += column_width(s, i) + PADDING;
	for (size_t i = 0; i < s->columns; i++) {
		widths[i] = (2 * total * (column_width(s, i) + PADDING) + needed) / (2 * needed);
		given += widths[i];
	}
	for (size_t i = 0; given > total; i = (i + 1) % s->columns, given--)
		widths[i]--;
	for (size_t i = s->columns - 1; given < total; i = (i + s->columns - 1) % s->columns, given++)
		widths[i]++;
}

static void repeat(FILE *to, char c, size_t count)
{
	while (count-- > 0)
		fputc(c, to);
}

static void print_rule(FILE *to, const struct section *s, const size_t widths[COLUMNS_MAX])
{
	repeat(to, '|', s->indent);
	for (size_t i = 0; i < s->columns; i++) {
		if (i == 0)
			fputc('+', to);
		repeat(to, '-', widths[i] - (i == 0 ? 2 : 1));
		fputc('+', to);
	}
	repeat(to, '|', s->indent);
	fputc('\n', to);
}

/* A cell of `width` with its right edge, and the left one where it is the first. */
static void print_cell(FILE *to, const char *text, size_t width, int first, int centre)
{
	size_t edges = first ? 2 : 1, len = text_width(text), before = 2;

	if (centre)
		before = width / 2 > len / 2 + 1 ? width / 2 - len / 2 - 1 : 0;
	else if (len + 2 + edges > width)
		before = 0;
	if (first)
		fputc('|', to);
	repeat(to, ' ', before);
	fputs(text, to);
	repeat(to, ' ', width > before + len + edges ? width - before - len - edges : 0);
	fputc('|', to);
}

static void print_line(FILE *to, const struct section *s, const char *const *cells, const size_t widths[COLUMNS_MAX], int centre)
{
	repeat(to, '|', s->indent);
	for (size_t i = 0; i < s->columns; i++)
		print_cell(to, cells[i] ? cells[i] : "", widths[i], i == 0, centre);
	repeat(to, '|', s->indent);
	fputc('\n', to);
}

static void print_section(FILE *to, const struct section *s, size_t total)
{
	size_t widths[COLUMNS_MAX], inside = total - 2 * s->indent;

	repeat(to, '|', s->indent);
	print_cell(to, s->title, inside, 1, 1);
	repeat(to, '|', s->indent);
	fputc('\n', to);
	if (s->columns == 0) {
		repeat(to, '|', s->indent);
		fputc('+', to);
		repeat(to, '-', inside - 2);
		fputc('+', to);
		repeat(to, '|', s->indent);
		fputc('\n', to);
		return;
	}
	scale(s, inside, widths);
	if (s->header_count > 0) {
		print_rule(to, s, widths);
		print_line(to, s, s->headers, widths, 1);
	}
	print_rule(to, s, widths);
	for (size_t i = 0; i < s->row_count; i++)
		print_line(to, s, (const char *const *)s->rows[i].cells, widths, 0);
	print_rule(to, s, widths);
}

static void release(struct table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct section *s = &t->sections[i];

		for (size_t k = 0; k < s->row_count; k++)
			for (size_t c = 0; c < COLUMNS_MAX; c++) {
				if (s->rows[k].cells[c])
					secret_wipe(s->rows[k].cells[c], strlen(s->rows[k].cells[c]));
				free(s->rows[k].cells[c]);
			}
		free(s->rows);
	}
	free(t->sections);
}

void output_table(FILE *to, const char *title, const json_t *value, size_t width)
{
	struct table t = { 0 };

	build(&t, title, value, 0);
	if (table_width(&t) > width)
		for (size_t i = 0; i < t.count; i++)
			turn(&t, &t.sections[i]);
	if (t.failed) {
		fputs("out of memory\n", stderr);
	} else if (t.count > 0) {
		repeat(to, '-', table_width(&t));
		fputc('\n', to);
		for (size_t i = 0; i < t.count; i++)
			print_section(to, &t.sections[i], table_width(&t));
	}
	release(&t);
}
