/* Real launches into a small root tree, with a failure provoked at each stage that can be: the
 * error has its code and its words, and no process, fd, mount or cgroup is more than before. Needs
 * root. */

#include "service/sandbox/launch.h"
#include "service/sandbox/seccomp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/container/container.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/capability.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/fds.h"
#include "tests/lib/loop.h"
#include "tests/lib/strv.h"

#define USER 54321u

static Profile *profile;
static CgroupTree *tree;
static IdRanges *ranges;
static char *cgroup_parent;

typedef struct Fixture {
        char *path; /* the root tree, a tmpfs */
        Order *order;
        Profile profile; /* a copy, to be spoilt */
        Container *container;
        unsigned n_created, n_started, n_failed, n_exited, n_cleaned;
        GError *error;
        bool wait; /* Create, not Run */
        uid_t owner;
        char *traces; /* of before */
} Fixture;

/* -- traces: what a launch could leave behind -- */

static void list_cgroups(const char *path, GString *text)
{
        DIR *dir = opendir(path);

        if (!dir)
                return;
        g_string_append_printf(text, "%s\n", path);
        for (const struct dirent *entry; (entry = readdir(dir));) {
                g_autofree char *child = g_build_filename(path, entry->d_name, NULL);
                if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
                    g_ascii_isdigit(entry->d_name[0]) && strlen(path) < 500)
                        list_cgroups(child, text);
        }
        closedir(dir);
}

/* Fds by number and mounts by line; leaves, not the owners' directories, which stay. */
static char *list_traces(void)
{
        GString *text = g_string_new(NULL);
        g_autofree char *mounts = NULL;

        g_string_append_printf(text, "%u fds\n", count_fds());
        g_assert_true(g_file_get_contents("/proc/self/mountinfo", &mounts, NULL, NULL));
        g_string_append(text, mounts);
        g_auto(GStrv) lines = g_strsplit(mounts, "\n", -1);
        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, " ", 6);
                if (!strstr(*line, " - cgroup") || g_strv_length(fields) < 6)
                        continue;
                for (const char *const *owner = (const char *const[]){"0", "54321", NULL}; *owner;
                     owner++) {
                        g_autofree char *path =
                                g_strconcat(fields[4], cgroup_parent, "/", *owner, NULL);
                        GString *leaves = g_string_new(NULL);
                        list_cgroups(path, leaves);
                        const char *first = strchr(leaves->str, '\n');
                        g_string_append(text, first ? first + 1 : "");
                        g_string_free(leaves, TRUE);
                }
        }
        return g_string_free(text, FALSE);
}

static void assert_no_child(void)
{
        siginfo_t info = {0};

        g_assert_cmpint(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), ==, -1);
        g_assert_cmpint(errno, ==, ECHILD);
}

/* -- hooks -- */

static void on_created(Container *container, void *data)
{
        ((Fixture *) data)->n_created++;
}

static void on_started(Container *container, void *data)
{
        ((Fixture *) data)->n_started++;
}

static void on_failed(Container *container, GError *error, void *data)
{
        Fixture *f = data;

        f->error = g_error_copy(error);
        f->n_failed++;
}

static void on_exited(Container *container, void *data)
{
        ((Fixture *) data)->n_exited++;
}

static void on_cleaned(Container *container, void *data)
{
        ((Fixture *) data)->n_cleaned++;
}

static bool on_noticed(Container *container, const Notice *notice, void *data)
{
        return true;
}

static const ContainerHooks hooks = {
        .noticed = on_noticed,
        .created = on_created,
        .started = on_started,
        .failed = on_failed,
        .exited = on_exited,
        .cleaned = on_cleaned,
};

/* -- the tree -- */

static char *below(const Fixture *f, const char *name)
{
        return g_build_filename(f->path, name, NULL);
}

static void make_directory(const Fixture *f, const char *name)
{
        g_autofree char *path = below(f, name);

        g_assert_cmpint(mkdir(path, 0755), ==, 0);
}

