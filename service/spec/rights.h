#pragma once

/* What the first process of a container may do, as its plan says. The record keeps it: a process
 * that joins the container later gets no more than that, also after a restart of the service. Plain
 * data. */

#include <stdbool.h>
#include <stdint.h>

typedef enum RightsFilter {
        RIGHTS_FILTER_NONE,           /* all system calls */
        RIGHTS_FILTER_DEFAULT,        /* the profile's */
        RIGHTS_FILTER_SET_ID_REFUSED, /* the profile's, and no file gets a set-id bit */
        _RIGHTS_FILTER_MAX,
} RightsFilter;

typedef struct Rights {
        uint64_t capabilities; /* the bounding, the permitted and the effective set */
        RightsFilter filter;
        uint64_t filter_capabilities; /* the calls that these are for pass the filter, a mask */
        bool no_new_privileges;
        bool has_inner_namespace; /* a second user namespace locks its mounts */
        bool has_user_namespace;  /* else its root is the host's */
} Rights;
