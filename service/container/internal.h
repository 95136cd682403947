#pragma once

/* The Container, for the files that work on it: container.c has its life, from the launch to the
 * clean-up; control.c what a caller does to it meanwhile, pause.c what takes some time of that.
 * Nobody else looks into it. */

#include "service/container/container.h"
#include "service/container/end/cpu-time.h"
#include "service/container/end/deadline.h"
#include "service/container/end/ending.h"
#include "service/container/end/oom.h"
#include "service/container/events/denials.h"
#include "service/container/events/pressure.h"
#include "service/container/process.h"

/* A pause or a resume that is under way; `timeout` is 0 if there is none. */
typedef struct Pausing {
        bool wanted;   /* to be paused */
        int events_fd; /* -1: there is none */
        Watch *watch;
        guint look, delay; /* timer, in its place */
        guint timeout;
} Pausing;

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
        uint64_t oom_told; /* of the kills, those that were told */
        Pressure pressure;
        Denials denials;
        Pausing pausing;
        int freezer_fd; /* of another's container, which others pause, too; -1: there is none */
        Watch *freezer_watch;

        StatusFd *status; /* NULL: none, or its last line is said */
        unsigned said;    /* the states (bits) that it was told */
        Deadline deadline;
        CpuTime cpu_time;
        Overdue overdue;
        GError *failure; /* why it could not be set up or executed */
        guint clean_timer;
        guint clean_delay;
};

/* -- container.c -- */
bool container_is_starting(const Container *container); /* on its way from `created` to exec */
void container_set_state(Container *container, ContainerState state);

/* -- events/telling.c -- */
void container_begin_telling(Container *container);
/* Tells of kills, if there are more than were told. */
void container_tell_out_of_memory(Container *container);
void container_tell_rest(Container *container); /* before its end is told */

/* -- control.c -- */
bool container_wrong_state(const Container *container, const char *verb, GError **error);

/* -- pause.c -- */
/* Resumes a container that is paused, so that it can act on a signal that was sent. A pause that is
 * under way fails. */
bool container_let_act(Container *container, GError **error);
/* The same for SIGKILL, which needs no answer: v1 keeps even that from who stands still. */
void container_let_die(Container *container);
/* Puts back what is under way, if anything is. */
void container_end_pausing(Container *container);
/* Another's container that was taken over: it may wait for its start, and others pause it. */
void container_follow(Container *container);
/* Before an end is told: who ended went on before, so a resume that is under way is done. */
void container_end_resuming(Container *container);
