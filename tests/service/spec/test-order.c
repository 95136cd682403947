#include "service/spec/order.h"

#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/capability.h"
#include "tests/lib/case.h"
#include "tests/lib/strv.h"

static Order *new_spec(void)
{
        Order *order = order_new();

        order->tree.rootfs = g_strdup("/tree");
        order->process.argv = strv_pack(g_strsplit("true", " ", -1));
        return order;
}

static void replace(char **field, const char *text)
{
        g_free(*field);
        *field = g_strdup(text);
}

static void fill(char **field, size_t n, char c)
{
        g_free(*field);
        *field = g_strnfill(n, c);
}

static void replace_list(char ***list, const char *words)
{
        g_free(*list);
        *list = strv_pack(g_strsplit(words, "|", -1));
}

/* `n` strings of `length` bytes each. */
static void repeat(char ***field, const char *prefix, size_t n, size_t length)
{
        char **list = g_new0(char *, n + 1);

        g_free(*field);
        for (size_t i = 0; i < n; i++) {
                g_autofree char *start = g_strdup_printf("%s%zu=", prefix, i);
                list[i] = g_strnfill(MAX(length, strlen(start)), 'x');
                memcpy(list[i], start, strlen(start));
        }
        *field = strv_pack(list);
}

static void assert_accepted(const Order *order)
{
        g_autoptr(GError) error = NULL;

        g_assert_true(order_validate(order, &error));
        g_assert_no_error(error);
}

static void assert_refused(const Order *order, RuntimeError code, const char *word)
{
        g_autoptr(GError) error = NULL;

        g_assert_false(order_validate(order, &error));
        g_assert_error(error, RUNTIME_ERROR, (int) code);
        g_assert_nonnull(strstr(error->message, word));
}

/* The default profile is the confined one: read-only root, a private range of ids, no swap, bounded
 * tasks. */
TEST(default_profile)
{
        g_autoptr(Order) order = order_new();

        g_assert_true(order->tree.read_only_root);
        g_assert_cmpint(order->tree.user_namespace, ==, USER_NAMESPACE_AUTO);
        g_assert_cmpuint(order->resources.memory_max, ==, UINT64_MAX);
        g_assert_cmpuint(order->resources.memory_swap_max, ==, 0);
        g_assert_cmpuint(order->resources.tasks_max, ==, TASKS_MAX_DEFAULT);
        g_assert_true(order->process.seccomp && order->process.no_new_privileges);
        g_assert_false(order->tree.host_network || order->process.capabilities);
        g_assert_false(order->process.attributes.terminal || order->watch_bus || order->remove);
        g_assert_false(order->tree.has_user_namespace || order->resources.has_tasks_max ||
                       order->resources.has_memory_swap_max);
}

static void assert_deviations(const Order *order, const char *expected, bool is_privileged)
{
        g_auto(GStrv) list = order_deviations(order);
        g_autofree char *line = g_strjoinv(" ", list);

        g_assert_cmpstr(line, ==, expected);
        g_assert_true(order_is_privileged(order) == is_privileged);
}

/* The default deviates in nothing. */
TEST(no_deviation)
{
        g_autoptr(Order) order = order_new();

        assert_deviations(order, "", false);
}

/* What gives a caller nothing that it has not is told, but is not privileged. */
TEST(own_deviations)
{
        g_autoptr(Order) order = order_new();

        order->tree.read_only_root = false;
        assert_deviations(order, "ReadOnlyRoot=no", false);
        order->tree.user_namespace = USER_NAMESPACE_SELF;
        assert_deviations(order, "UserNamespace=self ReadOnlyRoot=no", false);
}

/* Each of the others is, alone and with all. */
TEST(privileged_deviations)
{
        static const char *const lines[] = {
                "UserNamespace=host",
                "Network=host",
                "Capabilities=+CAP_NET_ADMIN,+CAP_BPF",
                "Seccomp=unconfined",
                "NoNewPrivileges=no",
                ("UserNamespace=host Network=host Capabilities=+CAP_NET_ADMIN,+CAP_BPF "
                 "Seccomp=unconfined NoNewPrivileges=no"),
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
                g_autoptr(Order) order = order_new();
                bool is_all = i == 5;
                if (i == 0 || is_all)
                        order->tree.user_namespace = USER_NAMESPACE_HOST;
                if (i == 1 || is_all)
                        order->tree.host_network = true;
                if (i == 2 || is_all)
                        order->process.capabilities = CAPABILITY(BPF) | CAPABILITY(NET_ADMIN);
                if (i == 3 || is_all)
                        order->process.seccomp = false;
                if (i == 4 || is_all)
                        order->process.no_new_privileges = false;
                assert_deviations(order, lines[i], true);
        }
}

