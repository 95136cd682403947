#pragma once

/* The part of the system call filter that decides by arguments: what a call may ask for, call by
 * call, as instructions of classic BPF. Knows numbers of calls and of what they take, no
 * containers. seccomp.c puts it in front of what is decided by name alone. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/sandbox/seccomp.h"

/* Appends the rules; each of `capabilities` (a mask) allows what it is for. A call that no rule is
 * about, and any of a foreign architecture, runs into what follows. */
void argument_rules_append(GArray *code, SeccompVariant variant, uint64_t capabilities);
bool argument_rules_open(uint64_t capabilities); /* does any of them allow a call? */
