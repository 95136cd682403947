#pragma once

/* A table, printed either as aligned columns under a heading or as an array of JSON objects. Owns
 * its cells, escapes them for a terminal, and knows nothing of their meaning. Called by `list` and
 * `wait`. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/lib/json.h"

typedef struct {
        const char *heading; /* NULL: the column is in JSON only */
        const char *key;     /* NULL: the column is not in JSON */
        bool is_number;      /* unquoted in JSON */
} Column;

typedef struct Table Table;

/* `columns` end with an empty row and must outlive the table. */
Table *table_new(const Column *columns);
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/* Cells fill rows from left to right. */
void table_add_string(Table *table, const char *value);
/* JSON gets the number, the columns get the words; without words (NULL) the number as well. */
void table_add_number(Table *table, uint64_t value, const char *words);
void table_add_signed(Table *table, int64_t value);

char *table_format(const Table *table, JsonMode mode, bool has_legend);
