#include "cli/lib/session/signals.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "service/util/fd.h"

#define LEAVE_MSEC 2000
#define N(array)   (sizeof(array) / sizeof(array)[0])

static const int caught_signals[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
                                     SIGUSR2, SIGCONT, SIGPIPE, SIGWINCH};

void signals_foreach(void (*function)(int signal, void *data), void *data)
{
        for (unsigned i = 0; i < N(caught_signals); i++)
                function(caught_signals[i], data);
}

/* nohup, or a shell that starts a background job, sets signals to be ignored. Neither naivec nor
 * the container may then react to them, but a signalfd gets blocked signals even if they are
 * ignored. */
static bool is_ignored(int signal)
{
        struct sigaction action;

        return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int signals_catch(sigset_t *ret_saved_mask)
{
        sigset_t taken, blocked;

        sigemptyset(&taken);
        for (unsigned i = 0; i < N(caught_signals); i++)
                if (!is_ignored(caught_signals[i]))
                        sigaddset(&taken, caught_signals[i]);
        blocked = taken;
        sigaddset(&blocked, SIGTTIN);
        sigaddset(&blocked, SIGTTOU);
        sigprocmask(SIG_BLOCK, &blocked, ret_saved_mask);
        return signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool signals_ask_to_leave(int signal)
{
        return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
}

unsigned signals_count_leaving(LeaveCount *count)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        int64_t now = (int64_t) time.tv_sec * 1000 + time.tv_nsec / 1000000;
        if (count->n == 0 || now - count->first > LEAVE_MSEC)
                *count = (LeaveCount){.first = now};
        return ++count->n;
}

static const char *find_field(const char *status, const char *name)
{
        const char *line = strstr(status, name);

        return line ? line + strlen(name) : NULL;
}

/* "NSpid:\t4711\t1": the numbers from our namespace inwards. */
static bool is_first_inside(const char *status)
{
        const char *numbers = find_field(status, "\nNSpid:");
        size_t length = numbers ? strcspn(numbers, "\n") : 0;

        return length > 2 && strncmp(numbers + length - 2, "\t1", 2) == 0 &&
               strcspn(numbers + 1, "\t") + 1 < length;
}

bool signals_parse_spared(const char *status, int signal)
{
        static const char *const masks[] = {"\nSigBlk:", "\nSigIgn:", "\nSigCgt:"};
        uint64_t met = 0;

        for (unsigned i = 0; i < N(masks); i++) {
                const char *mask = find_field(status, masks[i]);
                if (!mask)
                        return false;
                met |= strtoull(mask, NULL, 16);
        }
        return is_first_inside(status) && !(met & UINT64_C(1) << (signal - 1));
}

bool signals_are_spared(pid_t pid, int signal)
{
        char path[32], text[4096];

        snprintf(path, sizeof path, "/proc/%d/status", (int) pid);
        return fd_read_file_at(AT_FDCWD, path, text, sizeof text) > 0 &&
               signals_parse_spared(text, signal);
}
