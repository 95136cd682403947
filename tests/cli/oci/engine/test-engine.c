/* Real containers made by the engine as children of this process, in a small root tree that shows
 * the machine's /usr, from specs as podman would have them. Needs root. */

#include "cli/oci/engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/fds.h"

typedef struct Fixture {
        char *bundle, *root;
        int state;
        OciSpec *spec;
        EngineInput input;
        EngineChild child;
        GError *error;
        int output[2]; /* what the container writes */
        unsigned n_fds;
} Fixture;

/* -- specs -- */

static char **strv(const char *words)
{
        return g_strsplit(words, " ", -1);
}

static char **shell(const char *script)
{
        GPtrArray *list = g_ptr_array_new();

        g_ptr_array_add(list, g_strdup("/bin/sh"));
        g_ptr_array_add(list, g_strdup("-c"));
        g_ptr_array_add(list, g_strdup(script));
        g_ptr_array_add(list, NULL);
        return (char **) g_ptr_array_free(list, FALSE);
}

static void set_command(OciProcess *process, const char *script)
{
        g_strfreev(process->args);
        process->args = shell(script);
}

static OciMount *add_mount(OciSpec *spec, const char *destination, const char *type,
                           const char *source, const char *data)
{
        OciMount *mount;

        spec->mounts = g_renew(OciMount, spec->mounts, spec->n_mounts + 1);
        mount = &spec->mounts[spec->n_mounts++];
        *mount = (OciMount){.destination = g_strdup(destination),
                            .type = g_strdup(type),
                            .source = g_strdup(source),
                            .data = *data ? strv(data) : g_new0(char *, 1)};
        return mount;
}

static void set_namespaces(OciSpec *spec, const OciNamespace *list, size_t n)
{
        for (size_t i = 0; i < spec->n_namespaces; i++)
                g_free(spec->namespaces[i].path);
        g_free(spec->namespaces);
        spec->namespaces = g_new0(OciNamespace, n);
        for (size_t i = 0; i < n; i++)
                spec->namespaces[i] = (OciNamespace){list[i].type, g_strdup(list[i].path)};
        spec->n_namespaces = n;
}

static void fill_process(OciProcess *process)
{
        process->args = shell("true");
        g_strfreev(process->env);
        process->env = strv("PATH=/usr/bin TERM=xterm");
        process->cwd = g_strdup("/");
        process->capabilities = (OciCapabilities){.is_given = true,
                                                  .bounding = 0x800405fb,
                                                  .effective = 0x800405fb,
                                                  .permitted = 0x800405fb};
}

static OciSpec *make_spec(void)
{
        static const OciNamespace usual[] = {
                {CLONE_NEWPID, NULL}, {CLONE_NEWNET, NULL}, {CLONE_NEWIPC, NULL},
                {CLONE_NEWUTS, NULL}, {CLONE_NEWNS, NULL},
        };
        OciSpec *spec = oci_spec_new();

        spec->root_path = g_strdup("rootfs");
        spec->hostname = g_strdup("inside");
        add_mount(spec, "/proc", "proc", "proc", "")->set =
                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        add_mount(spec, "/dev", "tmpfs", "tmpfs", "mode=755 size=65536k")->set = MOUNT_ATTR_NOSUID;
        add_mount(spec, "/sys", "sysfs", "sysfs", "")->set = MOUNT_ATTR_RDONLY;
        add_mount(spec, "/dev/pts", "devpts", "devpts",
                  "newinstance ptmxmode=0666 mode=0620 gid=5");
        add_mount(spec, "/dev/mqueue", "mqueue", "mqueue", "");
        OciMount *usr = add_mount(spec, "/usr", "bind", "/usr", "");
        usr->bind = usr->bind_recursive = true;
        usr->set = MOUNT_ATTR_RDONLY;
        set_namespaces(spec, usual, G_N_ELEMENTS(usual));
        g_strfreev(spec->masked_paths);
        spec->masked_paths = strv("/proc/version /proc/acpi /nowhere");
        g_strfreev(spec->read_only_paths);
        spec->read_only_paths = strv("/proc/sys /proc/bus");
        fill_process(&spec->process);
        return spec;
}

