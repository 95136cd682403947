#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/bench/reference.h"

Reference reference = {.parents = {-1, -1, -1, -1},
                       .parent = "/naive-reference",
                       .state_directory = "/run",
                       .serial_step = 1};
Shared *shared;
const char *const step_words[] = {
#define X(name, words) words,
        PARENT_STEPS(X) CHILD_STEPS(X)
#undef X
};

/* -- cgroups -- */

static char *parent_paths[_HIERARCHIES];

/* One of words with commas between them: "cpu" is no part of "cpuset". */
static bool has_word(char *words, const char *word)
{
        for (char *rest, *one = strtok_r(words, ",", &rest); one; one = strtok_r(NULL, ",", &rest))
                if (strcmp(one, word) == 0)
                        return true;
        return false;
}

/* The mount point of a hierarchy: of v2 if `controller` is NULL. */
static char *find_hierarchy(const char *controller)
{
        FILE *file = fopen("/proc/self/mounts", "re");
        char line[4096], point[4096], type[64], options[1024], *found = NULL;

        while (file && !found && fgets(line, sizeof line, file)) {
                if (sscanf(line, "%*s %4095s %63s %1023s", point, type, options) != 3)
                        continue;
                if (controller ? strcmp(type, "cgroup") == 0 && has_word(options, controller)
                               : strcmp(type, "cgroup2") == 0)
                        found = strdup(point);
        }
        if (file)
                fclose(file);
        return found;
}

void write_text(int dir, const char *name, const char *text)
{
        int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                err(1, "cannot write '%s' to %s", text, name);
        close(fd);
}

static void open_parent(int which, const char *controller)
{
        char *mount = find_hierarchy(controller), path[PATH_MAX];

        if (!mount)
                return;
        snprintf(path, sizeof path, "%s%s", mount, reference.parent);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                err(1, "cannot make %s", path);
        reference.parents[which] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (reference.parents[which] < 0)
                err(1, "cannot open %s", path);
        parent_paths[which] = strdup(path);
        free(mount);
}

static void open_parents(void)
{
        open_parent(V2, NULL);
        open_parent(MEMORY, "memory");
        open_parent(PIDS, "pids");
        open_parent(CPU, "cpu");
        if (reference.parents[V2] < 0)
                errx(77, "there is no cgroup2 mount: the reference needs it to be born into");
        if (reference.parents[MEMORY] >= 0 && reference.parents[PIDS] >= 0)
                return;
        write_text(reference.parents[V2], "cgroup.subtree_control", "+memory +pids +cpu");
        reference.controllers_in_v2 = true;
}

static void close_parents(void)
{
        for (int i = 0; i < _HIERARCHIES; i++)
                if (parent_paths[i])
                        rmdir(parent_paths[i]);
}

/* -- /dev -- */

