#pragma once

/* Settings of the kernel that belong to a container's own namespaces, as a caller asks for them.
 * Only a key that is on the list is taken, so none can be the host's. Plain data, a part of a
 * TreeSpec. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Sysctl {
        char *key;   /* as the caller spells it, for errors */
        char *path;  /* below /proc/sys: "net/ipv4/ip_forward" */
        char *value; /* any bytes */
} Sysctl;

typedef struct Sysctls {
        Sysctl *list; /* in the caller's order */
        size_t n, bytes;
        char *domainname; /* kernel.domainname, for which there is a system call; NULL: not said */
} Sysctls;

void sysctls_clear(Sysctls *sysctls);

/* Copies both strings. An error (InvalidArgs) names the key that is refused. */
bool sysctls_add(Sysctls *sysctls, const char *key, const char *value, GError **error);

/* The first key of the network's, NULL if there is none. */
const char *sysctls_network_key(const Sysctls *sysctls);
