/* The cgroup module on the machine's own hierarchies, below a parent of the test's own. Needs root;
 * what can be tried depends on the mode, and each test says what it leaves out. */

#include "service/cgroup/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "service/cgroup/hit.h"
#include "service/cgroup/internal.h"
#include "service/cgroup/live/outside.h"
#include "service/spec/error.h"
#include "service/util/fd.h"
#include "service/util/proc.h"
#include "service/util/shares.h"
#include "tests/lib/case.h"
#include "tests/lib/fds.h"

#define MIB   UINT64_C(1048576)
#define OWNER 4242u

static const CgroupLimits unlimited = {CGROUP_NO_LIMIT, CGROUP_NO_LIMIT, CGROUP_NO_LIMIT};
static char *top;    /* "/naive-runc-test-1234" */
static char *parent; /* two levels: "/naive-runc-test-1234/unit.service" */
static CgroupTree *tree;

/* -- helpers -- */

/* All directories below our parent, in every cgroup mount of the machine, as one sorted text. */
static void list_below(const char *path, GPtrArray *found)
{
        DIR *dir = opendir(path);
        const struct dirent *entry;

        if (!dir)
                return;
        g_ptr_array_add(found, g_strdup(path));
        while ((entry = readdir(dir))) {
                g_autofree char *child = g_build_filename(path, entry->d_name, NULL);
                if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
                        list_below(child, found);
        }
        closedir(dir);
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static char *listing(const char *below)
{
        g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
        char line[4096], point[256], type[32];
        FILE *mounts = fopen("/proc/self/mounts", "re");

        g_assert_nonnull(mounts);
        while (fgets(line, sizeof line, mounts)) {
                if (sscanf(line, "%*s %255s %31s", point, type) != 2 ||
                    !g_str_has_prefix(type, "cgroup"))
                        continue;
                g_autofree char *path = g_strconcat(point, below, NULL);
                list_below(path, found);
        }
        fclose(mounts);
        if (found->len > 0)
                qsort(found->pdata, found->len, sizeof(void *), compare);
        g_ptr_array_add(found, NULL);
        return g_strjoinv("\n", (char **) found->pdata);
}

static Cgroup *make(uint64_t serial, const CgroupLimits *limits)
{
        g_autoptr(GError) error = NULL;
        Cgroup *cgroup = NULL;

        cgroup_new(tree, OWNER, serial, limits, &cgroup, &error);
        g_assert_no_error(error);
        return cgroup;
}

/* Processes end a little after they are killed. */
static void finish(Cgroup *cgroup)
{
        g_autoptr(GError) error = NULL;

        cgroup_kill(cgroup, &error);
        g_assert_no_error(error);
        for (int i = 0; i < 1000 && cgroup_is_populated(cgroup); i++)
                g_usleep(5000);
        for (int i = 0; i < 1000 && !cgroup_remove(cgroup, NULL); i++)
                g_usleep(5000);
        cgroup_remove(cgroup, &error);
        g_assert_no_error(error);
        cgroup_free(cgroup);
}

/* A child that is in the leaf from its birth (v2) and enters the v1 leaves itself, as a container
 * does. Returns when it is in. */
static pid_t spawn(const Cgroup *cgroup, int (*body)(void))
{
        int birth = cgroup_birth_fd(cgroup), ready[2];
        struct clone_args args = {
                .flags = birth >= 0 ? CLONE_INTO_CGROUP : 0,
                .exit_signal = SIGCHLD,
                .cgroup = birth >= 0 ? (uint64_t) birth : 0,
        };
        char byte = 0;

        g_assert_cmpint(pipe2(ready, O_CLOEXEC), ==, 0);
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        g_assert_cmpint(pid, >=, 0);
        if (pid > 0) {
                fd_close(ready[1]);
                g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
                fd_close(ready[0]);
                return pid;
        }
        for (unsigned i = 0; cgroup_entry_fd(cgroup, i) >= 0; i++)
                if (write(cgroup_entry_fd(cgroup, i), "0", 1) != 1)
                        _exit(99);
        if (write(ready[1], &byte, 1) != 1)
                _exit(99);
        fd_close(ready[1]);
        _exit(body());
}

static int wait_for(pid_t pid)
{
        int status;

        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        return status;
}

/* Should the test abort, its children must not outlive it. */
G_NORETURN static int sleep_forever(void)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
                pause();
}

static size_t touch_bytes; /* of the next child that touches */

/* Touches memory through a mapping: malloc is not for a raw clone's child. */
static int touch(void)
{
        char *memory =
                mmap(NULL, touch_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
                return 98;
        for (size_t i = 0; i < touch_bytes; i += 4096)
                memory[i] = 1;
        return 7;
}

static pid_t spawn_touch(const Cgroup *cgroup, size_t bytes)
{
        touch_bytes = bytes;
        return spawn(cgroup, touch);
}

static int fork_40(void)
{
        int made = 0;

        for (int i = 0; i < 40; i++) {
                pid_t pid = fork();
                if (pid == 0)
                        sleep_forever();
                made += pid > 0;
        }
        return made;
}

/* Four levels deep, each process deaf to what it can be deaf to. */
static int deaf_tree(void)
{
        signal(SIGTERM, SIG_IGN);
        for (int i = 0; i < 4; i++)
                if (fork() < 0)
                        return 97;
        return sleep_forever();
}

static bool serves(CgroupController controller)
{
        return tree->serving[controller] >= 0;
}

#define NEED(controller)                                                                           \
        if (!serves(controller)) {                                                                 \
                g_test_skip(tree->missing[controller]);                                            \
                return;                                                                            \
        }

/* The value in a file of the leaf, found through the module's own fds only to know which leaf. */
static char *leaf_file(uint64_t serial, CgroupController controller, const char *file)
{
        char text[256], path[128];
        int index = tree->serving[controller];

        snprintf(path, sizeof path, "%u/%" PRIu64 "/%s", OWNER, serial, file);
        if (index < 0 ||
            fd_read_file_at(tree->hierarchies[index].parent_fd, path, text, sizeof text) < 0)
                return NULL;
        return g_strdup(g_strchomp(text));
}

static bool is_v1(CgroupController controller)
{
        return serves(controller) &&
               tree->hierarchies[tree->serving[controller]].backend == &cgroup_legacy;
}

static uint64_t memory_limit(uint64_t serial)
{
        g_autofree char *text =
                leaf_file(serial, CGROUP_MEMORY,
                          is_v1(CGROUP_MEMORY) ? "memory.limit_in_bytes" : "memory.max");

        g_assert_nonnull(text);
        return strcmp(text, "max") == 0 ? UINT64_MAX : g_ascii_strtoull(text, NULL, 10);
}

/* -- finding the place -- */

/* The mode that is found is the one that the mounts of this machine make. */
TEST(mode)
{
        CgroupMode mode = cgroup_tree_mode(tree);
        const char *expected = g_getenv("CGROUP_TEST_MODE");

        g_test_message("mode %s", cgroup_mode_to_string(mode));
        if (expected) {
                g_assert_cmpstr(cgroup_mode_to_string(mode), ==, expected);
                return;
        }
        if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0)
                g_assert_cmpint(mode, ==, CGROUP_MODE_UNIFIED);
        else if (access("/sys/fs/cgroup/unified/cgroup.controllers", F_OK) == 0)
                g_assert_cmpint(mode, ==, CGROUP_MODE_HYBRID);
        else
                g_assert_cmpint(mode, ==, CGROUP_MODE_LEGACY);
}

