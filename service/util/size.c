#include "service/util/size.h"

#include <glib.h>
#include <string.h>

/* strtoull() would take spaces and a sign. */
bool size_parse_digits(const char **text, uint64_t *ret)
{
        const char *p = *text;
        uint64_t value = 0;

        if (!g_ascii_isdigit(*p))
                return false;
        for (; g_ascii_isdigit(*p); p++) {
                if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
                    __builtin_add_overflow(value, (uint64_t) (*p - '0'), &value))
                        return false;
        }
        *text = p;
        *ret = value;
        return true;
}

/* ".5", and moves *text behind it. */
static bool parse_fraction(const char **text, double *ret)
{
        double unit = 1;
        const char *p = *text + 1;

        if (!g_ascii_isdigit(*p))
                return false;
        for (; g_ascii_isdigit(*p); p++)
                *ret += (*p - '0') * (unit /= 10);
        *text = p;
        return true;
}

bool size_parse(const char *text, uint64_t *ret)
{
        static const char suffixes[] = "KMGTPE";
        uint64_t value, unit = 1;
        double fraction = 0;

        if (!strcmp(text, "infinity") || !strcmp(text, "max")) {
                *ret = UINT64_MAX;
                return true;
        }
        if (!size_parse_digits(&text, &value))
                return false;
        if (*text == '.' && !parse_fraction(&text, &fraction))
                return false;
        const char *suffix = *text ? strchr(suffixes, g_ascii_toupper(*text)) : NULL;
        if (suffix) {
                unit <<= 10 * (suffix - suffixes + 1);
                text++;
                if (g_ascii_tolower(*text) == 'i')
                        text++;
        }
        if (g_ascii_tolower(*text) == 'b')
                text++;
        if (*text || (fraction > 0 && !suffix) || __builtin_mul_overflow(value, unit, &value) ||
            __builtin_add_overflow(value, (uint64_t) (fraction * (double) unit), &value))
                return false;
        *ret = value;
        return true;
}
