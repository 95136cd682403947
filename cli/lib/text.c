#include "cli/lib/text.h"

#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool hints_are_silent;

/* The control characters C0, DEL and C1 drive a terminal. The others reorder or hide the text
 * beside them. */
static bool is_dangerous(gunichar c)
{
        return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
               (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
               (c >= 0xe0000 && c <= 0xe007f);
}

char *text_escape_bytes(const char *bytes, size_t length, bool keeps_lines)
{
        GString *escaped = g_string_sized_new(length);

        for (size_t i = 0; i < length;) {
                gunichar c = g_utf8_get_char_validated(bytes + i, (gssize) (length - i));

                if (c == (gunichar) -1 || c == (gunichar) -2) {
                        g_string_append_printf(escaped, "\\x%02x", (unsigned char) bytes[i]);
                        i++;
                        continue;
                }
                if (keeps_lines && (c == '\n' || c == '\t'))
                        g_string_append_c(escaped, (char) c);
                else if (is_dangerous(c) && c < 0x80)
                        g_string_append_printf(escaped, "\\x%02x", c);
                else if (is_dangerous(c))
                        g_string_append_printf(escaped, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
                else
                        g_string_append_unichar(escaped, c);
                i += (size_t) g_unichar_to_utf8(c, NULL);
        }
        return g_string_free(escaped, FALSE);
}

char *text_escape(const char *text)
{
        return text_escape_bytes(text, strlen(text), false);
}

char *text_time(uint64_t usec)
{
        g_autoptr(GDateTime) time = NULL;

        if (usec == 0)
                return g_strdup("-");
        time = g_date_time_new_from_unix_local((gint64) (usec / G_USEC_PER_SEC));
        return time ? g_date_time_format(time, "%a %Y-%m-%d %H:%M:%S %Z") : g_strdup("-");
}

char *text_size(uint64_t bytes)
{
        static const char suffixes[] = "BKMGT";
        unsigned unit = 0;
        uint64_t scale = 1;

        if (bytes == UINT64_MAX)
                return g_strdup("infinity");
        while (unit < strlen(suffixes) - 1 && bytes / scale >= 1024) {
                scale *= 1024;
                unit++;
        }
        if (bytes % scale == 0)
                return g_strdup_printf("%" G_GUINT64_FORMAT "%c", bytes / scale, suffixes[unit]);
        return g_strdup_printf("%.1f%c", (double) bytes / (double) scale, suffixes[unit]);
}

static void G_GNUC_PRINTF(2, 0) print_message(const char *prefix, const char *format, va_list list)
{
        g_autofree char *text = g_strdup_vprintf(format, list);
        g_autofree char *escaped = text_escape(text);

        fprintf(stderr, "%s%s\n", prefix, escaped);
}

void complain(const char *format, ...)
{
        g_autofree char *prefix = g_strdup_printf("%s: ", g_get_prgname());
        va_list list;

        va_start(list, format);
        print_message(prefix, format, list);
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
