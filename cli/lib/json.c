#include "cli/lib/json.h"

#include <string.h>

void json_init(Json *json, bool is_pretty)
{
        *json = (Json){.text = g_string_new(NULL), .is_pretty = is_pretty};
}

char *json_finish(Json *json)
{
        g_string_append_c(json->text, '\n');
        return g_string_free(g_steal_pointer(&json->text), FALSE);
}

static void new_line(Json *json)
{
        if (!json->is_pretty || json->depth == 0)
                return;
        g_string_append_c(json->text, '\n');
        for (unsigned i = 0; i < json->depth; i++)
                g_string_append(json->text, "        ");
}

/* Writes what comes before a value or a key: the comma and the new line. A value that follows its
 * key gets neither. */
static void begin_item(Json *json)
{
        if (json->text->len && json->text->str[json->text->len - 1] == ':') {
                if (json->is_pretty)
                        g_string_append_c(json->text, ' ');
                return;
        }
        if (json->has_sibling)
                g_string_append_c(json->text, ',');
        new_line(json);
}

void json_open(Json *json, char bracket)
{
        begin_item(json);
        g_string_append_c(json->text, bracket);
        json->depth++;
        json->has_sibling = false;
}

void json_close(Json *json, char bracket)
{
        bool is_empty = !json->has_sibling;

        json->depth--;
        if (!is_empty && json->is_pretty) {
                g_string_append_c(json->text, '\n');
                for (unsigned i = 0; i < json->depth; i++)
                        g_string_append(json->text, "        ");
        }
        g_string_append_c(json->text, bracket);
        json->has_sibling = true;
}

static void append_quoted(GString *text, const char *value)
{
        g_autofree char *valid = g_utf8_make_valid(value, -1);

        g_string_append_c(text, '"');
        for (const char *p = valid; *p; p++) {
                unsigned char c = (unsigned char) *p;

                if (c == '"' || c == '\\')
                        g_string_append_printf(text, "\\%c", c);
                else if (c == '\n')
                        g_string_append(text, "\\n");
                else if (c < 0x20 || c == 0x7f)
                        g_string_append_printf(text, "\\u%04x", c);
                else
                        g_string_append_c(text, (char) c);
        }
        g_string_append_c(text, '"');
}

void json_key(Json *json, const char *key)
{
        begin_item(json);
        append_quoted(json->text, key);
        g_string_append_c(json->text, ':');
}

void json_string(Json *json, const char *value)
{
        begin_item(json);
        append_quoted(json->text, value);
        json->has_sibling = true;
}

void json_unsigned(Json *json, uint64_t value)
{
        begin_item(json);
        g_string_append_printf(json->text, "%" G_GUINT64_FORMAT, value);
        json->has_sibling = true;
}

void json_signed(Json *json, int64_t value)
{
        begin_item(json);
        g_string_append_printf(json->text, "%" G_GINT64_FORMAT, value);
        json->has_sibling = true;
}

void json_bool(Json *json, bool value)
{
        begin_item(json);
        g_string_append(json->text, value ? "true" : "false");
        json->has_sibling = true;
}
