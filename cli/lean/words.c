/* complain() and hint() of cli/lib/text.h for a program without GLib: what is not plain ASCII is
 * escaped byte by byte. */

#include <stdarg.h>
#include <stdio.h>

#include "cli/lib/text.h"

static bool hints_are_silent;

static void __attribute__((format(printf, 2, 0)))
print_message(const char *prefix, const char *format, va_list list)
{
        char text[4096];

        vsnprintf(text, sizeof text, format, list);
        fputs(prefix, stderr);
        for (const char *c = text; *c; c++)
                if (*c < ' ' || *c > '~')
                        fprintf(stderr, "\\x%02x", (unsigned char) *c);
                else
                        putc(*c, stderr);
        putc('\n', stderr);
}

void complain(const char *format, ...)
{
        va_list list;

        va_start(list, format);
        print_message("naivec: ", format, list);
        va_end(list);
}

void hint(const char *format, ...)
{
        va_list list;

        if (hints_are_silent)
                return;
        va_start(list, format);
        print_message("  ", format, list);
        va_end(list);
}

void hints_silence(void)
{
        hints_are_silent = true;
}