/* -- the fixture -- */

static char *tell_state(void *data, const char *status, pid_t pid)
{
        return g_strdup_printf("{\"status\":\"%s\",\"pid\":%d}\n", status, (int) pid);
}

static void set_up(Fixture *f, const void *data)
{
        static const int no_entries = -1;

        f->n_fds = count_fds();
        f->bundle = g_dir_make_tmp("engine-XXXXXX", NULL);
        f->root = g_build_filename(f->bundle, "rootfs", NULL);
        g_assert_cmpint(g_mkdir(f->root, 0755), ==, 0);
        for (char **name = (char *[]){(char *) "bin", (char *) "lib", (char *) "lib64", NULL};
             *name; name++) {
                g_autofree char *path = g_build_filename(f->root, *name, NULL);
                g_autofree char *text = g_strconcat("usr/", *name, NULL);
                g_assert_cmpint(symlink(text, path), ==, 0);
        }
        f->state = open(f->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        f->spec = make_spec();
        f->child = (EngineChild){.pid = -1, .pidfd = -1, .sync_fd = -1, .master = -1};
        f->input = (EngineInput){
                .spec = f->spec,
                .process = &f->spec->process,
                .state_directory = f->state,
                .bundle = f->bundle,
                .birth_cgroup = -1,
                .cgroup_entries = &no_entries,
                .state = tell_state,
                .init_pidfd = -1,
        };
        g_assert_cmpint(pipe2(f->output, O_CLOEXEC), ==, 0);
}

static void assert_no_child(void)
{
        siginfo_t info = {0};

        g_assert_cmpint(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), ==, -1);
        g_assert_cmpint(errno, ==, ECHILD);
}

static void tear_down(Fixture *f, const void *data)
{
        g_autofree char *remove = g_strdup_printf("rm -rf --one-file-system '%s'", f->bundle);

        engine_child_clear(&f->child);
        fd_clear(&f->output[0]);
        fd_clear(&f->output[1]);
        fd_clear(&f->state);
        oci_spec_free(f->spec);
        g_clear_error(&f->error);
        g_assert_cmpint(system(remove), ==, 0);
        g_free(f->bundle);
        g_free(f->root);
        assert_no_child();
        g_assert_cmpuint(count_fds(), ==, f->n_fds);
}

/* With what the container writes to stdout going to the pipe. */
static bool with_output(Fixture *f, bool (*make)(const EngineInput *, EngineChild *, GError **),
                        EngineChild *child)
{
        autofd int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

        fflush(stdout);
        g_assert_cmpint(dup2(f->output[1], STDOUT_FILENO), ==, STDOUT_FILENO);
        bool done = make(&f->input, child, &f->error);
        g_assert_cmpint(dup2(saved, STDOUT_FILENO), ==, STDOUT_FILENO);
        return done;
}

static void create(Fixture *f)
{
        bool done = with_output(f, engine_create, &f->child);

        g_assert_no_error(f->error);
        g_assert_true(done);
        done = engine_keep(&f->child, &f->spec->process, &f->error);
        g_assert_no_error(f->error);
        g_assert_true(done);
}

static int await(EngineChild *child)
{
        int status;

        g_assert_cmpint(waitpid(child->pid, &status, 0), ==, child->pid);
        fd_clear(&child->pidfd);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What has been written until now; all writers are gone. Owned. */
static char *read_output(Fixture *f)
{
        GString *text = g_string_new(NULL);
        char buffer[4096];
        ssize_t n;

        fd_clear(&f->output[1]);
        while ((n = read(f->output[0], buffer, sizeof buffer)) > 0)
                g_string_append_len(text, buffer, n);
        return g_string_free(text, FALSE);
}

/* Runs the script as the container's command, to its end. Owned. */
static char *run(Fixture *f, const char *script)
{
        set_command(&f->spec->process, script);
        create(f);
        g_assert_true(engine_start(f->state, &f->spec->process, &f->error));
        g_assert_cmpint(await(&f->child), ==, 0);
        return read_output(f);
}

static void assert_refused(Fixture *f, int code, const char *words)
{
        g_assert_false(with_output(f, engine_create, &f->child));
        g_assert_nonnull(strstr(f->error->message, words));
        g_assert_error(f->error, RUNTIME_ERROR, code);
        g_assert_cmpint(faccessat(f->state, "start", F_OK, 0), ==, -1);
}

/* -- create and start -- */

/* The container is the caller's own child, and its exit status is the command's. */
FIXTURE_TEST(exit_status)
{
        set_command(&f->spec->process, "exit 7");
        create(f);
        g_assert_cmpint(faccessat(f->state, "start", F_OK, 0), ==, 0);
        g_assert_true(engine_start(f->state, &f->spec->process, &f->error));
        g_assert_cmpint(await(&f->child), ==, 7);
        g_assert_false(engine_start(f->state, &f->spec->process, &f->error));
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_STATE);
}

