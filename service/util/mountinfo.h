#pragma once

/* The lines of /proc/self/mountinfo, read in this one place. Knows text, and nothing of what the
 * file systems are for. Used by the cgroup tree, to find the hierarchies, and by the root tree, to
 * name a file system that cannot be id-mapped. */

#include <glib.h>
#include <stdbool.h>

typedef struct MountInfo {
        int id, parent; /* `parent`: the mount that it is mounted on */
        char *device;   /* "major:minor" */
        char *root;     /* the part of the file system that is mounted, "/" for all of it */
        char *point;    /* where it is mounted, as this process sees it */
        char *type;
        bool is_unbindable;
        char *options; /* of the file system, not of the mount: cgroup v1 names controllers here */
} MountInfo;

/* MountInfo for each line of `text`, in its order: a mount stands after the one that it is mounted
 * on. A line that makes no sense is left out. */
GPtrArray *mountinfo_parse(const char *text);

/* The same of /proc/self/mountinfo; empty where that cannot be read. */
GPtrArray *mountinfo_read(void);
