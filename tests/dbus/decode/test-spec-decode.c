/* Messages made as a client would, sealed and read without a bus in between. */

#include "dbus/decode/spec-decode.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dbus/options.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/bus-auto.h"
#include "service/util/capability.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/fds.h"
#include "tests/lib/must.h"
#include "tests/lib/mute-bus.h"

typedef struct Fixture {
        sd_bus *bus; /* never served: a message needs one to belong to */
        sd_bus_message *message;
        Order *order;
        GError *error;
        int null;
} Fixture;

static void new_message(Fixture *f)
{
        sd_bus_message_unref(f->message);
        f->message = NULL;
        must(sd_bus_message_new_method_call(f->bus, &f->message, "a.b", "/a", "a.b", "Spawn"));
}

static void set_up(Fixture *f, const void *unused)
{
        f->bus = mute_bus_new();
        f->null = open("/dev/null", O_RDWR | O_CLOEXEC);
        new_message(f);
}

static void clear_result(Fixture *f)
{
        g_clear_pointer(&f->order, order_free);
        g_clear_error(&f->error);
}

static void tear_down(Fixture *f, const void *unused)
{
        clear_result(f);
        sd_bus_message_unref(f->message);
        sd_bus_close_unref(f->bus);
        fd_close(f->null);
}

/* -- making a Spawn -- */

static void bytes(Fixture *f, const void *data, size_t n)
{
        must(sd_bus_message_append_array(f->message, 'y', data, n));
}

static void text(Fixture *f, const char *string)
{
        bytes(f, string, strlen(string));
}

static void open_argv(Fixture *f, const char *rootfs)
{
        text(f, rootfs);
        must(sd_bus_message_open_container(f->message, 'a', "ay"));
}

static void command(Fixture *f)
{
        open_argv(f, "/tree");
        text(f, "true");
        must(sd_bus_message_close_container(f->message));
}

static void open_fds(Fixture *f)
{
        must(sd_bus_message_open_container(f->message, 'a', "{uh}"));
}

static void open_options(Fixture *f)
{
        must(sd_bus_message_open_container(f->message, 'a', "{sv}"));
}

static void close_list(Fixture *f)
{
        must(sd_bus_message_close_container(f->message));
}

/* After the last argument: neither fds nor options. */
static void end_argv(Fixture *f)
{
        close_list(f);
        open_fds(f);
        close_list(f);
        open_options(f);
        close_list(f);
}

/* Everything up to the first option. */
static void up_to_options(Fixture *f)
{
        command(f);
        open_fds(f);
        close_list(f);
        open_options(f);
}

/* A new Spawn with the options that sd_bus_message_append() would make of these. */
static void spawn_with(Fixture *f, const char *types, ...)
{
        va_list values;

        new_message(f);
        up_to_options(f);
        va_start(values, types);
        must(sd_bus_message_appendv(f->message, types, values));
        va_end(values);
        close_list(f);
}

static void open_option(Fixture *f, const char *key, const char *signature)
{
        must(sd_bus_message_open_container(f->message, 'e', "sv"));
        must(sd_bus_message_append(f->message, "s", key));
        must(sd_bus_message_open_container(f->message, 'v', signature));
}

static void close_option(Fixture *f)
{
        close_list(f);
        close_list(f);
}

static void list_option(Fixture *f, const char *key, const char *const *values)
{
        open_option(f, key, "aay");
        must(sd_bus_message_open_container(f->message, 'a', "ay"));
        for (; *values; values++)
                text(f, *values);
        close_list(f);
        close_option(f);
}

static void bytes_option(Fixture *f, const char *key, const char *value)
{
        open_option(f, key, "ay");
        text(f, value);
        close_option(f);
}

static void open_mounts(Fixture *f)
{
        open_option(f, "Mounts", "a(ayaysas)");
        must(sd_bus_message_open_container(f->message, 'a', "(ayaysas)"));
}

/* And the options with them. */
static void close_mounts(Fixture *f)
{
        close_list(f);
        close_option(f);
        close_list(f);
}

static void mount_words(Fixture *f, const char *source, const char *target, const char *type,
                        const char *const *options)
{
        must(sd_bus_message_open_container(f->message, 'r', "ayaysas"));
        text(f, source);
        text(f, target);
        must(sd_bus_message_append(f->message, "s", type));
        must(sd_bus_message_append_strv(f->message, (char **) (uintptr_t) options));
        must(sd_bus_message_close_container(f->message));
}

static void seal(Fixture *f)
{
        must(sd_bus_message_seal(f->message, 1, 0));
        must(sd_bus_message_rewind(f->message, true));
        clear_result(f);
}

static bool decode(Fixture *f)
{
        seal(f);
        return spec_decode_spawn(f->message, &f->order, &f->error);
}

static void assert_accepted(Fixture *f)
{
        decode(f);
        g_assert_no_error(f->error);
        g_assert_nonnull(f->order);
}

static void assert_refused(Fixture *f, RuntimeError code, const char *word)
{
        g_assert_false(decode(f));
        g_assert_null(f->order);
        g_assert_error(f->error, RUNTIME_ERROR, (int) code);
        if (!strstr(f->error->message, word)) {
                g_test_message("'%s' does not say '%s'", f->error->message, word);
                g_test_fail();
        }
}

/* -- properties -- */

/* Without options and fds the default profile is what is asked for. */
FIXTURE_TEST(plain)
{
        up_to_options(f);
        close_list(f);
        assert_accepted(f);
        g_assert_cmpstr(f->order->tree.rootfs, ==, "/tree");
        g_assert_cmpstr(f->order->process.argv[0], ==, "true");
        g_assert_null(f->order->process.argv[1]);
        g_assert_cmpuint(f->order->n_fds, ==, 0);
        g_assert_true(f->order->tree.read_only_root);
        g_assert_null(f->order->process.environment);
        g_assert_cmpuint(f->order->resources.memory_max, ==, UINT64_MAX);
        g_assert_false(f->order->tree.has_user_namespace);
}