/* A caller of start that dies before it says a word takes nothing with it. */
FIXTURE_TEST(start_twice)
{
        g_autofree char *path = g_build_filename(f->bundle, "start", NULL);
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        autofd int caller = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        create(f);
        g_strlcpy(address.sun_path, path, sizeof address.sun_path);
        g_assert_cmpint(connect(caller, (struct sockaddr *) &address, sizeof address), ==, 0);
        fd_clear(&caller);
        g_assert_true(engine_start(f->state, &f->spec->process, &f->error));
        g_assert_cmpint(await(&f->child), ==, 0);
}

/* Whoever makes a container and dies before it is written down leaves no process. */
FIXTURE_TEST(not_kept)
{
        g_assert_true(with_output(f, engine_create, &f->child));
        fd_clear(&f->child.sync_fd);
        g_assert_cmpint(await(&f->child), ==, 255);
}

/* A missing command is told when the container is made, by the words that callers look for. */
FIXTURE_TEST(command_missing)
{
        g_strfreev(f->spec->process.args);
        f->spec->process.args = strv("nothing-here");
        assert_refused(f, RUNTIME_ERROR_COMMAND_NOT_FOUND, "executable file not found in $PATH");
}

FIXTURE_TEST(command_missing_path)
{
        g_strfreev(f->spec->process.args);
        f->spec->process.args = strv("/nothing/here");
        assert_refused(f, RUNTIME_ERROR_COMMAND_NOT_FOUND, "no such file or directory");
}

FIXTURE_TEST(command_not_executable)
{
        g_strfreev(f->spec->process.args);
        f->spec->process.args = strv("/usr/share");
        assert_refused(f, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE, "permission denied");
}

/* A command that may be executed, but of no format, fails at start. */
FIXTURE_TEST(command_of_no_format)
{
        g_autofree char *path = g_build_filename(f->root, "program", NULL);

        g_assert_true(g_file_set_contents_full(path, "\177ELF nothing", -1,
                                               G_FILE_SET_CONTENTS_NONE, 0755, NULL));
        g_strfreev(f->spec->process.args);
        f->spec->process.args = strv("/program");
        create(f);
        g_assert_false(engine_start(f->state, &f->spec->process, &f->error));
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE);
        g_assert_cmpint(await(&f->child), ==, 255);
}

/* What the spec says of the process, as it sees itself. */
FIXTURE_TEST(process)
{
        OciProcess *process = &f->spec->process;

        process->uid = 1234;
        process->gid = 2345;
        process->groups = g_new0(uint32_t, 1);
        process->groups[0] = 77;
        process->n_groups = 1;
        process->umask = (OciUnsigned){true, 027};
        process->no_new_privileges = true;
        g_free(process->cwd);
        process->cwd = g_strdup("/made/here");
        process->oom_score_adjust = (OciSigned){true, 321};
        process->capabilities.ambient = process->capabilities.inheritable = 1;
        process->rlimits = g_new0(OciRlimit, 1);
        process->rlimits[0] = (OciRlimit){7 /* RLIMIT_NOFILE */, 20, 30};
        process->n_rlimits = 1;
        g_autofree char *text = run(
                f, "umask; pwd; hostname; id -u; id -g; id -G; ulimit -Sn; ulimit -Hn; "
                   "cat /proc/self/oom_score_adj; echo $HOME; "
                   "grep -E '^(Cap(Eff|Amb|Bnd)|NoNewPrivs)' /proc/self/status; ls /proc/self/fd | "
                   "wc -l");
        g_assert_cmpstr(text, ==,
                        "0027\n/made/here\ninside\n1234\n2345\n2345 77\n20\n30\n321\n/\n"
                        "CapEff:\t0000000000000001\nCapBnd:\t00000000800405fb\n"
                        "CapAmb:\t0000000000000001\nNoNewPrivs:\t1\n4\n");
}

