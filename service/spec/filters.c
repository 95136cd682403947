#include "service/spec/filters.h"

#include <string.h>

#include "service/spec/error.h"

static uint64_t total(const uint32_t *lengths, uint32_t n)
{
        uint64_t sum = 0;

        for (uint32_t i = 0; i < n; i++)
                sum += lengths[i];
        return sum;
}

static void append(Filters *filters, const void *code, size_t size)
{
        gsize before = filters->code ? g_bytes_get_size(filters->code) : 0;
        uint8_t *all = g_malloc(before + size);

        if (before > 0)
                memcpy(all, g_bytes_get_data(filters->code, NULL), before);
        memcpy(all + before, code, size);
        g_clear_pointer(&filters->code, g_bytes_unref);
        filters->code = g_bytes_new_take(all, before + size);
        filters->lengths[filters->n++] = (uint32_t) (size / FILTER_INSTRUCTION_SIZE);
}

bool filters_add(Filters *filters, const void *code, size_t size, GError **error)
{
        if (filters->n == FILTERS_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "SeccompFilters has more than the %u programs allowed",
                                 FILTERS_MAX);
        if (size == 0 || size % FILTER_INSTRUCTION_SIZE != 0)
                return error_set(
                        error, RUNTIME_ERROR_INVALID_ARGS,
                        "SeccompFilters[%u] has %zu bytes, which are no instructions of %u "
                        "bytes each",
                        filters->n, size, FILTER_INSTRUCTION_SIZE);
        if (total(filters->lengths, filters->n) + size / FILTER_INSTRUCTION_SIZE >
            FILTERS_LENGTH_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "SeccompFilters[%u]: with it the programs have more than the %u "
                                 "instructions allowed",
                                 filters->n, FILTERS_LENGTH_MAX);
        append(filters, code, size);
        return true;
}

bool filters_restore(const uint32_t *lengths, uint32_t n, GBytes *code, Filters *ret)
{
        uint64_t sum = total(lengths, n);

        if (n == 0 || n > FILTERS_MAX || sum > FILTERS_LENGTH_MAX ||
            sum * FILTER_INSTRUCTION_SIZE != g_bytes_get_size(code))
                return false;
        *ret = (Filters){.n = n, .code = g_bytes_ref(code)};
        memcpy(ret->lengths, lengths, n * sizeof *lengths);
        return true;
}

Filters filters_copy(const Filters *filters)
{
        Filters copy = *filters;

        if (copy.code)
                g_bytes_ref(copy.code);
        return copy;
}

void filters_clear(Filters *filters)
{
        g_clear_pointer(&filters->code, g_bytes_unref);
        filters->n = 0;
}