static void make_file(const Fixture *f, const char *name, const char *text, mode_t mode)
{
        g_autofree char *path = below(f, name);

        g_assert_true(g_file_set_contents(path, text, -1, NULL));
        g_assert_cmpint(chmod(path, mode), ==, 0);
}

static void make_link(const Fixture *f, const char *name, const char *target)
{
        g_autofree char *path = below(f, name);

        g_assert_cmpint(symlink(target, path), ==, 0);
}

static void remove_directory(const Fixture *f, const char *name)
{
        g_autofree char *path = below(f, name);

        g_assert_cmpint(rmdir(path), ==, 0);
}

static void install_helper(const Fixture *f)
{
        g_autofree char *helper = g_test_build_filename(G_TEST_BUILT, "static-helper", NULL);
        g_autofree char *bytes = NULL, *path = below(f, "bin/helper");
        gsize length;

        g_assert_true(g_file_get_contents(helper, &bytes, &length, NULL));
        g_assert_true(g_file_set_contents(path, bytes, (gssize) length, NULL));
        g_assert_cmpint(chmod(path, 0755), ==, 0);
}

static void renew_order(Fixture *f)
{
        order_free(f->order);
        f->order = order_new();
        f->order->tree.rootfs = g_strdup(f->path);
        f->order->process.argv = strv_pack(g_strsplit("helper", " ", -1));
        f->order->resources.tasks_max = UINT64_MAX;
}

static void set_up(Fixture *f, const void *unused)
{
        static const char *const directories[] = {"proc", "sys", "dev", "tmp", "bin"};

        loop_settle();
        f->path = g_dir_make_tmp("test-launch-XXXXXX", NULL);
        g_assert_cmpint(mount("tmpfs", f->path, "tmpfs", 0, "mode=0755"), ==, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(directories); i++)
                make_directory(f, directories[i]);
        install_helper(f);
        f->profile = *profile;
        renew_order(f);
        f->traces = list_traces();
        ranges = id_ranges_new(0x70000000, 64 * ID_RANGE_SIZE);
}

static void tear_down(Fixture *f, const void *unused)
{
        container_free(f->container);
        order_free(f->order);
        g_clear_error(&f->error);
        id_ranges_free(ranges); /* and the namespaces that are kept with them */
        loop_settle();
        g_autofree char *traces = list_traces();
        g_assert_cmpstr(traces, ==, f->traces);
        assert_no_child();
        g_free(f->traces);
        g_assert_cmpint(umount2(f->path, MNT_DETACH), ==, 0);
        g_rmdir(f->path);
        g_free(f->path);
}

static void set_command(Fixture *f, const char *words)
{
        g_free(f->order->process.argv);
        f->order->process.argv = strv_pack(g_strsplit(words, " ", -1));
}

