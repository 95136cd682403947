#pragma once

/* A test stands where it is defined and nowhere else: `TEST(name) { … }` is the test "/name" of its
 * program (with "-" for "_"). FIXTURE_TEST(name) gets a `Fixture *f` that set_up() has made ready
 * and tear_down() clears, ROW_TEST(name, rows) besides that each row of an array in turn as `data`;
 * a row begins with its name. The tests run in the order of their definitions. A program that has
 * nothing to prepare needs no main(), the others call run_cases() in it. */

#include <glib.h>

typedef struct Case {
        const char *name;
        GTestFunc plain; /* or a body with a fixture */
        GTestFixtureFunc set_up, body, tear_down;
        size_t fixture_size;
        const void *rows;
        size_t row_size, n_rows;
        struct Case *next;
} Case;

void add_case(Case *added);
int run_cases(int argc, char **argv);

/* One skipped test, with the reason, in place of all. */
int skip_cases(int argc, char **argv, const char *reason);

#define ADD_CASE(test, parameters, ...)                                                            \
        static void test_##test parameters;                                                        \
        __attribute__((constructor)) static void add_test_##test(void)                             \
        {                                                                                          \
                static Case added = {.name = #test, __VA_ARGS__};                                  \
                add_case(&added);                                                                  \
        }                                                                                          \
        static void test_##test parameters

#define TEST(test) ADD_CASE(test, (void), .plain = test_##test)

#define FIXTURE_CASE(test, prepare, ...)                                                           \
        ADD_CASE(test, (Fixture * f, const void *data), .set_up = (GTestFixtureFunc) prepare,      \
                 .body = (GTestFixtureFunc) test_##test,                                           \
                 .tear_down = (GTestFixtureFunc) tear_down, .fixture_size = sizeof(Fixture),       \
                 __VA_ARGS__)
#define FIXTURE_TEST(test) FIXTURE_CASE(test, set_up, .rows = NULL)
#define ROW_TEST(test, array)                                                                      \
        FIXTURE_CASE(test, set_up, .rows = array, .row_size = sizeof *array,                       \
                     .n_rows = G_N_ELEMENTS(array))
