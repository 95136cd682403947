#include "cli/lib/nearest.h"

#include "tests/lib/case.h"

static const char *const names[] = {"memory", "memory-swap-max", "network", "rm", "name", NULL};

/* The name that a word begins, else the one with the fewest letters in another way; none for a word
 * of another kind. */
TEST(nearest)
{
        g_assert_cmpstr(nearest_name("mem", names), ==, "memory");
        g_assert_cmpstr(nearest_name("memory-", names), ==, "memory-swap-max");
        g_assert_cmpstr(nearest_name("memroy", names), ==, "memory");
        g_assert_cmpstr(nearest_name("netwrok", names), ==, "network");
        g_assert_cmpstr(nearest_name("nmae", names), ==, "name");
        g_assert_null(nearest_name("volume", names));
        g_assert_null(nearest_name("", names));
        g_assert_null(nearest_name("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", names));
}
