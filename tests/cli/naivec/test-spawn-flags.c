/* From the flags of `run` to the message that the service reads. */

#include "cli/naivec/spawn-flags.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/util/bus-auto.h"
#include "service/util/capability.h"

static const Flag more[] = {{"more", NULL, "", 'x'}, {0}};

static int id_of(const char *name)
{
        Flag storage[SPAWN_FLAGS_SIZE];
        const Flag *flags = spawn_flags(storage, more);

        for (; flags->name; flags++)
                if (!strcmp(flags->name, name))
                        return flags->id;
        g_assert_not_reached();
}

static void take(SpawnRequest *request, const char *name, const char *value)
{
        g_autofree char *wrong = spawn_flags_take(request, id_of(name), value);

        g_assert_cmpstr(wrong, ==, NULL);
}

static void assert_refused(const char *name, const char *value)
{
        g_auto(SpawnRequest) request;
        g_autofree char *wrong = NULL;

        spawn_request_init(&request);
        wrong = spawn_flags_take(&request, id_of(name), value);
        g_assert_nonnull(wrong);
        g_assert_nonnull(strstr(wrong, name));
}

/* Messages need a bus; this one has nobody at its other end. */
static sd_bus *make_bus(void)
{
        sd_bus *bus = NULL;
        int ends[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        g_assert_cmpint(sd_bus_new(&bus), >=, 0);
        g_assert_cmpint(sd_bus_set_fd(bus, ends[0], ends[0]), >=, 0);
        g_assert_cmpint(sd_bus_start(bus), >=, 0);
        close(ends[1]);
        return bus;
}

/* The request as the service would read it, at its first argument. */
static sd_bus_message *sealed(sd_bus *bus, const SpawnRequest *request, const char *const *argv)
{
        sd_bus_message *call = NULL;

        g_assert_cmpint(sd_bus_message_new_method_call(bus, &call, NULL, "/x", "x.y", "Z"), >=, 0);
        g_assert_cmpint(spawn_request_append(request, call, "/r\xff", argv), >=, 0);
        g_assert_cmpint(sd_bus_message_seal(call, 1, 0), >=, 0);
        g_assert_cmpstr(sd_bus_message_get_signature(call, 1), ==, "ayaaya{uh}a{sv}");
        return call;
}

/* Enters the value of option `key`. */
static void enter_option(sd_bus_message *call, const char *key, const char *signature)
{
        const char *name;

        g_assert_cmpint(sd_bus_message_rewind(call, 1), >=, 0);
        g_assert_cmpint(sd_bus_message_skip(call, "ayaaya{uh}"), >=, 0);
        g_assert_cmpint(sd_bus_message_enter_container(call, 'a', "{sv}"), >, 0);
        while (sd_bus_message_enter_container(call, 'e', "sv") > 0) {
                g_assert_cmpint(sd_bus_message_read(call, "s", &name), >, 0);
                if (!strcmp(name, key)) {
                        g_assert_cmpint(sd_bus_message_enter_container(call, 'v', signature), >, 0);
                        return;
                }
                g_assert_cmpint(sd_bus_message_skip(call, "v"), >, 0);
                g_assert_cmpint(sd_bus_message_exit_container(call), >, 0);
        }
        g_error("the message has no option %s", key);
}

static uint64_t number_of(sd_bus *bus, const SpawnRequest *request, const char *key)
{
        static const char *const argv[] = {"x", NULL};
        g_autoptr(sd_bus_message) call = sealed(bus, request, argv);
        uint64_t number;

        enter_option(call, key, "t");
        g_assert_cmpint(sd_bus_message_read(call, "t", &number), >, 0);
        return number;
}

/* Every row of the table with a flag can be given, and reaches the message with the row's type. */
static void test_every_row(void)
{
        static const struct {
                const char *key, *signature, *flag;
        } rows[] = {
#define X(key, signature, flag, metavar, help) {#key, signature, flag},
                SPAWN_OPTIONS(X)
#undef X
        };
        static const char *const argv[] = {"x", NULL};
        g_autoptr(sd_bus) bus = make_bus();
        g_auto(SpawnRequest) request;

        spawn_request_init(&request);
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                const char *value = strchr("tub", rows[i].signature[0])    ? "1"
                                    : strcmp(rows[i].signature, "as") == 0 ? "CAP_BPF"
                                                                           : "v=w";

                if (i == SPAWN_RootFD) /* the bus's callers have fds, a command line has paths */
                        continue;
                if (i == SPAWN_Mounts)
                        value = "/v:/w";

                if (*rows[i].flag)
                        take(&request, rows[i].flag, value);
                else
                        spawn_request_set(&request, (SpawnOption) i, value);
        }
        g_autoptr(sd_bus_message) call = sealed(bus, &request, argv);
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
                if (i != SPAWN_RootFD)
                        enter_option(call, rows[i].key, rows[i].signature);
}

