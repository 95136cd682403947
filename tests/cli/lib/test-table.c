#include "cli/lib/table.h"

#include "tests/lib/case.h"

static const Column columns[] = {
        {"ID", "id", false},
        {"OWNER", "uid", true},
        {NULL, "path", false},
        {"SHOWN", NULL, false},
        {0},
};

static void add_row(Table *table, const char *id, uint64_t owner, const char *words)
{
        table_add_string(table, id);
        table_add_number(table, owner, words);
        table_add_string(table, "/p");
        table_add_string(table, "s");
}

static void assert_format(const Table *table, JsonMode mode, bool has_legend, const char *expected)
{
        g_autofree char *text = table_format(table, mode, has_legend);

        g_assert_cmpstr(text, ==, expected);
}

/* Columns are as wide as their widest cell in characters, not bytes; no line ends in blanks. */
TEST(columns)
{
        g_autoptr(Table) table = table_new(columns);

        add_row(table, "a", 0, "root");
        add_row(table, "übermäßig", 1000, NULL);
        assert_format(table, JSON_OFF, true,
                      "ID        OWNER SHOWN\n"
                      "a         root  s\n"
                      "übermäßig 1000  s\n");
        assert_format(table, JSON_OFF, false,
                      "a         root s\n"
                      "übermäßig 1000 s\n");
}

/* People see escapes in place of control characters. */
TEST(escapes)
{
        g_autoptr(Table) table = table_new(columns);

        add_row(table, "\x1b[2J\n", 1, NULL);
        assert_format(table, JSON_OFF, false, "\\x1b[2J\\x0a 1 s\n");
}

/* Programs get keys, numbers unquoted, strings quoted and escaped as JSON wants it. */
TEST(json)
{
        g_autoptr(Table) table = table_new(columns);

        add_row(table, "a\"\\\n\x1b", 4294967295, "nobody");
        assert_format(table, JSON_SHORT, true,
                      "[{\"id\":\"a\\\"\\\\\\n\\u001b\",\"uid\":4294967295,\"path\":\"/p\"}]\n");
        add_row(table, "b", UINT64_MAX, NULL);
        assert_format(table, JSON_PRETTY, true,
                      "[\n"
                      "        {\n"
                      "                \"id\": \"a\\\"\\\\\\n\\u001b\",\n"
                      "                \"uid\": 4294967295,\n"
                      "                \"path\": \"/p\"\n"
                      "        },\n"
                      "        {\n"
                      "                \"id\": \"b\",\n"
                      "                \"uid\": 18446744073709551615,\n"
                      "                \"path\": \"/p\"\n"
                      "        }\n"
                      "]\n");
}

/* Nothing to list is a heading for people and an empty array for programs. */
TEST(empty)
{
        g_autoptr(Table) table = table_new(columns);

        assert_format(table, JSON_OFF, true, "ID OWNER SHOWN\n");
        assert_format(table, JSON_OFF, false, "");
        assert_format(table, JSON_SHORT, true, "[]\n");
        assert_format(table, JSON_PRETTY, true, "[]\n");
}

/* A value that ends in a colon is not taken for a key. */
TEST(json_colon)
{
        Json json;
        g_autofree char *text = NULL;

        json_init(&json, false);
        json_open(&json, '[');
        json_string(&json, "a:");
        json_string(&json, ":");
        json_signed(&json, -1);
        json_bool(&json, false);
        json_close(&json, ']');
        text = json_finish(&json);
        g_assert_cmpstr(text, ==, "[\"a:\",\":\",-1,false]\n");
}

/* Bytes that are no UTF-8 still make valid JSON. */
TEST(json_bytes)
{
        Json json;
        g_autofree char *text = NULL;

        json_init(&json, false);
        json_string(&json, "a\xff");
        text = json_finish(&json);
        g_assert_true(g_utf8_validate(text, -1, NULL));
        g_assert_cmpstr(text, ==, "\"a\ufffd\"\n");
}