static void as_nobody(void)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *strange = g_strconcat(top, "-nobody", NULL);
        CgroupLimits limits = {10 * MIB, CGROUP_NO_LIMIT, CGROUP_NO_LIMIT};
        Cgroup *cgroup = NULL;

        if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
                _exit(1);
        g_autoptr(CgroupTree) mine = cgroup_tree_new(strange);
        if (cgroup_tree_mode(mine) != CGROUP_MODE_NONE)
                _exit(2);
        if (cgroup_new(mine, OWNER, 1, &limits, &cgroup, &error))
                _exit(3);
        if (!g_error_matches(error, RUNTIME_ERROR, RUNTIME_ERROR_NOT_SUPPORTED) ||
            !strstr(error->message, "memory") || !strstr(error->message, "Permission denied"))
                _exit(4);
        if (!cgroup_new(mine, OWNER, 1, &unlimited, &cgroup, NULL))
                _exit(5);
        if (cgroup_birth_fd(cgroup) != -1 || cgroup_entry_fd(cgroup, 0) != -1 ||
            *cgroup_path(cgroup))
                _exit(6);
        if (cgroup_kill(cgroup, NULL) || !cgroup_remove(cgroup, NULL))
                _exit(7);
        cgroup_free(cgroup);
        /* A parent that is there already, but root's. */
        g_autoptr(CgroupTree) other = cgroup_tree_new(parent);
        _exit(cgroup_tree_mode(other) == CGROUP_MODE_NONE ? 0 : 8);
}

/* Without the right to any hierarchy a limit is refused with the reason, and no limit is fine. */
TEST(no_permission)
{
        pid_t pid = fork();

        if (pid == 0)
                as_nobody();
        g_assert_cmpint(wait_for(pid), ==, 0);
}

/* -- limits -- */

/* Limits stand in the kernel's files before anything is in the leaf. */
TEST(limits)
{
        CgroupLimits limits = {10 * MIB, 0, 17};

        NEED(CGROUP_MEMORY)
        NEED(CGROUP_PIDS)
        Cgroup *cgroup = make(1, &limits);
        g_autofree char *tasks = leaf_file(1, CGROUP_PIDS, "pids.max");
        g_autofree char *swap =
                leaf_file(1, CGROUP_MEMORY,
                          is_v1(CGROUP_MEMORY) ? "memory.memsw.limit_in_bytes" : "memory.swap.max");
        g_assert_cmpuint(memory_limit(1), ==, 10 * MIB);
        g_assert_cmpstr(tasks, ==, "17");
        if (swap)
                g_assert_cmpuint(g_ascii_strtoull(swap, NULL, 10), ==,
                                 is_v1(CGROUP_MEMORY) ? 10 * MIB : 0);
        finish(cgroup);
}

/* A byte does not become "no limit", and nothing becomes more than was asked. */
TEST(odd_limits)
{
        static const uint64_t asked[] = {0, 1, 4095, 4097, 10 * MIB + 1, INT64_MAX, UINT64_MAX - 1};

        NEED(CGROUP_MEMORY)
        for (unsigned i = 0; i < G_N_ELEMENTS(asked); i++) {
                CgroupLimits limits = {asked[i], CGROUP_NO_LIMIT, CGROUP_NO_LIMIT};
                Cgroup *cgroup = make(1, &limits);
                g_assert_cmpuint(memory_limit(1), <=, asked[i]);
                g_assert_cmpuint(memory_limit(1), >=,
                                 MIN(asked[i], INT64_MAX - 65536 * 3) & ~UINT64_C(65535));
                limits.memory_swap_max = UINT64_MAX - 1; /* the sum must not wrap around */
                finish(cgroup);
                finish(make(1, &limits));
        }
}

/* A value that reads back larger than what was written is an error: here a file that keeps its
 * tail. */
TEST(read_back)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *directory = g_dir_make_tmp("test-cgroup-XXXXXX", &error);
        g_autofree char *file = g_build_filename(directory, "limit", NULL);
        autofd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        g_assert_true(g_file_set_contents(file, "10", -1, &error));
        g_assert_true(cgroup_set_value(fd, "limit", 12, &error));
        g_assert_true(g_file_set_contents(file, "100", -1, &error));
        g_assert_false(cgroup_set_value(fd, "limit", 12, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_CGROUP_FAILED);
        g_assert_cmpint(unlink(file), ==, 0);
        g_assert_cmpint(rmdir(directory), ==, 0);
}

/* Without limits no leaf of a controller is needed, and v2's is at "max". */
TEST(no_limits)
{
        Cgroup *cgroup = make(1, &unlimited);
        g_autofree char *tasks = leaf_file(1, CGROUP_PIDS, "pids.max");

        g_assert_cmpstr(tasks, ==, is_v1(CGROUP_PIDS) || !serves(CGROUP_PIDS) ? NULL : "max");
        g_assert_cmpuint(cgroup_oom_kills(cgroup), ==, 0);
        if (tree->mode == CGROUP_MODE_HYBRID)
                g_assert_cmpint(cgroup_entry_fd(cgroup, is_v1(CGROUP_CPU) ? 1 : 0), ==, -1);
        finish(cgroup);
}

/* v1 has no way to limit swap alone, and says so instead of ignoring it. */
TEST(swap_alone)
{
        g_autoptr(GError) error = NULL;
        CgroupLimits limits = {CGROUP_NO_LIMIT, 0, CGROUP_NO_LIMIT};
        Cgroup *cgroup = NULL;

        NEED(CGROUP_MEMORY)
        if (!is_v1(CGROUP_MEMORY)) {
                cgroup = make(1, &limits);
                g_autofree char *swap = leaf_file(1, CGROUP_MEMORY, "memory.swap.max");
                g_assert_cmpstr(swap ? swap : "0", ==, "0");
                finish(cgroup);
                return;
        }
        g_assert_false(cgroup_new(tree, OWNER, 1, &limits, &cgroup, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NOT_SUPPORTED);
}

/* A limit of tasks stops forks at that number. */
TEST(tasks_bite)
{
        CgroupLimits limits = {CGROUP_NO_LIMIT, CGROUP_NO_LIMIT, 10};

        NEED(CGROUP_PIDS)
        Cgroup *cgroup = make(1, &limits);
        int status = wait_for(spawn(cgroup, fork_40));
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, 9);
        finish(cgroup);
}

/* -- processes -- */

