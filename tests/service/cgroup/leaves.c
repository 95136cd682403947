#include "tests/service/cgroup/leaves.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/fd.h"
#include "tests/lib/case.h"

const CgroupLimits unlimited = {CGROUP_NO_LIMIT, CGROUP_NO_LIMIT, CGROUP_NO_LIMIT};
char *top, *parent;
CgroupTree *tree;
unsigned seen_empty, seen_populated, seen_other;

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

char *listing(const char *below)
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

Cgroup *make(uint64_t serial, const CgroupLimits *limits)
{
        g_autoptr(GError) error = NULL;
        Cgroup *cgroup = NULL;

        cgroup_new(tree, OWNER, serial, limits, &cgroup, &error);
        g_assert_no_error(error);
        return cgroup;
}

void finish(Cgroup *cgroup)
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

pid_t spawn(const Cgroup *cgroup, int (*body)(void))
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
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the test abort */
        for (unsigned i = 0; cgroup_entry_fd(cgroup, i) >= 0; i++)
                if (write(cgroup_entry_fd(cgroup, i), "0", 1) != 1)
                        _exit(99);
        if (write(ready[1], &byte, 1) != 1)
                _exit(99);
        fd_close(ready[1]);
        _exit(body());
}

int wait_for(pid_t pid)
{
        int status;

        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        return status;
}

G_NORETURN int sleep_forever(void)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
                pause();
}

int touch(size_t bytes)
{
        char *memory =
                mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
                return 98;
        for (size_t i = 0; i < bytes; i += 4096)
                memory[i] = 1;
        return 7;
}

static size_t touch_bytes; /* of the next child that touches */

static int touch_them(void)
{
        return touch(touch_bytes);
}

pid_t spawn_touch(const Cgroup *cgroup, size_t bytes)
{
        touch_bytes = bytes;
        return spawn(cgroup, touch_them);
}

int fork_40(void)
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

bool serves(CgroupController controller)
{
        return tree->serving[controller] >= 0;
}

bool is_v1(CgroupController controller)
{
        return serves(controller) &&
               tree->hierarchies[tree->serving[controller]].backend == &cgroup_legacy;
}

char *leaf_file(uint64_t serial, CgroupController controller, const char *file)
{
        char text[256], path[128];
        int index = tree->serving[controller];

        snprintf(path, sizeof path, "%u/%" PRIu64 "/%s", OWNER, serial, file);
        if (index < 0 ||
            fd_read_file_at(tree->hierarchies[index].parent_fd, path, text, sizeof text) < 0)
                return NULL;
        return g_strdup(g_strchomp(text));
}

uint64_t memory_limit(uint64_t serial)
{
        g_autofree char *text =
                leaf_file(serial, CGROUP_MEMORY,
                          is_v1(CGROUP_MEMORY) ? "memory.limit_in_bytes" : "memory.max");

        g_assert_nonnull(text);
        return strcmp(text, "max") == 0 ? UINT64_MAX : g_ascii_strtoull(text, NULL, 10);
}

static void see(uid_t owner, uint64_t serial, bool populated, void *data)
{
        if (owner == OWNER && serial == 1 && populated)
                seen_populated++;
        else if (owner == 0 && serial == UINT64_MAX && !populated)
                seen_empty++;
        else
                seen_other++;
}

void look(void)
{
        seen_empty = seen_populated = seen_other = 0;
        cgroup_tree_foreach_leaf(tree, see, NULL);
}

int run_leaf_cases(int argc, char **argv)
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