/* A bind does not by being writable, but by being of what the caller does not own. */
TEST(mount_deviation)
{
        g_autoptr(Order) order = order_new();

        order->tree.mounts = g_new(MountSpec, 2);
        order->tree.n_mounts = 2;
        mount_spec_init(&order->tree.mounts[0]);
        mount_spec_init(&order->tree.mounts[1]);
        order->tree.mounts[1].target = g_strdup("/t");
        assert_deviations(order, "", false);
        g_assert_false(tree_spec_writes_to_host(&order->tree));
        order->tree.mounts[0].type = MOUNT_TYPE_BIND;
        order->tree.mounts[0].source = g_strdup("/s");
        order->tree.mounts[0].target = g_strdup("/u");
        assert_deviations(order, "", false);
        g_assert_true(tree_spec_writes_to_host(&order->tree));
        order->tree.mounts[0].is_privileged = true;
        assert_deviations(order, "Mounts=privileged", true);
        order->tree.mounts[0].is_privileged = false;
        order->tree.mounts[0].read_only = true;
        g_assert_false(tree_spec_writes_to_host(&order->tree));
}

/* Every name leads to its own bit, and back. */
TEST(capabilities)
{
        uint64_t all = 0, bit;

        for (unsigned i = 0; capability_name(i); i++) {
                g_assert_true(capability_from_name(capability_name(i), &bit));
                g_assert_cmpuint(bit, ==, UINT64_C(1) << i);
                all |= bit;
        }
        g_assert_cmpuint(all, ==, (UINT64_C(2) << CAP_LAST_CAP) - 1);
        g_assert_false(capability_from_name("CAP_NOTHING", &bit));
        g_assert_false(capability_from_name("CHOWN", &bit));
        g_assert_false(capability_from_name("", &bit));
        g_assert_null(capability_name(64));
}

/* A order can be freed at any point of its making, NULL included. */
TEST(free)
{
        order_free(NULL);
        order_free(order_new());
        order_free(g_new0(Order, 1));
}

/* A root tree and a command are all that is needed. */
TEST(minimal)
{
        g_autoptr(Order) order = new_spec();

        assert_accepted(order);
}

/* A root tree that is missing or empty is InvalidArgs, a relative one RootfsInvalid; with RootFD
 * there is to be none. */
TEST(rootfs_form)
{
        g_autoptr(Order) order = new_spec();

        g_clear_pointer(&order->tree.rootfs, g_free);
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "empty");
        replace(&order->tree.rootfs, "");
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "empty");
        order->tree.has_root_fd = true;
        assert_accepted(order);
        replace(&order->tree.rootfs, "/tree");
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "RootFD");
        order->tree.has_root_fd = false;
        replace(&order->tree.rootfs, "tree");
        assert_refused(order, RUNTIME_ERROR_ROOTFS_INVALID, "'tree' is not an absolute path");
        replace(&order->tree.rootfs, "/");
        assert_accepted(order);
}

/* A root tree's path may be as long as the kernel allows and not a byte longer. */
TEST(rootfs_length)
{
        g_autoptr(Order) order = new_spec();

        fill(&order->tree.rootfs, ROOTFS_PATH_MAX, '/');
        assert_accepted(order);
        fill(&order->tree.rootfs, ROOTFS_PATH_MAX + 1, '/');
        assert_refused(order, RUNTIME_ERROR_ROOTFS_INVALID, "4096 bytes");
}

/* Without a command there is nothing to run; empty arguments behind it are fine. */
TEST(argv_form)
{
        g_autoptr(Order) order = new_spec();

        g_clear_pointer(&order->process.argv, g_free);
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "argv is empty");
        order->process.argv = g_new0(char *, 1);
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "argv is empty");
        replace_list(&order->process.argv, "|a");
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "argv[0] is an empty string");
        replace_list(&order->process.argv, "a||");
        assert_accepted(order);
}

/* One string may have as many bytes as the kernel takes at exec, its NUL included, and not one
 * more. */
