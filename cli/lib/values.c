#include "cli/lib/values.h"

#include <errno.h>
#include <glib.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/util/size.h"

/* Longer than any of us waits. */
#define TIME_MAX_USEC (UINT64_C(1000) * 366 * 86400 * 1000000)

bool value_parse_bool(const char *text, bool *ret)
{
        static const char *const words[][2] = {
                {"no", "yes"}, {"false", "true"}, {"0", "1"}, {"off", "on"}, {"n", "y"}, {"f", "t"},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
                for (unsigned truth = 0; truth < 2; truth++) {
                        if (!g_ascii_strcasecmp(text, words[i][truth])) {
                                *ret = truth;
                                return true;
                        }
                }
        }
        return false;
}

bool value_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
        uint64_t value;

        if (!size_parse_digits(&text, &value) || *text || value < min || value > max)
                return false;
        *ret = value;
        return true;
}

/* Whether `name`, with a space behind it, is one of `names`; none at all is the name " ". */
static bool has_name(const char *names, const char *name)
{
        const char *found = strstr(names, name);

        return found && (found == names || found[-1] == ' ');
}

/* A number with or without a unit, and moves *text behind both; in microseconds. */
static bool parse_time(const char **text, double *ret)
{
        static const struct {
                const char *names; /* with a space behind each */
                double usec;
        } units[] = {
                {" s sec second seconds ", 1e6},
                {"us usec µs μs ", 1},
                {"ms msec ", 1e3},
                {"m min minute minutes ", 60e6},
                {"h hr hour hours ", 3600e6},
                {"d day days ", 86400e6},
                {"w week weeks ", 604800e6},
        };
        size_t digits = strspn(*text, "0123456789.");
        g_autofree char *number = g_strndup(*text, digits);
        char *end;
        double value = g_ascii_strtod(number, &end);

        if (end == number || *end || !isfinite(value))
                return false;
        const char *unit = *text + digits + strspn(*text + digits, " ");
        size_t length = strcspn(unit, " 0123456789.");
        g_autofree char *name = g_strdup_printf("%.*s ", (int) length, unit);
        for (unsigned i = 0; i < G_N_ELEMENTS(units); i++) {
                if (!has_name(units[i].names, name))
                        continue;
                *ret = value * units[i].usec;
                *text = unit + length;
                return true;
        }
        return false;
}

bool value_parse_seconds(const char *text, uint64_t *ret_usec)
{
        double usec = 0;

        if (!strcmp(text, "infinity")) {
                *ret_usec = TIME_MAX_USEC;
                return true;
        }
        do {
                double part = 0;

                if (!parse_time(&text, &part) || (usec += part) > (double) TIME_MAX_USEC)
                        return false;
                text += strspn(text, " ");
        } while (*text);
        *ret_usec = (uint64_t) usec;
        return true;
}

static bool parse_realtime_signal(const char *text, int *ret)
{
        uint64_t offset = 0;
        bool is_min = !g_ascii_strncasecmp(text, "RTMIN", 5);

        if (!is_min && g_ascii_strncasecmp(text, "RTMAX", 5) != 0)
                return false;
        text += 5;
        if (*text && (*text != (is_min ? '+' : '-') ||
                      !value_parse_number(text + 1, 0, (uint64_t) (SIGRTMAX - SIGRTMIN), &offset)))
                return false;
        *ret = is_min ? SIGRTMIN + (int) offset : SIGRTMAX - (int) offset;
        return true;
}

/* The names beside those that sigabbrev_np() gives. */
static int find_alias(const char *text)
{
        static const struct {
                const char *name;
                int signal;
        } aliases[] = {{"IOT", SIGIOT}, {"CLD", SIGCHLD}, {"IO", SIGIO}};

        for (unsigned i = 0; i < G_N_ELEMENTS(aliases); i++)
                if (!g_ascii_strcasecmp(text, aliases[i].name))
                        return aliases[i].signal;
        return 0;
}

bool value_parse_signal(const char *text, int *ret)
{
        uint64_t number;
        int realtime;

        if (value_parse_number(text, 1, (uint64_t) SIGRTMAX, &number)) {
                *ret = (int) number;
                return true;
        }
        if (!g_ascii_strncasecmp(text, "SIG", 3))
                text += 3;
        for (int i = 1; i < SIGRTMIN; i++) {
                const char *name = sigabbrev_np(i);

                if (name && !g_ascii_strcasecmp(text, name)) {
                        *ret = i;
                        return true;
                }
        }
        if (!parse_realtime_signal(text, &realtime) && (realtime = find_alias(text)) == 0)
                return false;
        *ret = realtime;
        return true;
}

char *value_absolute_path(const char *path)
{
        if (*path == '/')
                return g_strdup(path);
        if (!*path) {
                errno = ENOENT;
                return NULL;
        }
        char *directory = getcwd(NULL, 0);
        if (!directory)
                return NULL;
        char *absolute = g_strconcat(directory, "/", path, NULL);
        free(directory);
        return absolute;
}