/* What the processor and the disks are told of it. */
FIXTURE_TEST(scheduling)
{
        f->spec->process.scheduler = (OciScheduler){
                .is_given = true, .policy = 3 /* SCHED_BATCH */, .nice = 7, .flags = 1};
        f->spec->process.io_priority = (OciIOPriority){.class = 2, .priority = 6};
        g_autofree char *text = run(f, "exec 3< /proc/$$/stat; cut -d ' ' -f 19,41 <&3; ionice");
        g_assert_cmpstr(text, ==, "7 3\nbest-effort: prio 6\n");
}

/* Values of which the kernel knows that they make no sense. */
FIXTURE_TEST(scheduling_refused)
{
        f->spec->process.scheduler = (OciScheduler){.is_given = true, .policy = 3, .priority = 5};
        assert_refused(f, RUNTIME_ERROR_SETUP_FAILED, "process.scheduler: ");
}

/* Its tree: new file systems, devices, links, what is bound, masked and read-only. */
FIXTURE_TEST(tree)
{
        f->spec->root_read_only = true;
        g_autofree char *text = run(
                f, "echo > /file; echo > /usr/file; echo > /proc/sys/kernel/hostname; "
                   "wc -c < /proc/version; ls /proc/acpi | wc -l; echo x > /dev/null && echo null; "
                   "readlink /dev/ptmx /dev/fd; stat -c %t:%T,%a /dev/urandom; "
                   "stat -f -c %T /sys /dev/pts /dev/mqueue; grep -c ' / / ' /proc/self/mountinfo; "
                   "cat /proc/1/comm");
        g_assert_cmpstr(
                text, ==,
                "0\n0\nnull\npts/ptmx\n/proc/self/fd\n1:9,666\nsysfs\ndevpts\nmqueue\n0\nsh\n");
}

/* No link of the root leads out of it, wherever a mount goes. */
FIXTURE_TEST(hostile_links)
{
        g_autofree char *dev = g_build_filename(f->root, "dev", NULL);
        g_autofree char *out = g_build_filename(f->root, "out", NULL);
        g_autofree char *outside = g_build_filename(f->bundle, "outside", NULL);

        g_assert_cmpint(g_mkdir(outside, 0755), ==, 0);
        g_assert_cmpint(symlink(outside, dev), ==, 0);
        g_assert_cmpint(symlink("../../../../../../../..", out), ==, 0);
        add_mount(f->spec, "/out/deep/er", "tmpfs", "tmpfs", "");
        g_autofree char *text = run(f, "readlink /dev; echo > /dev/null && echo null; "
                                       "stat -f -c %T /deep/er");
        g_autofree char *expected = g_strconcat(outside, "\nnull\ntmpfs\n", NULL);
        g_assert_cmpstr(text, ==, expected);
        g_assert_cmpint(rmdir(outside), ==, 0);
}

/* proc is mounted on a directory of that name, and on no link to another. */
FIXTURE_TEST(hostile_proc)
{
        g_autofree char *proc = g_build_filename(f->root, "proc", NULL);

        g_assert_cmpint(symlink("usr", proc), ==, 0);
        assert_refused(f, RUNTIME_ERROR_SETUP_FAILED, "mounts[0] ('/proc')");
}

/* Through proc's links to what a process holds nothing is executed and no directory entered. */
FIXTURE_TEST(hostile_directory)
{
        g_free(f->spec->process.cwd);
        f->spec->process.cwd = g_strdup("/proc/self/fd/7");
        assert_refused(f, RUNTIME_ERROR_SETUP_FAILED, "process.cwd");
}

