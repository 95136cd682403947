#pragma once

/* A cgroup at a path, for the files of this folder: find.c finds the hierarchies, path.c makes and
 * opens the directories, processes.c has what is done to those in them. */

#include "service/cgroup/internal.h"
#include "service/cgroup/path/path.h"

#define PATH_CGROUP_PARENT "naive-oci"

typedef struct PathLeaf {
        const CgroupBackend *backend;
        char *mount_point;
        char *mount_root;   /* "" if all of the hierarchy is mounted */
        char **controllers; /* of v1, also "name=systemd"; of v2 none */
        char *own;          /* our own cgroup below the mount point; "" for its root */
        char *below;        /* the directory, below the mount point */
        int fd;             /* of it */
        unsigned made;      /* how many of its lowest levels were made */
} PathLeaf;

struct PathCgroup {
        PathLeaf leaves[PATH_CGROUPS_MAX]; /* v2 first, if it is mounted */
        unsigned n;
        char *name;
};

/* -- find.c -- */

/* Fills in the hierarchies that are mounted, without a directory yet. */
void path_cgroup_find(PathCgroup *cgroup);