static bool listed(const char *pids, pid_t pid)
{
        g_auto(GStrv) lines = g_strsplit(pids, "\n", -1);
        g_autofree char *text = g_strdup_printf("%d", (int) pid);

        return g_strv_contains((const char *const *) lines, text);
}

static void assert_inside(const Cgroup *cgroup, pid_t pid, CgroupController controller)
{
        g_autofree char *pids = leaf_file(1, controller, "cgroup.procs");
        g_autofree char *proc = g_strdup_printf("/proc/%d/cgroup", (int) pid);
        g_autofree char *text = NULL;

        if (serves(controller)) {
                g_assert_nonnull(pids);
                g_assert_true(listed(pids, pid));
        }
        g_assert_true(g_file_get_contents(proc, &text, NULL, NULL));
        g_assert_nonnull(strstr(text, cgroup_path(cgroup)));
}

/* A child is in every leaf after its birth and the writes of its own. */
TEST(birth)
{
        CgroupLimits limits = {64 * MIB, CGROUP_NO_LIMIT, 50};

        NEED(CGROUP_MEMORY)
        NEED(CGROUP_PIDS)
        Cgroup *cgroup = make(1, &limits);
        g_assert_false(cgroup_is_populated(cgroup));
        pid_t pid = spawn(cgroup, sleep_forever);
        g_assert_true(cgroup_is_populated(cgroup));
        assert_inside(cgroup, pid, CGROUP_MEMORY);
        assert_inside(cgroup, pid, CGROUP_PIDS);
        kill(pid, SIGKILL);
        wait_for(pid);
        finish(cgroup);
}

/* A process beyond the limit of memory is killed, and that is counted and reported. */
TEST(oom)
{
        CgroupLimits limits = {10 * MIB, 0, CGROUP_NO_LIMIT};
        struct pollfd poll_fd = {0};

        NEED(CGROUP_MEMORY)
        Cgroup *cgroup = make(1, &limits);
        poll_fd.fd = cgroup_oom_fd(cgroup, &poll_fd.events);
        g_assert_cmpint(poll_fd.fd, >=, 0);
        g_assert_cmpint(poll(&poll_fd, 1, 0), ==, 0);
        int status = wait_for(spawn_touch(cgroup, 32 * MIB));
        g_assert_true(WIFSIGNALED(status));
        g_assert_cmpint(WTERMSIG(status), ==, SIGKILL);
        g_assert_cmpint(poll(&poll_fd, 1, 2000), ==, 1);
        g_assert_cmpuint(cgroup_oom_kills(cgroup), >=, 1); /* a group kill counts the first twice */
        g_usleep(50000);                                   /* v2 reports within 10 ms */
        cgroup_oom_kills(cgroup);
        g_assert_cmpint(poll(&poll_fd, 1, 0), ==, 0); /* rearmed */
        finish(cgroup);
}

/* A process within the limit lives, and nothing is counted. */
TEST(no_oom)
{
        CgroupLimits limits = {10 * MIB, 0, CGROUP_NO_LIMIT};

        NEED(CGROUP_MEMORY)
        Cgroup *cgroup = make(1, &limits);
        int status = wait_for(spawn_touch(cgroup, 4 * MIB));
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, 7);
        g_assert_cmpuint(cgroup_oom_kills(cgroup), ==, 0);
        finish(cgroup);
}

