/* What `events --stats` tells: the members and units of runc, whichever version counts. */

#include <stdio.h>
#include <string.h>

#include "cli/oci/cgroup/limits.h"
#include "service/cgroup/stats.h"
#include "service/util/fd.h"

#define FILE_MAX        16384u
#define NSEC_PER_USEC   UINT64_C(1000)
#define CONTROLLER_IO   "io"
#define CONTROLLER_DISK "blkio"

/* The text of a file; "" if it cannot be read. */
static const char *read_text(int dirfd, const char *file, char text[FILE_MAX])
{
        if (dirfd < 0 || fd_read_file_at(dirfd, file, text, FILE_MAX) < 0)
                text[0] = '\0';
        return text;
}

static uint64_t read_value(int dirfd, const char *file, const char *key)
{
        char text[FILE_MAX];
        uint64_t value = 0;

        (void) cgroup_parse_figure(read_text(dirfd, file, text), NULL, key, &value);
        return value;
}

static void write_value(Json *json, const char *name, uint64_t value)
{
        json_key(json, name);
        json_unsigned(json, value);
}

static void open_object(Json *json, const char *name)
{
        json_key(json, name);
        json_open(json, '{');
}

/* v2 counts processor time without a controller, also where v1 has the controllers. */
static void write_cpu(Json *json, const PathCgroup *cgroup)
{
        bool is_unified = false;
        int cpu = path_cgroup_of(cgroup, "cpu", &is_unified);
        int accounts = path_cgroup_of(cgroup, "cpuacct", NULL),
            unified = path_cgroup_unified(cgroup);
        uint64_t unit = is_unified ? NSEC_PER_USEC : 1;

        open_object(json, "cpu");
        open_object(json, "usage");
        if (accounts >= 0) {
                write_value(json, "total", read_value(accounts, "cpuacct.usage", NULL));
                write_value(json, "kernel", read_value(accounts, "cpuacct.usage_sys", NULL));
                write_value(json, "user", read_value(accounts, "cpuacct.usage_user", NULL));
        } else {
                write_value(json, "total", read_value(unified, "cpu.stat", "usage_usec") * 1000);
                write_value(json, "kernel", read_value(unified, "cpu.stat", "system_usec") * 1000);
                write_value(json, "user", read_value(unified, "cpu.stat", "user_usec") * 1000);
        }
        json_close(json, '}');
        open_object(json, "throttling");
        write_value(json, "periods", read_value(cpu, "cpu.stat", "nr_periods"));
        write_value(json, "throttledPeriods", read_value(cpu, "cpu.stat", "nr_throttled"));
        write_value(json, "throttledTime",
                    read_value(cpu, "cpu.stat", is_unified ? "throttled_usec" : "throttled_time") *
                            unit);
        json_close(json, '}');
        json_close(json, '}');
}

/* The files of one kind of memory; NULL: there is no such file. */
static void write_usage(Json *json, const char *name, int dirfd, const char *const files[4])
{
        static const char *const keys[] = {"limit", "usage", "max", "failcnt"};
        char text[FILE_MAX];

        open_object(json, name);
        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
                bool is_max = files[i] && g_str_has_prefix(read_text(dirfd, files[i], text), "max");
                if (files[i])
                        write_value(json, keys[i],
                                    is_max ? UINT64_MAX : read_value(dirfd, files[i], NULL));
        }
        json_close(json, '}');
}

static void write_raw(Json *json, int dirfd)
{
        char text[FILE_MAX];
        g_auto(GStrv) lines = g_strsplit(read_text(dirfd, "memory.stat", text), "\n", -1);

        open_object(json, "raw");
        for (char **line = lines; *line; line++) {
                char *space = strchr(*line, ' ');
                if (!space)
                        continue;
                *space = '\0';
                write_value(json, *line, g_ascii_strtoull(space + 1, NULL, 10));
        }
        json_close(json, '}');
}