/* Programs are taken as they are, NUL bytes too, one after another. */
FIXTURE_TEST(filter_options)
{
        const uint8_t code[24] = {6, 0, 0, 0, 0, 0, 0xff, 0x7f, 6};

        up_to_options(f);
        must(sd_bus_message_append(f->message, "{sv}", "SeccompLog", "b", 1));
        must(sd_bus_message_open_container(f->message, 'e', "sv"));
        must(sd_bus_message_append(f->message, "s", "SeccompFilters"));
        must(sd_bus_message_open_container(f->message, 'v', "aay"));
        must(sd_bus_message_open_container(f->message, 'a', "ay"));
        must(sd_bus_message_append_array(f->message, 'y', code, 8));
        must(sd_bus_message_append_array(f->message, 'y', code, 24));
        for (unsigned i = 0; i < 4; i++)
                close_list(f);
        assert_accepted(f);
        const Filters *filters = &f->order->process.filters;
        g_assert_true(f->order->process.seccomp_log);
        g_assert_cmpuint(filters->n, ==, 2);
        g_assert_cmpuint(filters->lengths[0], ==, 1);
        g_assert_cmpuint(filters->lengths[1], ==, 3);
        gsize size;
        const uint8_t *all = g_bytes_get_data(filters->code, &size);
        g_assert_cmpmem(all, size - 24, code, 8);
        g_assert_cmpmem(all + 8, size - 8, code, 24);
}

