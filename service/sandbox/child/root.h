#pragma once

/* The child's mounts: what every container has is made early, as detached mounts; late, the root
 * tree becomes the root and the plan's steps are walked in it. Belongs to child.c's library, and
 * follows its rules. */

#include <sys/syscall.h>
#include <unistd.h>

#include "service/sandbox/child/plan.h"

/* Not close(): it asks libc whether there are other threads, and a cloned copy has none. */
static inline void root_close(int fd)
{
        syscall(SYS_close, fd);
}

/* A new file system as a detached mount, or -1. */
int root_new_mount(const NewMount *what);
/* One with an empty `file` and an empty `directory`, to cover others; -1 on failure. */
int root_make_covers(void);

/* Each ends the process with a report if a step fails. `early`: the detached mounts, by their place
 * in the base; `fds`: as they came with SANDBOX_GO. */
void root_make_early(const SandboxBase *base, int early[EARLY_MOUNTS_MAX]);
void root_cover_early(const SandboxBase *base, const int *early); /* the base's steps */
void root_enter(const SandboxBase *base, const int *early, const int *fds);
