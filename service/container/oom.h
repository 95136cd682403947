#pragma once

/* Watches a leaf for kills for memory: counts them, and ends whoever is left of the group with the
 * first. Part of a Container's struct, used by it alone; knows no container and no process. */

#include <glib.h>
#include <stdint.h>

#include "service/cgroup/cgroup.h"
#include "service/util/watch.h"

typedef struct OomWatch {
        Cgroup *cgroup;  /* borrowed */
        uint64_t *kills; /* the number so far, as of the last event */
        Watch *watch;
        guint look; /* again, after an event that was no more than a hint */
        unsigned looks_left;
} OomWatch;

/* Nothing happens where no memory hierarchy serves the leaf. All zero: not begun. */
void oom_watch_begin(OomWatch *watch, Cgroup *cgroup, uint64_t *kills);
void oom_watch_end(OomWatch *watch); /* before `cgroup` is freed; also of a watch not begun */
