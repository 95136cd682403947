/* Times whole processes: `stopwatch COMMAND [ARGUMENT…]` starts the command for each run that it is
 * asked for (rounds.h), reads its standard output to the end and waits for it. Small and resident,
 * so that what is measured is the command, not a shell's or Python's way of starting it. "@@" in an
 * argument becomes the number of the run, for commands that want a fresh name each time. */

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/rounds.h"

#define ARGUMENTS_MAX 64
#define ARGUMENT_MAX  512

typedef struct Stopwatch {
        char **command;
        char *arguments[ARGUMENTS_MAX + 1];
        char texts[ARGUMENTS_MAX][ARGUMENT_MAX];
        unsigned runs;
} Stopwatch;

extern char **environ;

static void fill_arguments(Stopwatch *watch)
{
        size_t i;

        for (i = 0; i < ARGUMENTS_MAX && watch->command[i]; i++) {
                const char *at = strstr(watch->command[i], "@@");
                watch->arguments[i] = watch->command[i];
                if (!at)
                        continue;
                snprintf(watch->texts[i], ARGUMENT_MAX, "%.*s%u%s", (int) (at - watch->command[i]),
                         watch->command[i], watch->runs, at + 2);
                watch->arguments[i] = watch->texts[i];
        }
        watch->arguments[i] = NULL;
        watch->runs++;
}

static Sample run(void *data)
{
        Stopwatch *watch = data;
        Sample sample = {.status = -1};
        posix_spawn_file_actions_t actions;
        char buffer[4096];
        int ends[2], status;
        pid_t pid;

        fill_arguments(watch);
        uint64_t begin = now_nsec();
        if (pipe2(ends, O_CLOEXEC) < 0)
                return sample;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
        int r = posix_spawnp(&pid, watch->arguments[0], &actions, NULL, watch->arguments, environ);
        posix_spawn_file_actions_destroy(&actions);
        close(ends[1]);
        if (r == 0) {
                while (read(ends[0], buffer, sizeof buffer) > 0)
                        ;
                while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                        ;
                sample.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        close(ends[0]);
        sample.nsec = now_nsec() - begin;
        return sample;
}

int main(int argc, char **argv)
{
        static Stopwatch watch;

        if (argc < 2 || argc - 1 > ARGUMENTS_MAX) {
                fprintf(stderr, "usage: stopwatch COMMAND [ARGUMENT…]\n");
                return 2;
        }
        watch.command = argv + 1;
        return serve_rounds(run, &watch) ? 0 : 1;
}