/* Every option of the table reaches its own field. */
FIXTURE_TEST(every_option)
{
        const char *const environment[] = {"A=b", "C=\xff", NULL};
        unsigned n = 0;
#define X(...) n++;
        SPAWN_OPTIONS(X)
#undef X
        up_to_options(f);
        must(sd_bus_message_append(f->message, "{sv}", "Id", "s", "web"));
        must(sd_bus_message_append(f->message, "{sv}", "MemoryMax", "t", UINT64_C(10485760)));
        must(sd_bus_message_append(f->message, "{sv}", "MemorySwapMax", "t", UINT64_C(4096)));
        must(sd_bus_message_append(f->message, "{sv}", "TasksMax", "t", UINT64_C(5)));
        must(sd_bus_message_append(f->message, "{sv}", "RuntimeMaxUSec", "t", UINT64_C(6)));
        must(sd_bus_message_append(f->message, "{sv}", "CPUTimeMaxUSec", "t", UINT64_C(7)));
        must(sd_bus_message_append(f->message, "{sv}", "MemoryHigh", "t", UINT64_C(7)));
        must(sd_bus_message_append(f->message, "{sv}", "MemoryLow", "t", UINT64_C(8)));
        must(sd_bus_message_append(f->message, "{sv}", "CPUWeight", "t", UINT64_C(9)));
        must(sd_bus_message_append(f->message, "{sv}", "CPUQuotaPerSecUSec", "t", UINT64_C(10000)));
        list_option(f, "Environment", environment);
        bytes_option(f, "WorkingDirectory", "/w\xff");
        must(sd_bus_message_append(f->message, "{sv}", "UMask", "u", 027u));
        must(sd_bus_message_append(f->message, "{sv}", "Init", "b", 1));
        must(sd_bus_message_append(f->message, "{sv}", "AllowedCPUs", "s", "0-3, 5"));
        must(sd_bus_message_append(f->message, "{sv}", "IOWeight", "t", UINT64_C(11)));
        must(sd_bus_message_append(f->message, "{sv}", "Sysctl", "a{ss}", 2, "kernel.sem", "1",
                                   "kernel.domainname", "d"));
        must(sd_bus_message_append(f->message, "{sv}", "Hostname", "s", "host"));
        must(sd_bus_message_append(f->message, "{sv}", "Terminal", "b", 1));
        must(sd_bus_message_append(f->message, "{sv}", "ReadOnlyRoot", "b", 0));
        must(sd_bus_message_append(f->message, "{sv}", "EmptyRoot", "b", 0));
        must(sd_bus_message_append(f->message, "{sv}", "Volatile", "b", 1));
        must(sd_bus_message_append(f->message, "{sv}", "RootSize", "t", UINT64_C(11)));
        must(sd_bus_message_append(f->message, "{sv}", "UserNamespace", "s", "self"));
        must(sd_bus_message_append(f->message, "{sv}", "Network", "s", "host"));
        must(sd_bus_message_append(f->message, "{sv}", "Capabilities", "as", 2, "CAP_BPF",
                                   "CAP_SYS_ADMIN"));
        must(sd_bus_message_append(f->message, "{sv}", "Seccomp", "s", "unconfined"));
        must(sd_bus_message_append(f->message, "{sv}", "NoNewPrivileges", "b", 0));
        must(sd_bus_message_append(f->message, "{sv}", "User", "(uu)", 1000u, 100u));
        must(sd_bus_message_append(f->message, "{sv}", "SupplementaryGroups", "au", 2, 7u, 8u));
        must(sd_bus_message_append(f->message, "{sv}", "CapabilityBoundingSet", "as", 3, "CAP_KILL",
                                   "CAP_BPF", "CAP_SYS_ADMIN"));
        must(sd_bus_message_append(f->message, "{sv}", "OOMScoreAdjust", "i", 50));
#define X(NAME)                                                                                    \
        must(sd_bus_message_append(f->message, "{sv}", "Limit" #NAME, "(tt)",                      \
                                   UINT64_C(100) + PROCESS_LIMIT_##NAME,                           \
                                   UINT64_C(200) + PROCESS_LIMIT_##NAME));
        PROCESS_LIMITS(X)
#undef X
        must(sd_bus_message_append(f->message, "{sv}", "Labels", "a{ss}", 2, "a", "b", "c", ""));
        must(sd_bus_message_append(f->message, "{sv}", "WatchBus", "b", 1));
        must(sd_bus_message_append(f->message, "{sv}", "Remove", "b", 1));
        open_mounts(f);
        mount_words(f, "/s\xff", "/t\xff", "bind", (const char *[]){"ro", "noexec", NULL});
        mount_words(f, "", "/scratch", "tmpfs", (const char *[]){"size=1k", "mode=700", NULL});
        close_mounts(f);
        assert_accepted(f);
        /* a new one belongs into this test, but for fds, and those of filter_options */
        g_assert_cmpuint(n, ==, 51);
        g_assert_cmpstr(f->order->id, ==, "web");
        g_assert_cmpuint(f->order->resources.memory_max, ==, 10485760);
        g_assert_cmpuint(f->order->resources.memory_swap_max, ==, 4096);
        g_assert_true(f->order->resources.has_memory_swap_max);
        g_assert_cmpuint(f->order->resources.tasks_max, ==, 5);
        g_assert_cmpuint(f->order->resources.run_time_max, ==, 6);
        g_assert_cmpuint(f->order->resources.cpu_time_max, ==, 7);
        g_assert_cmpuint(f->order->resources.memory_high, ==, 7);
        g_assert_cmpuint(f->order->resources.memory_low, ==, 8);
        g_assert_true(f->order->resources.has_memory_low);
        g_assert_cmpuint(f->order->resources.cpu_weight, ==, 9);
        g_assert_cmpuint(f->order->resources.cpu_quota, ==, 10000);
        g_assert_cmpstr(f->order->resources.allowed_cpus, ==, "0-3,,5");
        g_assert_cmpuint(f->order->resources.io_weight, ==, 11);
        g_assert_true(f->order->process.attributes.init);
        g_assert_cmpuint(f->order->tree.sysctls.n, ==, 1);
        g_assert_cmpstr(f->order->tree.sysctls.list[0].path, ==, "kernel/sem");
        g_assert_cmpstr(f->order->tree.sysctls.domainname, ==, "d");
        g_assert_true(f->order->resources.has_tasks_max);
        g_assert_cmpstr(f->order->process.environment[0], ==, "A=b");
        g_assert_cmpstr(f->order->process.environment[1], ==, "C=\xff");
        g_assert_null(f->order->process.environment[2]);
        g_assert_cmpstr(f->order->process.working_directory, ==, "/w\xff");
        g_assert_cmpuint(f->order->process.attributes.umask, ==, 027);
        g_assert_cmpstr(f->order->tree.hostname, ==, "host");
        g_assert_true(f->order->process.attributes.terminal);
        g_assert_false(f->order->tree.read_only_root);
        g_assert_cmpint(f->order->tree.user_namespace, ==, USER_NAMESPACE_SELF);
        g_assert_true(f->order->tree.has_user_namespace);
        g_assert_true(f->order->tree.host_network);
        g_assert_cmpuint(f->order->process.capabilities, ==,
                         CAPABILITY(BPF) | CAPABILITY(SYS_ADMIN));
        g_assert_false(f->order->process.seccomp);
        g_assert_false(f->order->process.no_new_privileges);
        const ProcessAttributes *attributes = &f->order->process.attributes;
        g_assert_cmpuint(attributes->uid, ==, 1000);
        g_assert_cmpuint(attributes->gid, ==, 100);
        g_assert_cmpuint(attributes->n_groups, ==, 2);
        g_assert_cmpuint(attributes->groups[1], ==, 8);
        g_assert_cmpuint(f->order->process.bounding_set, ==,
                         CAPABILITY(KILL) | CAPABILITY(BPF) | CAPABILITY(SYS_ADMIN));
        g_assert_true(attributes->has_oom_score_adjust);
        g_assert_cmpint(attributes->oom_score_adjust, ==, 50);
        for (unsigned i = 0; i < N_PROCESS_LIMITS; i++) {
                g_assert_true(attributes->limits[i].is_given);
                g_assert_cmpuint(attributes->limits[i].soft, ==, 100 + i);
                g_assert_cmpuint(attributes->limits[i].hard, ==, 200 + i);
        }
        g_assert_cmpstrv(f->order->labels, ((const char *const[]){"a", "b", "c", "", NULL}));
        g_assert_true(f->order->watch_bus);
        g_assert_true(f->order->remove);
        g_assert_cmpuint(f->order->tree.n_mounts, ==, 2);
        g_assert_cmpstr(f->order->tree.mounts[0].source, ==, "/s\xff");
        g_assert_cmpstr(f->order->tree.mounts[0].target, ==, "/t\xff");
        g_assert_true(f->order->tree.mounts[0].read_only);
        g_assert_true(f->order->tree.mounts[0].no_exec);
        g_assert_null(f->order->tree.mounts[1].source);
        g_assert_cmpstr(f->order->tree.mounts[1].size, ==, "1024");
        g_assert_cmpstr(f->order->tree.mounts[1].mode, ==, "700");
        g_assert_false(f->order->tree.has_root_fd);
        g_assert_cmpint(f->order->tree.root.fd, ==, -1);
}

/* RootFD stands in for the path: a copy of the fd is kept, whatever it is. */
FIXTURE_TEST(root_fd)
{
        open_argv(f, "");
        text(f, "true");
        close_list(f);
        open_fds(f);
        close_list(f);
        open_options(f);
        must(sd_bus_message_append(f->message, "{sv}", "RootFD", "h", f->null));
        close_list(f);
        assert_accepted(f);
        g_assert_true(f->order->tree.has_root_fd);
        g_assert_cmpint(f->order->tree.root.fd, >=, 3);
        g_assert_cmpint(f->order->tree.root.fd, !=, f->null);
        g_assert_cmpuint(f->order->n_fds, ==, 0);
}

/* A path and an fd: which? */
FIXTURE_TEST(root_fd_and_path)
{
        spawn_with(f, "{sv}", "RootFD", "h", f->null);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "RootFD");
}

/* What is wrong with a mount is named. */
FIXTURE_TEST(wrong_mounts)
{
        static const struct {
                const char *source, *target, *type, *option, *words;
        } wrong[] = {
                {"/s", "/t", "overlay", "ro", "'overlay'"},
                {"/s", "/t", "", "ro", "''"},
                {"/s", "/t", "bind", "sync", "'sync'"},
                {"/s", "/t", "bind", "size=1M", "'size=1M'"},
                {"/s", "/t", "bind", "suid", "'suid'"},
                {"s", "/t", "bind", "ro", "'s'"},
                {"", "/t", "bind", "ro", "''"},
                {"/s", "t", "bind", "ro", "'t'"},
                {"/s", "", "bind", "ro", "''"},
                {"/s", "/", "bind", "ro", "'/'"},
                {"/s", "/proc", "bind", "ro", "'/proc'"},
                {"/s", "/proc/sys", "bind", "ro", "'/proc/sys'"},
                {"/s", "/sys", "bind", "ro", "'/sys'"},
                {"/s", "/dev/shm", "bind", "ro", "'/dev/shm'"},
                {"/s", "//proc", "bind", "ro", "'//proc'"},
                {"/s", "/./proc", "bind", "ro", "'/./proc'"},
                {"/s", "/a/../proc", "bind", "ro", "'/a/../proc'"},
                {"/s", "///", "bind", "ro", "'/'"},
                {"/s", "/proc/", "bind", "ro", "'/proc'"},
                {"/s", "/a//b", "bind", "ro", "'/a//b'"},
                {"/s", "/t", "tmpfs", "ro", "'/s'"},
                {"", "/t", "tmpfs", "rbind", "'rbind'"},
                {"", "/t", "tmpfs", "size=0", "'size=0'"},
                {"", "/t", "tmpfs", "size=infinity", "'size=infinity'"},
                {"", "/t", "tmpfs", "size=1,uid=0", "'size=1,uid=0'"},
                {"", "/t", "tmpfs", "mode=4755", "'mode=4755'"},
                {"", "/t", "tmpfs", "mode=", "'mode='"},
                {"", "/t", "tmpfs", "mode=8", "'mode=8'"},
                {"", "/t", "tmpfs", "try", "'try'"},
                {"/s", "/t", "bind-one", "rbind", "'rbind'"},
                {"x", "/t", "dir", NULL, "'x'"},
                {"", "/t", "dir", "ro", "'ro'"},
                {"", "/t", "symlink", NULL, "'/t'"},
                {"x", "/t", "symlink", "mode=7", "'mode=7'"},
                {"x", "/t", "data", "size=1", "'size=1'"},
                {"3", "/t", "data-fd", NULL, "there is not"},
                {"256", "/t", "data-fd", NULL, "'256'"},
                {"-1", "/t", "data-fd", NULL, "'-1'"},
                {"", "/t", "proc", NULL, "'proc'"},
                {"", "/t", "dev", NULL, "'dev'"},
                {"x", "/t", "mqueue", NULL, "'x'"},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
                new_message(f);
                up_to_options(f);
                open_mounts(f);
                mount_words(f, wrong[i].source, wrong[i].target, wrong[i].type,
                            (const char *[]){wrong[i].option, NULL});
                close_mounts(f);
                assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, wrong[i].words);
        }
}

