#include "service/util/shares.h"

#include <glib.h>

#include "tests/lib/case.h"

/* What either version has by default is the same, and so are the ends; these are runc's figures. */
TEST(curve)
{
        static const uint64_t known[][2] = {{2, 1},       {100, 17},      {256, 35},
                                            {512, 59},    {1024, 100},    {2048, 174},
                                            {10000, 627}, {262144, 10000}};

        for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
                g_assert_cmpuint(shares_to_weight(known[i][0]), ==, known[i][1]);
        g_assert_cmpuint(shares_from_weight(100), ==, 1024);
        g_assert_cmpuint(shares_from_weight(1), ==, 2);
        g_assert_cmpuint(shares_from_weight(10000), ==, 262144);
}

/* A weight is none the larger for a way through v1, and shares outside of the kernel's are its
 * ends. */
TEST(there_and_back)
{
        for (uint64_t weight = 1; weight <= 10000; weight++)
                g_assert_cmpuint(shares_to_weight(shares_from_weight(weight)), <=, weight);
        g_assert_cmpuint(shares_to_weight(0), ==, 1);
        g_assert_cmpuint(shares_to_weight(UINT64_MAX), ==, 10000);
}
