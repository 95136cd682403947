#pragma once

/* The system call filter of the default profile: built once, when the service starts, in two
 * variants of a classic BPF program, of which every container's child installs one unchanged; for a
 * container with more capabilities one of its own. It knows names and numbers of system calls, not
 * containers: a run without the filter is the launcher's business.
 *
 * The child installs `program` by seccomp(SECCOMP_SET_MODE_FILTER, 0, &program) as its last
 * privileged step, with no_new_privs set. From then on setns, mount, unshare, chroot and their like
 * are gone, so all set-up (and a second namespace, and the keyring) comes before. */

#include <glib.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct SeccompProgram {
        struct sock_fprog program; /* owns program.filter; never changes once made */
} SeccompProgram;

typedef enum SeccompSetId {
        SECCOMP_SET_ID_ALLOWED,
        SECCOMP_SET_ID_REFUSED, /* no file can be given a set-id bit, and no capability */
} SeccompSetId;

/* Each of `capabilities` (a mask) opens the calls that it is for, which are refused without. Fails
 * with RUNTIME_ERROR_FAILED, only for want of memory or a kernel without seccomp filters. */
bool seccomp_program_new(SeccompSetId set_id, uint64_t capabilities, SeccompProgram **ret,
                         GError **error);
bool seccomp_opens(uint64_t capabilities); /* any call */
void seccomp_program_free(SeccompProgram *program);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SeccompProgram, seccomp_program_free)