static const struct {
        const char *name;
        unsigned major, minor;
} nodes[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
             {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
static const char *const links[][2] = {{"fd", "/proc/self/fd"},
                                       {"stdin", "/proc/self/fd/0"},
                                       {"stdout", "/proc/self/fd/1"},
                                       {"stderr", "/proc/self/fd/2"},
                                       {"ptmx", "pts/ptmx"}};
static const char *const dev_directories[] = {"pts", "shm", "mqueue"};
static char *dev_path;

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void make_dev(void)
{
        if (asprintf(&dev_path, "%s/reference-XXXXXX", reference.state_directory) < 0 ||
            !mkdtemp(dev_path))
                err(1, "cannot make a directory in %s", reference.state_directory);
        reference.dev_fd = open(dev_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        chmod(dev_path, 0755);
        for (size_t i = 0; i < N(nodes); i++)
                if (mknodat(reference.dev_fd, nodes[i].name, S_IFCHR | 0666,
                            makedev(nodes[i].major, nodes[i].minor)) < 0 ||
                    fchmodat(reference.dev_fd, nodes[i].name, 0666, 0) < 0)
                        err(1, "cannot make the node %s", nodes[i].name);
        for (size_t i = 0; i < N(links); i++)
                if (symlinkat(links[i][1], reference.dev_fd, links[i][0]) < 0)
                        err(1, "cannot make the link %s", links[i][0]);
        for (size_t i = 0; i < N(dev_directories); i++)
                if (mkdirat(reference.dev_fd, dev_directories[i], 0755) < 0)
                        err(1, "cannot make the directory %s", dev_directories[i]);
}

static void remove_dev(void)
{
        for (size_t i = 0; i < N(nodes); i++)
                unlinkat(reference.dev_fd, nodes[i].name, 0);
        for (size_t i = 0; i < N(links); i++)
                unlinkat(reference.dev_fd, links[i][0], 0);
        for (size_t i = 0; i < N(dev_directories); i++)
                unlinkat(reference.dev_fd, dev_directories[i], AT_REMOVEDIR);
        rmdir(dev_path);
}

/* -- masks -- */

static Mask masks[] = {
        {"acpi", EMPTY_DIRECTORY, false},    {"asound", EMPTY_DIRECTORY, false},
        {"interrupts", EMPTY_FILE, false},   {"kcore", EMPTY_FILE, false},
        {"keys", EMPTY_FILE, false},         {"latency_stats", EMPTY_FILE, false},
        {"sched_debug", EMPTY_FILE, false},  {"scsi", EMPTY_DIRECTORY, false},
        {"timer_list", EMPTY_FILE, false},   {"timer_stats", EMPTY_FILE, false},
        {"bus", READ_ONLY, false},           {"fs", READ_ONLY, false},
        {"irq", READ_ONLY, false},           {"pressure", READ_ONLY, false},
        {"sys", READ_ONLY, false},           {"sysrq-trigger", READ_ONLY, false},
        {"firmware", EMPTY_DIRECTORY, true}, {"devices/virtual/powercap", EMPTY_DIRECTORY, true},
};

static void probe_masks(void)
{
        struct stat status;
        char path[256];

        for (size_t i = 0; i < N(masks); i++) {
                snprintf(path, sizeof path, "/%s/%s", masks[i].in_sys ? "sys" : "proc",
                         masks[i].path);
                if (stat(path, &status) < 0)
                        continue;
                Mask *mask = &masks[reference.n_masks++];
                *mask = masks[i];
                if (mask->kind != READ_ONLY)
                        mask->kind = S_ISDIR(status.st_mode) ? EMPTY_DIRECTORY : EMPTY_FILE;
        }
        reference.masks = masks;
}

/* -- all of it -- */

Shared *shared_new(void)
{
        void *page = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                          -1, 0);

        if (page == MAP_FAILED)
                err(1, "cannot map a page");
        return page;
}

void prepare(void)
{
        /* the child has them from us, as a container from the service */
        static const struct {
                int resource;
                struct rlimit limit;
        } limits[] = {{RLIMIT_MSGQUEUE, {819200, 819200}},
                      {RLIMIT_SIGPENDING, {16384, 16384}},
                      {RLIMIT_MEMLOCK, {8388608, 8388608}},
                      {RLIMIT_NICE, {0, 0}},
                      {RLIMIT_RTPRIO, {0, 0}}};
        GError *error = NULL;
        struct rlimit files, no_core = {1, 1}; /* 1 keeps the kernel from piping to a handler */

        shared = shared_new();
        if (!seccomp_program_new(SECCOMP_SET_ID_ALLOWED, 0, &reference.filter, &error))
                errx(1, "%s", error->message);
        while (prctl(PR_CAPBSET_READ, reference.last_capability + 1, 0, 0, 0) >= 0)
                reference.last_capability++;
        getrlimit(RLIMIT_NOFILE, &files);
        reference.files_soft = files.rlim_cur;
        reference.files_hard = files.rlim_max;
        setrlimit(RLIMIT_CORE, &no_core);
        for (size_t i = 0; i < N(limits); i++)
                setrlimit(limits[i].resource, &limits[i].limit);
        reference.null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (reference.null_fd < 0)
                err(1, "cannot open /dev/null");
        probe_masks();
        make_dev();
        open_parents();
}

void unprepare(void)
{
        close_parents();
        remove_dev();
        seccomp_program_free(reference.filter);
}
