#pragma once

/* User namespaces by lists of ids. Knows no container. Called by mounts.c and create.c. */

#include <sys/types.h>

#include "cli/oci/spec/values.h"

/* Writes the maps of a process whose user namespace is new. */
bool user_namespace_map(pid_t pid, const OciIdMaps *uids, const OciIdMaps *gids, GError **error);
/* One that nobody is in, for mounts. Owned. */
bool user_namespace_make(const OciIdMaps *uids, const OciIdMaps *gids, int *ret, GError **error);
/* Is this process in one, where the host's devices cannot be made? */
bool user_namespace_is_nested(void);
