#include "service/util/shares.h"

#include <stdbool.h>

#define SHARES_MAX UINT64_C(262144)
#define WEIGHT_MAX UINT64_C(10000)
#define ONE        (INT64_C(1) << 32)    /* in numbers with 32 bits of fraction */
#define LOG10_OF_2 INT64_C(330985980542) /* with 40 bits */
#define TOLERANCE  2048                  /* of what is cut off below */

__extension__ typedef __int128 Wide;

/* By squaring, bit by bit: libm would be a library in the service for this alone. */
static int64_t log2_of(uint64_t x)
{
        unsigned whole = 63u - (unsigned) __builtin_clzll(x);
        uint64_t rest = (uint64_t) ((Wide) x << 62 >> whole);
        int64_t result = (int64_t) whole * ONE;

        for (int64_t bit = ONE / 2; bit > 0; bit /= 2) {
                rest = (uint64_t) ((Wide) rest * rest >> 62);
                if (rest >> 63) {
                        rest >>= 1;
                        result += bit;
                }
        }
        return result;
}

/* weight = 10 ^ ((l² + 125 l) / 612 - 7 / 34), where l is the binary logarithm of the shares */
static bool is_at_least(uint64_t weight, uint64_t shares)
{
        int64_t l = log2_of(shares);
        int64_t log10 = (int64_t) ((Wide) log2_of(weight) * LOG10_OF_2 >> 40);
        Wide curve = (Wide) l * l / ONE + 125 * (Wide) l;

        return 612 * (Wide) log10 + 126 * ONE + TOLERANCE >= curve;
}

uint64_t shares_from_weight(uint64_t weight)
{
        uint64_t low = 2, high = SHARES_MAX; /* the largest that is no more than the weight */

        while (low < high) {
                uint64_t middle = (low + high + 1) / 2;
                if (is_at_least(weight, middle))
                        low = middle;
                else
                        high = middle - 1;
        }
        return low;
}

uint64_t shares_to_weight(uint64_t shares)
{
        uint64_t low = 1, high = WEIGHT_MAX; /* the smallest that is no less than the shares */

        shares = shares < 2 ? 2 : shares > SHARES_MAX ? SHARES_MAX : shares;
        while (low < high) {
                uint64_t middle = (low + high) / 2;
                if (is_at_least(middle, shares))
                        high = middle;
                else
                        low = middle + 1;
        }
        return low;
}

uint64_t shares_of_bfq(uint64_t weight)
{
        return weight <= 100 ? weight : 100 + (weight - 100) * 900 / 9900;
}

uint64_t shares_of_podman_disk(uint64_t shares)
{
        return 1 + (shares - 10) * 9999 / 990;
}
