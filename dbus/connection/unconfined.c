#include "dbus/connection/unconfined.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "service/util/fd.h"
#include "service/util/proc.h"

#define STATUS_SIZE 8192u
#define LABEL_SIZE  1024u
#define THREADS_MAX 256u /* the loop waits for the look at each of them */

/* -- what the kernel says of one thread -- */

/* What follows `name` and a tab at the beginning of a line; NULL: there is no such line. The name
 * of the process, in the first line, has its line feeds escaped. */
static const char *find_field(const char *status, const char *name)
{
        const char *line = strstr(status, name);

        return line ? line + strlen(name) : NULL;
}

static bool is_zero(const char *status, const char *name)
{
        const char *value = find_field(status, name);

        return value && value[0] == '0' && value[1] == '\n';
}

/* All four: real, effective, saved and that of files. */
static bool has_only_id(const char *status, const char *name, uint32_t id)
{
        const char *value = find_field(status, name);
        unsigned ids[4];

        return value && sscanf(value, "%u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) == 4 &&
               ids[0] == id && ids[1] == id && ids[2] == id && ids[3] == id;
}

static bool has_group(const char *status, gid_t group)
{
        const char *gids = find_field(status, "\nGid:\t"),
                   *more = find_field(status, "\nGroups:\t");
        char *end;

        if (!gids || !more)
                return false;
        if (has_only_id(status, "\nGid:\t", group))
                return true;
        for (unsigned long number = strtoul(more, &end, 10); end != more && *more != '\n';
             number = strtoul(more, &end, 10)) {
                if (number == group)
                        return true;
                more = *end == ' ' ? end + 1 : end;
        }
        return false;
}

/* A process that has dropped what it had when it connected gets none of it back. */
static bool has_ids(const char *status, const Credentials *caller)
{
        if (!has_only_id(status, "\nUid:\t", caller->uid))
                return false;
        for (size_t i = 0; i < caller->n_groups; i++)
                if (!has_group(status, caller->groups[i]))
                        return false;
        return true;
}

bool label_is_unconfined(const char *label)
{
        g_auto(GStrv) parts = g_strsplit(label, ":", 4);

        return strcmp(label, "") == 0 || strcmp(label, "unconfined") == 0 ||
               (g_strv_length(parts) >= 3 && strcmp(parts[2], "unconfined_t") == 0); /* SELinux */
}

/* False: it cannot be read. Without a module that labels there is none. */
static bool read_label(int process, const char *directory, char label[LABEL_SIZE])
{
        char path[64];

        snprintf(path, sizeof path, "%s/attr/current", directory);
        ssize_t r = fd_read_file_at(process, path, label, LABEL_SIZE);
        if (r < 0)
                *label = '\0';
        g_strchomp(label);
        return r >= 0 || r == -EINVAL || r == -ENOENT;
}

/* Not the place itself, which may be on a file system that never answers. */
static bool is_root_ours(int process, const char *thread)
{
        char path[32], root[8] = "";

        snprintf(path, sizeof path, "%s/root", thread);
        return readlinkat(process, path, root, sizeof root) == 1 && root[0] == '/';
}

static bool is_namespace_ours(int process, const char *thread, const char *name)
{
        char own[64], path[64], theirs[64];
        ssize_t own_length, length;

        snprintf(path, sizeof path, "/proc/self/ns/%s", name);
        own_length = readlink(path, own, sizeof own);
        snprintf(path, sizeof path, "%s/ns/%s", thread, name);
        length = readlinkat(process, path, theirs, sizeof theirs);
        return length > 0 && length < (ssize_t) sizeof theirs && length == own_length &&
               memcmp(own, theirs, (size_t) length) == 0;
}

static bool is_thread_unconfined(int process, const char *thread, const Credentials *caller)
{
        char path[32], status[STATUS_SIZE], label[LABEL_SIZE];

        snprintf(path, sizeof path, "%s/status", thread);
        return fd_read_file_at(process, path, status, sizeof status) > 0 &&
               is_zero(status, "\nNoNewPrivs:\t") && is_zero(status, "\nSeccomp:\t") &&
               has_ids(status, caller) && is_namespace_ours(process, thread, "mnt") &&
               is_namespace_ours(process, thread, "user") && is_root_ours(process, thread) &&
               read_label(process, thread, label) && label_is_unconfined(label);
}

/* -- the process -- */

static bool is_there(const Credentials *caller)
{
        uint64_t start;

        return caller->pid > 0 && proc_start_time(caller->pid, &start) &&
               start == caller->start_time && !proc_is_ending(caller->pid);
}

static bool are_threads_unconfined(int process, const Credentials *caller)
{
        autofd int list = openat(process, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *threads = list >= 0 ? fdopendir(list) : NULL;
        const struct dirent *entry;
        unsigned n = 0;
        bool are = true;

        if (!threads)
                return false;
        list = -1; /* the stream's */
        while (are && (entry = readdir(threads))) {
                char path[32];
                if (entry->d_name[0] == '.')
                        continue;
                snprintf(path, sizeof path, "task/%.16s", entry->d_name);
                are = ++n <= THREADS_MAX && is_thread_unconfined(process, path, caller);
        }
        closedir(threads);
        return are && n > 0;
}

static int open_process(const Credentials *caller)
{
        char path[32];

        snprintf(path, sizeof path, "/proc/%d", (int) caller->pid);
        return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool caller_is_unconfined(const Credentials *caller)
{
        autofd int process = caller->is_inside || !is_there(caller) ? -1 : open_process(caller);

        return process >= 0 && are_threads_unconfined(process, caller) && is_there(caller);
}

void caller_describe(const Credentials *caller, CallerWords *ret)
{
        char path[PATH_MAX], label[LABEL_SIZE] = "";
        char *unit = NULL;
        autofd int process = open_process(caller);
        ssize_t length = readlinkat(process, "exe", path, sizeof path - 1);

        read_label(process, ".", label);
        (void) (sd_pid_get_user_unit(caller->pid, &unit) >= 0 ||
                sd_pid_get_unit(caller->pid, &unit) >= 0);
        *ret = (CallerWords){
                .executable = length > 0 ? g_strndup(path, (size_t) length) : g_strdup(""),
                .unit = g_strdup(unit ? unit : ""),
                .label = g_strdup(label),
        };
        free(unit);
}

void caller_words_clear(CallerWords *words)
{
        g_free(words->executable);
        g_free(words->unit);
        g_free(words->label);
}
