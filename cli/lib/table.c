#include "cli/lib/table.h"

#include <string.h>

#include "cli/lib/text.h"

typedef struct {
        char *words; /* what people read, not yet escaped */
        uint64_t number;
        bool is_signed;
} Cell;

struct Table {
        const Column *columns;
        unsigned n_columns;
        GArray *cells;
};

static void cell_clear(void *cell)
{
        g_free(((Cell *) cell)->words);
}

Table *table_new(const Column *columns)
{
        Table *table = g_new0(Table, 1);

        table->columns = columns;
        while (columns[table->n_columns].heading || columns[table->n_columns].key)
                table->n_columns++;
        table->cells = g_array_new(FALSE, FALSE, sizeof(Cell));
        g_array_set_clear_func(table->cells, cell_clear);
        return table;
}

void table_free(Table *table)
{
        if (!table)
                return;
        g_array_unref(table->cells);
        g_free(table);
}

static void add_cell(Table *table, Cell cell)
{
        g_array_append_val(table->cells, cell);
}

void table_add_string(Table *table, const char *value)
{
        add_cell(table, (Cell){.words = g_strdup(value)});
}

void table_add_number(Table *table, uint64_t value, const char *words)
{
        Cell cell = {.number = value};

        cell.words = words ? g_strdup(words) : g_strdup_printf("%" G_GUINT64_FORMAT, value);
        add_cell(table, cell);
}

void table_add_signed(Table *table, int64_t value)
{
        Cell cell = {.number = (uint64_t) value, .is_signed = true};

        cell.words = g_strdup_printf("%" G_GINT64_FORMAT, value);
        add_cell(table, cell);
}

static void format_json_cell(const Column *column, const Cell *cell, Json *json)
{
        if (!column->key)
                return;
        json_key(json, column->key);
        if (!column->is_number)
                json_string(json, cell->words);
        else if (cell->is_signed)
                json_signed(json, (int64_t) cell->number);
        else
                json_unsigned(json, cell->number);
}

static char *format_json(const Table *table, bool is_pretty)
{
        Json json;

        json_init(&json, is_pretty);
        json_open(&json, '[');
        for (unsigned i = 0; i < table->cells->len; i++) {
                unsigned column = i % table->n_columns;

                if (column == 0)
                        json_open(&json, '{');
                format_json_cell(&table->columns[column], &g_array_index(table->cells, Cell, i),
                                 &json);
                if (column == table->n_columns - 1)
                        json_close(&json, '}');
        }
        json_close(&json, ']');
        return json_finish(&json);
}

static void append_cell(GString *line, const char *text, size_t width)
{
        size_t length = (size_t) g_utf8_strlen(text, -1);
        size_t padding = width > length ? width - length : 0;

        if (line->len)
                g_string_append_c(line, ' ');
        g_string_append_printf(line, "%s%*s", text, (int) padding, "");
}

static void append_line(GString *text, GString *line)
{
        while (line->len && line->str[line->len - 1] == ' ')
                g_string_truncate(line, line->len - 1);
        g_string_append_printf(text, "%s\n", line->str);
        g_string_truncate(line, 0);
}

/* All texts in a flat list, row by row, the headings first. */
static GPtrArray *escaped_texts(const Table *table, bool has_legend)
{
        GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);

        for (unsigned c = 0; has_legend && c < table->n_columns; c++)
                g_ptr_array_add(texts, g_strdup(table->columns[c].heading));
        for (unsigned i = 0; i < table->cells->len; i++)
                g_ptr_array_add(texts, text_escape(g_array_index(table->cells, Cell, i).words));
        return texts;
}

static char *format_columns(const Table *table, bool has_legend)
{
        g_autoptr(GPtrArray) texts = escaped_texts(table, has_legend);
        g_autofree size_t *widths = g_new0(size_t, table->n_columns);
        g_autoptr(GString) line = g_string_new(NULL);
        GString *text = g_string_new(NULL);

        for (unsigned i = 0; i < texts->len; i++) {
                size_t *width = &widths[i % table->n_columns];

                if (texts->pdata[i])
                        *width = MAX(*width, (size_t) g_utf8_strlen(texts->pdata[i], -1));
        }
        for (unsigned i = 0; i < texts->len; i++) {
                unsigned c = i % table->n_columns;

                if (table->columns[c].heading)
                        append_cell(line, texts->pdata[i], widths[c]);
                if (c == table->n_columns - 1)
                        append_line(text, line);
        }
        return g_string_free(text, FALSE);
}

char *table_format(const Table *table, JsonMode mode, bool has_legend)
{
        if (mode == JSON_OFF)
                return format_columns(table, has_legend);
        return format_json(table, mode == JSON_PRETTY);
}
