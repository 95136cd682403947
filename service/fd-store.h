#pragma once

/* systemd's store of file descriptors as a Manager's FdKeeper: a terminal whose master is kept
 * there outlives the service. Without systemd nothing is kept. */

#include "service/manager/fd-keeper.h"

typedef struct FdStore FdStore;

FdStore *fd_store_new(
        void); /* takes what a predecessor stored; early, before other fds are opened */
/* What nobody has taken belongs to no container any more: out of the store with it. Once all could
 * be taken. */
void fd_store_forget_untaken(FdStore *store);
void fd_store_free(
        FdStore *store); /* what is stored stays so: a start that failed must end no terminal */
FdKeeper fd_store_keeper(FdStore *store); /* borrows the store */
