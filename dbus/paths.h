#pragma once

/* The object paths of containers, /org/naive/Runc/container/<owner's uid>/<escaped id>: from a
 * container to its path and back. Whether there is such a container is not asked here. */

#include <stdbool.h>

#include "service/container/info.h"

char *path_of_container(const ContainerInfo *info); /* owned */
bool path_parse(const char *path, uid_t *ret_owner, char **ret_id);
