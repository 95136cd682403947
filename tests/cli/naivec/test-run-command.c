/* From the command line of `run` to the message that the service reads. */

#include "cli/naivec/run-command.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "service/util/bus-auto.h"
#include "service/util/capability.h"
#include "tests/lib/case.h"
#include "tests/lib/mute-bus.h"

static const Flag *flags(void)
{
        static Flag storage[SPAWN_FLAGS_SIZE];

        return run_command_flags(storage);
}

static int never_run(Invocation *invocation)
{
        g_assert_not_reached();
}

static const Verb verbs[] = {{"run", "", "", 1, -1, true, flags, never_run}, {0}};

static void print_basic(sd_bus_message *message, char type, GString *text)
{
        union {
                const char *s;
                uint64_t t;
                uint32_t u;
        } value;

        g_assert_cmpint(sd_bus_message_read_basic(message, type, &value), >, 0);
        if (type == 's')
                g_string_append(text, value.s);
        else if (type == 't')
                g_string_append_printf(text, "%" G_GUINT64_FORMAT, value.t);
        else
                g_string_append_printf(text, type == 'h' ? "fd" : "%u", value.u);
}

static void print_bytes(sd_bus_message *message, GString *text)
{
        const void *data;
        size_t size;

        g_assert_cmpint(sd_bus_message_read_array(message, 'y', &data, &size), >=, 0);
        g_assert_true(size == 0 || !memchr(data, 0, size));
        g_autofree char *bytes = g_strndup(data, size), *escaped = g_strescape(bytes, NULL);
        g_string_append(text, size ? escaped : "''");
}

/* All that is left of the message or container: arrays in [], structs in (), variants behind their
 * type. */
static void print(sd_bus_message *message, GString *text)
{
        const char *contents;
        char type;

        while (sd_bus_message_peek_type(message, &type, &contents) > 0) {
                if (text->len && !strchr("[( ", text->str[text->len - 1]))
                        g_string_append_c(text, ' ');
                if (type == 'a' && !strcmp(contents, "y")) {
                        print_bytes(message, text);
                } else if (strchr("arev", type)) {
                        g_assert_cmpint(sd_bus_message_enter_container(message, type, contents), >,
                                        0);
                        g_string_append(text, type == 'a'   ? "["
                                              : type == 'r' ? "("
                                              : type == 'v' ? contents
                                                            : "");
                        print(message, text);
                        g_string_append(text, type == 'a' ? "]" : type == 'r' ? ")" : "");
                        g_assert_cmpint(sd_bus_message_exit_container(message), >=, 0);
                } else {
                        print_basic(message, type, text);
                }
        }
}

static char *message_text(const RunCommand *command)
{
        g_autoptr(sd_bus) bus = mute_bus_new();
        g_autoptr(sd_bus_message) call = NULL;
        GString *text = g_string_new(NULL);

        g_assert_cmpint(sd_bus_message_new_method_call(bus, &call, NULL, "/x", "x.y", "Z"), >=, 0);
        g_assert_cmpint(
                spawn_request_append(&command->request, call, command->rootfs, command->argv), >=,
                0);
        g_assert_cmpint(sd_bus_message_seal(call, 1, 0), >=, 0);
        g_assert_cmpstr(sd_bus_message_get_signature(call, 1), ==, "ayaaya{uh}a{sv}");
        print(call, text);
        return g_string_free(text, FALSE);
}

/* The message that a command line, with blanks between its words, becomes; NULL if it is refused.
 */
static char *message_of(const char *line)
{
        g_auto(GStrv) words = g_strsplit(line, " ", -1);
        unsigned n = g_strv_length(words);
        /* getopt changes the order of these, and argv[0] is written twice */
        g_autofree char **argv = g_memdup2(words, (n + 1) * sizeof(char *));
        g_auto(RunCommand) command = {0};
        Invocation invocation;
        char *text = NULL;

        g_test_message("%s", line);
        invocation_init(&invocation);
        g_assert_true(invocation_find_verb(&invocation, verbs, (int) n, argv));
        if (run_command_parse(&command, &invocation))
                text = message_text(&command);
        else
                g_assert_cmpint(invocation.status, ==, EXIT_USAGE);
        invocation_clear(&invocation);
        return text;
}

