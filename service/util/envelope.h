#pragma once

/* What a caller passes never becomes a descriptor of the service: closing one, even a copy, can
 * take as long as its sender likes. It stays in an envelope: a socket of the service's own, in
 * whose queue the caller's descriptor waits, with a note of what it is. Envelopes are copied,
 * handed on and closed like any fd, and only a throw-away process, a look-up's or the container's,
 * opens one.
 *
 * service/receiver.c makes them. On a private connection there are none: the caller is the user
 * whose service this is. Knows nothing of what the fds are for. */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct EnvelopeNote {
        int32_t error;  /* errno of looking at the descriptor; then the rest is 0 */
        int32_t status; /* as by F_GETFL */
        uint32_t mode;  /* type, as in st_mode */
        int32_t is_pidfd;
        uint64_t device; /* as st_dev */
        int32_t socket;  /* of a socket: its type, as SOCK_STREAM */
} EnvelopeNote;

/* From now on every descriptor of a caller's comes in an envelope, sockets too. */
void envelope_expect(void);

/* Looks at a descriptor itself, without asking its file system, which might never answer. */
EnvelopeNote envelope_note(int fd);

/* Makes an envelope. What is inside stays the sender's as well. `*ret_end`: hangs up as soon as
 * nobody has the envelope any more. Returns the envelope, -1 with errno. */
int envelope_make(int fd, const EnvelopeNote *note, int *ret_end);

/* In place of one whose descriptor is gone, for its sender has too many waiting to be closed. Its
 * note has ENVELOPE_EMPTY as error. -1 with errno. */
#define ENVELOPE_EMPTY ETOOMANYREFS
int envelope_make_empty(void);

/* False: `fd` is no envelope but the thing itself. Asks no file system. */
bool envelope_read(int fd, EnvelopeNote *ret);

/* A copy of what is inside, or `fd` itself if it is no envelope; -1 with errno. For processes that
 * may be held up by it. */
int envelope_open(int fd);