TEST(string_length)
{
        g_autoptr(Order) order = new_spec();

        repeat(&order->process.argv, "a", 1, ARG_LENGTH_MAX);
        assert_accepted(order);
        repeat(&order->process.environment, "e", 2, ARG_LENGTH_MAX);
        assert_accepted(order);
        repeat(&order->process.environment, "e", 1, ARG_LENGTH_MAX + 1);
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "Environment[0] has 131072 bytes");
        g_clear_pointer(&order->process.environment, g_free);
        repeat(&order->process.argv, "a", 2, ARG_LENGTH_MAX + 1);
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "argv[0] has 131072 bytes");
}

/* argv and the environment together, NULs and pointers included, may have ARGV_BYTES_MAX bytes and
 * not one more; how many strings that are does not matter. */
TEST(total_bytes)
{
        g_autoptr(Order) order = new_spec();
        size_t n = ARGV_BYTES_MAX / (16 + 1 + sizeof(char *));

        repeat(&order->process.argv, "a", n - 2, 16);
        repeat(&order->process.environment, "e", 2, 16);
        assert_accepted(order);
        repeat(&order->process.environment, "e", 3, 16);
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "more than the 2097152 that the kernel");
}

/* Each variable is NAME=VALUE with a name; its value may be empty, have '=' and any bytes. */
TEST(environment_form)
{
        g_autoptr(Order) order = new_spec();
        const char *const bad[] = {"", "A", "=", "=B"};

        replace_list(&order->process.environment, "A=|B=c=d|E=\xff\n\x01");
        assert_accepted(order);
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_free(order->process.environment);
                order->process.environment =
                        strv_pack(g_strdupv((char *[]){(char *) "A=b", (char *) bad[i], NULL}));
                assert_refused(order, RUNTIME_ERROR_INVALID_ARGS,
                               "Environment[1] is not NAME=VALUE");
        }
}

/* A variable set twice is refused: which one counts would depend on the program. */
TEST(environment_twice)
{
        g_autoptr(Order) order = new_spec();

        replace_list(&order->process.environment, "A=1|AB=2|A=3");
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS,
                       "Environment[2] sets a variable a second time");
}

/* An id is 1 to 64 of [a-zA-Z0-9_.-], the first a letter or digit. */
TEST(id)
{
        const char *const good[] = {"a", "Z9", "0", "a_.-", "container-1"};
        const char *const bad[] = {"",    ".",   "..",       "-a",    "_a", "a/b",
                                   "a b", "a\n", "\xc3\xa9", "a\x7f", "a:"};
        g_autofree char *longest = g_strnfill(ID_LENGTH_MAX, 'a');
        g_autofree char *longer = g_strnfill(ID_LENGTH_MAX + 1, 'a');
        g_autoptr(Order) order = new_spec();

        for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
                g_assert_true(order_id_is_valid(good[i]));
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
                g_assert_false(order_id_is_valid(bad[i]));
        g_assert_true(order_id_is_valid(longest));
        g_assert_false(order_id_is_valid(longer));
        replace(&order->id, longest);
        assert_accepted(order);
        replace(&order->id, longer);
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "Id must match");
}

/* A host name is 1 to 64 bytes, of letters, digits, '-', '_' and '.'. */
TEST(hostname)
{
        const char *const bad[] = {"a b", "a\n", "a/b", "\xc3\xa9", "a;b", "a\x1b"};
        g_autoptr(Order) order = new_spec();

        replace(&order->tree.hostname, "web-1.example_2");
        assert_accepted(order);
        replace(&order->tree.hostname, "");
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "Hostname has 0 bytes");
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                replace(&order->tree.hostname, bad[i]);
                assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "Hostname may have");
        }
        fill(&order->tree.hostname, HOSTNAME_LENGTH_MAX, 'h');
        assert_accepted(order);
        fill(&order->tree.hostname, HOSTNAME_LENGTH_MAX + 1, 'h');
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "Hostname has 65 bytes");
}

/* A working directory is absolute and no longer than a path. */
TEST(working_directory)
{
        g_autoptr(Order) order = new_spec();

        fill(&order->process.working_directory, ROOTFS_PATH_MAX, '/');
        assert_accepted(order);
        fill(&order->process.working_directory, ROOTFS_PATH_MAX + 1, '/');
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "WorkingDirectory");
        replace(&order->process.working_directory, "");
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "WorkingDirectory");
        replace(&order->process.working_directory, "tmp");
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "WorkingDirectory");
}

/* TasksMax 0 would leave no room for the command itself; 1 and no limit are fine. */
TEST(tasks_max)
{
        g_autoptr(Order) order = new_spec();

        order->resources.tasks_max = 0;
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS, "TasksMax 0");
        order->resources.tasks_max = 1;
        assert_accepted(order);
        order->resources.tasks_max = UINT64_MAX;
        assert_accepted(order);
}

