#pragma once

/* The teller: a process beside the service that writes to what one user has passed as StatusFD, one
 * process for each user. Knows nothing of what the lines mean; status-fd.c starts it and tells it.
 *
 * Why a process: whoever writes to a pipe from memory that does not answer (its sender's
 * userfaultfd or FUSE file) holds the pipe's lock, and with it everybody who writes to the pipe,
 * opens it anew or is the last to close it; no signal ends that, and no flag of the call helps. So
 * it is with a TCP socket, whose lock a sender holds. What holds up a teller holds up what its user
 * has passed, and nothing else. It outlives the service for as long as somebody keeps its socket
 * (fd-keeper.h), or a last line waits for room. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STATUS_LINE_MAX 1024u /* bytes */

typedef enum TellerVerb {
        TELLER_OPEN,   /* comes with the descriptor, in its envelope if there is one */
        TELLER_SAY,    /* write `text`, or keep it until there is room */
        TELLER_FINISH, /* the same with the last line; then close */
        TELLER_DROP,   /* close without a word */
        TELLER_KEEP,   /* of a successor of the service: this one goes on, */
        TELLER_SWEEP,  /* and all others are closed */
} TellerVerb;

/* What the teller is told, without the rest of `text`. A successor may be another version of the
 * service: whoever changes this changes the name under which the socket is kept. The teller says in
 * return the number, a uint64_t, of what is watched and has no reader any more. */
typedef struct TellerOrder {
        uint64_t number;
        uint32_t verb;
        uint32_t watches; /* TELLER_OPEN: tell when nobody reads any more */
        char text[STATUS_LINE_MAX];
} TellerOrder;

_Noreturn void teller_work(pid_t service, int socket);
