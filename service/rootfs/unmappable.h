#pragma once

/* Finds out, for an error message, why a tree cannot be id-mapped: its own file system, or what is
 * mounted in it. Asks no file system: one may never answer. Called by mount.h. */

#include "service/spec/credentials.h"

/* What refuses the map of `user_namespace`, as far as can be told: "the file system at '/x'
 * (overlay) cannot be id-mapped". `fd` is the pinned tree. Of mounts in it `owner` is told what the
 * owner can look up. NULL: nothing was found. Slow. Owned. */
char *unmappable_find(int fd, int user_namespace, const Credentials *owner);
