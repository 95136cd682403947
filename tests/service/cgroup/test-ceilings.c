/* What an owner's containers have together, and the sandboxes among them. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/cgroup/hit.h"
#include "service/cgroup/leaf.h"
#include "service/cgroup/live/outside.h"
#include "service/util/fd.h"
#include "service/util/proc.h"
#include "service/util/shares.h"
#include "tests/lib/case.h"
#include "tests/service/cgroup/leaves.h"

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
        touch(12 * MIB);
        return sleep_forever();
}

/* Returns once it has touched them. */
static pid_t hold_12_mib(const Cgroup *cgroup)
{
        const char *file = is_v1(CGROUP_MEMORY) ? "memory.usage_in_bytes" : "memory.current";
        int leaf = cgroup->leaf_fds[tree->serving[CGROUP_MEMORY]];
        pid_t pid = spawn(cgroup, touch_12_mib_and_sleep);
        char text[32] = "0";

        for (int i = 0; i < 2000 && g_ascii_strtoull(text, NULL, 10) < 12 * MIB; i++) {
                g_assert_cmpint(fd_read_file_at(leaf, file, text, sizeof text), >, 0);
                g_usleep(5000);
        }
        g_assert_cmpuint(g_ascii_strtoull(text, NULL, 10), >=, 12 * MIB);
        return pid;
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
        pid_t pid = hold_12_mib(one);
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
        pid_t pid = hold_12_mib(one);
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

int main(int argc, char **argv)
{
        return run_leaf_cases(argc, argv);
}