static char *capabilities_of(sd_bus *bus, const SpawnRequest *request)
{
        static const char *const argv[] = {"x", NULL};
        g_autoptr(sd_bus_message) call = sealed(bus, request, argv);
        char **list = NULL;

        enter_option(call, "Capabilities", "as");
        g_assert_cmpint(sd_bus_message_read_strv(call, &list), >, 0);
        char *line = g_strjoinv(" ", list);
        g_strfreev(list);
        return line;
}

/* Capabilities add up, however they are written; "all" is every one there is. */
static void test_capabilities(void)
{
        g_autoptr(sd_bus) bus = make_bus();
        g_auto(SpawnRequest) request, all;

        spawn_request_init(&request);
        take(&request, "cap-add", "CAP_NET_ADMIN");
        take(&request, "cap-add", "sys_ptrace");
        take(&request, "cap-add", "cap_bpf");
        g_autofree char *line = capabilities_of(bus, &request);
        g_assert_cmpstr(line, ==, "CAP_NET_ADMIN CAP_SYS_PTRACE CAP_BPF");
        spawn_request_init(&all);
        take(&all, "cap-add", "ALL");
        g_autofree char *every = capabilities_of(bus, &all);
        for (unsigned i = 0; capability_name(i); i++)
                g_assert_nonnull(strstr(every, capability_name(i)));
        assert_refused("cap-add", "SYS_NOTHING");
        assert_refused("cap-add", "");
}

/* No two flags share an id, and none is taken for another command's. */
static void test_ids(void)
{
        Flag storage[SPAWN_FLAGS_SIZE];
        const Flag *flags = spawn_flags(storage, more);

        for (const Flag *a = flags; a->name; a++) {
                g_assert_true(a->id <= 127 || a->id >= FLAG_OF_SPAWN);
                for (const Flag *b = a + 1; b->name; b++)
                        g_assert_cmpint(a->id, !=, b->id);
        }
        g_assert_cmpint(id_of("more"), ==, 'x');
}

/* Zero is "no limit" for memory and tasks, but no swap is what somebody may well want. */
static void test_zero(void)
{
        g_autoptr(sd_bus) bus = make_bus();
        g_auto(SpawnRequest) request;

        spawn_request_init(&request);
        take(&request, "memory", "0");
        take(&request, "memory-swap-max", "0");
        take(&request, "pids-limit", "max");
        g_assert_cmpuint(number_of(bus, &request, "MemoryMax"), ==, UINT64_MAX);
        g_assert_cmpuint(number_of(bus, &request, "MemorySwapMax"), ==, 0);
        g_assert_cmpuint(number_of(bus, &request, "TasksMax"), ==, UINT64_MAX);
}

/* Of a flag given twice the last counts. */
static void test_last_counts(void)
{
        g_autoptr(sd_bus) bus = make_bus();
        g_auto(SpawnRequest) request;

        spawn_request_init(&request);
        take(&request, "memory", "1M");
        take(&request, "memory", "2M");
        g_assert_cmpuint(number_of(bus, &request, "MemoryMax"), ==, 2 << 20);
}

static void read_bytes(sd_bus_message *call, const char *expected)
{
        const void *data;
        size_t size;

        g_assert_cmpint(sd_bus_message_read_array(call, 'y', &data, &size), >=, 0);
        g_assert_cmpmem(data, size, expected, strlen(expected));
}

