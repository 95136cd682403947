#pragma once

/* What a filter program says of a call, for a container whose refused calls are told: there the
 * kernel asks the service in place of refusing, and the service answers what the program would
 * have. Knows no container and no descriptor. */

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "service/sandbox/seccomp.h"

/* The errno with which the program refuses the call. The kernel asks about no other call; EPERM if
 * the program does not refuse it all the same. */
int verdict_errno(const SeccompProgram *program, const struct seccomp_data *call);

/* Changes a copy of a program: what it refuses with an errno, it asks about. */
void verdict_let_ask(struct sock_filter *code, size_t n);

/* The name of a system call; owned. NULL: it has none. */
char *verdict_call_name(int number);
