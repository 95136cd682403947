#include "dbus/line/line.h"

#include "tests/lib/case.h"

#define ALICE 1000u
#define BOB   1001u
#define CAROL 1002u

static bool not_alice(uid_t uid, const void *data)
{
        return uid != ALICE;
}

static void join(Line *line, LinePlace *place, uid_t uid, size_t weight)
{
        *place = (LinePlace){.uid = uid, .weight = weight};
        line_join(line, place);
}

/* Users take turns, whoever came first and however much each waits for; within a user's queue it is
 * first in, first out. */
TEST(turns)
{
        Line *line = line_new(100);
        LinePlace a[3], b[2], c;

        for (size_t i = 0; i < G_N_ELEMENTS(a); i++)
                join(line, &a[i], ALICE, 1);
        join(line, &b[0], BOB, 1);
        join(line, &b[1], BOB, 1);
        join(line, &c, CAROL, 1);
        LinePlace *const order[] = {&a[0], &b[0], &c, &a[1], &b[1], &a[2]};
        for (size_t i = 0; i < G_N_ELEMENTS(order); i++)
                g_assert_true(line_next(line, NULL, NULL) == order[i]);
        g_assert_null(line_next(line, NULL, NULL));
        g_assert_true(line_is_empty(line));
        line_free(line);
}

/* A user who may not go on keeps the place, and nobody else waits for that user. */
TEST(who_may_not)
{
        Line *line = line_new(100);
        LinePlace a[2], b;

        join(line, &a[0], ALICE, 1);
        join(line, &a[1], ALICE, 1);
        join(line, &b, BOB, 1);
        g_assert_true(line_next(line, not_alice, NULL) == &b);
        g_assert_null(line_next(line, not_alice, NULL));
        g_assert_cmpuint(line_length(line, ALICE), ==, 2);
        g_assert_true(line_next(line, NULL, NULL) == &a[0]);
        line_leave(line, &a[1]);
        g_assert_true(line_is_empty(line));
        line_free(line);
}

/* Whoever leaves from the middle leaves the others in their order. */
TEST(leaving)
{
        Line *line = line_new(100);
        LinePlace a[3];

        for (size_t i = 0; i < G_N_ELEMENTS(a); i++)
                join(line, &a[i], ALICE, 1);
        line_leave(line, &a[1]);
        g_assert_cmpuint(line_length(line, ALICE), ==, 2);
        g_assert_true(line_next(line, NULL, NULL) == &a[0]);
        g_assert_true(line_next(line, NULL, NULL) == &a[2]);
        line_free(line);
}

/* Beyond what all may weigh the heaviest gives way, newest first: who has filled the line keeps
 * nobody else out, and a newcomer who would be the heaviest is refused instead. */
TEST(surplus)
{
        Line *line = line_new(10);
        LinePlace a[3], b, c;

        for (size_t i = 0; i < G_N_ELEMENTS(a); i++)
                join(line, &a[i], ALICE, 3);
        g_assert_null(line_surplus(line));
        join(line, &b, BOB, 4);
        g_assert_true(line_surplus(line) == &a[2]);
        g_assert_null(line_surplus(line));
        join(line, &c, CAROL, 9);
        g_assert_true(line_surplus(line) == &c);
        g_assert_null(line_surplus(line));
        g_assert_cmpuint(line_length(line, ALICE), ==, 2);
        g_assert_cmpuint(line_length(line, BOB), ==, 1);
        while (line_next(line, NULL, NULL))
                ;
        line_free(line);
}