typedef struct MountRow {
        const char *source, *target, *type, *option;
} MountRow;

/* A new Spawn without a root tree, with these mounts, and a file of `n_data` bytes. */
static void spawn_empty(Fixture *f, const MountRow *rows, size_t n, size_t n_data)
{
        g_autofree char *data = g_malloc0(n_data + 1);

        new_message(f);
        open_argv(f, "");
        text(f, "true");
        close_list(f);
        open_fds(f);
        must(sd_bus_message_append(f->message, "{uh}", 7, f->null));
        close_list(f);
        open_options(f);
        must(sd_bus_message_append(f->message, "{sv}", "EmptyRoot", "b", 1));
        open_mounts(f);
        for (size_t i = 0; i < n; i++)
                mount_words(f, rows[i].source, rows[i].target, rows[i].type,
                            (const char *[]){rows[i].option, NULL});
        must(sd_bus_message_open_container(f->message, 'r', "ayaysas"));
        bytes(f, data, n_data);
        text(f, "/data");
        must(sd_bus_message_append(f->message, "sas", "data", 1, "mode=600"));
        must(sd_bus_message_close_container(f->message));
        close_mounts(f);
}

/* An empty root takes every type, at any place and more than once; a file's content is any bytes,
 * as they came. */
FIXTURE_TEST(empty_root)
{
        static const MountRow rows[] = {
                {"/s", "/", "bind", "try"},     {"/s", "/proc/x", "bind-one", "ro"},
                {"", "/t", "tmpfs", "size=1K"}, {"dir", "/t", "dir", "mode=0750"},
                {"usr/bin", "/bin", "symlink"}, {"7", "/from-fd", "data-fd", "ro"},
                {"", "/proc", "proc"},          {"dev", "/elsewhere/dev", "dev"},
                {"", "/dev/mqueue", "mqueue"},  {"", "/dev/mqueue", "mqueue"},
        };

        spawn_empty(f, rows, G_N_ELEMENTS(rows), MOUNT_FILES_MAX);
        assert_accepted(f);
        const MountSpec *mounts = f->order->tree.mounts;
        g_assert_true(f->order->tree.empty_root);
        g_assert_true(mounts[0].is_optional && !mounts[1].is_optional);
        g_assert_true(!mount_spec_is_bind(&mounts[2]) && mount_spec_is_bind(&mounts[1]));
        g_assert_cmpstr(mounts[3].mode, ==, "0750");
        g_assert_cmpstr(mounts[4].source, ==, "usr/bin");
        g_assert_cmpuint(mounts[5].fd, ==, 7);
        g_assert_true(order_fd_is_file(f->order, 7) && !order_fd_is_file(f->order, 1));
        g_assert_cmpuint(mounts[10].data_size, ==, MOUNT_FILES_MAX);
        g_assert_cmpstr(mounts[10].mode, ==, "600");
        spawn_empty(f, rows, 0, MOUNT_FILES_MAX + 1);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "'/data' has more");
}