/* Of a variable set twice the last counts; a default gives way; bytes need not be UTF-8. */
static void test_environment(void)
{
        static const char *const argv[] = {"x", NULL};
        g_autoptr(sd_bus) bus = make_bus();
        g_auto(SpawnRequest) request;

        spawn_request_init(&request);
        take(&request, "env", "A=1");
        take(&request, "env", "AB=\xff");
        take(&request, "env", "A=2=3");
        spawn_request_default_variable(&request, "AB", "unwanted");
        spawn_request_default_variable(&request, "TERM", "vt100");
        g_autoptr(sd_bus_message) call = sealed(bus, &request, argv);
        enter_option(call, "Environment", "aay");
        g_assert_cmpint(sd_bus_message_enter_container(call, 'a', "ay"), >, 0);
        read_bytes(call, "AB=\xff");
        read_bytes(call, "A=2=3");
        read_bytes(call, "TERM=vt100");
        g_assert_cmpint(sd_bus_message_at_end(call, 0), >, 0);
}

/* NAME alone passes on our value, and is an error without one. */
static void test_environment_passed_on(void)
{
        g_autoptr(sd_bus) bus = make_bus();
        g_auto(SpawnRequest) request;

        g_setenv("NAIVEC_TEST", "here", TRUE);
        g_unsetenv("NAIVEC_TEST_UNSET");
        spawn_request_init(&request);
        take(&request, "env", "NAIVEC_TEST");
        g_assert_cmpstr(request.values[SPAWN_Environment]->pdata[0], ==, "NAIVEC_TEST=here");
        assert_refused("env", "NAIVEC_TEST_UNSET");
        assert_refused("env", "=x");
        assert_refused("env", "");
}

static void assert_mount(sd_bus_message *call, const char *const *words, const char *options)
{
        g_auto(GStrv) list = NULL;
        const char *type;

        g_assert_cmpint(sd_bus_message_enter_container(call, 'r', "ayaysas"), >, 0);
        read_bytes(call, words[0]);
        read_bytes(call, words[1]);
        g_assert_cmpint(sd_bus_message_read(call, "s", &type), >, 0);
        g_assert_cmpstr(type, ==, words[2]);
        g_assert_cmpint(sd_bus_message_read_strv(call, &list), >=, 0);
        g_autofree char *joined = g_strjoinv(",", list ? list : (char *[]){NULL});
        g_assert_cmpstr(joined, ==, options);
        g_assert_cmpint(sd_bus_message_exit_container(call), >, 0);
}

/* Volumes and tmpfs in the order given, a relative source as seen from here, options as they are.
 */
static void test_mounts(void)
{
        static const char *const argv[] = {"x", NULL};
        g_autoptr(sd_bus) bus = make_bus();
        g_auto(SpawnRequest) request;
        g_autofree char *here = g_get_current_dir(), *source = g_strconcat(here, "/s", NULL);

        spawn_request_init(&request);
        take(&request, "volume", "/a\xff:/b:ro,noexec");
        g_assert_null(spawn_flags_take_tmpfs(&request, "/t:size=1M"));
        g_assert_null(spawn_flags_take_tmpfs(&request, "/u"));
        take(&request, "volume", "s:/d");
        g_autoptr(sd_bus_message) call = sealed(bus, &request, argv);
        enter_option(call, "Mounts", "a(ayaysas)");
        g_assert_cmpint(sd_bus_message_enter_container(call, 'a', "(ayaysas)"), >, 0);
        assert_mount(call, (const char *[]){"/a\xff", "/b", "bind"}, "ro,noexec");
        assert_mount(call, (const char *[]){"", "/t", "tmpfs"}, "size=1M");
        assert_mount(call, (const char *[]){"", "/u", "tmpfs"}, "");
        assert_mount(call, (const char *[]){source, "/d", "bind"}, "");
        g_assert_cmpint(sd_bus_message_at_end(call, 0), >, 0);
        assert_refused("volume", "/a");
        assert_refused("volume", ":/a");
        assert_refused("volume", "/a:");
        assert_refused("volume", "/a::ro");
        g_autofree char *wrong = spawn_flags_take_tmpfs(&request, "t");
        g_assert_nonnull(wrong);
}

