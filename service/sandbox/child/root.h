#pragma once

/* The child's mounts: what every container has is made early, as detached mounts; late, the root
 * tree becomes the root and they are attached in it. By child/child.c's rules, and of its
 * library. */

#include <sys/syscall.h>
#include <unistd.h>

#include "service/sandbox/child/plan.h"

/* The program has a close() of its own (service/close.c), which is for the service. */
static inline void sandbox_close(int fd)
{
        syscall(SYS_close, fd);
}

typedef struct SandboxMounts {
        int proc, sys, pts, shm, tmp, mqueue;
} SandboxMounts;

/* Each ends the process with a report if a step fails. `fds`: as they came with SANDBOX_GO. */
void sandbox_make_mounts(const SandboxBase *base, SandboxMounts *mounts);
void sandbox_enter_root(const SandboxBase *base, const SandboxMounts *mounts, const int *fds);

typedef struct SandboxMountOption {
        const char *key, *value;
} SandboxMountOption;

/* A new file system as a detached mount, or -1. */
int sandbox_new_mount(const char *type, const SandboxMountOption *options, size_t n,
                      unsigned attributes);

/* -- child/child.c -- */
_Noreturn void sandbox_fail(const SandboxBase *base, SandboxStage stage);
_Noreturn void sandbox_fail_at(const SandboxBase *base, SandboxStage stage, uint32_t index);
