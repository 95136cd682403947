#pragma once

/* systemd's store of file descriptors as a Manager's FdKeeper: a terminal whose master is kept
 * there outlives the service. Without systemd nothing is kept. */

#include "service/manager.h"

typedef struct FdStore FdStore;

FdStore *fd_store_new(
        void); /* takes what a predecessor stored; early, before other fds are opened */
void fd_store_free(FdStore *store);
FdKeeper fd_store_keeper(FdStore *store); /* borrows the store */
