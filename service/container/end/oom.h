#pragma once

/* Watches a leaf for OOM kills: counts them, and with the first ends whatever is left of the group.
 * Part of a Container's struct, used by it alone; knows no container and no process. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/cgroup/cgroup.h"
#include "service/util/watch.h"

typedef void (*OomFunc)(void *data);

typedef struct OomWatch {
        Cgroup *cgroup;  /* borrowed */
        uint64_t *kills; /* the number so far, as of the last event */
        OomFunc function;
        void *data;
        Watch *watch;
        guint look; /* timer: look again, after an event that was only a hint */
        unsigned looks_left, delay;
        bool spares; /* the others in the leaf, which is not ours: it only tells, each time */
} OomWatch;

/* Nothing happens where no memory hierarchy serves the leaf. All zero, but for `function`, which is
 * called from the loop when there were kills: not begun. `is_adopted`: there may have been kills
 * that nobody watched. */
void oom_watch_begin(OomWatch *watch, Cgroup *cgroup, uint64_t *kills, bool is_adopted);
/* Call this before `cgroup` is freed; a watch not begun is fine. */
void oom_watch_end(OomWatch *watch);
