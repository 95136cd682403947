/* naive-bwrap: bubblewrap's command line, for which the service makes the sandbox. One request is
 * made of the line; then this waits for the command's end as `naivec run` does. Where the service
 * cannot be had, nothing runs: there is no way of its own around it. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/bwrap/line.h"
#include "cli/bwrap/report.h"
#include "cli/bwrap/translate.h"
#include "cli/bwrap/tree.h"
#include "cli/lib/client.h"
#include "cli/lib/session.h"
#include "cli/lib/session/create.h"
#include "cli/lib/text.h"
#include "dbus/names.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

typedef struct Bwrap {
        BwrapLine line;
        Tree tree;
        SpawnRequest request;
        ClientOptions options;
} Bwrap;

static void bwrap_clear(Bwrap *bwrap)
{
        bwrap_line_clear(&bwrap->line);
        tree_clear(&bwrap->tree);
        spawn_request_clear(&bwrap->request);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Bwrap, bwrap_clear)

/* Opens /dev/null in place of a closed stdin, stdout or stderr: else the next file that is opened
 * would get that number, and could be passed to the command. */
static bool has_stdio(void)
{
        for (int fd = 0; fd <= 2; fd++)
                if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_NOCTTY) != fd)
                        return false;
        return true;
}

static bool die_with_parent(pid_t parent)
{
        return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

/* -- the request -- */

static bool is_kept(const BwrapLine *line, int fd)
{
        for (unsigned i = 0; i < N_BWRAP_FDS; i++)
                if (line->fds[i] == fd)
                        return true;
        return false;
}

static bool pass_fd(Bwrap *bwrap, int fd)
{
        bool is_high = fd > (int) SPAWN_FD_NUMBER_MAX;

        if (is_high || bwrap->request.fds->len == SPAWN_FDS_MAX) {
                complain("the command would inherit file descriptor %d, which is %s", fd,
                         is_high ? "a higher number than a container has"
                                 : "more than a bus message carries");
                return false;
        }
        spawn_request_add_fd(&bwrap->request, fd, fd);
        return true;
}

/* The command inherits what we have, as from bubblewrap: but not what the options are for, nor what
 * is closed by exec. */
static bool pass_fds(Bwrap *bwrap, bool has_terminal)
{
        DIR *list = opendir("/proc/self/fd");
        const struct dirent *entry;
        bool done = true;

        while (list && done && (entry = readdir(list))) {
                guint64 number = 0;
                bool is_fd =
                        g_ascii_string_to_unsigned(entry->d_name, 10, 0, INT_MAX, &number, NULL);
                int fd = (int) number, flags = fcntl(fd, F_GETFD);

                if (is_fd && flags >= 0 && !(flags & FD_CLOEXEC) &&
                    (fd > STDERR_FILENO || !has_terminal) && !is_kept(&bwrap->line, fd))
                        done = pass_fd(bwrap, fd);
        }
        if (list)
                closedir(list);
        return list && done;
}

static bool make_request(Bwrap *bwrap)
{
        mode_t mask = umask(0);
        g_autofree char *directory = g_get_current_dir();
        char hostname[256] = "";
        const BwrapCaller caller = {
                .uid = getuid(),
                .gid = getgid(),
                .umask = mask,
                .hostname = hostname,
                .directory = directory,
                .has_terminal = isatty(0) && isatty(1) && isatty(2),
        };

        umask(mask);
        if (gethostname(hostname, HOSTNAME_LENGTH_MAX + 1) < 0)
                *hostname = '\0';
        g_autofree char *wrong =
                bwrap_translate(&bwrap->line, &caller, &bwrap->tree, &bwrap->request);
        if (wrong)
                complain("%s", wrong);
        return !wrong && pass_fds(bwrap, spawn_request_is_true(&bwrap->request, SPAWN_Terminal));
}

/* -- what we do for the command -- */

static bool lock_file(const Tree *tree, const char *path)
{
        g_autofree char *host = tree_find_host_path(tree, path);
        struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
        int fd = host ? open(host, O_RDONLY | O_CLOEXEC) : -1;

        if (!host)
                complain("--lock-file %s: nothing of the host's is bound there", path);
        else if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0)
                complain("--lock-file %s: cannot lock '%s': %s", path, host, g_strerror(errno));
        else
                return true; /* held until we end */
        if (fd >= 0)
                close(fd);
        return false;
}

static bool lock_files(const Bwrap *bwrap)
{
        for (unsigned i = 0; i < bwrap->line.lock_files->len; i++)
                if (!lock_file(&bwrap->tree, bwrap->line.lock_files->pdata[i]))
                        return false;
        return true;
}

static bool find_pid(Client *client, const char *path, uint32_t *ret)
{
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        int r = client_new_call(client, path, "org.freedesktop.DBus.Properties", "Get", &call);

        if (r >= 0)
                r = sd_bus_message_append(call, "ss", INTERFACE_CONTAINER, "Pid");
        if (r >= 0)
                r = client_call(client, call, 0, &error, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "v", "u", ret);
        if (r < 0)
                client_complain_errno(client, "Pid", r);
        return r >= 0;
}

