#pragma once

/* The receiver: a process beside the service which reads, on its behalf, from the bus's socket what
 * brings descriptors. It keeps a copy of each, so that the service is never the last to have one,
 * and a throw-away child closes those of a message once nobody has their envelopes any more. Knows
 * nothing of what messages mean; receive.c starts it and asks it. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RECEIVER_DATA_MAX 4096u

/* Comes with a copy of the bus's socket, to be read once; or without, to tell a stranger's uid. */
typedef struct ReceiverRequest {
        uint32_t size;     /* of data that are wanted */
        bool drops;        /* nobody needs the descriptors */
        uid_t uid;         /* the sender's; -1: not known, or not yet */
        uint64_t stranger; /* the sender's number until its uid is told; 0: it will not be told */
} ReceiverRequest;

/* Comes with the envelopes. */
typedef struct ReceiverReply {
        int32_t length; /* of the data, or -errno */
        uint32_t n_fds;
        bool is_dropped; /* the descriptors are gone */
        char data[RECEIVER_DATA_MAX];
} ReceiverReply;

_Noreturn void receiver_work(pid_t service, int socket);
