#pragma once

/* The one error type of naive-runc: a GError of one domain, one code for each row of errors.h.
 * Errors are born with what failed, where and why, gain a prefix at layer borders, and are logged
 * once, where they stop. */

#include <glib.h>
#include <stdbool.h>

#include "service/spec/errors.h"

#define RUNTIME_ERROR runtime_error_quark()
GQuark runtime_error_quark(void);

typedef enum RuntimeError {
#define CODE(code, name, meaning) RUNTIME_ERROR_##code,
        ERRORS(CODE) _RUNTIME_ERROR_MAX,
#undef CODE
} RuntimeError;

const char *error_name(RuntimeError code); /* on the bus */

/* Sets `error` (if not NULL) and returns false, so that a check reads `return error_set(...)`. */
bool error_set(GError **error, RuntimeError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The same for a failed system call: ": <words for errnum>" is appended. `errnum` is positive. */
bool error_set_errno(GError **error, RuntimeError code, int errnum, const char *format, ...)
        G_GNUC_PRINTF(4, 5);
