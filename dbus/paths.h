#pragma once

/* The object paths of containers, /org/naive/Runc/container/<owner's uid>/<escaped id>: from a
 * container to its path and back. Whether there is such a container is not asked here. */

#include <stdbool.h>

#include "service/container/info.h"

char *path_of_container(const ContainerInfo *info); /* owned */
bool path_parse(const char *path, uid_t *ret_owner, char **ret_id);
/* Whether it is such a path, or one below: O(1), for who lists what there is below a path. */
bool path_is_in_container(const char *path);

/* The same of a process that has joined the container: <path of the container>/exec/<number>. */
char *path_of_exec(const ContainerInfo *info, unsigned number);
bool path_parse_exec(const char *path, uid_t *ret_owner, char **ret_id, unsigned *ret_number);
