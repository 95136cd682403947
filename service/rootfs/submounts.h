#pragma once

/* The mounts that lie in a pinned tree, as the kernel's table has them. Asks no file system: one
 * may never answer. Slow where there are many mounts: for what needs it, not for every run. */

#include <glib.h>
#include <stdbool.h>

#include "service/util/mountinfo.h"

typedef struct Submounts {
        GPtrArray *table;     /* of MountInfo: all mounts of this process */
        char *top;            /* the path that the tree has now; NULL: none */
        const MountInfo *own; /* the mount of the tree itself; NULL: it was not found */
        GPtrArray *list;      /* borrowed: those in the tree, outer ones first */
} Submounts;

void submounts_read(int fd, Submounts *ret);
void submounts_clear(Submounts *submounts);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Submounts, submounts_clear)

/* The path of one of the list below the tree. */
const char *submounts_part(const Submounts *submounts, const MountInfo *mount);
/* Does it lie on or below one of those directories on which every container has a mount of its
 * own? */
bool submounts_is_covered(const Submounts *submounts, const MountInfo *mount);
extern const char *const submounts_covered[]; /* their names, NULL-terminated */

int submounts_id_of(int fd); /* the kernel's number of the mount that an fd is in; -1: unknown */
/* A file system whose answers come from this machine's kernel alone. */
bool submounts_is_local(const MountInfo *mount);
