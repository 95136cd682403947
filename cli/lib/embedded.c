#include "cli/lib/embedded.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/lib/child.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

/* Longer than the service waits for a container that ignores SIGTERM. */
#define END_MSEC   ((int) (STOP_TIMEOUT_USEC / 1000) + 5000)
#define GRACE_MSEC 2000
/* No message of the service is longer. */
#define WORDS_MAX 4096

/* NAIVE_RUNCD names the service of a build tree, for tests. secure_getenv() ignores it where this
 * program has more rights than the user who runs it. */
static const char *service_program(void)
{
        const char *program = secure_getenv("NAIVE_RUNCD");

        return program && *program == '/' ? program : DAEMON_PATH;
}

const char *embedded_lacks(void)
{
        static const struct {
                __rlimit_resource_t resource;
                rlim_t least;
                bool is_raised; /* the service raises the soft limit to the hard one */
                const char *words;
        } needs[] = {
                /* the sandbox keeps its own fds above those of the command */
                {RLIMIT_NOFILE, 512, true, "open files (ulimit -n) is less than 512"},
                /* shared memory counts, and so do the service's messages */
                {RLIMIT_FSIZE, 8 << 20, false, "a file's size (ulimit -f) is less than 8 MiB"},
        };
        struct rlimit limit;

        for (unsigned i = 0; i < G_N_ELEMENTS(needs); i++)
                if (getrlimit(needs[i].resource, &limit) == 0 &&
                    (needs[i].is_raised ? limit.rlim_max : limit.rlim_cur) < needs[i].least)
                        return needs[i].words;
        return NULL;
}

int embedded_start(Embedded *embedded, bool shows_messages, int *ret_socket)
{
        int ends[2];
        char option[32];

        *embedded = (Embedded){.program = service_program(), .messages = -1};
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        autofd int ours = ends[0], theirs = ends[1];
        autofd int messages = shows_messages ? -1 : memfd_create("messages", MFD_CLOEXEC);
        if (!shows_messages && messages < 0)
                return -errno;
        snprintf(option, sizeof option, "--embedded=%d", theirs);
        const char *const argv[] = {embedded->program, option, NULL};
        /* The service gets a session of its own: otherwise Ctrl-C on our terminal would end it
         * before its container could react. */
        ChildSpec spec = {
                .argv = argv,
                .input = -1,
                .output = shows_messages ? STDERR_FILENO : messages,
                .errors = shows_messages ? -1 : messages,
                .kept_fd = theirs,
                .has_own_session = true,
        };
        pid_t pid = child_start(&spec);
        if (pid < 0)
                return pid;
        embedded->pid = pid;
        embedded->messages = steal_fd(&messages);
        *ret_socket = steal_fd(&ours);
        return 0;
}

char *embedded_last_words(const Embedded *embedded)
{
        char words[WORDS_MAX + 1] = "";
        struct stat status;
        ssize_t n = 0;

        if (embedded->messages >= 0 && fstat(embedded->messages, &status) == 0)
                n = pread(embedded->messages, words, WORDS_MAX, MAX(0, status.st_size - WORDS_MAX));
        words[MAX(n, 0)] = '\0';
        for (;;) {
                g_strchomp(words);
                char *newline = strrchr(words, '\n'), *line = newline ? newline + 1 : words;
                if (!g_str_has_prefix(line, "** Message")) /* what went well is no reason */
                        return g_strdup(line);
                *line = '\0';
        }
}

void embedded_stop(Embedded *embedded)
{
        if (embedded->pid > 0 && !child_wait(embedded->pid, END_MSEC))
                child_end(embedded->pid, GRACE_MSEC);
        if (embedded->pid > 0)
                fd_clear(&embedded->messages);
        embedded->pid = 0;
}
