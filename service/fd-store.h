#pragma once

/* systemd's store of file descriptors as a Manager's FdKeeper: what is kept there outlives the
 * service. Without systemd nothing is kept. */

#include "service/container/status/fd-keeper.h"

typedef struct FdStore FdStore;

/* Takes what a predecessor stored. Call it early, before other fds are opened. */
FdStore *fd_store_new(void);
/* Call this when every container has taken its fd: the others belong to no container any more.
 * Closes them and removes them from the store. */
void fd_store_forget_untaken(FdStore *store);
/* Leaves the store as it is: a service that failed to start must end no terminal. */
void fd_store_free(FdStore *store);
FdKeeper fd_store_keeper(FdStore *store); /* borrows the store */
