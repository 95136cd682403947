#include "tests/lib/case.h"

static Case *first, **last = &first;
static const char *skip_reason;

void add_case(Case *added)
{
        *last = added;
        last = &added->next;
}

static void add_row(const Case *test, const char *path, const void *row)
{
        if (test->plain)
                g_test_add_func(path, test->plain);
        else
                g_test_add_vtable(path, test->fixture_size, row, test->set_up, test->body,
                                  test->tear_down);
}

static void add_rows(const Case *test, const char *path)
{
        for (size_t i = 0; i < test->n_rows; i++) {
                const void *row = (const char *) test->rows + i * test->row_size;
                g_autofree char *row_path =
                        g_strconcat(path, "/", *(const char *const *) row, NULL);
                add_row(test, row_path, row);
        }
        if (test->n_rows == 0)
                add_row(test, path, NULL);
}

int run_cases(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        for (const Case *test = first; test; test = test->next) {
                g_autofree char *path = g_strconcat("/", test->name, NULL);
                add_rows(test, g_strdelimit(path, "_", '-'));
        }
        return g_test_run();
}

static void skip(void)
{
        g_test_skip(skip_reason);
}

int skip_cases(int argc, char **argv, const char *reason)
{
        skip_reason = reason;
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/all", skip);
        return g_test_run();
}