static void write_memory(Json *json, const PathCgroup *cgroup)
{
        static const char *const kinds[] = {"usage", "swap", "kernel", "kernelTCP"};
        static const char *const legacy[][4] = {
                {"memory.limit_in_bytes", "memory.usage_in_bytes", "memory.max_usage_in_bytes",
                 "memory.failcnt"},
                {"memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes",
                 "memory.memsw.max_usage_in_bytes", "memory.memsw.failcnt"},
                {"memory.kmem.limit_in_bytes", "memory.kmem.usage_in_bytes",
                 "memory.kmem.max_usage_in_bytes", "memory.kmem.failcnt"},
                {"memory.kmem.tcp.limit_in_bytes", "memory.kmem.tcp.usage_in_bytes",
                 "memory.kmem.tcp.max_usage_in_bytes", "memory.kmem.tcp.failcnt"},
        };
        static const char *const unified[][4] = {
                {"memory.max", "memory.current", "memory.peak", NULL},
                {"memory.swap.max", "memory.swap.current", NULL, NULL},
        };
        bool is_unified = false;
        int dirfd = path_cgroup_of(cgroup, "memory", &is_unified);

        open_object(json, "memory");
        write_value(json, "cache",
                    read_value(dirfd, "memory.stat", is_unified ? "file" : "total_cache"));
        for (size_t i = 0; i < (is_unified ? G_N_ELEMENTS(unified) : G_N_ELEMENTS(legacy)); i++)
                write_usage(json, kinds[i], dirfd, is_unified ? unified[i] : legacy[i]);
        write_raw(json, dirfd);
        json_close(json, '}');
}

static void write_pids(Json *json, const PathCgroup *cgroup)
{
        int dirfd = path_cgroup_of(cgroup, "pids", NULL);

        open_object(json, "pids");
        write_value(json, "current", read_value(dirfd, "pids.current", NULL));
        write_value(json, "limit", read_value(dirfd, "pids.max", NULL)); /* 0: none */
        json_close(json, '}');
}

static void write_io_row(Json *json, unsigned major, unsigned minor, const char *op, uint64_t value)
{
        json_open(json, '{');
        write_value(json, "major", major);
        write_value(json, "minor", minor);
        json_key(json, "op");
        json_string(json, op);
        write_value(json, "value", value);
        json_close(json, '}');
}

/* v2: "8:0 rbytes=1 wbytes=2 rios=3 …". v1: a line for each, "8:0 Read 1". */
static void write_io_line(Json *json, const char *line, const char *read_key, const char *write_key)
{
        unsigned major, minor;
        char op[16];
        uint64_t value;

        if (sscanf(line, "%u:%u %15s", &major, &minor, op) != 3)
                return;
        if (!read_key) {
                if (cgroup_parse_figure(strrchr(line, ' ') + 1, NULL, NULL, &value))
                        write_io_row(json, major, minor, op, value);
                return;
        }
        if (cgroup_parse_figure(line, NULL, read_key, &value))
                write_io_row(json, major, minor, "Read", value);
        if (cgroup_parse_figure(line, NULL, write_key, &value))
                write_io_row(json, major, minor, "Write", value);
}

static void write_io(Json *json, const char *name, const char *text, const char *read_key,
                     const char *write_key)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        json_key(json, name);
        json_open(json, '[');
        for (char **line = lines; *line; line++)
                write_io_line(json, *line, read_key, write_key);
        json_close(json, ']');
}

static void write_block_io(Json *json, const PathCgroup *cgroup)
{
        char text[FILE_MAX];
        int disk = path_cgroup_of(cgroup, CONTROLLER_DISK, NULL);
        int io = path_cgroup_of(cgroup, CONTROLLER_IO, NULL);

        open_object(json, "blkio");
        if (disk >= 0) {
                write_io(json, "ioServiceBytesRecursive",
                         read_text(disk, "blkio.throttle.io_service_bytes_recursive", text), NULL,
                         NULL);
                write_io(json, "ioServicedRecursive",
                         read_text(disk, "blkio.throttle.io_serviced_recursive", text), NULL, NULL);
        } else {
                read_text(io, "io.stat", text);
                write_io(json, "ioServiceBytesRecursive", text, "rbytes=", "wbytes=");
                write_io(json, "ioServicedRecursive", text, "rios=", "wios=");
        }
        json_close(json, '}');
}

void oci_stats_write(const PathCgroup *cgroup, Json *json)
{
        json_open(json, '{');
        write_cpu(json, cgroup);
        write_memory(json, cgroup);
        write_pids(json, cgroup);
        write_block_io(json, cgroup);
        open_object(json, "hugetlb");
        json_close(json, '}');
        json_close(json, '}');
}