/* What there is once is asked for once, and one fd is one file's content. */
FIXTURE_TEST(empty_root_twice)
{
        static const MountRow rows[][2] = {
                {{"", "/proc", "proc"}, {"", "/p", "proc"}},
                {{"", "/dev", "dev"}, {"", "/d", "dev"}},
                {{"7", "/a", "data-fd"}, {"7", "/b", "data-fd"}},
        };
        static const char *const words[] = {"a proc twice", "a dev twice", "another file"};

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                spawn_empty(f, rows[i], 2, 0);
                assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, words[i]);
        }
}

/* The kinds of root exclude each other, and what belongs to one needs it. */
FIXTURE_TEST(kinds_of_root)
{
        spawn_with(f, "{sv}", "EmptyRoot", "b", 1);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "EmptyRoot excludes");
        spawn_with(f, "{sv}", "RootSize", "t", UINT64_C(4096));
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "RootSize needs");
        spawn_with(f, "{sv}{sv}", "Volatile", "b", 1, "RootSize", "t", UINT64_C(0));
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "RootSize");
        spawn_with(f, "{sv}{sv}", "Volatile", "b", 1, "RootSize", "t", UINT64_C(4096));
        assert_accepted(f);
        g_assert_cmpuint(f->order->tree.root_size, ==, 4096);
        g_assert_false(tree_spec_root_is_read_only(&f->order->tree));
        g_assert_false(tree_spec_writes_to_host(&f->order->tree));
        spawn_with(f, "{sv}{sv}", "Volatile", "b", 1, "ReadOnlyRoot", "b", 1);
        assert_accepted(f);
        g_assert_true(tree_spec_root_is_read_only(&f->order->tree));
        new_message(f);
        open_argv(f, "");
        text(f, "true");
        end_argv(f);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "neither RootFD nor EmptyRoot");
}

/* As many mounts as allowed, one more, and one target twice. */
FIXTURE_TEST(mount_counts)
{
        for (unsigned extra = 0; extra < 3; extra++) {
                new_message(f);
                up_to_options(f);
                open_mounts(f);
                for (unsigned i = 0; i < MOUNTS_MAX + (extra == 1); i++) {
                        g_autofree char *target = g_strdup_printf("/%u", extra == 2 ? i / 2 : i);
                        mount_words(f, "/s", target, "bind", (const char *[]){NULL});
                }
                close_mounts(f);
                if (extra == 0)
                        assert_accepted(f);
                else
                        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS,
                                       extra == 1 ? "more than" : "twice");
        }
}

/* MemoryMax 0 is "no limit", as the frozen interface says; a swap limit of 0 is none of that. */
FIXTURE_TEST(memory_max_zero)
{
        spawn_with(f, "{sv}{sv}", "MemoryMax", "t", UINT64_C(0), "MemorySwapMax", "t", UINT64_C(0));
        assert_accepted(f);
        g_assert_cmpuint(f->order->resources.memory_max, ==, UINT64_MAX);
        g_assert_cmpuint(f->order->resources.memory_swap_max, ==, 0);
}

/* A mask is three octal digits: the largest is taken, one more is not. */
FIXTURE_TEST(umask)
{
        for (unsigned extra = 0; extra < 2; extra++) {
                spawn_with(f, "{sv}", "UMask", "u", 0777u + extra);
                if (extra == 0)
                        assert_accepted(f);
                else
                        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "UMask is 01000");
        }
}

/* Any option with a value of another type is refused by its name, whatever that value is. */
FIXTURE_TEST(wrong_type)
{
        static const struct {
                const char *key, *type;
        } options[] = {
#define X(Key, signature, flag, metavar, help) {#Key, signature},
                SPAWN_OPTIONS(X)
#undef X
        };
        static const char *const types[] = {"s", "t", "b", "u", "i", "x", "d", "o", "g"};

        for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
                for (size_t k = 0; k < G_N_ELEMENTS(types); k++) {
                        if (strcmp(types[k], options[i].type) == 0)
                                continue;
                        new_message(f);
                        up_to_options(f);
                        if (strchr("sog", types[k][0]))
                                must(sd_bus_message_append(f->message, "{sv}", options[i].key,
                                                           types[k],
                                                           types[k][0] == 'o' ? "/" : "s"));
                        else if (types[k][0] == 'd')
                                must(sd_bus_message_append(f->message, "{sv}", options[i].key, "d",
                                                           1.0));
                        else
                                must(sd_bus_message_append(f->message, "{sv}", options[i].key,
                                                           types[k], UINT64_C(1)));
                        close_list(f);
                        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, options[i].key);
                }
}

