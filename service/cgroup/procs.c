/* What is the same in both versions of cgroups: names, numbers in files, lists of processes,
 * sub-directories.
 *
 * Before a signal is sent, a process of the list may end, and a stranger may get its pid. So open a
 * pidfd for the pid, then read the list again. If the list still names the pid, the pidfd is of a
 * process of this cgroup, or of a dead one: a living stranger with that pid would keep it off the
 * list. */

#include "service/cgroup/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"

#define DIRECTORIES_MAX 4096u /* sub-cgroups in total */
#define BATCH           64u   /* pidfds open at a time */
#define KILL_ROUNDS     50u   /* of 2 ms, where nothing could be frozen */

const char *cgroup_controller_name(CgroupController controller)
{
        static const char *const names[_CGROUP_CONTROLLER_MAX] = {"memory", "pids", "cpu",
                                                                  "cpuset", "io",   "freezer"};

        return names[controller];
}

const char *cgroup_legacy_name(CgroupController controller)
{
        return controller == CGROUP_IO ? "blkio" : cgroup_controller_name(controller);
}

/* -- directories -- */

static DIR *open_directory(int dirfd)
{
        autofd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);

        if (dir)
                steal_fd(&fd);
        return dir;
}

GPtrArray *cgroup_list_directories(int dirfd)
{
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
        DIR *dir = open_directory(dirfd);
        const struct dirent *entry;

        if (!dir)
                return names;
        while (names->len < DIRECTORIES_MAX && (entry = readdir(dir)))
                if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
                        g_ptr_array_add(names, g_strdup(entry->d_name));
        closedir(dir);
        return names;
}

GPtrArray *cgroup_list_owners(const CgroupHierarchy *h)
{
        GPtrArray *names = cgroup_list_directories(h->parent_fd);
        uint64_t owner;

        for (unsigned i = names->len; i-- > 0;)
                if (!cgroup_parse_number(names->pdata[i], UINT32_MAX - 1, &owner))
                        g_ptr_array_remove_index_fast(names, i);
        return names;
}

/* -- values -- */

bool cgroup_parse_number(const char *text, uint64_t max, uint64_t *ret)
{
        return (text[0] != '0' || !text[1]) &&
               g_ascii_string_to_unsigned(text, 10, 0, max, ret, NULL);
}

uint64_t cgroup_keyed_value(const char *text, const char *key)
{
        size_t length = strlen(key);

        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, key, length) == 0 && line[length] == ' ')
                        return g_ascii_strtoull(line + length + 1, NULL, 10);
        }
        return 0;
}

bool cgroup_set_value(int leaf, const char *file, uint64_t value, GError **error)
{
        char text[32];
        autofd int fd = openat(leaf, file, O_RDWR | O_CLOEXEC);

        if (fd < 0)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno, "cannot open %s",
                                       file);
        int length = snprintf(text, sizeof text, "%" PRIu64, value);
        if (write(fd, text, (size_t) length) < 0) /* EBUSY: v1, where more is in use already */
                return error_set_errno(error,
                                       errno == EBUSY ? RUNTIME_ERROR_MEMORY_TOO_LOW
                                                      : RUNTIME_ERROR_CGROUP_FAILED,
                                       errno, "cannot set %s to %" PRIu64, file, value);
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        if (n < 0)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno,
                                       "cannot read %s back", file);
        text[n] = '\0';
        g_strchomp(text);
        if (n == 0 || strcmp(text, "max") == 0 || g_ascii_strtoull(text, NULL, 10) > value)
                return error_set(error, RUNTIME_ERROR_CGROUP_FAILED,
                                 "%s was set to %" PRIu64 ", but reads '%s'", file, value, text);
        return true;
}

/* The kernel counts pages in a long, and takes the largest number for "no limit". A larger limit
 * than one page below that is lowered to it: the promise, no more than was asked for, is kept. */
bool cgroup_set_bytes(int leaf, const char *file, uint64_t value, GError **error)
{
        uint64_t page = (uint64_t) sysconf(_SC_PAGESIZE);

        return cgroup_set_value(leaf, file, MIN(value, (LONG_MAX / page - 1) * page), error);
}

bool cgroup_set_tasks(int leaf, uint64_t tasks_max, GError **error)
{
        return cgroup_set_value(leaf, "pids.max", MIN(tasks_max, CGROUP_PIDS_MAX), error);
}

bool cgroup_swap_file_missing(const char *file, GError **error)
{
        g_autofree char *swaps = NULL;

        if (!g_file_get_contents("/proc/swaps", &swaps, NULL, NULL))
                return true;                    /* a kernel without swap */
        const char *line = strchr(swaps, '\n'); /* the first line is a heading */
        if (line && line[1])
                return error_set(error, RUNTIME_ERROR_CGROUP_FAILED,
                                 "cannot limit swap, which is in use: the kernel has no %s", file);
        return true;
}

/* -- processes -- */

