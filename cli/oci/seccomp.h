#pragma once

/* `linux.seccomp` of a config.json as a program for the kernel, made by libseccomp in the parent,
 * before the container is there. Knows no process: who installs the program, and when, the engine
 * knows. */

#include "cli/oci/spec/seccomp.h"
#include "service/sandbox/seccomp.h"

/* `ret_flags`: for seccomp(2), SECCOMP_FILTER_FLAG_LOG and the like. */
bool oci_seccomp_compile(const OciSeccomp *seccomp, SeccompProgram **ret, unsigned *ret_flags,
                         GError **error);