/* Tells who is to know of the command before it runs, and waits for who may hold it up. */
static bool prepare(const Bwrap *bwrap, Client *client, const char *path)
{
        const int *fds = bwrap->line.fds;
        uint32_t pid;
        char byte;

        if (!lock_files(bwrap))
                return false;
        if ((fds[FD_INFO] >= 0 || fds[FD_STATUS] >= 0) && !find_pid(client, path, &pid))
                return false;
        if ((fds[FD_INFO] >= 0 && !report_child(fds[FD_INFO], (pid_t) pid, false)) ||
            (fds[FD_STATUS] >= 0 && !report_child(fds[FD_STATUS], (pid_t) pid, true))) {
                complain("cannot write what is told of the command: %s", g_strerror(errno));
                return false;
        }
        if (fds[FD_INFO] >= 0)
                close(fds[FD_INFO]);
        if (fds[FD_BLOCK] >= 0 && TEMP_FAILURE_RETRY(read(fds[FD_BLOCK], &byte, 1)) < 0) {
                complain("--block-fd: %s", g_strerror(errno));
                return false;
        }
        return true;
}

static void forget(Client *client, const char *path)
{
        g_autoptr(sd_bus_message) reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;

        client_call_container(client, path, "Delete", &error, &reply, "");
}

/* The command's exit status as bubblewrap gives it; 1 if something went wrong before it ran. */
static int run_session(const Bwrap *bwrap, Client *client, const char *path)
{
        g_autoptr(Session) session = session_new(client, path, INTERFACE_CONTAINER);
        int status = 0;

        session_forward_signals(session);
        if (spawn_request_is_true(&bwrap->request, SPAWN_Terminal))
                status = session_attach(session, (TerminalOptions){.sends_eof = true});
        if (status == 0)
                status = session_run(session, true);
        if (!session_has_result(session) && status <= EXIT_SIGNAL_BASE)
                status = EXIT_FAILURE;
        return status;
}

static int run(Bwrap *bwrap)
{
        const NewContainer container = {
                .request = &bwrap->request,
                .rootfs = "",
                .argv = (const char *const *) bwrap->line.argv,
                .member = "Create",
                .denied_hint = bwrap_line_has_host_network(&bwrap->line)
                                       ? "without --unshare-net or --unshare-all the command has "
                                         "the host's network, which needs the action "
                                         "org.naive.Runc.run-privileged"
                                       : NULL,
        };
        g_autoptr(Client) client = client_open(&bwrap->options);
        g_autofree char *path = NULL;

        if (!client || !client_passes_fds(client, g_get_prgname()) ||
            session_make_container(client, &container, &path) != 0) {
                if (!bwrap->options.is_embedded)
                        hint("nothing was run; '--embedded' does without the service, with your "
                             "own rights");
                return EXIT_FAILURE;
        }
        client_end_agent(client);
        spawn_request_yield_fds(&bwrap->request);
        if (!prepare(bwrap, client, path)) {
                forget(client, path);
                return EXIT_FAILURE;
        }
        int status = run_session(bwrap, client, path);
        if (bwrap->line.fds[FD_STATUS] >= 0)
                report_exit(bwrap->line.fds[FD_STATUS], status);
        return status;
}

static int act(Bwrap *bwrap, pid_t parent)
{
        const bool *flags = bwrap->line.flags;

        if (flags[FLAG_HELP]) {
                g_autofree char *help = bwrap_line_help();
                fputs(help, stdout);
                return fflush(stdout) == EOF;
        }
        if (flags[FLAG_VERSION]) {
                puts("naive-bwrap " PROJECT_VERSION ", with the options of bubblewrap 0.12.0");
                return fflush(stdout) == EOF;
        }
        if (flags[FLAG_DIE_WITH_PARENT] && !die_with_parent(parent))
                return EXIT_FAILURE;
        bwrap->options.is_embedded = flags[FLAG_EMBEDDED];
        return make_request(bwrap) ? run(bwrap) : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
        pid_t parent = getppid();
        g_auto(Bwrap) bwrap = {.options.asks_password = true};
        g_auto(GStrv) environment = g_get_environ();

        if (argc < 1 || !has_stdio())
                return EXIT_FAILURE;
        setlocale(LC_CTYPE, "");
        setlocale(LC_MESSAGES, "");
        g_autofree char *name = g_path_get_basename(argv[0]);
        g_set_prgname(name);
        tree_init(&bwrap.tree);
        spawn_request_init(&bwrap.request);
        g_autofree char *wrong = bwrap_line_parse(&bwrap.line, argv + 1, environment);
        if (bwrap.line.flags[FLAG_LEVEL_PREFIX]) {
                g_autofree char *prefixed = g_strconcat("<3>", name, NULL);
                g_set_prgname(prefixed);
        }
        if (wrong)
                complain("%s", wrong);
        return wrong ? EXIT_FAILURE : act(&bwrap, parent);
}
