/* Where the containers' cgroups lie below systemd, and who is in one. */

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "service/cgroup/live/outside.h"
#include "service/util/fd.h"
#include "service/util/proc.h"
#include "tests/lib/case.h"
#include "tests/service/cgroup/leaves.h"

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
        return run_leaf_cases(argc, argv);
}
