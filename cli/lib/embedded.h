#pragma once

/* The same service as a child of naivec, on one end of a socketpair: for machines without a system
 * bus and for users without a say there. It has exactly its caller's rights and ends with it. */

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
        const char *program;
        pid_t pid;    /* 0: not started */
        int messages; /* what it says, where naivec does not show it at once; -1: naivec does */
} Embedded;

/* Starts the service; the connected socket in *ret_socket. 0 or -errno; `program` is set then, too.
 * With `shows_messages` they go to stderr as they come, else they are kept. */
int embedded_start(Embedded *embedded, bool shows_messages, int *ret_socket);

/* The last of the kept messages, for who has to tell why the service failed; "" if there are none.
 * Owned. */
char *embedded_last_words(const Embedded *embedded);

/* Call after the connection is closed: that is what tells the service to end its containers. */
void embedded_stop(Embedded *embedded);
