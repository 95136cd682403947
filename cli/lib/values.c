#include "cli/lib/values.h"

#include <errno.h>
#include <glib.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/util/size.h"

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

bool value_parse_seconds(const char *text, uint64_t *ret_usec)
{
        const double limit = 1000.0 * 366 * 86400;
        char *end;

        if (!*text || text[strspn(text, "0123456789.")])
                return false;
        double seconds = g_ascii_strtod(text, &end);
        if (end == text || *end || !isfinite(seconds) || seconds > limit)
                return false;
        *ret_usec = (uint64_t) (seconds * 1e6);
        return true;
}

static bool parse_realtime_signal(const char *text, int *ret)
{
        uint64_t offset;

        if (g_str_has_prefix(text, "RTMIN+") && value_parse_number(text + 6, 0, 64, &offset))
                *ret = SIGRTMIN + (int) offset;
        else if (g_str_has_prefix(text, "RTMAX-") && value_parse_number(text + 6, 0, 64, &offset))
                *ret = SIGRTMAX - (int) offset;
        else
                return false;
        return *ret >= SIGRTMIN && *ret <= SIGRTMAX;
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
        if (!parse_realtime_signal(text, &realtime))
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