FIXTURE_TEST(hostile_command)
{
        g_strfreev(f->spec->process.args);
        f->spec->process.args = strv("/proc/self/exe");
        assert_refused(f, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE, "magic");
}

/* An error names the place in the config. */
FIXTURE_TEST(mount_source_missing)
{
        OciMount *mount = add_mount(f->spec, "/data", "bind", "/nothing/here", "");

        mount->bind = true;
        assert_refused(f, RUNTIME_ERROR_MOUNT_INVALID,
                       "mounts[6] ('/data'): source '/nothing/here' does not exist");
}

FIXTURE_TEST(mount_option_wrong)
{
        add_mount(f->spec, "/data", "tmpfs", "tmpfs", "colour=blue");
        assert_refused(f, RUNTIME_ERROR_SETUP_FAILED, "mounts[6] ('/data')");
}

/* tmpcopyup shows what the root has there. */
FIXTURE_TEST(copy_up)
{
        g_autofree char *directory = g_build_filename(f->root, "data", NULL);
        g_autofree char *file = g_build_filename(directory, "file", NULL);

        g_assert_cmpint(g_mkdir(directory, 0711), ==, 0);
        g_assert_true(g_file_set_contents(file, "content\n", -1, NULL));
        add_mount(f->spec, "/data", "tmpfs", "tmpfs", "")->copy_up = true;
        g_autofree char *text =
                run(f, "cat /data/file; stat -f -c %T /data; stat -c %a /data; rm /data/file");
        g_assert_cmpstr(text, ==, "content\ntmpfs\n711\n");
        g_assert_cmpint(access(file, F_OK), ==, 0);
}

/* -- namespaces -- */

static OciIdMaps one_map(uint32_t outside)
{
        OciIdMaps maps = {g_new0(OciIdMap, 1), 1};

        maps.items[0] = (OciIdMap){0, outside, 65536};
        return maps;
}

/* A user namespace from lists: devices are bound, and the root is as its files are. */
FIXTURE_TEST(user_namespace)
{
        static const OciNamespace list[] = {
                {CLONE_NEWPID, NULL}, {CLONE_NEWNET, NULL}, {CLONE_NEWIPC, NULL},
                {CLONE_NEWUTS, NULL}, {CLONE_NEWNS, NULL},  {CLONE_NEWUSER, NULL},
        };

        g_assert_cmpint(chmod(f->bundle, 0755), ==, 0);
        g_assert_cmpint(chown(f->root, 100000, 100000), ==, 0);
        set_namespaces(f->spec, list, G_N_ELEMENTS(list));
        f->spec->uid_maps = one_map(100000);
        f->spec->gid_maps = one_map(100000);
        g_autofree char *text = run(f, "id -u; tr -s ' ' < /proc/self/uid_map; stat -c %u /; "
                                       "echo > /dev/null && echo null; stat -c %u /dev/pts");
        g_assert_cmpstr(text, ==, "0\n 0 100000 65536\n0\nnull\n0\n");
}

/* Joined by their paths: the exit status reaches us all the same, also where processes and users
 * are another container's. */
