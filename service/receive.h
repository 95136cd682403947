#pragma once

/* Keeps the descriptors that callers send out of the service: takes recvmsg()'s place for the whole
 * program, libsystemd included, and has messages that bring descriptors read by another process,
 * the receiver (receiver.h), which gives back an envelope for each (util/envelope.h).
 *
 * Why (see FLUSH in fs/fuse/file.c, and filp_flush() in fs/open.c): each close() of an fd on a FUSE
 * file waits for the file's server, and no signal ends the wait. It does not matter whether other
 * copies exist, so every child that the service clones would wait as well when it closes what it
 * does not need. The last close() of others can wait, too: of a socket with SO_LINGER; of an
 * inotify instance; of whatever an epoll instance of the sender's watches, a mere pipe too, while
 * the kernel writes that instance's events to memory whose pages the sender serves; of a deleted
 * file of any size. So there is no list of harmless kinds. Rejected: closing in a child that shares
 * the table of fds. Such a child, once stuck, keeps the table (with the lock, and the connection)
 * beyond the service's end, needs another one for the next fd, and helps no other child of the
 * service. */

#include "service/spec/credentials.h"

/* `bus`: the socket to guard. For a service on a bus, once, before the first message is processed.
 * Not for a private connection, whose caller can delay only himself. */
void receive_guard(int bus);
/* See IntakeSenders: so that what one user passed, and what does not end, leaves those who close
 * free for others. */
void receive_next(const char *name, const Credentials *caller, unsigned n_fds);
void receive_learned(const char *name, const Credentials *caller);
/* When the socket is closed. Lets go of the receiver, which ends by itself once nothing is left to
 * be closed. */
void receive_end(void);