static bool begin(Fixture *f, GError **error)
{
        static uint64_t serial;
        ContainerInfo info = {.serial = ++serial,
                              .id = g_strdup("web"),
                              .owner = f->owner,
                              .memory_max = f->order->resources.memory_max};
        const Credentials owner = {.uid = f->owner};
        const CgroupLimits limits = {f->order->resources.memory_max, CGROUP_NO_LIMIT,
                                     f->order->resources.tasks_max};
        const ContainerEngine engine = {launch, &f->profile};
        Prepared made = {.serial = serial};

        f->order->owner = credentials_copy(&owner);
        f->order->execute = !f->wait;
        f->order->tree.root.fd = open(f->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        g_assert_true(
                id_map_new(ranges, f->order->tree.user_namespace, &owner, 0, &made.map, NULL));
        container_free(f->container);
        f->container = container_new(&info, g_steal_pointer(&f->order), &hooks, f);
        f->order = order_new(); /* for whoever looks at it */
        g_assert_true(cgroup_new(tree, f->owner, serial, &limits, &made.cgroup, error));
        return container_launch(f->container, &engine, &made, error);
}

static void finish(Fixture *f)
{
        g_assert_true(loop_until(&f->n_cleaned, 1, 10000));
        g_assert_cmpuint(f->n_cleaned, ==, 1);
}

static void assert_runs(Fixture *f, ContainerResult result, int code)
{
        g_autoptr(GError) error = NULL;

        begin(f, &error);
        g_assert_no_error(error);
        finish(f);
        g_assert_no_error(f->error);
        g_assert_cmpuint(f->n_started, ==, 1);
        g_assert_cmpint(container_info(f->container)->result, ==, result);
        g_assert_cmpint(container_info(f->container)->code, ==, code);
}

static void assert_words(const GError *error, RuntimeError code, const char *word)
{
        if (!g_error_matches(error, RUNTIME_ERROR, (int) code) || !strstr(error->message, word)) {
                g_test_message("code %d, '%s': not code %d with '%s'", error ? error->code : -1,
                               error ? error->message : "", (int) code, word);
                g_test_fail();
        }
}

static void assert_fails(Fixture *f, RuntimeError code, const char *word)
{
        g_autoptr(GError) error = NULL;

        begin(f, &error);
        g_assert_no_error(error);
        finish(f);
        g_assert_cmpuint(f->n_started, ==, 0);
        g_assert_cmpuint(f->n_failed, ==, 1);
        assert_words(f->error, code, word);
        g_assert_cmpint(container_info(f->container)->result, ==, RESULT_SETUP_FAILED);
}

static void add_mount(Fixture *f, const char *source, const char *target)
{
        TreeSpec *spec = &f->order->tree;
        struct stat status;

        spec->mounts = g_renew(MountSpec, spec->mounts, spec->n_mounts + 1);
        MountSpec *mount = &spec->mounts[spec->n_mounts++];
        mount_spec_init(mount);
        mount->source = g_strdup(source);
        mount->target = g_strdup(target);
        if (source) {
                mount->type = MOUNT_TYPE_BIND;
                g_assert_cmpint(stat(source, &status), ==, 0);
                mount->place.fd = open(source, O_PATH | O_CLOEXEC);
                mount->place.is_directory = S_ISDIR(status.st_mode);
        }
}

static void give_null(Fixture *f, int target)
{
        order_add_fd(f->order, open("/dev/null", O_RDWR | O_CLOEXEC), target);
}

/* -- what works -- */

/* A command runs, and its status is what the container ends with. */
FIXTURE_TEST(run)
{
        set_command(f, "helper exit 7");
        assert_runs(f, RESULT_EXIT_CODE, 7);
}

/* A user's container works as root's does. */
FIXTURE_TEST(run_as_user)
{
        f->owner = USER;
        g_assert_cmpint(chown(f->path, USER, 0), ==, 0);
        set_command(f, "helper exit 7");
        assert_runs(f, RESULT_EXIT_CODE, 7);
}

/* The command inherits 0, 1 and 2, and nothing else of the many fds that the service has. */
FIXTURE_TEST(three_fds)
{
        set_command(f, "helper open");
        assert_runs(f, RESULT_EXIT_CODE, 3);
}

/* What the caller gives comes in addition, at the numbers it asked for. */
FIXTURE_TEST(given_fds)
{
        give_null(f, 0);
        give_null(f, 3);
        give_null(f, 255);
        set_command(f, "helper open");
        assert_runs(f, RESULT_EXIT_CODE, 5);
}

/* All of the fds that one may give fit. */
FIXTURE_TEST(most_fds)
{
        for (unsigned i = 0; i < SPAWN_FDS_MAX; i++)
                give_null(f, (int) (SPAWN_FD_NUMBER_MAX - i));
        set_command(f, "helper open");
        assert_runs(f, RESULT_EXIT_CODE, 3 + (int) SPAWN_FDS_MAX);
}

/* So it does on a kernel that mounts on nothing detached. */
FIXTURE_TEST(run_masks_late)
{
        f->profile.masks_late = true;
        set_command(f, "helper exit 7");
        assert_runs(f, RESULT_EXIT_CODE, 7);
}

/* A command in what is bound is found and executed, by as many binds as there may be. */
FIXTURE_TEST(most_mounts)
{
        g_autofree char *bin = below(f, "bin");

        for (unsigned i = 0; i < MOUNTS_MAX; i++) {
                g_autofree char *name = g_strdup_printf("m%u", i),
                                *target = g_strconcat("/", name, NULL);
                make_directory(f, name);
                add_mount(f, bin, target);
        }
        g_autofree char *command = g_strdup_printf("/m%u/helper exit 9", MOUNTS_MAX - 1);
        set_command(f, command);
        assert_runs(f, RESULT_EXIT_CODE, 9);
}

/* The mount that could not be made is the one that is named, and why. */
static const struct WrongMount {
        const char *name, *target, *words;
        bool is_file;
} wrong_mounts[] = {
        {"missing", "/none", "has no '/none'", false},
        {"behind-link", "/link/x", "has no '/link/x'", false},
        {"lost-link", "/lost", "has no '/lost'", false},
        {"to-proc", "/to-proc", "'/to-proc' leads to", false},
        {"below-proc", "/to-proc/sys", "'/to-proc/sys' leads to", false},
        {"root", "/to-root", "'/to-root' leads to", false},
        {"magic", "/to-proc/self/cwd", "'/to-proc/self/cwd' is a symbolic link", false},
        {"file", "/bin/helper", "'/bin/helper' is not a directory", false},
        {"directory", "/tmp", "'/tmp' is a directory", true},
};

ROW_TEST(wrong_mount, wrong_mounts)
{
        const struct WrongMount *wrong = data;
        g_autofree char *bin = below(f, "bin"), *helper = below(f, "bin/helper");

        make_link(f, "link", "bin");
        make_link(f, "lost", "nowhere");
        make_link(f, "to-proc", "/proc");
        make_link(f, "to-root", "bin/..");
        make_directory(f, "good");
        add_mount(f, bin, "/good");
        add_mount(f, wrong->is_file ? helper : bin, wrong->target);
        assert_fails(f, RUNTIME_ERROR_MOUNT_INVALID, wrong->words);
}

/* A link of the tree on the way to a target is followed, inside the tree. */
FIXTURE_TEST(mount_behind_link)
{
        g_autofree char *bin = below(f, "bin");

        make_directory(f, "real");
        make_directory(f, "real/spot");
        make_link(f, "link", "/../../real");
        make_link(f, "top", "link/spot");
        add_mount(f, bin, "/top");
        set_command(f, "/real/spot/helper exit 9");
        assert_runs(f, RESULT_EXIT_CODE, 9);
}

/* What is missing of a target is made in a tmpfs of an earlier mount, a file as well as
 * directories. */
FIXTURE_TEST(mount_in_tmpfs)
{
        g_autofree char *bin = below(f, "bin"), *helper = below(f, "bin/helper");

        make_directory(f, "run");
        add_mount(f, NULL, "/run");
        add_mount(f, bin, "/run/a/b/c");
        add_mount(f, helper, "/run/a/file");
        add_mount(f, helper, "/tmp/x/file");
        set_command(f, "/run/a/b/c/helper exit 9");
        assert_runs(f, RESULT_EXIT_CODE, 9);
}

/* A source that cannot be id-mapped fails the launch in the parent, and nothing is left. */
FIXTURE_TEST(unmappable_source)
{
        g_autoptr(GError) error = NULL;

        add_mount(f, "/sys/kernel", "/tmp");
        g_assert_false(begin(f, &error));
        assert_words(error, RUNTIME_ERROR_MOUNT_INVALID, "(sysfs) cannot be id-mapped");
}

/* A tree need not have a /tmp. */
FIXTURE_TEST(no_tmp)
{
        remove_directory(f, "tmp");
        assert_runs(f, RESULT_SUCCESS, 0);
}

/* A command with a path of its own, absolute or from the working directory. */
FIXTURE_TEST(command_path)
{
        f->order->process.working_directory = g_strdup("/bin");
        set_command(f, "./helper exit 9");
        assert_runs(f, RESULT_EXIT_CODE, 9);
}

/* A directory of PATH that is missing, or no directory, does not end the search. */
FIXTURE_TEST(path_search)
{
        f->order->process.environment =
                strv_pack(g_strsplit("PATH=/nope:/bin/helper:/bin", " ", -1));
        set_command(f, "helper exit 9");
        assert_runs(f, RESULT_EXIT_CODE, 9);
}

/* A file of that name that cannot be executed does not end the search either. */
FIXTURE_TEST(path_search_goes_on)
{
        make_directory(f, "first");
        make_file(f, "first/helper", "no program", 0644);
        f->order->process.environment = strv_pack(g_strsplit("PATH=/first:/bin", " ", -1));
        set_command(f, "helper exit 9");
        assert_runs(f, RESULT_EXIT_CODE, 9);
}

/* -- options that take from the isolation -- */

/* Each works, and all of them together, in every user namespace. */
FIXTURE_TEST(options)
{
        static const uint64_t capabilities[] = {0, CAPABILITY(NET_ADMIN), CAPABILITY(SYS_ADMIN)};

        for (unsigned i = 0; i < 3 * 3; i++) {
                renew_order(f);
                set_command(f, "helper exit 7");
                f->order->tree.user_namespace = (UserNamespaceMode) (i / 3);
                f->order->process.capabilities = capabilities[i % 3];
                f->order->tree.host_network = i & 1;
                f->order->process.seccomp = i & 2;
                f->order->process.no_new_privileges = i & 4;
                f->n_started = f->n_cleaned = 0;
                g_test_message("%u", i);
                assert_runs(f, RESULT_EXIT_CODE, 7);
        }
}

/* A second user namespace needs a second process for a moment. */
FIXTURE_TEST(inner)
{
        f->order->process.capabilities = CAPABILITY(SYS_ADMIN);
        f->order->resources.tasks_max = 1;
        assert_fails(f, RUNTIME_ERROR_SETUP_FAILED, "enter a second user namespace");
}

/* -- what the tree lacks -- */

typedef enum Instead { NOTHING, A_LINK, A_FILE } Instead;

/* Without a directory to mount on it is RootfsInvalid, naming the directory and what is there
 * instead: a symbolic link is not followed, wherever it leads. A /tmp that is no directory is no
 * place for a private one: refused, not silently left out. */
static const struct Target {
        const char *name, *directory;
        Instead instead;
        const char *words;
} targets[] = {
        {"no-proc", "proc", NOTHING, "no directory"},
        {"no-sys", "sys", NOTHING, "no directory"},
        {"no-dev", "dev", NOTHING, "no directory"},
        {"proc-is-a-link", "proc", A_LINK, "symbolic link"},
        {"sys-is-a-link", "sys", A_LINK, "symbolic link"},
        {"dev-is-a-link", "dev", A_LINK, "symbolic link"},
        {"proc-is-a-file", "proc", A_FILE, "something else"},
        {"sys-is-a-file", "sys", A_FILE, "something else"},
        {"dev-is-a-file", "dev", A_FILE, "something else"},
        {"tmp-is-a-link", "tmp", A_LINK, "is not a directory but a symbolic link"},
        {"tmp-is-a-file", "tmp", A_FILE, "is not a directory"},
};

ROW_TEST(tree, targets)
{
        const struct Target *target = data;
        g_autofree char *quoted = g_strdup_printf("'%s'", target->directory);

        remove_directory(f, target->directory);
        if (target->instead == A_LINK)
                make_link(f, target->directory, "../../../tmp");
        else if (target->instead == A_FILE)
                make_file(f, target->directory, "", 0644);
        assert_fails(f, RUNTIME_ERROR_ROOTFS_INVALID, quoted);
        assert_words(f->error, RUNTIME_ERROR_ROOTFS_INVALID, target->words);
        g_assert_true(target->instead != NOTHING || strstr(f->error->message, f->path));
}

/* -- the working directory -- */

FIXTURE_TEST(workdir_missing)
{
        f->order->process.working_directory = g_strdup("/nope");
        assert_fails(f, RUNTIME_ERROR_SETUP_FAILED, "WorkingDirectory '/nope'");
        g_assert_nonnull(strstr(f->error->message, g_strerror(ENOENT)));
}

FIXTURE_TEST(workdir_file)
{
        f->order->process.working_directory = g_strdup("/bin/helper");
        assert_fails(f, RUNTIME_ERROR_SETUP_FAILED, g_strerror(ENOTDIR));
}

/* Another user's closed directory stays closed to a container root that is not host root. */
FIXTURE_TEST(workdir_closed)
{
        g_autofree char *path = below(f, "closed");

        make_directory(f, "closed");
        g_assert_cmpint(chmod(path, 0700), ==, 0);
        f->owner = USER;
        f->order->process.working_directory = g_strdup("/closed");
        assert_fails(f, RUNTIME_ERROR_SETUP_FAILED, g_strerror(EACCES));
}

/* -- the command -- */

typedef struct Command {
        const char *name, *argv, *path;
        RuntimeError code;
        const char *words;
} Command;
static const Command commands[] = {
        {"not-found", "/bin/nope", NULL, RUNTIME_ERROR_COMMAND_NOT_FOUND, "'/bin/nope'"},
        {"not-found-in-path", "nope", "/bin", RUNTIME_ERROR_COMMAND_NOT_FOUND, "'nope'"},
        {"empty-path", "helper", "", RUNTIME_ERROR_COMMAND_NOT_FOUND, "'helper'"},
        {"below-a-file", "/bin/helper/x", NULL, RUNTIME_ERROR_COMMAND_NOT_FOUND, "'/bin/helper/x'"},
        {"dangling-link", "/bin/dangling", NULL, RUNTIME_ERROR_COMMAND_NOT_FOUND,
         "'/bin/dangling'"},
        {"link-loop", "/bin/loop", NULL, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE, "'/bin/loop'"},
        {"not-executable", "/bin/text", NULL, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE, "'/bin/text'"},
        {"not-executable-in-path", "text", "/bin", RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE, "'text'"},
        {"directory", "/bin", NULL, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE, "'/bin'"},
        {"wrong-format", "/bin/noise", NULL, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE, "format"},
        {"empty-file", "/bin/empty", NULL, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE, "format"},
        {"no-interpreter", "/bin/script", NULL, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE,
         "interpreter"},
        {"no-interpreter-in-path", "script", "/bin", RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE,
         "interpreter"},
        {"device", "/dev/null", NULL, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE, "'/dev/null'"},
};

/* Every way in which exec can fail has its name and says of which command. */
ROW_TEST(command, commands)
{
        const Command *command = data;

        make_file(f, "bin/text", "no program", 0644);
        make_file(f, "bin/noise", "\x01\x02\x03 noise", 0755);
        make_file(f, "bin/empty", "", 0755);
        make_file(f, "bin/script", "#!/nope/sh\n", 0755);
        make_link(f, "bin/dangling", "/nope/program");
        make_link(f, "bin/loop", "loop");
        set_command(f, command->argv);
        if (command->path) {
                g_autofree char *pair = g_strconcat("PATH=", command->path, NULL);
                f->order->process.environment = strv_pack(g_strsplit(pair, " ", -1));
        }
        assert_fails(f, command->code, command->words);
        g_assert_nonnull(strstr(f->error->message, f->path));
}

/* -- stages that only a spoilt plan reaches -- */

FIXTURE_TEST(hostname)
{
        f->order->tree.hostname = g_strnfill(HOSTNAME_LENGTH_MAX + 1, 'h');
        assert_fails(f, RUNTIME_ERROR_SETUP_FAILED, "set the host name");
}

FIXTURE_TEST(seccomp)
{
        static SeccompProgram empty;

        f->profile.seccomp = &empty;
        assert_fails(f, RUNTIME_ERROR_SETUP_FAILED, "load the seccomp filter");
}

FIXTURE_TEST(capabilities)
{
        f->profile.last_capability = 63;
        assert_fails(f, RUNTIME_ERROR_SETUP_FAILED, "drop capabilities");
}

FIXTURE_TEST(mask)
{
        static MountStep masks[] = {{.kind = MOUNT_MASK_FILE,
                                     .at = EARLY_PROC,
                                     .target = "self/status",
                                     .stage = STAGE_MASK}};

        f->profile.masks = masks;
        f->profile.n_masks = 1;
        assert_fails(f, RUNTIME_ERROR_SETUP_FAILED, "mask a path");
}

/* Where the kernel mounts on nothing that is detached, the masks come later. */
FIXTURE_TEST(mask_late)
{
        f->profile.masks_late = true;
        test_mask(f, data);
}

FIXTURE_TEST(stdio)
{
        give_null(f, 0x7ffffff0);
        assert_fails(f, RUNTIME_ERROR_SETUP_FAILED, "place the file descriptors");
}

/* A /dev template without the directories to mount on. */
FIXTURE_TEST(dev_entry)
{
        g_autofree char *empty = below(f, "empty");

        make_directory(f, "empty");
        autofd int dev = open(empty, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        f->profile.dev_fd = dev;
        f->profile.dev_in_mount_namespace = true; /* one for all owners */
        assert_fails(f, RUNTIME_ERROR_SETUP_FAILED, "mount inside /dev");
}

/* -- before there is a child -- */

/* Without room for another fd it is LimitsExceeded, and there never was a process. */
FIXTURE_TEST(no_fds)
{
        g_autoptr(GError) error = NULL;
        struct rlimit saved, low;

        getrlimit(RLIMIT_NOFILE, &saved);
        low = (struct rlimit){SANDBOX_FD_BASE, saved.rlim_max};
        setrlimit(RLIMIT_NOFILE, &low);
        bool done = begin(f, &error);
        setrlimit(RLIMIT_NOFILE, &saved);
        g_assert_false(done);
        assert_words(error, RUNTIME_ERROR_LIMITS_EXCEEDED, "file descriptor");
        assert_no_child();
}

/* Neither with room for some of them: each fd that must have a high number can be the one. */
FIXTURE_TEST(no_fds_at_each_step)
{
        struct rlimit saved, low;
        unsigned n_failed = 0;

        getrlimit(RLIMIT_NOFILE, &saved);
        for (rlim_t limit = SANDBOX_FD_BASE; limit < SANDBOX_FD_BASE + 12; limit++) {
                g_autoptr(GError) error = NULL;
                low = (struct rlimit){limit, saved.rlim_max};
                setrlimit(RLIMIT_NOFILE, &low);
                bool done = begin(f, &error);
                setrlimit(RLIMIT_NOFILE, &saved);
                n_failed += !done;
                g_assert_true(done == !error);
                g_clear_pointer(&f->container, container_free);
                renew_order(f);
                assert_no_child();
        }
        g_assert_cmpuint(n_failed, ==, 2); /* the child's end of the socket, /dev */
}

/* A tree that cannot be id-mapped is named after the clone: the child made for it is gone. */
FIXTURE_TEST(not_mappable)
{
        g_autoptr(GError) error = NULL;

        make_directory(f, "more");
        g_autofree char *more = below(f, "more");
        g_assert_cmpint(mount("proc", more, "proc", 0, NULL), ==, 0);
        g_assert_false(begin(f, &error));
        assert_words(error, RUNTIME_ERROR_ROOTFS_INVALID, "/more' (proc)");
        assert_no_child();
        g_assert_cmpint(umount2(more, MNT_DETACH), ==, 0);
}

/* -- ends in between -- */

/* A created one that is freed while it waits is gone with all it had. */
FIXTURE_TEST(free_created)
{
        g_autoptr(GError) error = NULL;

        f->wait = true;
        g_assert_true(begin(f, &error));
        g_assert_true(loop_until(&f->n_created, 1, 5000));
}

/* While it waits, for days perhaps, it holds none of the service's fds, whatever their flags. */
FIXTURE_TEST(created_holds_no_fd)
{
        g_autoptr(GError) error = NULL;
        int ends[2];
        char byte;

        g_assert_cmpint(pipe2(ends, O_NONBLOCK), ==, 0); /* no O_CLOEXEC */
        int low = fcntl(ends[1], F_DUPFD, SANDBOX_FD_BASE + 2), high = fcntl(ends[1], F_DUPFD, 900);
        f->wait = true;
        g_assert_true(begin(f, &error));
        g_assert_true(loop_until(&f->n_created, 1, 5000));
        fd_close(ends[1]);
        fd_close(low);
        fd_close(high);
        g_assert_cmpint(read(ends[0], &byte, 1), ==, 0); /* nobody else has the other end */
        fd_close(ends[0]);
}

/* One that is freed in the middle of its set-up as well. */
FIXTURE_TEST(free_creating)
{
        g_autoptr(GError) error = NULL;

        g_assert_true(begin(f, &error));
}

/* Killed during the set-up: SetupFailed, told once. */
FIXTURE_TEST(killed)
{
        g_autoptr(GError) error = NULL;

        g_assert_true(begin(f, &error));
        g_assert_true(container_kill(f->container, true, SIGKILL, NULL));
        finish(f);
        g_assert_cmpuint(f->n_failed + f->n_exited, ==, 1);
        if (f->error)
                assert_words(f->error, RUNTIME_ERROR_SETUP_FAILED, "during set-up");
}

/* A hundred runs, good and bad in turn, leave what was there before the first. */
FIXTURE_TEST(hundred)
{
        for (int i = 0; i < 100; i++) {
                g_autoptr(GError) error = NULL;
                f->n_cleaned = 0;
                g_clear_error(&f->error);
                renew_order(f);
                set_command(f, i % 2 ? "helper" : "nope");
                f->owner = i % 3 ? 0 : USER;
                g_assert_true(begin(f, &error));
                finish(f);
        }
        g_assert_cmpuint(f->n_started, ==, 50);
        g_assert_cmpuint(f->n_failed, ==, 50);
}

int main(int argc, char **argv)
{
        g_autofree char *state = g_dir_make_tmp("test-launch-state-XXXXXX", NULL);
        g_autoptr(GError) error = NULL;

        if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return skip_cases(argc, argv, "needs root");
        g_assert_cmpint(mount("tmpfs", state, "tmpfs", 0, "mode=0755"), ==, 0);
        autofd int state_dir = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cgroup_parent = g_strdup_printf("/naive-runc-test-launch-%d%s", (int) getpid(),
                                        g_getenv("NAIVE_RUN") ? g_getenv("NAIVE_RUN") : "");
        tree = cgroup_tree_new(cgroup_parent);
        profile_new(state_dir, &profile, &error);
        g_assert_no_error(error);
        int status = run_cases(argc, argv);
        profile_free(profile);
        cgroup_tree_sweep(tree);
        cgroup_tree_free(tree);
        umount2(state, MNT_DETACH);
        g_rmdir(state);
        g_free(cgroup_parent);
        return status;
}