/* Pids as they are now; those outside our pid namespace read as 0 and are left out. */
static GHashTable *read_processes(int dirfd)
{
        GHashTable *pids = g_hash_table_new(NULL, NULL);
        autofd int fd = openat(dirfd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
        FILE *file = fd < 0 ? NULL : fdopen(fd, "re");
        char line[32];

        if (!file)
                return pids;
        steal_fd(&fd);
        while (fgets(line, sizeof line, file)) {
                int pid = (int) g_ascii_strtoll(line, NULL, 10);
                if (pid > 0)
                        g_hash_table_add(pids, GINT_TO_POINTER(pid));
        }
        fclose(file);
        return pids;
}

typedef struct Call {
        int signal;
        pid_t spared; /* 0: nobody */
} Call;

static void signal_batch(int dirfd, const gpointer *pids, unsigned n, const Call *call)
{
        int fds[BATCH];

        for (unsigned i = 0; i < n; i++)
                fds[i] = (int) syscall(SYS_pidfd_open, GPOINTER_TO_INT(pids[i]), 0);
        g_autoptr(GHashTable) again = read_processes(dirfd);
        for (unsigned i = 0; i < n; i++) {
                if (fds[i] >= 0 && g_hash_table_contains(again, pids[i]) &&
                    GPOINTER_TO_INT(pids[i]) != call->spared)
                        (void) syscall(SYS_pidfd_send_signal, fds[i], call->signal, NULL, 0);
                fd_close(fds[i]);
        }
}

static unsigned signal_directory(int dirfd, const Call *call)
{
        g_autoptr(GHashTable) found = read_processes(dirfd);
        unsigned n = 0;
        g_autofree gpointer *pids = g_hash_table_get_keys_as_array(found, &n);

        for (unsigned i = 0; i < n; i += BATCH)
                signal_batch(dirfd, pids + i, MIN(BATCH, n - i), call);
        return n;
}

/* Visits a cgroup and those below it, parents first. Returns the sum of what `visit` returns. */
static unsigned walk(int dirfd, unsigned depth, unsigned (*visit)(int dirfd, const Call *call),
                     const Call *call)
{
        unsigned sum = visit(dirfd, call);
        g_autoptr(GPtrArray) names = cgroup_list_directories(dirfd);

        for (unsigned i = 0; depth > 0 && i < names->len; i++) {
                autofd int child = openat(dirfd, names->pdata[i],
                                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (child >= 0)
                        sum += walk(child, depth - 1, visit, call);
        }
        return sum;
}

unsigned cgroup_signal_all(int dirfd, int signal)
{
        return cgroup_signal_others(dirfd, signal, 0);
}

unsigned cgroup_signal_others(int dirfd, int signal, pid_t spared)
{
        const Call call = {signal, spared};

        return walk(dirfd, CGROUP_DEPTH_MAX, signal_directory, &call);
}

void cgroup_list_below(int dirfd, unsigned depth, size_t max, GArray *pids)
{
        g_autoptr(GHashTable) found = read_processes(dirfd);
        g_autoptr(GPtrArray) names = cgroup_list_directories(dirfd);
        unsigned n = 0;
        g_autofree gpointer *keys = g_hash_table_get_keys_as_array(found, &n);

        for (unsigned i = 0; i < n && pids->len < max; i++) {
                pid_t pid = GPOINTER_TO_INT(keys[i]);
                g_array_append_val(pids, pid);
        }
        for (unsigned i = 0; depth > 0 && i < names->len && pids->len < max; i++) {
                autofd int child = openat(dirfd, names->pdata[i],
                                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (child >= 0)
                        cgroup_list_below(child, depth - 1, max, pids);
        }
}

static unsigned count_directory(int dirfd, const Call *unused)
{
        char byte;
        autofd int fd = openat(dirfd, "cgroup.procs", O_RDONLY | O_CLOEXEC);

        return fd >= 0 && read(fd, &byte, 1) == 1; /* those outside our pid namespace count, too */
}

bool cgroup_has_processes(int dirfd)
{
        return walk(dirfd, CGROUP_DEPTH_MAX, count_directory, NULL) > 0;
}

bool cgroup_kill_listed(int leaf, bool (*freeze)(int leaf), void (*thaw)(int leaf), GError **error)
{
        for (unsigned round = 0; round < KILL_ROUNDS; round++) {
                bool is_frozen = freeze(leaf);
                unsigned n = cgroup_signal_all(leaf, SIGKILL);
                thaw(leaf);
                if (is_frozen || n == 0)
                        return true;
                g_usleep(2000);
        }
        return error_set(
                error, RUNTIME_ERROR_CGROUP_FAILED,
                "cannot kill all processes: they could not be frozen, and there are some left "
                "after %u rounds",
                KILL_ROUNDS);
}

/* -- removing -- */

static int remove_below(int dirfd, unsigned depth, unsigned *budget)
{
        g_autoptr(GPtrArray) names = cgroup_list_directories(dirfd);
        int r = 0;

        for (unsigned i = 0; i < names->len; i++) {
                if (*budget == 0)
                        return -ELOOP;
                (*budget)--;
                if (unlinkat(dirfd, names->pdata[i], AT_REMOVEDIR) == 0)
                        continue;
                autofd int child = openat(dirfd, names->pdata[i],
                                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (depth == 0)
                        return -ELOOP;
                if (child >= 0)
                        (void) remove_below(child, depth - 1, budget);
                if (unlinkat(dirfd, names->pdata[i], AT_REMOVEDIR) < 0 && errno != ENOENT)
                        r = -errno;
        }
        return r;
}

int cgroup_remove_children(int dirfd)
{
        unsigned budget = DIRECTORIES_MAX;

        return remove_below(dirfd, CGROUP_DEPTH_MAX, &budget);
}
