#pragma once

/* Seccomp programs of a caller's, which a container's processes get beside the service's own
 * filter: instructions of classic BPF as the kernel takes them, one program after another. What
 * they do, the kernel judges when they are loaded. Plain data, shared between copies. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/spec/limits.h"

/* All zero: there are none. */
typedef struct Filters {
        uint32_t n;
        uint32_t lengths[FILTERS_MAX]; /* in instructions */
        GBytes *code;                  /* NULL if `n` is 0 */
} Filters;

#define FILTER_INSTRUCTION_SIZE 8u /* of struct sock_filter */

/* Adds one program; InvalidArgs if it cannot be one, or there are too many. */
bool filters_add(Filters *filters, const void *code, size_t size, GError **error);
/* The same of what filters_add() has taken before; false if it does not fit. */
bool filters_restore(const uint32_t *lengths, uint32_t n, GBytes *code, Filters *ret);
Filters filters_copy(const Filters *filters); /* to be cleared, too */
void filters_clear(Filters *filters);
