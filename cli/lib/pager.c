#include "cli/lib/pager.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/lib/child.h"
#include "cli/lib/terminal.h"
#include "service/util/fd.h"

static const char *pager_program(void)
{
        const char *program = secure_getenv("NAIVEC_PAGER");

        if (!program)
                program = secure_getenv("PAGER");
        return program ? program : "less";
}

static bool is_long(const char *text)
{
        unsigned short rows, columns;
        unsigned lines = 0;

        if (!terminal_size(&rows, &columns))
                return true;
        for (; *text; text++)
                lines += *text == '\n';
        return lines >= rows;
}

/* Starts the pager; returns its pid and a pipe to it, or a negative number. A pager can start
 * further programs. Under sudo those would run as root, so LESSSECURE forbids it. */
static pid_t start_pager(int *ret_write_end)
{
        g_auto(GStrv) environment = g_get_environ();
        g_auto(GStrv) argv = NULL;
        int ends[2];

        if (!g_shell_parse_argv(pager_program(), NULL, &argv, NULL) || pipe2(ends, O_CLOEXEC) < 0)
                return -1;
        autofd int read_end = ends[0], write_end = ends[1];
        environment = g_environ_setenv(environment, "LESS", "FRSXMK", FALSE);
        environment = g_environ_setenv(environment, "LESSCHARSET", "utf-8", FALSE);
        if (g_environ_getenv(environment, "SUDO_UID"))
                environment = g_environ_setenv(environment, "LESSSECURE", "1", TRUE);
        ChildSpec spec = {
                .argv = (const char *const *) argv,
                .environment = (const char *const *) environment,
                .input = read_end,
                .output = -1,
                .errors = -1,
                .kept_fd = -1,
        };
        pid_t pid = child_start(&spec);
        if (pid > 0)
                *ret_write_end = steal_fd(&write_end);
        return pid;
}

void pager_print(const char *text, bool wants_pager)
{
        struct sigaction ignore = {.sa_handler = SIG_IGN}, saved_int, saved_pipe;
        int fd;
        pid_t pid = -1;

        if (wants_pager && isatty(STDOUT_FILENO) && is_long(text))
                pid = start_pager(&fd);
        FILE *stream = pid > 0 ? fdopen(fd, "w") : NULL;
        if (!stream) {
                fputs(text, stdout);
                return;
        }
        /* Ctrl-C is for the pager now. SIGPIPE comes if the user leaves the pager before it has
         * read all. */
        sigaction(SIGINT, &ignore, &saved_int);
        sigaction(SIGPIPE, &ignore, &saved_pipe);
        fputs(text, stream);
        fclose(stream);
        child_wait(pid, -1);
        sigaction(SIGINT, &saved_int, NULL);
        sigaction(SIGPIPE, &saved_pipe, NULL);
}
