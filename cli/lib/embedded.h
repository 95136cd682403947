#pragma once

/* The private service of --embedded: the same program as the system's service, started as our child
 * and connected by a socketpair. It is for machines without a system bus and for users whom polkit
 * refuses. It has exactly the caller's rights, and ends with the connection. Called by client.c. */

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
        const char *program;
        pid_t pid;    /* 0: not started */
        int messages; /* a file with all that it has printed; -1: that goes to our stderr */
} Embedded;

/* The words for a limit of this process's, which the service would inherit and could not work with;
 * NULL if there is none. */
const char *embedded_lacks(void);

/* Starts the service and returns the connected socket in *ret_socket. 0, or -errno; `program` is
 * set in either case. Its messages go to our stderr with `shows_messages`, else into a file in
 * memory. */
int embedded_start(Embedded *embedded, bool shows_messages, int *ret_socket);

/* The last warning or error in that file, which tells why the service has failed; "" if there is
 * none. Owned. */
char *embedded_last_words(const Embedded *embedded);

/* Waits for the service to end. Close the connection before: the service then ends its containers.
 */
void embedded_stop(Embedded *embedded);
