/* Times whole processes: each order (rounds.h) is a command, started for each run that is asked
 * for; its standard output is read to the end and it is waited for. Small and resident, so that
 * what is measured is the command, not a shell's or Python's way of starting it. "@@" in a word
 * becomes the number of the run, for commands that want a fresh name each time. */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/rounds.h"

#define ARGUMENTS_MAX 64
#define ARGUMENT_MAX  512

typedef struct Stopwatch {
        Orders orders;
        char *arguments[ARGUMENTS_MAX + 1];
        char texts[ARGUMENTS_MAX][ARGUMENT_MAX];
        unsigned runs;
} Stopwatch;

extern char **environ;

static void fill_arguments(Stopwatch *watch, char **command)
{
        size_t i;

        for (i = 0; i < ARGUMENTS_MAX && command[i]; i++) {
                const char *at = strstr(command[i], "@@");
                watch->arguments[i] = command[i];
                if (!at)
                        continue;
                snprintf(watch->texts[i], ARGUMENT_MAX, "%.*s%u%s", (int) (at - command[i]),
                         command[i], watch->runs, at + 2);
                watch->arguments[i] = watch->texts[i];
        }
        watch->arguments[i] = NULL;
        watch->runs++;
}

static Sample run(size_t order, void *data)
{
        Stopwatch *watch = data;
        Sample sample = {.status = -1};
        posix_spawn_file_actions_t actions;
        char buffer[4096];
        int ends[2], status;
        pid_t pid;

        fill_arguments(watch, watch->orders.list[order]);
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

        if (argc != 2) {
                fprintf(stderr, "usage: stopwatch ORDERS\n");
                return 2;
        }
        watch.orders = orders_load(argv[1], 1);
        return serve_rounds(watch.orders.n, run, &watch) ? 0 : 1;
}
