#pragma once

/* The system call filter of the default profile, as classic BPF programs: three variants, built
 * once when the service starts, of which every container's child installs one unchanged; a
 * container with more capabilities gets a program of its own. Knows names and numbers of system
 * calls, no containers: whether a run has a filter at all, compile.c decides.
 *
 * The child installs `program` by seccomp(SECCOMP_SET_MODE_FILTER, 0, &program) as long as it may
 * do so without no_new_privs, before it drops its capabilities. From then on setns, mount, unshare
 * and their like are gone, so all set-up (and a second namespace, and the keyring) comes
 * before. */

#include <glib.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/spec/rights.h"

typedef struct SeccompProgram {
        struct sock_fprog program; /* owns program.filter; never changes once made */
} SeccompProgram;

typedef enum SeccompVariant {
        SECCOMP_SET_ID_ALLOWED,
        SECCOMP_SET_ID_REFUSED, /* no file can be given a set-id bit, and no capability */
        SECCOMP_STRICT,         /* the same, and only a tracer reaches into another process */
} SeccompVariant;

SeccompVariant seccomp_variant(RightsFilter filter); /* not for none */
/* Each of `capabilities` (a mask) allows the calls that it is for, which are refused without it.
 * Fails with RUNTIME_ERROR_FAILED if the program cannot be built, for want of memory for
 * example. */
bool seccomp_program_new(SeccompVariant variant, uint64_t capabilities, SeccompProgram **ret,
                         GError **error);
bool seccomp_opens(uint64_t capabilities); /* does any of them allow a call? */
/* Appends to `code`, of struct sock_filter, what libseccomp makes of a filter of its own. 0 or
 * -errno. */
int seccomp_append_exported(GArray *code, void *filter);
void seccomp_program_free(SeccompProgram *program);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SeccompProgram, seccomp_program_free)
