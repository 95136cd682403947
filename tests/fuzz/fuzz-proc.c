/* The first byte names a file of the kernel's that carries what others have chosen; the rest is its
 * text, and then a part of such a text that somebody may choose:
 *   'S' /proc/PID/stat, with the name of a process
 *   'C' /proc/PID/cgroup, with the path of a cgroup
 *   'K' a file of keys and numbers (cgroup.events, memory.events) */

#include <string.h>

#include "service/cgroup/internal.h"
#include "service/util/proc.h"
#include "tests/fuzz/target.h"

/* The time is found, whatever the process calls itself. */
static void parse_stat(const char *text)
{
        uint64_t start = 0;
        g_autofree char *stat =
                g_strconcat("42 (", text,
                            ") S 1 2 3 0 -1 4194304 5 6 7 8 9 10 11 12 20 0 1 0 4711 999\n", NULL);

        (void) proc_parse_start_time(text, &start);
        g_assert_true(proc_parse_start_time(stat, &start));
        g_assert_cmpuint(start, ==, 4711);
}

/* Each path is found once, as the whole of it. */
static void parse_cgroup(const char *text)
{
        g_autofree char *copy = g_strdup(text), *path = g_strdup(text);
        char *rest = copy;
        ProcCgroup cgroup;

        while (proc_next_cgroup(&rest, &cgroup)) {
                g_assert_cmpint(cgroup.path[0], ==, '/');
                g_assert_null(strchr(cgroup.path, '\n'));
        }
        g_strdelimit(path, "\n", '_'); /* the kernel makes no cgroup of such a name */
        g_autofree char *lines = g_strdup_printf("4:memory:/a/%s\n\n0::/b/%s\n", path, path);
        rest = lines;
        g_assert_true(proc_next_cgroup(&rest, &cgroup));
        g_assert_true(!cgroup.is_unified && g_str_has_prefix(cgroup.path, "/a/"));
        g_assert_cmpstr(cgroup.path + 3, ==, path);
        g_assert_true(proc_next_cgroup(&rest, &cgroup));
        g_assert_true(cgroup.is_unified && g_str_has_prefix(cgroup.path, "/b/"));
        g_assert_cmpstr(cgroup.path + 3, ==, path);
        g_assert_false(proc_next_cgroup(&rest, &cgroup));
}

/* A key is found behind and before anything else. */
static void parse_keyed(const char *text)
{
        g_autofree char *first = g_strconcat("oom_kill 7\n", text, NULL);
        g_autofree char *other = g_strdup(text);

        (void) cgroup_keyed_value(text, "oom_kill");
        g_assert_cmpuint(cgroup_keyed_value(first, "oom_kill"), ==, 7);
        g_strdelimit(other, "k", '_');
        g_autofree char *last = g_strconcat(other, "\noom_kill 18446744073709551615\n", NULL);
        g_assert_cmpuint(cgroup_keyed_value(last, "oom_kill"), ==, UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size == 0)
                return 0;
        g_autofree char *text = g_strndup((const char *) data + 1, size - 1);
        switch (data[0]) {
        case 'S':
                parse_stat(text);
                break;
        case 'C':
                parse_cgroup(text);
                break;
        case 'K':
                parse_keyed(text);
                break;
        default:
                break;
        }
        return 0;
}
