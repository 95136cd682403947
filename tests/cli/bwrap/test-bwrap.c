/* From bubblewrap's command line to the request that the service gets. */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/bwrap/translate.h"
#include "service/util/bus-auto.h"
#include "tests/lib/case.h"
#include "tests/lib/must.h"
#include "tests/lib/mute-bus.h"

typedef struct Trial {
        BwrapLine line;
        Tree tree;
        SpawnRequest request;
        char *wrong;
} Trial;

static void trial_clear(Trial *trial)
{
        bwrap_line_clear(&trial->line);
        tree_clear(&trial->tree);
        spawn_request_clear(&trial->request);
        g_free(trial->wrong);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Trial, trial_clear)

static const BwrapCaller caller = {
        .uid = 1000, .gid = 1001, .umask = 027, .hostname = "here", .directory = "/usr"};

/* `words` with blanks between them. */
static Trial try(const char *words, char *const *environment)
{
        static char *const none[] = {NULL};
        g_auto(GStrv) list = g_strsplit(words, " ", -1);
        Trial trial = {0};

        g_test_message("%s", words);
        tree_init(&trial.tree);
        spawn_request_init(&trial.request);
        trial.wrong = bwrap_line_parse(&trial.line, list, environment ? environment : none);
        for (unsigned i = 0; !trial.wrong && i < trial.line.steps->len; i++)
                trial.wrong = tree_add(&trial.tree, &g_array_index(trial.line.steps, BwrapStep, i));
        return trial;
}

static void assert_refused(const char *words, const char *part)
{
        g_auto(Trial) trial = try(words, NULL);

        g_assert_nonnull(trial.wrong);
        g_assert_nonnull(strstr(trial.wrong, part));
}

static void read_mount(sd_bus_message *message, GString *text)
{
        const char *type, *option;
        const void *source, *target;
        size_t n, m;

        g_assert_cmpint(sd_bus_message_read_array(message, 'y', &source, &n), >=, 0);
        g_assert_cmpint(sd_bus_message_read_array(message, 'y', &target, &m), >=, 0);
        g_assert_cmpint(sd_bus_message_read(message, "s", &type), >, 0);
        g_string_append_printf(text, "%s %.*s>%.*s", type, (int) n, (const char *) source, (int) m,
                               (const char *) target);
        g_assert_cmpint(sd_bus_message_enter_container(message, 'a', "s"), >, 0);
        while (sd_bus_message_read(message, "s", &option) > 0)
                g_string_append_printf(text, " %s", option);
        g_assert_cmpint(sd_bus_message_exit_container(message), >=, 0);
        g_string_append_c(text, '\n');
}

/* The mounts of a line, as they go over the bus. */
static char *mounts_of(const char *words)
{
        g_auto(Trial) trial = try(words, NULL);
        g_autoptr(sd_bus) bus = mute_bus_new();
        g_autoptr(sd_bus_message) call = NULL;
        GString *text = g_string_new(NULL);
        const char *key;

        g_assert_cmpstr(trial.wrong, ==, NULL);
        tree_request(&trial.tree, &trial.request);
        must(sd_bus_message_new_method_call(bus, &call, NULL, "/x", "x.y", "Z"));
        must(sd_bus_message_open_container(call, 'a', "{sv}"));
        must(spawn_request_append_options(&trial.request, call));
        must(sd_bus_message_close_container(call));
        must(sd_bus_message_seal(call, 1, 0));
        must(sd_bus_message_enter_container(call, 'a', "{sv}"));
        if (sd_bus_message_enter_container(call, 'e', "sv") <= 0)
                return g_string_free(text, FALSE);
        must(sd_bus_message_read(call, "s", &key));
        must(sd_bus_message_enter_container(call, 'v', "a(ayaysas)"));
        must(sd_bus_message_enter_container(call, 'a', "(ayaysas)"));
        while (sd_bus_message_enter_container(call, 'r', "ayaysas") > 0) {
                read_mount(call, text);
                must(sd_bus_message_exit_container(call));
        }
        return g_string_free(text, FALSE);
}