static void join(Fixture *f, const OciNamespace *list, size_t n)
{
        Fixture other = {.output = {-1, -1}};
        char paths[2][64];
        OciNamespace joined[8];

        set_up(&other, NULL);
        g_assert_cmpint(chmod(other.bundle, 0755), ==, 0);
        g_assert_cmpint(chmod(f->bundle, 0755), ==, 0);
        set_namespaces(other.spec, list, n);
        other.spec->uid_maps = one_map(100000);
        other.spec->gid_maps = one_map(100000);
        g_assert_cmpint(chown(other.root, 100000, 100000), ==, 0);
        g_assert_cmpint(chown(f->root, 100000, 100000), ==, 0);
        set_command(&other.spec->process, "sleep 60");
        create(&other);
        g_assert_true(engine_start(other.state, &other.spec->process, &other.error));
        memcpy(joined, list, n * sizeof *list);
        for (size_t i = 0, k = 0; i < n; i++)
                if (joined[i].type == CLONE_NEWPID || joined[i].type == CLONE_NEWUSER) {
                        g_snprintf(paths[k], sizeof paths[k], "/proc/%d/ns/%s",
                                   (int) other.child.pid,
                                   joined[i].type == CLONE_NEWPID ? "pid" : "user");
                        joined[i].path = paths[k++];
                }
        set_namespaces(f->spec, joined, n);
        set_command(&f->spec->process, "cat /proc/1/cmdline | tr '\\0' ' '; exit 9");
        create(f);
        g_assert_true(engine_start(f->state, &f->spec->process, &f->error));
        g_assert_cmpint(await(&f->child), ==, 9);
        kill(other.child.pid, SIGKILL);
        g_assert_cmpint(await(&other.child), ==, 128 + SIGKILL);
        tear_down(&other, NULL);
        g_autofree char *text = read_output(f);
        g_assert_true(g_str_has_suffix(text, "sleep 60 "));
}

FIXTURE_TEST(joins_processes)
{
        static const OciNamespace list[] = {{CLONE_NEWPID, NULL}, {CLONE_NEWNS, NULL}};

        join(f, list, G_N_ELEMENTS(list));
}

FIXTURE_TEST(joins_users)
{
        static const OciNamespace list[] = {{CLONE_NEWPID, NULL}, {CLONE_NEWNET, NULL},
                                            {CLONE_NEWIPC, NULL}, {CLONE_NEWUTS, NULL},
                                            {CLONE_NEWNS, NULL},  {CLONE_NEWUSER, NULL}};

        join(f, list, G_N_ELEMENTS(list));
}

/* A path that is of another type is refused. */
FIXTURE_TEST(joins_wrong_type)
{
        static const OciNamespace list[] = {{CLONE_NEWNET, (char *) "/proc/self/ns/uts"},
                                            {CLONE_NEWNS, NULL}};

        set_namespaces(f->spec, list, G_N_ELEMENTS(list));
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "is no network namespace");
}

/* -- terminal, exec, hooks -- */

static char *read_terminal(int master)
{
        GString *text = g_string_new(NULL);
        char buffer[4096];
        ssize_t n;

        while ((n = read(master, buffer, sizeof buffer)) > 0)
                g_string_append_len(text, buffer, n);
        return g_string_free(text, FALSE);
}

/* A terminal of its own, of the size that was said, which is /dev/console as well. */
FIXTURE_TEST(terminal)
{
        f->spec->process.terminal = true;
        f->spec->process.rows = 33;
        f->spec->process.columns = 77;
        set_command(&f->spec->process, "tty; stty size; echo console > /dev/console");
        create(f);
        g_assert_cmpint(f->child.master, >=, 0);
        g_assert_true(engine_start(f->state, &f->spec->process, &f->error));
        g_autofree char *text = read_terminal(f->child.master);
        g_assert_cmpint(await(&f->child), ==, 0);
        g_assert_cmpstr(text, ==, "/dev/pts/0\r\n33 77\r\nconsole\r\n");
}

static void begin_exec(Fixture *f, OciProcess *process, const char *script)
{
        set_command(&f->spec->process, "sleep 60");
        create(f);
        g_assert_true(engine_start(f->state, &f->spec->process, &f->error));
        fill_process(process);
        set_command(process, script);
        f->input.process = process;
        f->input.init = f->child.pid;
        f->input.init_pidfd = f->child.pidfd;
}

/* A process that joins is in all of the container's namespaces, and our child. */
FIXTURE_TEST(exec)
{
        EngineChild child = {.pid = -1, .pidfd = -1, .sync_fd = -1, .master = -1};
        OciProcess process = {0};

        begin_exec(f, &process, "hostname; tr '\\0' ' ' < /proc/1/cmdline; id -u; exit 5");
        process.uid = 99;
        g_assert_true(with_output(f, engine_exec, &child));
        g_assert_true(engine_keep(&child, &process, &f->error));
        g_assert_cmpint(await(&child), ==, 5);
        engine_child_clear(&child);
        kill(f->child.pid, SIGKILL);
        await(&f->child);
        g_autofree char *text = read_output(f);
        g_assert_true(g_str_has_prefix(text, "inside\n"));
        g_assert_true(g_str_has_suffix(text, "99\n"));
        oci_process_clear(&process);
}