/* A colon in the path of where we are does not end the source, nor does it become an option. */
static void test_mount_from_a_colon(void)
{
        static const char *const argv[] = {"x", NULL};
        g_autoptr(sd_bus) bus = make_bus();
        g_auto(SpawnRequest) request;
        g_autofree char *before = g_get_current_dir();
        g_autofree char *here = g_dir_make_tmp("a:b:XXXXXX", NULL);

        g_assert_cmpint(chdir(here), ==, 0);
        g_autofree char *real = g_get_current_dir(), *source = g_strconcat(real, "/s", NULL);
        spawn_request_init(&request);
        take(&request, "volume", "s:/d:ro");
        g_assert_cmpint(chdir(before), ==, 0);
        g_assert_cmpint(rmdir(here), ==, 0);
        g_autoptr(sd_bus_message) call = sealed(bus, &request, argv);
        enter_option(call, "Mounts", "a(ayaysas)");
        g_assert_cmpint(sd_bus_message_enter_container(call, 'a', "(ayaysas)"), >, 0);
        assert_mount(call, (const char *[]){source, "/d", "bind"}, "ro");
        g_assert_cmpint(sd_bus_message_at_end(call, 0), >, 0);
}

/* Rootfs and arguments go as bytes, empty strings included, without a NUL behind them. */
static void test_arguments(void)
{
        static const char *const argv[] = {"", "\xff\xfe", "--bind", NULL};
        g_autoptr(sd_bus) bus = make_bus();
        g_auto(SpawnRequest) request;

        spawn_request_init(&request);
        g_autoptr(sd_bus_message) call = sealed(bus, &request, argv);
        read_bytes(call, "/r\xff");
        g_assert_cmpint(sd_bus_message_enter_container(call, 'a', "ay"), >, 0);
        for (unsigned i = 0; argv[i]; i++)
                read_bytes(call, argv[i]);
        g_assert_cmpint(sd_bus_message_at_end(call, 0), >, 0);
}

/* Each fd is an entry of its own, under its number inside. */
static void test_fds(void)
{
        static const char *const argv[] = {"x", NULL};
        g_autoptr(sd_bus) bus = make_bus();
        g_auto(SpawnRequest) request;
        uint32_t number;
        int fd;

        spawn_request_init(&request);
        spawn_request_add_fd(&request, 0, 0);
        spawn_request_add_fd(&request, 0, 7);
        g_autoptr(sd_bus_message) call = sealed(bus, &request, argv);
        g_assert_cmpint(sd_bus_message_skip(call, "ayaay"), >, 0);
        g_assert_cmpint(sd_bus_message_enter_container(call, 'a', "{uh}"), >, 0);
        g_assert_cmpint(sd_bus_message_read(call, "{uh}", &number, &fd), >, 0);
        g_assert_cmpuint(number, ==, 0);
        g_assert_cmpint(sd_bus_message_read(call, "{uh}", &number, &fd), >, 0);
        g_assert_cmpuint(number, ==, 7);
        g_assert_cmpint(sd_bus_message_at_end(call, 0), >, 0);
}

/* Values that make no sense are refused before anything is sent, naming the flag. */
static void test_refusals(void)
{
        assert_refused("memory", "lots");
        assert_refused("memory", "");
        assert_refused("pids-limit", "-1");
        assert_refused("tty", "perhaps");
        assert_refused("hostname", "\xff");
        assert_refused("name", "a\xc3");
}

/* A flag of truth without a value means yes. */
static void test_truth(void)
{
        g_auto(SpawnRequest) request;

        spawn_request_init(&request);
        g_assert_false(spawn_request_is_true(&request, SPAWN_Terminal));
        take(&request, "tty", NULL);
        g_assert_true(spawn_request_is_true(&request, SPAWN_Terminal));
        take(&request, "tty", "off");
        g_assert_true(spawn_request_has(&request, SPAWN_Terminal));
        g_assert_false(spawn_request_is_true(&request, SPAWN_Terminal));
}

int main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/spawn-flags/every-row", test_every_row);
        g_test_add_func("/spawn-flags/capabilities", test_capabilities);
        g_test_add_func("/spawn-flags/ids", test_ids);
        g_test_add_func("/spawn-flags/zero", test_zero);
        g_test_add_func("/spawn-flags/last-counts", test_last_counts);
        g_test_add_func("/spawn-flags/environment", test_environment);
        g_test_add_func("/spawn-flags/environment-passed-on", test_environment_passed_on);
        g_test_add_func("/spawn-flags/arguments", test_arguments);
        g_test_add_func("/spawn-flags/mounts", test_mounts);
        g_test_add_func("/spawn-flags/mount-from-a-colon", test_mount_from_a_colon);
        g_test_add_func("/spawn-flags/fds", test_fds);
        g_test_add_func("/spawn-flags/refusals", test_refusals);
        g_test_add_func("/spawn-flags/truth", test_truth);
        return g_test_run();
}