static void assert_mounts(const char *words, const char *expected)
{
        g_autofree char *text = mounts_of(words);

        g_assert_cmpstr(text, ==, expected);
}

/* Options end at "--" or at the first word that is none; what follows is the command. */
TEST(command)
{
        g_auto(Trial) plain = try("--unshare-all ls --help", NULL);
        g_auto(Trial) marked = try("--new-session -- --x", NULL);

        g_assert_cmpstr(plain.line.argv[0], ==, "ls");
        g_assert_cmpstr(plain.line.argv[1], ==, "--help");
        g_assert_cmpstr(marked.line.argv[0], ==, "--x");
        assert_refused("--unshare-all", "no command");
        assert_refused("--unshare-all --", "no command");
}

/* What is not done is refused by its name, and so is what nobody knows. */
TEST(refused)
{
        assert_refused("--userns 3 x", "--userns is refused");
        assert_refused("--tmp-overlay /x x", "--tmp-overlay is refused");
        assert_refused("--exec-label l x", "--exec-label is refused");
        assert_refused("--nonsense x", "Unknown option --nonsense");
        assert_refused("--ro-bnd /x /y x", "is it --ro-bind");
        assert_refused("-x x", "Unknown option -x");
        assert_refused("--bind /x", "--bind takes SRC DEST");
        assert_refused("--sync-fd -1 x", "not a file descriptor");
        assert_refused("--uid 4294967295 x", "not a number");
        assert_refused("--hostname h x", "requires --unshare-uts");
        assert_refused("--cap-add CAP_NONE x", "no such capability");
        assert_refused("--seccomp 3 --add-seccomp-fd 4 x", "cannot be combined");
}

/* Steps become mounts in their order, with bubblewrap's modes. */
TEST(mounts)
{
        assert_mounts("--ro-bind /usr /usr/ --symlink usr/bin bin --bind-try /a //b/./c x",
                      "bind /usr>/usr ro\nsymlink usr/bin>/bin\nbind /a>/b/c try\n");
        assert_mounts("--proc /proc --dev /dev --mqueue /q --tmpfs /t --dir /d x",
                      "proc >/proc\ndev >/dev\nmqueue >/q\ntmpfs >/t mode=0755\n"
                      "dir >/d mode=0755\n");
        assert_mounts("--ro-bind / / x", "bind />/ ro\n");
        assert_refused("--tmpfs /a/../b x", "'..'");
        assert_refused("--tmpfs  x", "empty");
}

/* --perms and --size are for the next option alone, and that has to be one that takes them. */
TEST(modes)
{
        assert_mounts("--perms 0711 --size 4096 --tmpfs /t --tmpfs /u x",
                      "tmpfs >/t mode=0711 size=4096\ntmpfs >/u mode=0755\n");
        assert_mounts("--perms 0700 --dir /a/b x", "dir >/a mode=0700\ndir >/a/b mode=0700\n");
        assert_refused("--perms 0700 --bind /a /b x", "--perms must be followed");
        assert_refused("--size 5 --dir /b x", "--size must be followed");
        assert_refused("--perms 0700 x", "--perms must be followed");
        assert_refused("--perms 8 --dir /b x", "not an octal mode");
}

/* What changes an earlier step changes its mount; what nothing has made is refused. */
TEST(changes)
{
        assert_mounts("--bind /a /b --remount-ro /b x", "bind /a>/b ro\n");
        assert_mounts("--dir /d --chmod 0500 /d x", "dir >/d mode=0500\n");
        assert_mounts("--proc /a/p --chmod 0700 /a x", "dir >/a mode=0700\nproc >/a/p\n");
        assert_refused("--remount-ro /b x", "no bind or tmpfs");
        assert_refused("--bind /a /b --chmod 0700 /b x", "what the line itself has made");
        assert_refused("--bind /a /b --chmod 0700 /b/c x", "what the line itself has made");
}

