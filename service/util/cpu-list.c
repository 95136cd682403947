#include "service/util/cpu-list.h"

#include <glib.h>
#include <stddef.h>
#include <string.h>

static bool take_number(const char **text, uint32_t *ret)
{
        *ret = 0;
        if (!g_ascii_isdigit(**text))
                return false;
        for (; g_ascii_isdigit(**text); (*text)++) {
                *ret = *ret * 10 + (uint32_t) (**text - '0');
                if (*ret >= CPU_LIST_MAX)
                        return false;
        }
        return true;
}

static bool take_range(const char **text, CpuList *list)
{
        uint32_t first, last;

        if (!take_number(text, &first))
                return false;
        last = first;
        if (**text == '-' && ((*text)++, !take_number(text, &last) || last < first))
                return false;
        for (; first <= last; first++)
                list->words[first / 64] |= UINT64_C(1) << first % 64;
        return true;
}

bool cpu_list_parse(const char *text, CpuList *ret)
{
        CpuList list = {{0}};
        bool is_empty = true;

        for (text += strspn(text, " "); *text; is_empty = false) {
                if (!take_range(&text, &list))
                        return false;
                size_t gap = strspn(text, ", \n");
                if (*text && gap == 0)
                        return false;
                text += gap;
        }
        if (is_empty)
                return false;
        *ret = list;
        return true;
}

bool cpu_list_has_all(const CpuList *list, const CpuList *of)
{
        for (size_t i = 0; i < G_N_ELEMENTS(list->words); i++)
                if (of->words[i] & ~list->words[i])
                        return false;
        return true;
}