/* A variant in a variant, and an array where a string belongs, are other types as well. */
FIXTURE_TEST(wrong_container)
{
        spawn_with(f, "{sv}", "Id", "v", "s", "web");
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "Id");

        spawn_with(f, "{sv}", "Environment", "as", 1, "A=b");
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS,
                       "option Environment has type 'as', not 'aay'");

        new_message(f);
        up_to_options(f);
        bytes_option(f, "Id", "web");
        close_list(f);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "option Id has type 'ay', not 's'");
}

/* An unknown key is refused by its name: a security option silently ignored is worse. */
FIXTURE_TEST(unknown_key)
{
        static const char *const keys[] = {"Devices", "id", "ID", "Id ", "", "Id\xc2\xa0"};

        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
                g_autofree char *words = g_strdup_printf("unknown option '%s'", keys[i]);
                spawn_with(f, "{sv}", keys[i], "s", "x");
                assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, words);
        }
}

/* An option given twice is refused, with equal values too. */
FIXTURE_TEST(repeated_key)
{
        spawn_with(f, "{sv}{sv}{sv}", "Id", "s", "web", "Remove", "b", 1, "Id", "s", "web");
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "option Id is given twice");
}

/* A user namespace mode is one of four words. */
FIXTURE_TEST(user_namespace)
{
        static const char *const modes[] = {"auto", "self", "host", "keep-id"};

        for (unsigned mode = 0; mode < G_N_ELEMENTS(modes); mode++) {
                spawn_with(f, "{sv}", "UserNamespace", "s", modes[mode]);
                assert_accepted(f);
                g_assert_cmpint(f->order->tree.user_namespace, ==, mode);
                g_assert_true(f->order->tree.has_user_namespace);
        }
        spawn_with(f, "{sv}", "UserNamespace", "s", "keep");
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS,
                       "UserNamespace is 'keep', not one of 'auto', 'self', 'host', 'keep-id'");
}

/* Network and filter are what they are by default, or not. */
FIXTURE_TEST(words)
{
        spawn_with(f, "{sv}", "Network", "s", "private");
        assert_accepted(f);
        g_assert_false(f->order->tree.host_network);
        spawn_with(f, "{sv}", "Network", "s", "none");
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "Network is 'none'");
        spawn_with(f, "{sv}", "Seccomp", "s", "default");
        assert_accepted(f);
        g_assert_true(f->order->process.seccomp);
        g_assert_false(f->order->process.seccomp_strict);
        spawn_with(f, "{sv}", "Seccomp", "s", "strict");
        assert_accepted(f);
        g_assert_true(f->order->process.seccomp);
        g_assert_true(f->order->process.seccomp_strict);
        spawn_with(f, "{sv}", "Seccomp", "s", "");
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "Seccomp is ''");
}

/* One of the default set adds nothing; a name that is none is refused, and told. */
FIXTURE_TEST(capabilities)
{
        spawn_with(f, "{sv}", "Capabilities", "as", 3, "CAP_CHOWN", "CAP_SYSLOG", "CAP_SYSLOG");
        assert_accepted(f);
        g_assert_cmpuint(f->order->process.capabilities, ==, CAPABILITY(SYSLOG));
        spawn_with(f, "{sv}", "Capabilities", "as", 2, "CAP_SYSLOG", "SYS_ADMIN");
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "no capability 'SYS_ADMIN'");
}

/* A NUL in a path, an argument or a variable would cut it short behind the caller's back: refused.
 */
FIXTURE_TEST(nul)
{
        bytes(f, "/tree\0x", 7);
        must(sd_bus_message_append(f->message, "aay", 0));
        open_fds(f);
        close_list(f);
        open_options(f);
        close_list(f);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "rootfs contains a NUL byte");

        new_message(f);
        open_argv(f, "/tree");
        bytes(f, "s\0h", 3);
        end_argv(f);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "argv contains a NUL byte");
}

/* One NUL at the end is how some languages write bytes that are a string: it is not part of it. Two
 * are. */
FIXTURE_TEST(nul_at_end)
{
        for (size_t n = 1; n <= 2; n++) {
                new_message(f);
                bytes(f, "/tree\0", 6);
                must(sd_bus_message_open_container(f->message, 'a', "ay"));
                bytes(f, "sh\0\0", 2 + n);
                bytes(f, "\0", 1);
                end_argv(f);
                if (n == 2) {
                        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "argv contains a NUL byte");
                        continue;
                }
                assert_accepted(f);
                g_assert_cmpstr(f->order->tree.rootfs, ==, "/tree");
                g_assert_cmpstr(f->order->process.argv[0], ==, "sh");
                g_assert_cmpstr(f->order->process.argv[1], ==, "");
        }
}

/* Arguments may be empty and have any bytes but NUL, in or out of UTF-8. */
FIXTURE_TEST(any_bytes)
{
        char all[255];

        for (int i = 0; i < 255; i++)
                all[i] = (char) (i + 1);
        open_argv(f, "/\xff\xfe");
        text(f, "cat");
        text(f, "");
        bytes(f, all, sizeof all);
        end_argv(f);
        assert_accepted(f);
        g_assert_cmpstr(f->order->tree.rootfs, ==, "/\xff\xfe");
        g_assert_cmpstr(f->order->process.argv[1], ==, "");
        g_assert_cmpmem(f->order->process.argv[2], strlen(f->order->process.argv[2]), all,
                        sizeof all);
        g_assert_null(f->order->process.argv[3]);
}

static void spawn_n(Fixture *f, unsigned n)
{
        new_message(f);
        open_argv(f, "/tree");
        for (unsigned i = 0; i < n; i++)
                text(f, "x");
        end_argv(f);
}

/* As many strings are taken as the kernel would take, one more is not. */
FIXTURE_TEST(argv_count)
{
        const unsigned n = ARGV_BYTES_MAX / (2 + sizeof(char *));

        spawn_n(f, n);
        assert_accepted(f);
        g_assert_cmpuint(g_strv_length(f->order->process.argv), ==, n);
        g_assert_cmpstr(f->order->process.argv[n - 1], ==, "x");
        spawn_n(f, n + 1);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "argv has more than the 2097152 bytes");
}