/* Of devices only those are bound that are there already. */
TEST(devices)
{
        assert_mounts("--dev /dev --dev-bind /dev/null /dev/null x", "dev >/dev\n");
        assert_refused("--dev-bind / / x", "no container gets devices");
        assert_refused("--dev-bind /dev/null /dev/null x", "no container gets devices");
        assert_refused("--dev /dev --dev-bind /dev/kvm /dev/kvm x", "no container gets devices");
        assert_refused("--dev /dev --dev-bind /dev/zero /dev/null x", "no container gets devices");
}

/* The content of files, any bytes, comes from descriptors, up to a limit. */
TEST(files)
{
        g_autofree char *words = NULL;
        int ends[2];

        g_assert_cmpint(pipe(ends), ==, 0);
        g_assert_cmpint(write(ends[1], "ab", 2), ==, 2);
        close(ends[1]);
        words = g_strdup_printf("--ro-bind-data %d /i/j x", ends[0]);
        assert_mounts(words, "dir >/i mode=0700\ndata ab>/i/j ro mode=0600\n");
        int zero = open("/dev/zero", O_RDONLY);
        g_autofree char *many = g_strdup_printf("--file %d /f x", zero);
        assert_refused(many, "has more than 1048576 bytes");
        assert_refused("--file 999 /f x", "cannot read file descriptor 999");
        close(zero);
}

/* The words of --args come in its place; they may not be endless. */
TEST(args)
{
        static const char text[] = "--dir\0/d\0--chdir\0/e";
        g_autofree char *words = NULL;
        int ends[2];

        g_assert_cmpint(pipe(ends), ==, 0);
        g_assert_cmpint(write(ends[1], text, sizeof text), ==, sizeof text);
        close(ends[1]);
        words = g_strdup_printf("--tmpfs /t --args %d --proc /p x", ends[0]);
        assert_mounts(words, "tmpfs >/t mode=0755\ndir >/d mode=0755\nproc >/p\n");
}

/* The environment is passed whole; PWD is where the command begins: here if that is there, else at
 * home, else at the root. */
TEST(directory)
{
        char *environment[] = {(char *) "HOME=/h", (char *) "A=1", NULL};
        static const struct {
                const char *words, *pwd;
        } rows[] = {
                {"--ro-bind /usr /usr x", "/usr"},
                {"--dir /h x", "/h"},
                {"--dir /h --clearenv x", "/"},
                {"--dir /a x", "/"},
                {"--chdir /c x", "/c"},
                {"--tmpfs /usr/lib x", "/usr"},
                {"--ro-bind / / --tmpfs / x", "/"},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Trial) trial = try(rows[i].words, environment);
                g_auto(Tree) tree;
                tree_init(&tree);
                g_free(bwrap_translate(&trial.line, &caller, &tree, &trial.request));
                g_assert_true(spawn_request_has(&trial.request, SPAWN_WorkingDirectory));
                g_assert_cmpstr(g_environ_getenv(trial.line.environment, "PWD"), ==, rows[i].pwd);
        }
}

/* A path inside leads to what is bound there, by the last mount that covers it. */
TEST(host_paths)
{
        g_auto(Trial) trial = try("--bind /a /b --tmpfs /b/t --ro-bind /c /b/t/d x", NULL);
        g_autofree char *bound = tree_find_host_path(&trial.tree, "/b/x");
        g_autofree char *deep = tree_find_host_path(&trial.tree, "b/t/d/e");
        g_autofree char *hidden = tree_find_host_path(&trial.tree, "/b/t/x");

        g_assert_cmpstr(bound, ==, "/a/x");
        g_assert_cmpstr(deep, ==, "/c/e");
        g_assert_cmpstr(hidden, ==, NULL);
}

/* The host's network unless it is said otherwise, the last word being --share-net's. */
TEST(network)
{
        static const struct {
                const char *words;
                bool is_on_host;
        } rows[] = {
                {"x", true},
                {"--unshare-net x", false},
                {"--unshare-all x", false},
                {"--unshare-all --share-net x", true},
                {"--unshare-net --share-net x", true},
                {"--share-net --unshare-net x", false},
                {"--unshare-ipc --unshare-pid x", true},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Trial) trial = try(rows[i].words, NULL);
                g_assert_cmpint(bwrap_line_has_host_network(&trial.line), ==, rows[i].is_on_host);
        }
}
