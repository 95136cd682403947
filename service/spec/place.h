#pragma once

/* A place in the file system that was looked up once, with its caller's rights, and is held by an
 * fd from then on: no path of it is resolved again. Plain data. */

#include <stdbool.h>
#include <sys/types.h>

typedef struct Place {
        int fd; /* O_PATH, of no use but as a place; -1: none */
        uid_t uid;
        gid_t gid;
        bool is_directory;
} Place;