static void assert_message(const char *line, const char *expected)
{
        g_autofree char *text = message_of(line);

        g_assert_cmpstr(text, ==, expected);
}

/* "--" may stand before ROOTFS and before the command, each time once; what follows the command's
 * name is its own, dashes and all. Without a command it is a shell. All of it may be any bytes. */
TEST(command)
{
        assert_message("naivec run /r", "/r [/bin/sh] [] []");
        assert_message("naivec run /r cmd --memory=1 -q -- --help",
                       "/r [cmd --memory=1 -q -- --help] [] []");
        assert_message("naivec run -i -- /r cmd", "/r [cmd] [] []");
        assert_message("naivec run /r -- cmd -- -x", "/r [cmd -- -x] [] []");
        assert_message("naivec -- run -- /r -- cmd", "/r [cmd] [] []");
        assert_message("naivec run /r -- -x", "/r [-x] [] []");
        assert_message("naivec run /r -- -- x", "/r [-- x] [] []");
        assert_message("naivec run /r --", "/r [/bin/sh] [] []");
        assert_message("naivec run --", NULL);
        assert_message("naivec run /r\xff \xff\xfe  --bind",
                       "/r\\377 [\\377\\376 '' --bind] [] []");
}

/* Of a value given twice the last counts; a BOOL without a value means yes; zero is no limit for
 * memory and tasks, but no swap is a limit that somebody may want. */
TEST(values)
{
        assert_message("naivec run -m 1M --memory=2M -- /r x", "/r [x] [] [MemoryMax t 2097152]");
        assert_message("naivec run --umask=0077 /r x", "/r [x] [] [UMask u 63]");
        assert_message("naivec run -e NAIVEC_TEST_UNSET /r x", "/r [x] [] []");
        assert_message("naivec run --memory=0 --memory-swap-max=0 --pids-limit=-1 /r x",
                       "/r [x] [] [MemoryMax t 18446744073709551615 MemorySwapMax t 0 "
                       "TasksMax t 18446744073709551615]");
        assert_message("naivec run --rm --rm=off --read-only /r x",
                       "/r [x] [] [Remove b 0 ReadOnlyRoot b 1]");
}

/* Of a variable set twice the last counts. NAME alone passes on our value. TERM is passed on to a
 * terminal, unless it is set. */
TEST(environment)
{
        g_setenv("TERM", "vt100", TRUE);
        assert_message("naivec run -e A=1 -e AB=\xff -e A=2=3 /r x",
                       "/r [x] [] [Environment aay [AB=\\377 A=2=3]]");
        assert_message("naivec run -t -e TERM /r x",
                       "/r [x] [] [Environment aay [TERM=vt100] Terminal b 1]");
        assert_message("naivec run -t -e TERM=mine -e TERMS=1 /r x",
                       "/r [x] [] [Environment aay [TERM=mine TERMS=1] Terminal b 1]");
        assert_message("naivec run -t -e TERMS=1 /r x",
                       "/r [x] [] [Environment aay [TERMS=1 TERM=vt100] Terminal b 1]");
}

/* Capabilities add up, however they are written; "all" is every one there is. */
TEST(capabilities)
{
        assert_message(
                "naivec run --cap-add=CAP_NET_ADMIN --cap-add=sys_ptrace --cap-add=cap_bpf /r x",
                "/r [x] [] [Capabilities as [CAP_NET_ADMIN CAP_SYS_PTRACE CAP_BPF]]");
        g_autofree char *all = message_of("naivec run --cap-add=ALL /r x");
        for (unsigned i = 0; capability_name(i); i++)
                g_assert_nonnull(strstr(all, capability_name(i)));
}

/* Volumes and tmpfs in the order given, a relative source as seen from here, options as they are. A
 * colon in the name of the current directory neither ends the source nor becomes an option. */
