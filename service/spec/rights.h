#pragma once

/* What the first process of a container may do, as its plan says. The record keeps it: a process
 * that joins the container later gets no more than that, also after a restart of the service. Plain
 * data. Its resource limits and the score of the OOM killer are not here: the kernel tells them,
 * and nothing in a container can raise them. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/spec/process-spec.h"

typedef enum RightsFilter {
        RIGHTS_FILTER_NONE,           /* all system calls */
        RIGHTS_FILTER_DEFAULT,        /* the profile's */
        RIGHTS_FILTER_SET_ID_REFUSED, /* the profile's, and no file gets a set-id bit */
        RIGHTS_FILTER_STRICT,         /* the same, and no way into another process but ptrace */
        _RIGHTS_FILTER_MAX,
} RightsFilter;

typedef struct Rights {
        uint64_t capabilities; /* the bounding set; of root, the permitted and the effective too */
        uint64_t user_capabilities; /* what another user has of them, as its ambient set */
        RightsFilter filter;
        uint64_t filter_capabilities; /* the calls that these are for pass the filter, a mask */
        bool tells_refusals;          /* of the filter, see container/events/denials.h */
        bool no_new_privileges;
        bool has_inner_namespace; /* a second user namespace locks its mounts */
        bool has_user_namespace;  /* else its root is the host's */
        bool keeps_groups;        /* it has its owner's groups of the host, and nobody else's ids */
        uint32_t uid, gid;        /* as the container counts */
        uint32_t groups[GROUPS_MAX];
        uint32_t n_groups;
} Rights;

/* Settles what a process gets that joins a container whose first process has the rights `first`,
 * and which has `n_ids` ids (0: all of the host's). What `process` (of process_spec_init_join())
 * leaves open becomes as it is for the first one, what it says may take away. Whatever would be
 * more is InvalidArgs, by the option's name: nothing would say on the container's object that a
 * process in it has more. */
bool rights_settle_join(const Rights *first, uint32_t n_ids, ProcessSpec *process, Rights *ret,
                        GError **error);