static char *environment_of(const Order *order, int *ret_home)
{
        g_autofree char **environment = process_spec_list_environment(&order->process, ret_home);

        return g_strjoinv("|", environment);
}

#define PATH_AND_PS1                                                                               \
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|PS1=[\\u@\\h \\W]\\$ "

/* Without a word of the caller's the environment is HOME, PATH and PS1, and TERM only on a
 * terminal. */
TEST(environment_defaults)
{
        g_autoptr(Order) order = new_spec();
        int home = -2;
        g_autofree char *plain = environment_of(order, &home);

        g_assert_cmpstr(plain, ==, "HOME=/root|" PATH_AND_PS1);
        g_assert_cmpint(home, ==, 0);
        order->process.attributes.terminal = true;
        g_autofree char *terminal = environment_of(order, &home);
        g_assert_cmpstr(terminal, ==, "HOME=/root|" PATH_AND_PS1 "|TERM=linux");
}

/* What the caller sets takes the place of the default of that very name, and no other. */
TEST(environment_overrides)
{
        g_autoptr(Order) order = new_spec();
        int home;

        order->process.attributes.terminal = true;
        replace_list(&order->process.environment, "TERM=vt100|PATHS=/x|PATH=/bin|A=1");
        g_autofree char *built = environment_of(order, &home);
        g_assert_cmpstr(built, ==,
                        "HOME=/root|PS1=[\\u@\\h \\W]\\$ |TERM=vt100|PATHS=/x|PATH=/bin|A=1");
        g_assert_cmpint(home, ==, 0);
}

/* The name of a default, alone, takes it away. */
TEST(environment_without)
{
        g_autoptr(Order) order = new_spec();
        int home;

        replace_list(&order->process.environment, "PATH|PS1|HOME|A=1");
        assert_accepted(order);
        g_autofree char *built = environment_of(order, &home);
        g_assert_cmpstr(built, ==, "A=1");
        g_assert_cmpint(home, ==, -1);
        replace_list(&order->process.environment, "PATH|PATH=/x");
        assert_refused(order, RUNTIME_ERROR_INVALID_ARGS,
                       "Environment[1] sets a variable a second time");
}

/* A HOME of the caller's is its own, wherever it leads: there is no default to fall back from. */
TEST(environment_home)
{
        g_autoptr(Order) order = new_spec();
        int home;

        replace_list(&order->process.environment, "HOME=");
        g_autofree char *built = environment_of(order, &home);
        g_assert_cmpstr(built, ==, PATH_AND_PS1 "|HOME=");
        g_assert_cmpint(home, ==, -1);
}

static bool add_path(const char *directory, size_t length, const char *name, void *data)
{
        g_string_append_printf(data, "%s%.*s%s%s", ((GString *) data)->len ? "|" : "", (int) length,
                               directory ? directory : "", directory ? "/" : "", name);
        return true;
}

static char *exec_paths_of(const char *command, const char *path)
{
        g_autoptr(Order) order = new_spec();
        g_autofree char *pair = path ? g_strconcat("PATH=", path, NULL) : NULL;
        char *environment[] = {(char *) "A=b", pair, NULL};

        replace_list(&order->process.argv, command);
        GString *paths = g_string_new(NULL);
        g_assert_true(
                process_spec_foreach_exec_path(&order->process, environment, add_path, paths));
        return g_string_free(paths, FALSE);
}

static void assert_exec_paths(const char *command, const char *path, const char *expected)
{
        g_autofree char *paths = exec_paths_of(command, path);

        g_assert_cmpstr(paths, ==, expected);
}

/* A command with a slash is itself; one without is looked for along PATH, in its order. */
TEST(exec_paths)
{
        assert_exec_paths("/bin/sh", "/a:/b", "/bin/sh");
        assert_exec_paths("./sh", "/a", "./sh");
        assert_exec_paths("a/sh", "/a", "a/sh");
        assert_exec_paths("sh", "/a:/b:/a", "/a/sh|/b/sh|/a/sh");
}

/* An empty entry of PATH is the working directory, as for every shell. */
TEST(exec_paths_empty_entry)
{
        assert_exec_paths("sh", "/a::/b", "/a/sh|./sh|/b/sh");
        assert_exec_paths("sh", ":/b", "./sh|/b/sh");
}

/* Without a PATH there is execvp(3)'s. With an empty one nothing is found, and there is still a
 * name to tell of. */
