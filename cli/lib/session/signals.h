#pragma once

/* The signals that a session takes, and what they do to a process that has no handler for them. The
 * first process of a pid namespace is spared by the kernel what would end any other: without more,
 * `timeout 1 naivec run ROOTFS sleep 60` would last a minute. Knows no bus. Called by session.c,
 * and by the lean client. */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Calls `function` for each signal that a session takes. */
void signals_foreach(void (*function)(int signal, void *data), void *data);
/* Blocks them, and those by which a terminal stops who is in its background: what may not be done
 * there fails instead. Returns a signalfd. */
int signals_catch(sigset_t *ret_saved_mask);
bool signals_ask_to_leave(int signal);

/* A container's PID 1 ignores every signal, even SIGTERM, for which it has no handler. We leave all
 * the same once we have got this many of them within two seconds. */
#define LEAVE_SIGNALS 3
#define LEAVE_HINT    "the command goes on; send the signal again at once to end it by force"

typedef struct {
        unsigned n;
        int64_t first; /* when, in milliseconds */
} LeaveCount;

/* Counts another signal that asks to leave, and returns how many have come in time. */
unsigned signals_count_leaving(LeaveCount *count);

/* Is `pid` the first process of a pid namespace below ours, and does it do nothing about `signal`:
 * neither handle nor block nor ignore it? */
bool signals_are_spared(pid_t pid, int signal);
/* The same from the text of its /proc/PID/status. */
bool signals_parse_spared(const char *status, int signal);
