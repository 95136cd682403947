#include "cli/bwrap/report.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int fd, const char *text, size_t left)
{
        while (left > 0) {
                ssize_t n = TEMP_FAILURE_RETRY(write(fd, text, left));

                if (n < 0)
                        return false;
                text += n;
                left -= (size_t) n;
        }
        return true;
}

bool report_child(int fd, pid_t pid, bool in_lines)
{
        static const char *const namespaces[][2] = {
                {"cgroup-namespace", "cgroup"}, {"ipc-namespace", "ipc"}, {"mnt-namespace", "mnt"},
                {"net-namespace", "net"},       {"pid-namespace", "pid"}, {"uts-namespace", "uts"},
        };
        const char *gap = in_lines ? " " : "\n    ";
        g_autoptr(GString) text = g_string_new(NULL);

        g_string_printf(text, "{%s\"child-pid\": %d", gap, (int) pid);
        for (unsigned i = 0; i < G_N_ELEMENTS(namespaces); i++) {
                g_autofree char *path =
                        g_strdup_printf("/proc/%d/ns/%s", (int) pid, namespaces[i][1]);
                struct stat found;

                if (stat(path, &found) == 0)
                        g_string_append_printf(text, ",%s\"%s\": %ju", gap, namespaces[i][0],
                                               (uintmax_t) found.st_ino);
        }
        g_string_append(text, in_lines ? " }\n" : "\n}\n");
        return write_all(fd, text->str, text->len);
}

void report_exit(int fd, int status)
{
        g_autofree char *text = g_strdup_printf("{ \"exit-code\": %d }\n", status);

        write_all(fd, text, strlen(text));
}
