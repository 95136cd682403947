#pragma once

/* What the kernel tells of a namespace that somebody holds as a descriptor. Who holds it proves
 * nothing: /run/netns/NAME can be opened by everybody. Asks no file system but the kernel's own. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The device on which the kernel has the files of all namespaces. */
bool namespace_device(uint64_t *ret);

bool namespace_is_network(int fd);

/* The user who made the user namespace to which this one belongs. False: it belongs to this
 * process's own user namespace or to one outside, or cannot be told. */
bool namespace_owner(int fd, uid_t *ret);