static pid_t spawn_tree(const Cgroup *cgroup)
{
        const CgroupHierarchy *h = &tree->hierarchies[tree->tracking];
        g_autofree char *name = g_strdup_printf("%u/1", OWNER);
        autofd int leaf = openat(h->parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        pid_t pid = spawn(cgroup, deaf_tree);

        for (int i = 0; i < 1000 && cgroup_signal_all(leaf, 0) < 16; i++)
                g_usleep(5000);
        g_assert_cmpuint(cgroup_signal_all(leaf, 0), ==, 16);
        return pid;
}

/* 16 processes of four generations that ignore SIGTERM all end by the kill, and soon. */
TEST(kill)
{
        g_autoptr(GError) error = NULL;
        Cgroup *cgroup = make(1, &unlimited);
        pid_t pid = spawn_tree(cgroup);

        cgroup_signal(cgroup, SIGTERM, 0, &error);
        g_assert_no_error(error);
        g_usleep(100000);
        g_assert_cmpint(waitpid(pid, NULL, WNOHANG), ==, 0);
        g_assert_true(cgroup_is_populated(cgroup));
        cgroup_kill(cgroup, &error);
        g_assert_no_error(error);
        g_assert_cmpint(WTERMSIG(wait_for(pid)), ==, SIGKILL);
        for (int i = 0; i < 400 && cgroup_is_populated(cgroup); i++)
                g_usleep(5000);
        g_assert_false(cgroup_is_populated(cgroup));
        finish(cgroup);
}

/* Another signal reaches every process, and no stranger. */
TEST(signal)
{
        g_autoptr(GError) error = NULL;
        Cgroup *cgroup = make(1, &unlimited);
        pid_t pids[3], stranger = fork();

        if (stranger == 0)
                sleep_forever();
        for (int i = 0; i < 3; i++)
                pids[i] = spawn(cgroup, sleep_forever);
        cgroup_signal(cgroup, SIGTERM, 0, &error);
        g_assert_no_error(error);
        for (int i = 0; i < 3; i++)
                g_assert_cmpint(WTERMSIG(wait_for(pids[i])), ==, SIGTERM);
        g_assert_cmpint(waitpid(stranger, NULL, WNOHANG), ==, 0);
        kill(stranger, SIGKILL);
        wait_for(stranger);
        finish(cgroup);
}

/* Where there is no cgroup.kill, a freezer holds a fork bomb still; no freezer, and rounds must do.
 */
TEST(kill_listed)
{
        g_autoptr(GError) error = NULL;
        Cgroup *cgroup = make(1, &unlimited);
        const CgroupHierarchy *h = &tree->hierarchies[tree->tracking];
        g_autofree char *name = g_strdup_printf("%u/1", OWNER);
        autofd int leaf = openat(h->parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        pid_t pid = spawn_tree(cgroup);

        cgroup_legacy.kill(leaf, &error); /* on v2 a leaf without freezer.state */
        g_assert_no_error(error);
        g_assert_cmpint(WTERMSIG(wait_for(pid)), ==, SIGKILL);
        finish(cgroup);
}

/* -- removing -- */

/* A leaf with a process in it is not removed, in words; after the kill it is. */
TEST(remove_populated)
{
        g_autoptr(GError) error = NULL;
        Cgroup *cgroup = make(1, &unlimited);
        pid_t pid = spawn(cgroup, sleep_forever);

        g_assert_false(cgroup_remove(cgroup, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_CGROUP_FAILED);
        g_assert_nonnull(strstr(error->message, "there are processes in it"));
        g_assert_true(cgroup_kill(cgroup, NULL));
        wait_for(pid);
        finish(cgroup);
}

/* Sub-cgroups made inside go with the leaf; a second removal is fine. */
TEST(remove_nested)
{
        Cgroup *cgroup = make(1, &unlimited);
        const CgroupHierarchy *h = &tree->hierarchies[tree->tracking];
        static const char *const names[] = {"a", "a/b", "a/b/c", "d", "d/e"};

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *name = g_strdup_printf("%u/1/%s", OWNER, names[i]);
                g_assert_cmpint(mkdirat(h->parent_fd, name, 0755), ==, 0);
        }
        g_assert_true(cgroup_remove(cgroup, NULL));
        finish(cgroup);
        g_autofree char *after = listing(parent);
        g_assert_null(strstr(after, "/4242/1"));
}

/* A process in a sub-cgroup belongs to the leaf: it is seen, signalled and ended with it. */
TEST(nested_process)
{
        Cgroup *cgroup = make(1, &unlimited);
        const CgroupHierarchy *h = &tree->hierarchies[tree->tracking];
        g_autofree char *name = g_strdup_printf("%u/1/a/b", OWNER);
        pid_t pid = spawn(cgroup, sleep_forever);

        *strrchr(name, '/') = '\0';
        g_assert_cmpint(mkdirat(h->parent_fd, name, 0755), ==, 0);
        name[strlen(name)] = '/';
        g_assert_cmpint(mkdirat(h->parent_fd, name, 0755), ==, 0);
        g_autofree char *procs = g_strconcat(name, "/cgroup.procs", NULL);
        g_autofree char *text = g_strdup_printf("%d", (int) pid);
        g_assert_cmpint(fd_write_file_at(h->parent_fd, procs, text), ==, 0);
        g_assert_true(cgroup_is_populated(cgroup));
        g_assert_false(cgroup_remove(cgroup, NULL));
        g_assert_true(cgroup_signal(cgroup, SIGTERM, 0, NULL));
        g_assert_cmpint(WTERMSIG(wait_for(pid)), ==, SIGTERM);
        finish(cgroup);
}

/* When making fails half way, no leaf is left in any hierarchy, and a stranger's leaf is not
 * touched. */
TEST(failure_leaves_nothing)
{
        g_autoptr(GError) error = NULL;
        CgroupLimits limits = {10 * MIB, CGROUP_NO_LIMIT, 10};
        Cgroup *cgroup = NULL;

        NEED(CGROUP_MEMORY)
        finish(make(1, &limits));
        g_autofree char *before = listing(parent);
        /* The leaf of the last hierarchy that it is made in is there already. */
        int last = tree->serving[serves(CGROUP_CPU) ? CGROUP_CPU : CGROUP_MEMORY];
        const CgroupHierarchy *h = &tree->hierarchies[last];
        g_autofree char *name = g_strdup_printf("%u/9", OWNER);
        g_assert_cmpint(mkdirat(h->parent_fd, name, 0755), ==, 0);
        g_autofree char *stale = listing(parent);
        g_assert_false(cgroup_new(tree, OWNER, 9, &limits, &cgroup, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_CGROUP_FAILED);
        g_assert_nonnull(strstr(error->message, "File exists"));
        g_autofree char *after = listing(parent);
        g_assert_cmpstr(after, ==, stale);
        g_assert_cmpint(unlinkat(h->parent_fd, name, AT_REMOVEDIR), ==, 0);
        g_autofree char *end = listing(parent);
        g_assert_cmpstr(end, ==, before);
}

/* -- a predecessor's leaves -- */

static unsigned seen_empty, seen_populated, seen_other;

static void see(uid_t owner, uint64_t serial, bool populated, void *data)
{
        if (owner == OWNER && serial == 1 && populated)
                seen_populated++;
        else if (owner == 0 && serial == UINT64_MAX && !populated)
                seen_empty++;
        else
                seen_other++;
}

static void look(void)
{
        seen_empty = seen_populated = seen_other = 0;
        cgroup_tree_foreach_leaf(tree, see, NULL);
}

/* Each leaf is told once with its owner, number and whether it lives; what is not a number is none.
 */
TEST(foreach)
{
        CgroupLimits limits = {64 * MIB, CGROUP_NO_LIMIT, 10};
        const CgroupHierarchy *h = &tree->hierarchies[tree->tracking];
        Cgroup *empty = NULL, *populated;

        populated = make(1, serves(CGROUP_MEMORY) && serves(CGROUP_PIDS) ? &limits : &unlimited);
        g_assert_true(cgroup_new(tree, 0, UINT64_MAX, &unlimited, &empty, NULL));
        g_assert_cmpint(mkdirat(h->parent_fd, "supervisor", 0755), ==, 0);
        g_assert_cmpint(mkdirat(h->parent_fd, "0/01", 0755), ==, 0);
        pid_t pid = spawn(populated, sleep_forever);
        look();
        g_assert_cmpuint(seen_populated, ==, 1);
        g_assert_cmpuint(seen_empty, ==, 1);
        g_assert_cmpuint(seen_other, ==, 0);
        kill(pid, SIGKILL);
        wait_for(pid);
        g_assert_cmpint(unlinkat(h->parent_fd, "0/01", AT_REMOVEDIR), ==, 0);
        g_assert_cmpint(unlinkat(h->parent_fd, "supervisor", AT_REMOVEDIR), ==, 0);
        finish(populated);
        finish(empty);
}

/* A restart changes nothing of what out of memory means: it is watched for wherever there is a leaf
 * that tells, with a limit or without, and v2 ends the whole container. */
TEST(oom_after_restart)
{
        Cgroup *first = make(1, &unlimited), *second = NULL;
        g_autofree char *leaf = leaf_file(1, CGROUP_MEMORY, "cgroup.procs");
        g_autofree char *group = leaf_file(1, CGROUP_MEMORY, "memory.oom.group");
        short events;
        bool is_watched = cgroup_oom_fd(first, &events) >= 0;

        g_assert_cmpint(is_watched, ==, leaf != NULL);
        g_assert_true(!group || strcmp(group, "1") == 0);
        cgroup_free(first);
        g_assert_true(cgroup_open(tree, OWNER, 1, &second, NULL));
        g_assert_cmpint(cgroup_oom_fd(second, &events) >= 0, ==, is_watched);
        g_autofree char *after = leaf_file(1, CGROUP_MEMORY, "memory.oom.group");
        g_assert_cmpstr(after, ==, group);
        finish(second);
}

/* A leaf can be opened by another object, as after a restart: counted, killed, removed. */
TEST(open)
{
        g_autoptr(GError) error = NULL;
        CgroupLimits limits = {10 * MIB, 0, CGROUP_NO_LIMIT};
        Cgroup *first, *second = NULL;
        short events;

        NEED(CGROUP_MEMORY)
        first = make(1, &limits);
        g_assert_true(WIFSIGNALED(wait_for(spawn_touch(first, 32 * MIB))));
        pid_t pid = spawn(first, sleep_forever);
        cgroup_free(first);
        cgroup_open(tree, OWNER, 1, &second, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(cgroup_oom_kills(second), >=, 1);
        g_assert_cmpint(cgroup_oom_fd(second, &events), >=, 0);
        g_assert_true(cgroup_is_populated(second));
        g_assert_true(cgroup_kill(second, &error));
        g_assert_cmpint(WTERMSIG(wait_for(pid)), ==, SIGKILL);
        finish(second);
        g_assert_false(cgroup_open(tree, OWNER, 1, &second, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_CGROUP_FAILED);
}

/* Sweeping takes the empty leaves and directories of our making, spares the living, and what it
 * took is made again on demand. */
TEST(sweep)
{
        CgroupLimits limits = {64 * MIB, CGROUP_NO_LIMIT, 10};

        NEED(CGROUP_MEMORY)
        NEED(CGROUP_PIDS)
        Cgroup *living = make(1, &limits);
        cgroup_free(make(2, &limits));
        pid_t pid = spawn(living, sleep_forever);
        cgroup_tree_sweep(tree);
        g_autofree char *while_alive = listing(parent);
        g_assert_nonnull(strstr(while_alive, "/4242/1"));
        g_assert_null(strstr(while_alive, "/4242/2"));
        g_assert_true(cgroup_kill(living, NULL));
        wait_for(pid);
        finish(living);
        cgroup_tree_sweep(tree);
        g_autofree char *swept = listing(top);
        g_assert_cmpstr(swept, ==, "");
        Cgroup *again = make(3, &limits);
        g_assert_cmpuint(memory_limit(3), ==, 64 * MIB);
        finish(again);
}

/* 100 runs leave neither a directory nor an fd. */
TEST(hundred)
{
        CgroupLimits limits = {serves(CGROUP_MEMORY) ? 64 * MIB : CGROUP_NO_LIMIT, CGROUP_NO_LIMIT,
                               serves(CGROUP_PIDS) ? 10 : CGROUP_NO_LIMIT};

        finish(make(1, &limits));
        unsigned fds = count_fds();
        g_autofree char *before = listing(parent);
        gint64 start = g_get_monotonic_time();
        for (unsigned i = 0; i < 100; i++) {
                Cgroup *cgroup = make(100 + i, &limits);
                g_assert_true(cgroup_remove(cgroup, NULL));
                cgroup_free(cgroup);
        }
        g_test_message("new + remove: %.0f us", (double) (g_get_monotonic_time() - start) / 100);
        g_autofree char *after = listing(parent);
        g_assert_cmpstr(after, ==, before);
        g_assert_cmpuint(count_fds(), ==, fds);
}

/* -- what an owner's containers have together -- */

static CgroupLimits ceilings(uint64_t memory_max, uint64_t tasks_max)
{
        return (CgroupLimits){memory_max, memory_max == CGROUP_NO_LIMIT ? memory_max : 0,
                              tasks_max};
}

static void set_ceilings(uint64_t memory_max, uint64_t tasks_max)
{
        const CgroupLimits all = ceilings(memory_max, tasks_max);

        cgroup_tree_set_ceilings(tree, &all, &unlimited);
}

static char *owner_file(uid_t owner, CgroupController controller, const char *file)
{
        char text[256], path[128];

        snprintf(path, sizeof path, "%u/%s", (unsigned) owner, file);
        g_assert_cmpint(fd_read_file_at(tree->hierarchies[tree->serving[controller]].parent_fd,
                                        path, text, sizeof text),
                        >, 0);
        return g_strdup(g_strchomp(text));
}

static uint64_t owner_memory(uid_t owner)
{
        g_autofree char *text =
                owner_file(owner, CGROUP_MEMORY,
                           is_v1(CGROUP_MEMORY) ? "memory.limit_in_bytes" : "memory.max");

        return strcmp(text, "max") == 0 ? UINT64_MAX : g_ascii_strtoull(text, NULL, 10);
}

static int fork_5_and_sleep(void)
{
        for (int i = 0; i < 5; i++)
                if (fork() == 0)
                        break;
        return sleep_forever();
}

static int touch_12_mib_and_sleep(void)
{
        touch_bytes = 12 * MIB;
        touch();
        return sleep_forever();
}

static unsigned count_tasks(uid_t owner)
{
        g_autofree char *text = owner_file(owner, CGROUP_PIDS, "pids.current");

        return (unsigned) g_ascii_strtoull(text, NULL, 10);
}

/* Two containers without limits of their own have no more tasks than their owner's ceiling. */
TEST(ceiling_of_tasks)
{
        NEED(CGROUP_PIDS)
        set_ceilings(CGROUP_NO_LIMIT, 12);
        Cgroup *one = make(1, &unlimited), *other = make(2, &unlimited);
        pid_t pid = spawn(one, fork_5_and_sleep);
        for (int i = 0; i < 1000 && count_tasks(OWNER) < 6; i++)
                g_usleep(5000);
        g_assert_cmpuint(count_tasks(OWNER), ==, 6);
        int status = wait_for(spawn(other, fork_40));
        g_assert_cmpint(WEXITSTATUS(status), ==, 12 - 6 - 1);
        g_assert_true(cgroup_kill(one, NULL));
        wait_for(pid);
        finish(one);
        finish(other);
        set_ceilings(CGROUP_NO_LIMIT, CGROUP_NO_LIMIT);
}

/* Nor more memory, swap included, though each would have had room alone; and it is counted where it
 * killed. */
TEST(ceiling_of_memory)
{
        NEED(CGROUP_MEMORY)
        set_ceilings(16 * MIB, CGROUP_NO_LIMIT);
        Cgroup *one = make(1, &unlimited), *other = make(2, &unlimited);
        short events;
        g_assert_cmpint(cgroup_oom_fd(one, &events), >=, 0);
        int status = wait_for(spawn_touch(one, 12 * MIB));
        g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
        pid_t pid = spawn(one, touch_12_mib_and_sleep);
        status = wait_for(spawn_touch(other, 12 * MIB));
        uint64_t kills = cgroup_oom_kills(one) + cgroup_oom_kills(other);
        g_assert_cmpuint(kills, >, 0);
        g_assert_true(cgroup_oom_kills(one) > 0 || WIFSIGNALED(status));
        g_assert_true(cgroup_kill(one, NULL));
        wait_for(pid);
        finish(one);
        finish(other);
        set_ceilings(CGROUP_NO_LIMIT, CGROUP_NO_LIMIT);
}

/* A ceiling below a container's own limit is what counts. */
TEST(ceiling_below_limit)
{
        CgroupLimits limits = {64 * MIB, CGROUP_NO_LIMIT, CGROUP_NO_LIMIT};

        NEED(CGROUP_MEMORY)
        set_ceilings(8 * MIB, CGROUP_NO_LIMIT);
        Cgroup *cgroup = make(1, &limits);
        int status = wait_for(spawn_touch(cgroup, 32 * MIB));
        g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        g_assert_cmpuint(cgroup_oom_kills(cgroup), >, 0);
        finish(cgroup);
        set_ceilings(CGROUP_NO_LIMIT, CGROUP_NO_LIMIT);
}

/* Root has none. */
TEST(no_ceiling_of_root)
{
        g_autoptr(GError) error = NULL;
        CgroupLimits limits = {64 * MIB, CGROUP_NO_LIMIT, 10};
        Cgroup *cgroup = NULL;

        NEED(CGROUP_MEMORY)
        NEED(CGROUP_PIDS)
        set_ceilings(16 * MIB, 5);
        cgroup_new(tree, 0, 1, &limits, &cgroup, &error);
        g_assert_no_error(error);
        g_autofree char *tasks = owner_file(0, CGROUP_PIDS, "pids.max");
        g_assert_cmpstr(tasks, ==, "max");
        g_assert_cmpuint(owner_memory(0), >, 1024 * 1024 * MIB);
        finish(cgroup);
        set_ceilings(CGROUP_NO_LIMIT, CGROUP_NO_LIMIT);
}

/* What a predecessor's configuration said is gone with it, while its containers still run. */
TEST(other_ceilings)
{
        CgroupLimits limits = {4 * MIB, CGROUP_NO_LIMIT, 10};

        NEED(CGROUP_MEMORY)
        NEED(CGROUP_PIDS)
        set_ceilings(32 * MIB, 20);
        Cgroup *cgroup = make(1, &limits);
        g_assert_cmpuint(owner_memory(OWNER), ==, 32 * MIB);
        for (unsigned i = 1; i < 4; i++) {
                set_ceilings(i * 24 * MIB, i * 30);
                g_autofree char *tasks = owner_file(OWNER, CGROUP_PIDS, "pids.max");
                g_assert_cmpuint(g_ascii_strtoull(tasks, NULL, 10), ==, i * 30);
                g_assert_cmpuint(owner_memory(OWNER), ==, i * 24 * MIB);
        }
        set_ceilings(CGROUP_NO_LIMIT, CGROUP_NO_LIMIT);
        g_autofree char *tasks = owner_file(OWNER, CGROUP_PIDS, "pids.max");
        g_assert_cmpstr(tasks, ==, "max");
        g_assert_cmpuint(owner_memory(OWNER), >, 1024 * 1024 * MIB);
        g_assert_cmpuint(memory_limit(1), ==, 4 * MIB);
        finish(cgroup);
}

/* An owner's directory that was swept has its ceilings again when it is made again. */
TEST(ceilings_after_sweep)
{
        NEED(CGROUP_MEMORY)
        set_ceilings(32 * MIB, CGROUP_NO_LIMIT);
        finish(make(1, &unlimited));
        cgroup_tree_sweep(tree);
        Cgroup *cgroup = make(2, &unlimited);
        g_assert_cmpuint(owner_memory(OWNER), ==, 32 * MIB);
        finish(cgroup);
        set_ceilings(CGROUP_NO_LIMIT, CGROUP_NO_LIMIT);
}

/* -- what an owner's sandboxes have together -- */

static const CgroupLimits of_sandbox = {CGROUP_NO_LIMIT, CGROUP_NO_LIMIT, CGROUP_NO_LIMIT,
                                        .is_sandbox = true};

static void set_sandbox_ceilings(uint64_t memory_max, uint64_t tasks_max)
{
        const CgroupLimits of_sandboxes = ceilings(memory_max, tasks_max);

        cgroup_tree_set_ceilings(tree, &unlimited, &of_sandboxes);
}

static uint64_t sandboxes_value(CgroupController controller, const char *legacy,
                                const char *unified)
{
        g_autofree char *file =
                g_strconcat(CGROUP_SANDBOXES "/", is_v1(controller) ? legacy : unified, NULL);
        g_autofree char *text = owner_file(OWNER, controller, file);

        return strcmp(text, "max") == 0 ? UINT64_MAX : g_ascii_strtoull(text, NULL, 10);
}

static uint64_t sandboxes_memory(void)
{
        return sandboxes_value(CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max");
}

/* Two sandboxes have no more tasks than those of their owner may have together, and what is no
 * sandbox of the owner's is not counted there. */
TEST(sandboxes_tasks)
{
        NEED(CGROUP_PIDS)
        set_sandbox_ceilings(CGROUP_NO_LIMIT, 12);
        Cgroup *one = make(1, &of_sandbox), *two = make(2, &of_sandbox),
               *other = make(3, &unlimited);
        pid_t pid = spawn(one, fork_5_and_sleep);
        for (int i = 0; i < 1000 && count_tasks(OWNER) < 6; i++)
                g_usleep(5000);
        int status = wait_for(spawn(other, fork_40));
        g_assert_cmpint(WEXITSTATUS(status), ==, 40);
        status = wait_for(spawn(two, fork_40));
        g_assert_cmpint(WEXITSTATUS(status), ==, 12 - 6 - 1);
        g_assert_true(cgroup_kill(one, NULL));
        wait_for(pid);
        finish(one);
        finish(two);
        finish(other);
        set_ceilings(CGROUP_NO_LIMIT, CGROUP_NO_LIMIT);
}

/* Nor more memory, swap included; the limit that it was is told of a sandbox, and of nothing
 * else. */
TEST(sandboxes_memory)
{
        NEED(CGROUP_MEMORY)
        set_sandbox_ceilings(16 * MIB, CGROUP_NO_LIMIT);
        Cgroup *one = make(1, &of_sandbox), *two = make(2, &of_sandbox),
               *other = make(3, &unlimited);
        cgroup_begin_hits(one, 0);
        cgroup_begin_hits(two, 0);
        cgroup_begin_hits(other, 0);
        int status = wait_for(spawn_touch(other, 32 * MIB));
        g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
        pid_t pid = spawn(one, touch_12_mib_and_sleep);
        status = wait_for(spawn_touch(two, 12 * MIB));
        uint64_t kills = cgroup_oom_kills(one), more = cgroup_oom_kills(two);
        g_assert_cmpuint(kills + more, >, 0);
        g_assert_true(kills > 0 || WIFSIGNALED(status));
        g_assert_cmpint(cgroup_limit_hit(kills > 0 ? one : two, kills + more), ==,
                        LIMIT_HIT_MEMORY_OWNER);
        g_assert_cmpint(cgroup_limit_hit(other, cgroup_oom_kills(other)), ==, LIMIT_HIT_NONE);
        g_assert_true(cgroup_kill(one, NULL));
        wait_for(pid);
        finish(one);
        finish(two);
        finish(other);
        set_ceilings(CGROUP_NO_LIMIT, CGROUP_NO_LIMIT);
}

/* A sandbox that meets its own limit is told so. */
TEST(sandbox_own_memory)
{
        CgroupLimits limits = {8 * MIB, 0, CGROUP_NO_LIMIT, .is_sandbox = true};

        NEED(CGROUP_MEMORY)
        set_sandbox_ceilings(64 * MIB, CGROUP_NO_LIMIT);
        Cgroup *cgroup = make(1, &limits);
        cgroup_begin_hits(cgroup, 0);
        g_assert_true(WIFSIGNALED(wait_for(spawn_touch(cgroup, 32 * MIB))));
        uint64_t kills = cgroup_oom_kills(cgroup);
        g_assert_cmpuint(kills, >, 0);
        g_assert_cmpint(cgroup_limit_hit(cgroup, kills), ==, LIMIT_HIT_MEMORY);
        finish(cgroup);
        set_ceilings(CGROUP_NO_LIMIT, CGROUP_NO_LIMIT);
}

/* What sandboxes have counts among what their owner has: the owner's ceiling holds for them, too,
 * and is told. */
TEST(sandboxes_below_ceiling)
{
        CgroupLimits all = ceilings(16 * MIB, CGROUP_NO_LIMIT), more = ceilings(64 * MIB, 4096);

        NEED(CGROUP_MEMORY)
        NEED(CGROUP_PIDS)
        cgroup_tree_set_ceilings(tree, &all, &more);
        Cgroup *cgroup = make(1, &of_sandbox);
        cgroup_begin_hits(cgroup, 0);
        g_assert_true(WIFSIGNALED(wait_for(spawn_touch(cgroup, 32 * MIB))));
        uint64_t kills = cgroup_oom_kills(cgroup);
        g_assert_cmpuint(kills, >, 0);
        g_assert_cmpint(cgroup_limit_hit(cgroup, kills), ==, LIMIT_HIT_MEMORY_OWNER);
        finish(cgroup);
        set_ceilings(CGROUP_NO_LIMIT, CGROUP_NO_LIMIT);
}

/* Sandboxes yield the processors to their owner's other containers. */
TEST(sandboxes_weight)
{
        NEED(CGROUP_CPU)
        Cgroup *cgroup = make(1, &of_sandbox);
        g_assert_cmpuint(sandboxes_value(CGROUP_CPU, "cpu.shares", "cpu.weight"), ==,
                         is_v1(CGROUP_CPU) ? shares_from_weight(20) : 20);
        finish(cgroup);
}

/* What another service's configuration said goes with it, up and down, while a sandbox runs; and
 * a directory that was swept has its limits again. */
TEST(sandboxes_other_ceilings)
{
        NEED(CGROUP_MEMORY)
        NEED(CGROUP_PIDS)
        set_sandbox_ceilings(32 * MIB, 20);
        Cgroup *cgroup = make(1, &of_sandbox);
        for (unsigned i = 1; i < 4; i++) {
                set_sandbox_ceilings(i * 24 * MIB, i * 30);
                g_assert_cmpuint(sandboxes_memory(), ==, i * 24 * MIB);
                g_assert_cmpuint(sandboxes_value(CGROUP_PIDS, "pids.max", "pids.max"), ==, i * 30);
        }
        finish(cgroup);
        cgroup_tree_sweep(tree);
        cgroup = make(2, &of_sandbox);
        g_assert_cmpuint(sandboxes_memory(), ==, 72 * MIB);
        finish(cgroup);
        set_ceilings(CGROUP_NO_LIMIT, CGROUP_NO_LIMIT);
        g_assert_cmpuint(sandboxes_memory(), >, 1024 * 1024 * MIB);
        cgroup_tree_sweep(tree);
        g_autofree char *left = listing(top);
        g_assert_null(strstr(left, CGROUP_SANDBOXES));
}

/* A sandbox's leaf is found again: told once to who looks what a predecessor has left, opened, with
 * its path as the kernel shows it, killed and removed; whoever is in it is inside. */
TEST(sandbox_found_again)
{
        g_autoptr(GError) error = NULL;
        Cgroup *first = make(1, &of_sandbox), *second = NULL;
        char name[64];

        pid_t pid = spawn(first, sleep_forever);
        g_autofree char *path = g_strdup(cgroup_path(first));
        g_assert_true(g_str_has_suffix(path, "/4242/" CGROUP_SANDBOXES "/1"));
        g_assert_true(proc_is_in_cgroup(pid, path));
        g_assert_false(cgroup_is_outside(tree, pid));
        cgroup_free(first);
        look();
        g_assert_cmpuint(seen_populated, ==, 1);
        g_assert_cmpuint(seen_other + seen_empty, ==, 0);
        cgroup_tree_sweep(tree); /* spares the living */
        cgroup_open(tree, OWNER, 1, &second, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(cgroup_path(second), ==, path);
        g_assert_true(cgroup_is_populated(second));
        g_assert_true(cgroup_kill(second, NULL));
        wait_for(pid);
        finish(second);
        snprintf(name, sizeof name, "%u/" CGROUP_SANDBOXES "/1", OWNER);
        for (unsigned i = 0; i < tree->n_hierarchies; i++)
                g_assert_cmpint(faccessat(tree->hierarchies[i].parent_fd, name, F_OK, 0), ==, -1);
}

/* Processors that were asked for reach a sandbox through both levels above it. */
TEST(sandbox_processors)
{
        Resources more;
        CgroupLimits limits = of_sandbox;

        NEED(CGROUP_CPUSET)
        resources_init(&more);
        g_strlcpy(more.allowed_cpus, "0", sizeof more.allowed_cpus);
        limits.more = &more;
        Cgroup *cgroup = make(1, &limits);
        g_autofree char *cpus = owner_file(OWNER, CGROUP_CPUSET, CGROUP_SANDBOXES "/1/cpuset.cpus");
        g_assert_cmpstr(cpus, ==, "0");
        finish(cgroup);
}

/* -- systemd's units -- */

/* The parent that a service would have below `top` if it were started in `unit`, in v2. */
static char *parent_in(const char *unit)
{
        const CgroupHierarchy *v2 = &tree->hierarchies[0];
        g_autofree char *procs = g_strconcat(v2->mount_point, top, unit, "/cgroup.procs", NULL);
        char text[512] = "";
        int words[2];

        g_assert_cmpint(pipe2(words, O_CLOEXEC), ==, 0);
        pid_t pid = fork();
        if (pid == 0) {
                autofd int fd = open(procs, O_WRONLY | O_CLOEXEC);
                if (write(fd, "0", 1) != 1)
                        _exit(99);
                CgroupTree *own = cgroup_tree_new(NULL);
                dprintf(words[1], "%s", own->hierarchies[0].parent);
                for (unsigned i = 0; i < own->n_hierarchies; i++)
                        cgroup_hierarchy_remove_parent(&own->hierarchies[i]);
                _exit(0);
        }
        fd_close(words[1]);
        g_assert_cmpint(wait_for(pid), ==, 0);
        g_assert_cmpint(read(words[0], text, sizeof text - 1), >=, 0);
        fd_close(words[0]);
        return g_strdup(g_str_has_prefix(text, top) ? text + strlen(top) : "elsewhere");
}

static void make_unit(const char *name, const char *mark)
{
        g_autofree char *path = g_strconcat(tree->hierarchies[0].mount_point, top, name, NULL);

        g_assert_cmpint(mkdir(path, 0755), ==, 0);
        if (mark)
                g_assert_cmpint(setxattr(path, "trusted.delegate", mark, strlen(mark), 0), ==, 0);
}

static void remove_unit(const char *name)
{
        g_autofree char *path = g_strconcat(tree->hierarchies[0].mount_point, top, name, NULL);

        g_assert_cmpint(rmdir(path), ==, 0);
}

/* The containers' unit is found beside the service's, by its name and systemd's mark of delegation;
 * without the mark it is not taken, nor for a service in another unit. */
TEST(containers_unit)
{
        if (tree->hierarchies[0].backend != &cgroup_unified) {
                g_test_skip("there is no v2 hierarchy");
                return;
        }
        make_unit("/naive-runc.service", NULL);
        make_unit("/naive-runc.service/supervisor", NULL);
        make_unit("/other.service", NULL);
        make_unit("/naive-runc-containers.service", NULL);
        g_autofree char *unmarked = parent_in("/naive-runc.service");
        g_assert_cmpstr(unmarked, ==, "elsewhere");
        remove_unit("/naive-runc-containers.service");
        make_unit("/naive-runc-containers.service", "1");
        g_autofree char *marked = parent_in("/naive-runc.service");
        g_assert_cmpstr(marked, ==, "/naive-runc-containers.service");
        g_autofree char *in_leaf = parent_in("/naive-runc.service/supervisor");
        g_assert_cmpstr(in_leaf, ==, "/naive-runc-containers.service");
        g_autofree char *other = parent_in("/other.service");
        g_assert_cmpstr(other, ==, "elsewhere");
        remove_unit("/naive-runc.service/supervisor");
        remove_unit("/naive-runc.service");
        remove_unit("/other.service");
        remove_unit("/naive-runc-containers.service");
}

/* A leaf that a version before has made elsewhere is told, limited with its owner's others, opened
 * and removed there. */
TEST(leaf_of_before)
{
        g_autofree char *old = g_strconcat(top, "-before", NULL);
        CgroupLimits limits = {64 * MIB, CGROUP_NO_LIMIT, 10};
        CgroupTree *now = tree;
        Cgroup *cgroup = NULL;

        NEED(CGROUP_MEMORY)
        NEED(CGROUP_PIDS)
        tree = now->before = cgroup_tree_new(old);
        Cgroup *first = make(1, &limits);
        pid_t pid = spawn(first, sleep_forever);
        tree = now;
        cgroup_free(make(2, &limits));
        set_ceilings(32 * MIB, 20);
        cgroup_tree_sweep(tree);
        look();
        g_assert_cmpuint(seen_populated, ==, 1);
        g_assert_cmpuint(seen_other, ==, 0);
        tree = now->before;
        g_assert_cmpuint(owner_memory(OWNER), ==, 32 * MIB);
        tree = now;
        g_assert_true(cgroup_open(tree, OWNER, 1, &cgroup, NULL));
        g_assert_nonnull(strstr(cgroup_path(cgroup), old));
        g_assert_true(cgroup_kill(cgroup, NULL));
        wait_for(pid);
        finish(cgroup);
        cgroup_free(first);
        set_ceilings(CGROUP_NO_LIMIT, CGROUP_NO_LIMIT);
        cgroup_tree_sweep(tree);
        g_autofree char *left = listing(old);
        g_assert_cmpstr(left, ==, "");
        cgroup_tree_free(g_steal_pointer(&now->before));
}

/* -- who is in a container -- */

static void *go_on(void *unused)
{
        sleep_forever();
}

static int end_first_thread(void)
{
        pthread_t thread;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (pthread_create(&thread, NULL, go_on, NULL) != 0)
                return 97;
        syscall(SYS_exit, 0);
        return 96;
}

static void await_ending(pid_t pid)
{
        for (int i = 0; i < 2000 && !proc_is_ending(pid); i++)
                g_usleep(5000);
        g_assert_true(proc_is_ending(pid));
}

/* A process is outside if it lives and is in no leaf, nor in anything below one. */
TEST(outside)
{
        Cgroup *cgroup = make(1, &unlimited);
        pid_t pid = spawn(cgroup, sleep_forever);

        g_assert_true(cgroup_is_outside(tree, getpid()));
        g_assert_false(cgroup_is_outside(tree, pid));
        g_assert_true(cgroup_kill(cgroup, NULL));
        await_ending(pid); /* a zombie */
        g_assert_false(cgroup_is_outside(tree, pid));
        wait_for(pid);
        g_assert_false(cgroup_is_outside(tree, pid));
        finish(cgroup);
}

/* Of a process whose first thread has ended v1 tells "/": it may be in a leaf. */
TEST(outside_without_first_thread)
{
        Cgroup *cgroup = make(1, &unlimited);
        pid_t inside = spawn(cgroup, end_first_thread);
        pid_t elsewhere = fork();

        if (elsewhere == 0)
                _exit(end_first_thread());
        await_ending(inside);
        await_ending(elsewhere);
        g_assert_false(cgroup_is_outside(tree, inside));
        g_assert_false(cgroup_is_outside(tree, elsewhere));
        kill(elsewhere, SIGKILL);
        wait_for(elsewhere);
        g_assert_true(cgroup_kill(cgroup, NULL));
        wait_for(inside);
        finish(cgroup);
}

/* A process whose first thread has ended, while another goes on, is killed as any other. */
TEST(kill_without_first_thread)
{
        Cgroup *cgroup = make(1, &unlimited);
        pid_t pid = spawn(cgroup, end_first_thread);

        await_ending(pid);
        g_assert_true(cgroup_kill(cgroup, NULL));
        for (int i = 0; i < 2000 && cgroup_is_populated(cgroup); i++)
                g_usleep(5000);
        g_assert_false(cgroup_is_populated(cgroup));
        g_assert_cmpint(WTERMSIG(wait_for(pid)), ==, SIGKILL);
        finish(cgroup);
}

int main(int argc, char **argv)
{
        top = g_strdup_printf("/naive-runc-test-%d%s", (int) getpid(),
                              g_getenv("NAIVE_RUN") ? g_getenv("NAIVE_RUN") : "");
        parent = g_strconcat(top, "/unit.service", NULL);
        tree = cgroup_tree_new(parent);
        g_autofree char *why = g_strdup_printf("no cgroup hierarchy can be used: %s",
                                               tree->missing[CGROUP_MEMORY]);
        int status = cgroup_tree_mode(tree) == CGROUP_MODE_NONE ? skip_cases(argc, argv, why)
                                                                : run_cases(argc, argv);
        cgroup_tree_sweep(tree);
        g_autofree char *left = listing(top);
        if (*left) {
                g_printerr("left behind: %s\n", left);
                status = 1;
        }
        cgroup_tree_free(tree);
        g_free(parent);
        g_free(top);
        return status;
}