/* No command is told apart from an empty one, and neither is run. */
FIXTURE_TEST(argv_empty)
{
        spawn_n(f, 0);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "argv is empty");
}

/* In kB, of /proc/self/status. */
static guint64 memory(const char *key)
{
        g_autofree char *text = NULL;

        g_assert_true(g_file_get_contents("/proc/self/status", &text, NULL, NULL));
        const char *line = strstr(text, key);
        g_assert_nonnull(line);
        return g_ascii_strtoull(strpbrk(line, "0123456789"), NULL, 10);
}

#ifdef __SANITIZE_ADDRESS__
#define KEEPS_WHAT_IS_FREED true
#else
#define KEEPS_WHAT_IS_FREED false
#endif

static clock_t skim_strings(sd_bus_message *message)
{
        const clock_t start = clock();
        const void *bytes;
        size_t size;

        must(sd_bus_message_rewind(message, true));
        must(sd_bus_message_skip(message, "ay"));
        must(sd_bus_message_enter_container(message, 'a', "ay"));
        while (sd_bus_message_read_array(message, 'y', &bytes, &size) > 0)
                ;
        return clock() - start;
}

/* Four million empty strings are read no further than the limit, which 233,000 of them reach: no
 * time (of what to read them all takes), no memory. */
FIXTURE_TEST(four_million)
{
        const size_t n = 4000000;
        void *space;

        open_argv(f, "/tree");
        for (size_t i = 0; i < n; i++)
                must(sd_bus_message_append_array_space(f->message, 'y', 0, &space));
        end_argv(f);
        seal(f);
        if (fd_write_file_at(AT_FDCWD, "/proc/self/clear_refs", "5") <
            0) { /* forgets the peak so far */
                g_test_skip("the peak of memory cannot be measured here");
                return;
        }
        guint64 before = memory("VmRSS:");
        const clock_t start = clock();
        g_assert_false(spec_decode_spawn(f->message, &f->order, &f->error));
        const clock_t taken = clock() - start;
        if (!KEEPS_WHAT_IS_FREED)
                g_assert_cmpuint(memory("VmHWM:"), <, before + 4096);
        g_test_message("%ld and %ld us", taken, skim_strings(f->message));
        g_assert_cmpint(4 * taken, <, skim_strings(f->message));
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_ARGS);
}

/* A string of more bytes than all may have together is refused. */
FIXTURE_TEST(argv_bytes)
{
        g_autofree char *huge = g_strnfill(ARGV_BYTES_MAX, 'x');

        open_argv(f, "/tree");
        text(f, huge);
        end_argv(f);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "argv has more than the 2097152 bytes");
}

/* What is well-formed but makes no sense is judged as well: the checks of the order are part of
 * decoding. */
FIXTURE_TEST(validates)
{
        open_argv(f, "tree");
        text(f, "true");
        end_argv(f);
        assert_refused(f, RUNTIME_ERROR_ROOTFS_INVALID, "not an absolute path");
}

/* -- fds -- */

static void fd_entry(Fixture *f, unsigned target, int fd)
{
        must(sd_bus_message_append(f->message, "{uh}", target, fd));
}

static void finish_fds(Fixture *f)
{
        close_list(f);
        open_options(f);
        close_list(f);
}

static void spawn_with_fd(Fixture *f, unsigned target, int fd)
{
        new_message(f);
        command(f);
        open_fds(f);
        fd_entry(f, target, fd);
        finish_fds(f);
}

/* The fds that come out are copies of the caller's, close-on-exec, for the numbers asked for. */
FIXTURE_TEST(fds)
{
        command(f);
        open_fds(f);
        fd_entry(f, 0, f->null);
        fd_entry(f, 7, f->null);
        fd_entry(f, SPAWN_FD_NUMBER_MAX, f->null);
        finish_fds(f);
        assert_accepted(f);
        g_assert_cmpuint(f->order->n_fds, ==, 3);
        g_assert_cmpint(f->order->fds[0].target, ==, 0);
        g_assert_cmpint(f->order->fds[1].target, ==, 7);
        g_assert_cmpint(f->order->fds[2].target, ==, 255);
        for (size_t i = 0; i < f->order->n_fds; i++)
                g_assert_cmpint(fcntl(f->order->fds[i].source, F_GETFD), ==, FD_CLOEXEC);
        /* they outlive the message */
        sd_bus_message_unref(g_steal_pointer(&f->message));
        g_assert_cmpint(fcntl(f->order->fds[2].source, F_GETFD), ==, FD_CLOEXEC);
}

/* SPAWN_FDS_MAX fds are taken, one more is not, and of a refused message no fd stays. */
FIXTURE_TEST(fds_count)
{
        command(f);
        open_fds(f);
        for (unsigned i = 0; i < SPAWN_FDS_MAX; i++)
                fd_entry(f, i, f->null);
        finish_fds(f);
        assert_accepted(f);
        g_assert_cmpuint(f->order->n_fds, ==, SPAWN_FDS_MAX);
        new_message(f);
        clear_result(f);
        unsigned before = count_fds();
        command(f);
        open_fds(f);
        for (unsigned i = 0; i < SPAWN_FDS_MAX + 1; i++)
                fd_entry(f, i, f->null);
        finish_fds(f);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "more than the 16 fds");
        new_message(f);
        clear_result(f);
        g_assert_cmpuint(count_fds(), ==, before);
}

