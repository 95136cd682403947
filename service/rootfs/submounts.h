#pragma once

/* The mounts that lie in a pinned tree, as the kernel's table has them. Asks no file system: one
 * may never answer. Slow where there are many mounts: for what needs it, not for every run. */

#include <glib.h>
#include <stdbool.h>

#include "service/util/mountinfo.h"

/* -- by the paths that they have now -- */

/* Good for words: whoever renames a directory on the way while the table is read hides them. */

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

/* -- by a copy of the tree -- */

typedef enum SubmountsSeen {
        SUBMOUNTS_NONE,
        SUBMOUNTS_COVERED, /* only on those directories: not below them, for what lies on a
                              directory keeps its name, and what lies deeper does not */
        SUBMOUNTS_OTHERS,
} SubmountsSeen;

/* Judges by what the kernel itself has found in the tree, which no renaming hides. Mounts that
 * are not copied (unbindable ones) are judged by their paths. False, with errno: nobody knows. */
bool submounts_see(int fd, SubmountsSeen *ret);

int submounts_id_of(int fd); /* the kernel's number of the mount that an fd is in; -1: unknown */
/* A file system whose answers come from this machine's kernel alone. */
bool submounts_is_local(const MountInfo *mount);
