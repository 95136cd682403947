#pragma once

/* Tells when somebody in a cgroup was killed for want of memory. Called by events. */

#include <stdint.h>

#include "service/cgroup/path/path.h"

typedef struct OciOom {
        int fd;       /* to be polled for `events`; -1: nobody tells */
        short events; /* POLLIN, or of v2 POLLPRI */
        int control;  /* of v1, which goes with the cgroup */
        uint64_t kills;
} OciOom;

void oci_oom_open(const PathCgroup *cgroup, OciOom *ret);
/* Was somebody killed since? */
bool oci_oom_has_come(OciOom *oom);
void oci_oom_close(OciOom *oom);
