#pragma once

/* Rows for people (aligned columns under a heading) or for programs (an array of JSON objects).
 * Cells are escaped on the way to a terminal; the table knows nothing of what they mean. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/lib/json.h"

typedef struct {
        const char *heading; /* NULL: in JSON alone */
        const char *key;     /* NULL: for people alone */
        bool is_number;      /* unquoted in JSON */
} Column;

typedef struct Table Table;

/* `columns` end with an empty row and must outlive the table. */
Table *table_new(const Column *columns);
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/* Cells fill rows from left to right. */
void table_add_string(Table *table, const char *value);
/* A number with the words for it; NULL words print the number itself. */
void table_add_number(Table *table, uint64_t value, const char *words);
void table_add_signed(Table *table, int64_t value);

char *table_format(const Table *table, JsonMode mode, bool has_legend);