/* A number above the highest is refused by its name, the largest of its type included. */
FIXTURE_TEST(fd_number)
{
        static const unsigned numbers[] = {SPAWN_FD_NUMBER_MAX + 1, 0x7fffffff, 0x80000000,
                                           UINT32_MAX};

        for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
                g_autofree char *words = g_strdup_printf("fd number %u", numbers[i]);
                spawn_with_fd(f, numbers[i], f->null);
                assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, words);
        }
}

/* A number asked for twice is refused. */
FIXTURE_TEST(fd_twice)
{
        command(f);
        open_fds(f);
        fd_entry(f, 5, f->null);
        fd_entry(f, 5, f->null);
        finish_fds(f);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "fd number 5 is given twice");
}

/* A directory would be a way out of the root tree: refused, however it was opened. */
FIXTURE_TEST(fd_directory)
{
        autofd int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        spawn_with_fd(f, 3, directory);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "fd 3 is a directory");
}

/* An fd that is a mere path is refused: it is there to be opened again with the service's rights.
 */
FIXTURE_TEST(fd_path)
{
        static const char *const paths[] = {"/", "/dev/null", "/etc/passwd"};

        for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
                autofd int path = open(paths[i], O_PATH | O_CLOEXEC);
                spawn_with_fd(f, 3, path);
                assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "fd 3 is open as a path only");
        }
}

/* StandardInput and its kin are the descriptors 0, 1 and 2 of who cannot send a{uh}. */
FIXTURE_TEST(standard_fds)
{
        static const char *const keys[] = {"StandardInput", "StandardOutput", "StandardError"};

        for (int target = 0; target < 3; target++) {
                clear_result(f);
                spawn_with(f, "{sv}", keys[target], "h", f->null);
                assert_accepted(f);
                g_assert_cmpuint(f->order->n_fds, ==, 1);
                g_assert_cmpint(f->order->fds[0].target, ==, target);
        }
}

/* Such an option beside the same number in fds is refused by both names; beside another, not. */
FIXTURE_TEST(standard_fd_twice)
{
        for (unsigned target = 0; target < 3; target++) {
                new_message(f);
                clear_result(f);
                command(f);
                open_fds(f);
                fd_entry(f, target, f->null);
                close_list(f);
                open_options(f);
                must(sd_bus_message_append(f->message, "{sv}", "StandardOutput", "h", f->null));
                close_list(f);
                if (target == 1)
                        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS,
                                       "StandardOutput and fd 1 are both given");
                else
                        assert_accepted(f);
        }
}

/* The options are no way around what is refused in fds. */
FIXTURE_TEST(standard_fd_directory)
{
        autofd int directory = open("/", O_PATH | O_CLOEXEC);

        spawn_with(f, "{sv}", "StandardError", "h", directory);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "StandardError is open as a path only");
        clear_result(f);
        spawn_with(f, "{sv}{sv}", "StandardInput", "h", f->null, "Terminal", "b", 1);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "Terminal and fd 0 exclude");
}

/* A terminal is the container's 0, 1 and 2: none of them can be given beside it, any other can. */
FIXTURE_TEST(terminal_and_fds)
{
        for (unsigned target = 0; target < 4; target++) {
                new_message(f);
                command(f);
                open_fds(f);
                fd_entry(f, target, f->null);
                close_list(f);
                open_options(f);
                must(sd_bus_message_append(f->message, "{sv}", "Terminal", "b", 1));
                close_list(f);
                if (target == 3) {
                        assert_accepted(f);
                        continue;
                }
                g_autofree char *words =
                        g_strdup_printf("Terminal and fd %u exclude each other", target);
                assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, words);
        }
}

/* -- Run -- */

static void run(Fixture *f, const char *rootfs, uint64_t memory, const char *command_name)
{
        new_message(f);
        must(sd_bus_message_append(f->message, "st", rootfs, memory));
        must(sd_bus_message_append(f->message, "as", command_name ? 1 : 0, command_name));
        seal(f);
        spec_decode_run(f->message, &f->order, &f->error);
}

/* Run is the default profile with a root tree, a memory limit and a command. */
FIXTURE_TEST(run)
{
        run(f, "/tree", 10485760, "true");
        g_assert_no_error(f->error);
        g_assert_cmpstr(f->order->tree.rootfs, ==, "/tree");
        g_assert_cmpuint(f->order->resources.memory_max, ==, 10485760);
        g_assert_cmpuint(f->order->resources.memory_swap_max, ==, 0);
        g_assert_cmpstr(f->order->process.argv[0], ==, "true");
        g_assert_true(f->order->tree.read_only_root);
        g_assert_false(f->order->process.attributes.terminal || f->order->watch_bus ||
                       f->order->remove);
}

/* memMax 0 and UINT64_MAX are "no limit". */
FIXTURE_TEST(run_no_limit)
{
        run(f, "/tree", 0, "true");
        g_assert_cmpuint(f->order->resources.memory_max, ==, UINT64_MAX);
        run(f, "/tree", UINT64_MAX, "true");
        g_assert_cmpuint(f->order->resources.memory_max, ==, UINT64_MAX);
        run(f, "/tree", 1, "true");
        g_assert_cmpuint(f->order->resources.memory_max, ==, 1);
}

/* Run's arguments are judged like Spawn's. */
FIXTURE_TEST(run_refused)
{
        run(f, "", 0, "true");
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_ARGS);
        run(f, "tree", 0, "true");
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_ROOTFS_INVALID);
        run(f, "/tree", 0, NULL);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_ARGS);
        run(f, "/tree", 0, "");
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_ARGS);
}

/* A message of quite another type is an error, not a crash. */
FIXTURE_TEST(other_signature)
{
        must(sd_bus_message_append(f->message, "u", 7));
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "cannot read rootfs");
        new_message(f);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "cannot read rootfs");
        new_message(f);
        command(f);
        assert_refused(f, RUNTIME_ERROR_INVALID_ARGS, "cannot read fds");
}
