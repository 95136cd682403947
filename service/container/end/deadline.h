#pragma once

/* A moment at which a container's time is over, on the monotonic clock, so that the clock's being
 * set neither ends a container nor lets it live longer. Part of a Container's struct, used by it
 * alone; knows no container. */

#include <glib.h>
#include <stdint.h>

typedef void (*DeadlineFunc)(void *data);

/* All zero: not begun. */
typedef struct Deadline {
        uint64_t usec;
        guint timer;
        DeadlineFunc function;
        void *data;
} Deadline;

/* Calls `function` once, from the loop, when CLOCK_MONOTONIC has reached `usec`; 0: never. */
void deadline_begin(Deadline *deadline, uint64_t usec, DeadlineFunc function, void *data);
void deadline_end(Deadline *deadline);
/* The moment at which a time that begins now is over; UINT64_MAX is no limit, and so is the 0 that
 * this returns. */
uint64_t deadline_after(uint64_t usec);
