#include "service/spec/error.h"

#include <stdarg.h>

G_DEFINE_QUARK(runtime - error, runtime_error)

const char *error_name(RuntimeError code)
{
        static const char *const names[] = {
#define NAME(code, name, meaning) [RUNTIME_ERROR_##code] = name,
                ERRORS(NAME)
#undef NAME
        };

        return names[code];
}

bool error_set(GError **error, RuntimeError code, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        if (error)
                *error = g_error_new_valist(RUNTIME_ERROR, (int) code, format, args);
        va_end(args);
        return false;
}

bool error_set_errno(GError **error, RuntimeError code, int errnum, const char *format, ...)
{
        va_list args;

        if (!error)
                return false;
        va_start(args, format);
        g_autofree char *what = g_strdup_vprintf(format, args);
        va_end(args);
        *error = g_error_new(RUNTIME_ERROR, (int) code, "%s: %s", what, g_strerror(errnum));
        return false;
}