TEST(mounts)
{
        g_autofree char *here = g_dir_make_tmp("a:b:XXXXXX", NULL);

        g_assert_cmpint(chdir(here), ==, 0);
        g_autofree char *real = g_get_current_dir();
        g_autofree char *expected = g_strdup_printf("/r [x] [] [Mounts a(ayaysas) [(/a\\377 /b "
                                                    "bind [ro noexec]) ('' /t tmpfs [size=1M]) "
                                                    "('' /u tmpfs []) (%s/s /d bind [ro])]]",
                                                    real);
        assert_message(
                "naivec run -v /a\xff:/b:ro,noexec --tmpfs=/t:size=1M --tmpfs=/u -v s:/d:ro /r x",
                expected);
        g_assert_cmpint(chdir("/"), ==, 0);
        g_assert_cmpint(g_rmdir(here), ==, 0);
}

/* Each fd is an entry of its own, under its number inside; it must be open, and none of stdio. */
TEST(fds)
{
        g_assert_cmpint(dup2(STDIN_FILENO, 70), ==, 70);
        g_assert_cmpint(dup2(STDIN_FILENO, 71), ==, 71);
        assert_message("naivec run --fd=71 --fd=70 /r x", "/r [x] [71 fd 70 fd] []");
        close(71);
        assert_message("naivec run --fd=71 /r x", NULL);
        assert_message("naivec run --fd=2 /r x", NULL);
}

/* Every row of the table with a flag can be given, and reaches the message with the row's type. */
TEST(every_row)
{
#define X(key, signature, flag, metavar, help) {#key, signature, flag},
        static const struct {
                const char *key, *signature, *flag;
        } rows[] = {SPAWN_OPTIONS(X)};
#undef X

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                const char *value =
                        rows[i].signature[0] == 'b' ? "1"
                        : strchr("tui", rows[i].signature[0]) || !strcmp(rows[i].signature, "au")
                                ? "100"
                        : !strcmp(rows[i].signature, "(uu)")       ? "1:2"
                        : !strcmp(rows[i].signature, "as")         ? "CAP_BPF"
                        : !strcmp(rows[i].signature, "a(ayaysas)") ? "/v:/w"
                                                                   : "v=w";
                g_autofree char *line =
                        g_strdup_printf("naivec run --%s=%s /r x", rows[i].flag, value);
                g_autofree char *start = g_strdup_printf("%s %s ", rows[i].key, rows[i].signature);
                g_autofree char *text = *rows[i].flag ? message_of(line) : NULL;

                g_assert_true(!*rows[i].flag || strstr(text, start));
        }
}

/* Values that make no sense are refused before anything is sent, naming the flag. */
TEST(refusals)
{
        static const char *const rows[][2] = {
                {"umask", "0o22"},
                {"umask", "00000"},
                {"memory", "lots"},
                {"memory", ""},
                {"pids-limit", "-2"},
                {"tty", "perhaps"},
                {"hostname", "\xff"},
                {"name", "a\xc3"},
                {"cap-add", "SYS_NOTHING"},
                {"cap-add", ""},
                {"env", "=x"},
                {"env", ""},
                {"volume", "/a"},
                {"volume", ":/a"},
                {"volume", "/a:"},
                {"volume", "/a::ro"},
                {"sysctl", "a.b"},
                {"sysctl", "=1"},
                {"blkio-weight", "9"},
                {"blkio-weight", "1001"},
        };
        g_auto(SpawnRequest) request;

        spawn_request_init(&request);
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                const Flag *flag = flags();

                while (strcmp(flag->name, rows[i][0]) != 0)
                        flag++;
                g_autofree char *wrong = spawn_flags_take(&request, flag->id, rows[i][1]);
                g_test_message("%s=%s", rows[i][0], rows[i][1]);
                g_assert_true(wrong && strstr(wrong, rows[i][0]));
        }
        assert_message("naivec run --tmpfs=t /r x", NULL);
}

