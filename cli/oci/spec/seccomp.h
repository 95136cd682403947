#pragma once

/* `linux.seccomp` of a config.json. Names of calls and architectures stay words: libseccomp knows
 * them, and those that it does not know are left out, as in runc. */

#include "cli/oci/spec/values.h"

typedef enum OciSeccompAction {
        OCI_SECCOMP_KILL_THREAD, /* SCMP_ACT_KILL as well */
        OCI_SECCOMP_KILL_PROCESS,
        OCI_SECCOMP_TRAP,
        OCI_SECCOMP_ERRNO,
        OCI_SECCOMP_TRACE,
        OCI_SECCOMP_ALLOW,
        OCI_SECCOMP_LOG,
} OciSeccompAction;

typedef enum OciSeccompOperator {
        OCI_SECCOMP_NE,
        OCI_SECCOMP_LT,
        OCI_SECCOMP_LE,
        OCI_SECCOMP_EQ,
        OCI_SECCOMP_GE,
        OCI_SECCOMP_GT,
        OCI_SECCOMP_MASKED_EQ, /* `value` is the mask, `value_two` what is left */
} OciSeccompOperator;

typedef struct OciSeccompArgument {
        unsigned index; /* 0 to 5 */
        uint64_t value, value_two;
        OciSeccompOperator operator;
} OciSeccompArgument;

typedef struct OciSeccompRule {
        char **names;
        OciSeccompAction action;
        OciUnsigned errno_value;
        OciSeccompArgument *args;
        size_t n_args;
} OciSeccompRule;

typedef struct OciSeccomp {
        OciSeccompAction default_action;
        OciUnsigned default_errno;
        char **architectures;  /* "SCMP_ARCH_X86_64" …; never NULL, perhaps empty */
        char **flags;          /* "SECCOMP_FILTER_FLAG_LOG" …; never NULL */
        OciSeccompRule *rules; /* `syscalls` */
        size_t n_rules;
} OciSeccomp;

void oci_seccomp_free(OciSeccomp *seccomp); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OciSeccomp, oci_seccomp_free)
