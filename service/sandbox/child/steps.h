#pragma once

/* The single steps that child.c puts in order: each is a few system calls, and false or -1 means
 * that it failed, with errno. They belong to child.c's library, and follow its rules. */

#include "service/sandbox/child/plan.h"

/* -- early -- */
bool steps_enter_cgroups(const SandboxBase *base);
bool steps_close_others(const SandboxBase *base);
bool steps_reset_signals(void);
bool steps_reset_scheduling(void);
bool steps_set_ids(const SandboxBase *base);
bool steps_raise_loopback(void);
bool steps_let_ping(const SandboxBase *base, int proc);
/* steps_hold_inner() makes a process in a second user namespace, enters the namespaces that this
 * user namespace owns, and returns the pidfd of the process. steps_enter_inner() enters the user
 * namespace itself, once all is mounted. */
int steps_hold_inner(const SandboxBase *base);
bool steps_enter_inner(int holder);

/* -- late -- */
/* The fds that come with SANDBOX_GO, lifted out of the targets' way. */
bool steps_receive_go(const SandboxBase *base, int fds[SANDBOX_FDS_MAX]);
bool steps_open_stdio(int dev); /* `dev` is closed; -1: there is none */
/* For its user; the master. `pts`: the container's devpts, -1: where /dev has it. `is_taken`: it
 * becomes the terminal of this process's session. */
int steps_open_terminal(const ProcessAttributes *attributes, int pts, bool is_taken);
bool steps_set_attributes(const SandboxPlan *plan);
/* With the capabilities, the process becomes its user. */
bool steps_load_filter(const SandboxBase *base); /* the service's */
void steps_load_more_filters(const SandboxBase *base);
bool steps_drop_capabilities(const SandboxPlan *plan);
/* Does the path lead through one of /proc's links to what a process holds? Then errno is
 * SANDBOX_EMAGIC, and the path must not be followed. */
bool steps_is_magic(int directory, const char *path);
bool steps_is_magic_command(const SandboxPlan *plan);
_Noreturn void steps_execute(const SandboxBase *base);
