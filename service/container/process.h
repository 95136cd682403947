#pragma once

/* Watches one process of a container, through its pidfd alone: reads what its sandbox reports until
 * exec, limits its time, waits for its end and reads its exit code. Belongs to whoever launched the
 * process or took it over from a predecessor, and tells its owner through ProcessHooks. Knows no
 * container, no leaf and no output: whatever else ends with the process, its owner ends. */

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "service/sandbox/launch.h"

typedef struct Process Process;

/* Called from the loop alone. Only `ended` may free the process. */
typedef struct ProcessHooks {
        /* All is set up: the process waits for process_execute(), or goes on to exec by itself.
         * `terminal`: the master of its terminal (owned from here on), or -1. */
        void (*ready)(int terminal, void *data);
        /* The process could not be set up or executed, and will end. Once, with the first
         * report. */
        void (*failed)(const SandboxReport *report, void *data);
        /* The report ended without a failure when only exec was left to do. Either exec closed the
         * socket, or the process died at that moment: process_has_executed() tells which. */
        void (*executed)(void *data);
        /* The time that the set-up or process_set_time() allowed is over: the owner kills. */
        void (*overdue)(void *data);
        /* The process has ended and is reaped; the last hook. `status` is as waitid() says it;
         * `si_code` 0: nobody knows how the process ended. */
        void (*ended)(const siginfo_t *status, void *data);
        /* Before `ready`: the filter asks about what it refuses, on `listener` (owned from here
         * on). */
        void (*asks)(int listener, void *data);
} ProcessHooks;

/* Takes over the pidfd and the socket of `launched`, and begins to time the set-up. `execute`: as
 * in the Order. */
Process *process_new(const Launched *launched, bool execute, const ProcessHooks *hooks, void *data);

/* For a process that a predecessor executed (`pidfd` is consumed). Its parent is another process,
 * so its exit code may stay unknown. */
Process *process_adopt(pid_t pid, int pidfd, const ProcessHooks *hooks, void *data);

/* The process itself runs on. NULL is fine. */
void process_free(Process *process);

/* Lets a waiting process go on to exec, and times that: `executed`, `failed` or `ended` follows. */
void process_execute(Process *process);
bool process_is_executing(const Process *process); /* nothing but exec is or was left to do */

/* Told by its name, which a zombie keeps until it is reaped. */
bool process_has_executed(const Process *process);

/* The number of a PID 1 of the service's, which hands on to the command what it is sent; 0: it is
 * the command. By its name too: a command that has taken that one is spared what else it may
 * ignore. */
pid_t process_init(const Process *process);

/* Calls `overdue` after this time, and forgets any time set before. UINT64_MAX: never. */
void process_set_time(Process *process, uint64_t usec);

/* Has the process, one that was taken over, ended? `ret` is as of `ended`. */
bool process_look_for_end(const Process *process, siginfo_t *ret);

/* What it has used, once it has ended: `ended` may ask. False: nobody knows. */
bool process_usage(const Process *process, struct rusage *ret);

int process_pidfd(const Process *process);              /* borrowed */
int process_signal(const Process *process, int signal); /* 0, also when it has ended, or -errno */
/* Blocks until the end: kill first. False: it does not end, for a file system on which it has a
 * file open does not let it. */
bool process_reap(const Process *process);
