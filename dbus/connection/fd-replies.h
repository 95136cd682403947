#pragma once

/* Replies that carry a file descriptor, to clients that may be unable to take one. Whether a client
 * can, it agrees with the bus daemon, which tells nobody: the daemon drops the reply, and the
 * service gets an error for it. The client's call stays without an answer (dbus-daemon has closed
 * it), so its next one is refused at once. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "service/spec/error.h"

typedef struct FdReplies FdReplies;

FdReplies *fd_replies_new(sd_bus *bus);
void fd_replies_free(FdReplies *replies);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FdReplies, fd_replies_free)

/* NotSupported for a caller that is known not to take file descriptors: to be asked before anything
 * is opened. */
bool fd_replies_may(const FdReplies *replies, sd_bus_message *call, GError **error);
/* Answers `call` with `fd`, which is borrowed. `of` names its object in the log. */
bool fd_replies_send(FdReplies *replies, sd_bus_message *call, int fd, const char *of,
                     GError **error);
