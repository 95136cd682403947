#pragma once

/* Where a bundle's mounts go: finds targets beneath a root whose content is hostile, and makes what
 * is missing. Links are followed inside the root, never those of /proc to what a process holds.
 * Belongs to child.c's library, and follows its rules. */

#include <stdbool.h>
#include <stdint.h>

typedef enum PlaceKind {
        PLACE_THERE,     /* nothing is made */
        PLACE_DIRECTORY, /* made if missing */
        PLACE_FILE,      /* the same */
} PlaceKind;

/* As O_PATH; -1 with errno. `is_plain`: no link may lead there. */
int place_open(int root, const char *path, PlaceKind kind, bool is_plain);
/* The directory of the path, made if missing, and the name in it. The name is copied to `name`,
 * which has NAME_MAX + 1 bytes. */
int place_open_parent(int root, const char *path, char *name);
