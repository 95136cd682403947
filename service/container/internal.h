#pragma once

/* The Container, for the files that work on it: container.c has its life, from the launch to the
 * clean-up; control.c what a caller does to it meanwhile. Nobody else looks into it. */

#include "service/container/container.h"
#include "service/container/deadline.h"
#include "service/container/ending.h"
#include "service/container/oom.h"
#include "service/container/process.h"

struct Container {
        ContainerInfo info;
        Order *order;
        const ContainerHooks *hooks;
        void *data;

        Process *process;    /* NULL: not yet, or no more */
        int mount_namespace; /* held open until the clean-up, see Launched */
        Cgroup *cgroup;
        IdMap *map;
        Output *output;
        OomWatch oom;

        Deadline deadline;
        Overdue overdue;
        GError *failure; /* why it could not be set up or executed */
        guint clean_timer;
        guint clean_delay;
};

/* -- container.c -- */
bool container_is_starting(const Container *container); /* on its way from `created` to exec */
void container_set_state(Container *container, ContainerState state);
