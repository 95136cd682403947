#pragma once

/* What a container's end is told as: result, code and LimitHit, of how its first process ended and
 * why the service killed it, if it did. Decides alone; touches no process and no leaf. */

#include <signal.h>
#include <stdbool.h>

#include "service/container/info.h"

/* Why the service killed the container. All zero: it did not. */
typedef struct Overdue {
        bool is_over;   /* a time is over: of the set-up, of Stop's grace, of a limit */
        LimitHit limit; /* the limit of time; LIMIT_HIT_NONE: it was another */
} Overdue;

/* `info->oom_kills` is known, and `info->limit_hit` is what the counters of the leaf say. */
void ending_judge(ContainerInfo *info, const siginfo_t *status, const Overdue *overdue);
