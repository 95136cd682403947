/* The reference: what the kernel's own work for one container costs, asked for by plain C.
 *
 * It gives a command the service's default profile, with no bus, no loop and no state. It shares no
 * code with the service but the text of the seccomp filter, so that it shows what is possible, not
 * what we happen to do. What does not depend on the run is made once, outside the measured time, as
 * the service makes it at start: the template of /dev, the filter's program, the parent directories
 * in cgroupfs, the list of paths to mask.
 *
 * One run, in the parent:
 *   1. open the root tree        openat2(O_PATH | O_DIRECTORY)
 *   2. clone its mount           open_tree(OPEN_TREE_CLONE, recursive)
 *   3. clone /dev, read-only     open_tree(OPEN_TREE_CLONE), mount_setattr
 *   4. make the leaves           mkdirat, openat in v2, v1 memory (if limited), v1 pids, v1 cpu
 *   5. set the limits            v1: memory.limit_in_bytes, memory.memsw.limit_in_bytes, pids.max
 *                                v2: memory.max, memory.oom.group, memory.swap.max, pids.max
 *   6. watch for OOM             v1: eventfd, cgroup.event_control; v2: memory.events
 *   7. ways into the leaves      openat of the v1 `tasks`
 *   8. output and sync           pipe2, socketpair
 *   9. be born                   setresuid, capset, prctl, and back; clone3(user, mount, pid, uts,
 *                                ipc, net namespaces, into the v2 leaf, pidfd)
 *  10. map the ids               write uid_map, gid_map
 *  11. protect the root tree     openat ns/user, mount_setattr(read-only, nosuid, nodev, id-mapped,
 *                                private)
 *  12. say "go"                  write; openat ns/mnt
 *  13. await the end             poll, read of the output, waitid(P_PIDFD): the exit is known
 *  14. clean up                  rmdir of the leaves, close: nothing is left
 * In the child, beside 10 to 12:
 *  15. enter the v1 leaves       write "0" to the `tasks`
 *  16. cut what ties it to us    setsid, unshare(cgroup namespace), mount(slave, recursive)
 *  17. host name, loopback       sethostname, socket, ioctl(SIOCSIFFLAGS)
 *  18. attributes, stdio         umask, setpriority, setrlimit, sched_setscheduler, dup2; the
 *                                bounding set
 * and after "go":
 *  19. become root               setgroups, setresgid, setresuid; keyctl
 *  20. new mounts                fsopen, fsconfig, fsmount of proc, sysfs, devpts, two tmpfs,
 *                                mqueue; openat, write of proc's setting for ping
 *  21. the root                  move_mount, fchdir, pivot_root, umount2(detach), chdir
 *  22. attach the mounts         openat2(no links), move_mount, each
 *  23. mask                      what the kernel has of it: a tmpfs with an empty file and
 * directory, clones of them, read-only binds
 *  24. capabilities, filter      prctl(ambient), capset; openat2 of "/", fchdir; faccessat;
 *                                no_new_privs, seccomp
 *  25. execute                   openat2 of the command, close_range, sigprocmask, execve
 * The order is not the service's but the quickest: what needs no mapped id comes before "go".
 *
 * What the service does besides and a plain program need not: it tells that exec has succeeded
 * before it tells of the exit, holds a created container back, checks each limit by reading it,
 * places any fds, keeps an owner's containers in a directory of their own.
 *
 * With --profile each step's time is told: parent and child write clock_gettime() (no system call)
 * into a page that they share. The marks are always taken, so that all modes measure the same. */

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/reference.h"

/* -- profile -- */

static int compare(const void *a, const void *b)
{
        double one = *(const double *) a, other = *(const double *) b;

        return one < other ? -1 : one > other;
}

static double median(double *values, size_t n)
{
        qsort(values, n, sizeof *values, compare);
        return values[n / 2];
}

/* Lines "who<TAB>step<TAB>microseconds", medians; the child's last is what exec, command and exit
 * take. */
static int profile(size_t count)
{
        double *times = calloc(_STEPS * count, sizeof *times), *rest = calloc(count, sizeof *rest);

        if (!times || !rest)
                err(1, "profile");
        for (size_t run = 0; run < count; run++) {
                if (run_once(&reference.orders.list[run % reference.orders.n]).status != 0)
                        return 1;
                for (size_t i = 0; i < _STEPS; i++) {
                        size_t before = i == P_BEGIN ? P_BEGIN : i == C_BORN ? P_PIPES : i - 1;
                        times[i * count + run] =
                                (double) (int64_t) (shared->at[i] - shared->at[before]) / 1e3;
                }
                rest[run] = (double) (shared->at[P_EXIT] - shared->at[C_EXECUTE]) / 1e3;
        }
        for (size_t i = P_BEGIN + 1; i < _STEPS; i++)
                printf("%s\t%s\t%.1f\n", i < C_BORN ? "parent" : "child", step_words[i],
                       median(times + i * count, count));
        printf("child\texecve, command, exit, parent woken\t%.1f\n", median(rest, count));
        free(times);
        free(rest);
        return 0;
}

/* -- modes -- */

static Sample run(size_t order, void *data)
{
        return run_once(&reference.orders.list[order]);
}

static _Noreturn void usage(void)
{
        fprintf(stderr, "usage: reference [--cgroup-parent PATH] [--state-dir DIR] [MODE] ORDERS\n"
                        "modes: serve rounds (the default) | --in-flight N | --once ORDER | --show "
                        "| --profile N\n");
        exit(2);
}

static int act(int mode, size_t number)
{
        bool served;

        switch (mode) {
        case 'p':
                return profile(number);
        case 'w':
                reference.show = true;
                return run(0, NULL).status;
        case 'o':
                return run(number % reference.orders.n, NULL).status;
        case 'n':
                flight_start(number);
                served = serve_batches(reference.orders.n, flight_run, NULL);
                flight_stop();
                return served ? 0 : 1;
        default:
                return serve_rounds(reference.orders.n, run, NULL) ? 0 : 1;
        }
}

int main(int argc, char **argv)
{
        static const struct option options[] = {{"cgroup-parent", required_argument, NULL, 'g'},
                                                {"state-dir", required_argument, NULL, 's'},
                                                {"in-flight", required_argument, NULL, 'n'},
                                                {"once", required_argument, NULL, 'o'},
                                                {"show", no_argument, NULL, 'w'},
                                                {"profile", required_argument, NULL, 'p'},
                                                {0}};
        int mode = 0, option;
        size_t number = 0;

        while ((option = getopt_long(argc, argv, "+", options, NULL)) >= 0)
                switch (option) {
                case 'g':
                        reference.parent = optarg;
                        break;
                case 's':
                        reference.state_directory = optarg;
                        break;
                case '?':
                        usage();
                default:
                        mode = option;
                        number = optarg ? strtoul(optarg, NULL, 10) : 0;
                }
        if (argc - optind != 1 || ((mode == 'n' || mode == 'p') && number == 0))
                usage();
        reference.orders = container_orders_load(argv[optind]);
        prepare();
        int status = act(mode, number);
        unprepare();
        return status;
}