TEST(exec_paths_none)
{
        assert_exec_paths("sh", NULL, "/bin/sh|/usr/bin/sh");
        assert_exec_paths("sh", "", "/nonexistent/sh");
}

/* The number of candidates is bounded, whatever PATH says. */
TEST(exec_paths_bounded)
{
        g_autofree char *colons = g_strnfill(100000, ':');
        g_autofree char *paths = exec_paths_of("sh", colons);
        g_auto(GStrv) list = g_strsplit(paths, "|", -1);

        g_assert_cmpuint(g_strv_length(list), ==, 256);
}

/* An order of user 1000's that qualifies as a sandbox. */
static Order *new_sandbox(void)
{
        Order *order = new_spec();

        order->owner = g_new0(Credentials, 1);
        order->owner->uid = 1000;
        order->tree.user_namespace = USER_NAMESPACE_KEEP_ID;
        order->process.seccomp_strict = true;
        order->process.bounding_set = 0;
        order->watch_bus = true;
        return order;
}

static void unset_owner(Order *order)
{
        g_clear_pointer(&order->owner, credentials_free);
}

static void set_others_network(Order *order)
{
        order->tree.network_namespace =
                (NetworkNamespace){.is_given = true, .fd = -1, .has_owner = true, .owner = 1001};
}

static void set_core_limit(Order *order)
{
        order->process.attributes.limits[PROCESS_LIMIT_CORE] =
                (ProcessLimit){.is_given = true, .soft = 2, .hard = 2};
}

#define CHANGE(name, statement)                                                                    \
        static void name(Order *order)                                                             \
        {                                                                                          \
                statement;                                                                         \
        }
CHANGE(set_root, order->owner->uid = 0)
CHANGE(unset_watch, order->watch_bus = false)
CHANGE(unset_strict, order->process.seccomp_strict = false)
CHANGE(unset_filter, order->process.seccomp = false)
CHANGE(set_bounding, order->process.bounding_set = 1)
CHANGE(set_capabilities, order->process.capabilities = 1)
CHANGE(unset_no_new_privileges, order->process.no_new_privileges = false)
CHANGE(set_auto, order->tree.user_namespace = USER_NAMESPACE_AUTO)
CHANGE(set_self, order->tree.user_namespace = USER_NAMESPACE_SELF)
CHANGE(set_host, order->tree.user_namespace = USER_NAMESPACE_HOST)
CHANGE(set_host_network, order->tree.host_network = true)
CHANGE(set_writable, order->tree.read_only_root = false)
CHANGE(set_volatile, order->tree.is_volatile = true)
CHANGE(set_memory_low, order->resources.memory_low = 1)
CHANGE(set_oom_score, order->process.attributes.oom_score_adjust = -1)

/* Each alone takes the quality from an order that has it: it could give more than the caller has,
 * or outlive the caller. */
TEST(sandbox)
{
        static void (*const changes[])(Order *) = {
                unset_owner,        set_root,       unset_watch,      unset_strict,
                unset_filter,       set_bounding,   set_capabilities, unset_no_new_privileges,
                set_auto,           set_self,       set_host,         set_host_network,
                set_others_network, set_writable,   set_volatile,     set_memory_low,
                set_oom_score,      set_core_limit,
        };

        for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
                g_autoptr(Order) order = new_sandbox();
                g_assert_true(order_qualifies_as_sandbox(order));
                changes[i](order);
                if (order_qualifies_as_sandbox(order))
                        g_error("change %zu makes no difference", i);
        }
}

/* A network of the caller's own making is as good as none; a reader of StatusFD that ends the
 * container is not as good as the bus, for it may be inside. */
TEST(sandbox_otherwise)
{
        g_autoptr(Order) order = new_sandbox();

        set_others_network(order);
        order->tree.network_namespace.owner = 1000;
        g_assert_true(order_qualifies_as_sandbox(order));
        order->watch_bus = false;
        order->watch_fd = true;
        g_assert_false(order_qualifies_as_sandbox(order));
}

/* What is said of memory is kept. */
TEST(sandbox_memory)
{
        g_autoptr(Order) order = new_sandbox(), said = new_sandbox();

        said->resources.has_memory_max = true;
        order_make_sandbox(order);
        order_make_sandbox(said);
        g_assert_cmpuint(order->resources.memory_max, ==, SANDBOX_MEMORY_MAX_DEFAULT);
        g_assert_cmpuint(said->resources.memory_max, ==, UINT64_MAX);
        g_assert_true(order->is_sandbox && said->is_sandbox);
}