/* podman's long form of a mount is the short one's message. What it does not know is refused. */
TEST(long_mounts)
{
        static const char *const wrong[] = {
                "type=bind,src=/a",
                "type=bind,dst=/b",
                "src=/a,dst=/b",
                "type=volume,src=a,dst=/b",
                "type=tmpfs,src=/a,dst=/b",
                "type=tmpfs,dst=b",
                "type=bind,src=/a,dst=/b:c",
                "type=tmpfs,dst=/b,nosuch",
                "type=tmpfs,dst=/b,ro=perhaps",
                "type=tmpfs,dst=/b,U=true",
                "type=tmpfs,dst=/b,noexec=false",
                "",
        };

        assert_message("naivec run --mount=type=bind,source=/a,target=/b /r x",
                       "/r [x] [] [Mounts a(ayaysas) [(/a /b bind [])]]");
        assert_message("naivec run --mount=type=bind,src=/a,dst=/b,readonly,noexec /r x",
                       "/r [x] [] [Mounts a(ayaysas) [(/a /b bind [ro noexec])]]");
        assert_message("naivec run --mount=type=bind,src=/a,destination=/b,ro=false,rw=false /r x",
                       "/r [x] [] [Mounts a(ayaysas) [(/a /b bind [rw ro])]]");
        assert_message("naivec run --mount=type=tmpfs,dst=/b,tmpfs-size=1k,tmpfs-mode=700 /r x",
                       "/r [x] [] [Mounts a(ayaysas) [('' /b tmpfs [size=1k mode=700])]]");
        for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
                g_autofree char *line = g_strdup_printf("naivec run --mount=%s /r x", wrong[i]);
                assert_message(line, NULL);
        }
}

/* The variables of files give way to those of --env, and earlier files to later ones. */
TEST(env_files)
{
        g_autofree char *first = NULL, *second = NULL;
        int fds[] = {g_file_open_tmp(NULL, &first, NULL), g_file_open_tmp(NULL, &second, NULL)};

        g_assert_true(
                g_file_set_contents(first, "# no\n\n  A=1\nB=\"2\"\nUNSET_HERE\nC=x=y", -1, NULL));
        g_assert_true(g_file_set_contents(second, "A=3\nD=4\n", -1, NULL));
        g_autofree char *line = g_strdup_printf(
                "naivec run -e D=5 --env-file=%s --env-file=%s /r x", first, second);
        assert_message(line, "/r [x] [] [Environment aay [D=5 A=3 C=x=y B=\\\"2\\\"]]");
        g_assert_true(g_file_set_contents(first, "A=1\n=2\n", -1, NULL));
        assert_message(line, NULL);
        g_assert_true(g_file_set_contents(first, "A=1\0B=2", 7, NULL));
        assert_message(line, NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++)
                close(fds[i]);
        unlink(first);
        unlink(second);
        assert_message(line, NULL);
}

/* The last value of a key counts; networks as podman spells them. */
TEST(kernel)
{
        assert_message("naivec run --sysctl=a.b=1 --sysctl=c=2=3 --sysctl=a.b=4 /r x",
                       "/r [x] [] [Sysctl a{ss} [c 2=3 a.b 4]]");
        assert_message("naivec run --network=none /r x", "/r [x] [] [Network s private]");
        assert_message("naivec run --network=ns:/proc/self/ns/net /r x",
                       "/r [x] [] [NetworkNamespaceFD h fd]");
        assert_message("naivec run --network=ns:/no/such /r x", NULL);
        assert_message("naivec run --init --blkio-weight=10 /r x",
                       "/r [x] [] [IOWeight t 1 Init b 1]");
}

/* No two flags share an id. */
TEST(ids)
{
        for (const Flag *a = flags(); a->name; a++)
                for (const Flag *b = a + 1; b->name; b++)
                        g_assert_cmpint(a->id, !=, b->id);
}

int main(int argc, char **argv)
{
        g_assert_cmpint(chdir("/"), ==, 0);
        return run_cases(argc, argv);
}