FIXTURE_TEST(exec_command_missing)
{
        EngineChild child = {.pid = -1, .pidfd = -1, .sync_fd = -1, .master = -1};
        OciProcess process = {0};

        begin_exec(f, &process, "true");
        g_strfreev(process.args);
        process.args = strv("nothing-here");
        g_assert_false(with_output(f, engine_exec, &child));
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_COMMAND_NOT_FOUND);
        kill(f->child.pid, SIGKILL);
        await(&f->child);
        oci_process_clear(&process);
}

/* `*hooks` gets one that appends a word and what it reads to a file in the bundle. */
static void add_hook(Fixture *f, OciHookKind kind, const char *directory, const char *script)
{
        OciHooks *hooks = &f->spec->hooks[kind];
        g_autofree char *line = g_strdup_printf("{ %s; cat; } >> %s/log", script, directory);

        hooks->items = g_renew(OciHook, hooks->items, hooks->n + 1);
        hooks->items[hooks->n++] = (OciHook){
                .path = g_strdup("/bin/sh"), .args = shell(line), .env = strv("PATH=/usr/bin")};
}

/* All kinds, in their order, each with the state, where the tree is as it says. */
FIXTURE_TEST(hooks)
{
        g_autofree char *log = g_build_filename(f->bundle, "log", NULL);
        g_autofree char *inside = g_build_filename(f->root, "log", NULL);
        g_autofree char *text = NULL, *inner = NULL;

        add_hook(f, OCI_HOOK_PRESTART, f->bundle, "echo prestart");
        add_hook(f, OCI_HOOK_CREATE_RUNTIME, f->bundle, "echo createRuntime");
        g_autofree char *create_script =
                g_strdup_printf("echo createContainer; test -e %s/proc/1 && echo mounted", f->root);
        add_hook(f, OCI_HOOK_CREATE_CONTAINER, f->bundle, create_script);
        add_hook(f, OCI_HOOK_START_CONTAINER, "", "echo startContainer");
        g_free(run(f, "true"));
        g_assert_true(g_file_get_contents(log, &text, NULL, NULL));
        g_assert_true(g_file_get_contents(inside, &inner, NULL, NULL));
        g_autofree char *state =
                g_strdup_printf("{\"status\":\"creating\",\"pid\":%d}\n", (int) f->child.pid);
        g_autofree char *expected = g_strconcat("prestart\n", state, "createRuntime\n", state,
                                                "createContainer\nmounted\n", state, NULL);
        g_assert_cmpstr(text, ==, expected);
        g_assert_true(g_str_has_prefix(inner, "startContainer\n{\"status\":\"created\""));
}

/* A hook that fails ends it all; what it wrote to stderr is in the error. */
FIXTURE_TEST(hook_fails)
{
        add_hook(f, OCI_HOOK_CREATE_RUNTIME, f->bundle, "echo why >&2; exit 3");
        assert_refused(f, RUNTIME_ERROR_SETUP_FAILED, "hooks.createRuntime[0]");
        g_assert_nonnull(strstr(f->error->message, "why"));
}

FIXTURE_TEST(hook_takes_too_long)
{
        add_hook(f, OCI_HOOK_PRESTART, f->bundle, "exec sleep 600");
        f->spec->hooks[OCI_HOOK_PRESTART].items[0].timeout = 1;
        assert_refused(f, RUNTIME_ERROR_SETUP_FAILED, "timeout");
}

FIXTURE_TEST(inner_hook_fails)
{
        add_hook(f, OCI_HOOK_CREATE_CONTAINER, f->bundle, "exit 3");
        assert_refused(f, RUNTIME_ERROR_SETUP_FAILED, "createContainer hook");
}

int main(int argc, char **argv)
{
        if (geteuid() != 0)
                return skip_cases(argc, argv, "needs root");
        return run_cases(argc, argv);
}
