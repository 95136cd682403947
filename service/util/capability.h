#pragma once

/* Capabilities by their names in capabilities(7), as bits of a mask, and the set that a container
 * has by default. Knows no container; used by whoever reads or writes such names. */

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

#define CAPABILITY(name) (UINT64_C(1) << CAP_##name)

/* The OCI's default set without CAP_NET_RAW; in a user namespace it gives power over the
 * container's own resources only. The memory of packet and raw sockets is counted by no cgroup, and
 * ping does without them. */
#define CAPABILITIES_DEFAULT                                                                       \
        (CAPABILITY(AUDIT_WRITE) | CAPABILITY(CHOWN) | CAPABILITY(DAC_OVERRIDE) |                  \
         CAPABILITY(FOWNER) | CAPABILITY(FSETID) | CAPABILITY(KILL) | CAPABILITY(MKNOD) |          \
         CAPABILITY(NET_BIND_SERVICE) | CAPABILITY(SETFCAP) | CAPABILITY(SETGID) |                 \
         CAPABILITY(SETPCAP) | CAPABILITY(SETUID) | CAPABILITY(SYS_CHROOT))

bool capability_from_name(const char *name, uint64_t *ret_bit); /* "CAP_CHOWN" */
const char *capability_name(unsigned number); /* NULL: no capability has that number */
