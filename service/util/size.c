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

bool size_parse(const char *text, uint64_t *ret)
{
        static const char suffixes[] = "KMGT";
        uint64_t value;

        if (!strcmp(text, "infinity") || !strcmp(text, "max")) {
                *ret = UINT64_MAX;
                return true;
        }
        if (!size_parse_digits(&text, &value))
                return false;
        if (*text) {
                const char *suffix = strchr(suffixes, g_ascii_toupper(*text));

                if (!suffix || text[1])
                        return false;
                for (const char *p = suffixes; p <= suffix; p++)
                        if (__builtin_mul_overflow(value, UINT64_C(1024), &value))
                                return false;
        }
        *ret = value;
        return true;
}
