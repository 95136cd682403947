#pragma once

/* The system calls that a container's filter refuses, where they are told: each is a question of
 * the kernel's on a listener, of which every process has one that was executed in the container by
 * the service. Answers as the filter would have, and counts. Nothing is asked of who has no
 * listener any more: after the end of the service the kernel refuses with ENOSYS. Part of a
 * Container's struct, used by it alone; knows no container. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/spec/rights.h"

/* `call` was refused `n` times so far. False: cannot be told now. */
typedef bool (*DenialsFunc)(const char *call, uint64_t n, void *data);

/* All zero, but for the function: nobody has asked so far. */
typedef struct Denials {
        DenialsFunc function;
        void *data;
        struct SeccompProgram *program;
        GPtrArray *listeners; /* owned */
        GHashTable *counts;   /* number of the call → Count, owned */
        unsigned answers;     /* in this period */
        guint timer;          /* of the period; 0: nothing was refused for as long as that */
} Denials;

/* Takes over `listener`, of a process with these rights. */
void denials_listen(Denials *denials, const Rights *rights, int listener);
void denials_tell(Denials *denials); /* before the container's end is told: what was not yet */
void denials_end(Denials *denials);  /* also if nobody has asked */
