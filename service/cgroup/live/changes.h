#pragma once

/* What an update is about to write into a leaf's files, in the order in which the kernel takes it.
 * Shared by the files that know which file means what: update.c, which writes, and placement.c. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/cgroup/leaf.h"

#define CHANGES_MAX     12u /* each at most once; the quota in v1 is two */
#define CHANGE_TEXT_MAX 1024u

typedef struct Change {
        int leaf;
        const char *file;
        char before[CHANGE_TEXT_MAX], after[CHANGE_TEXT_MAX];
} Change;

typedef struct Changes {
        Change list[CHANGES_MAX];
        unsigned n;
        bool is_new; /* nothing runs in the leaf */
} Changes;

/* -- update.c -- */

/* Reads what the file has, to be put back if a later change fails. */
bool changes_add(Changes *changes, int leaf, const char *file, const char *text, GError **error);
/* In v2 the owner's directory hands a controller down with the first container that needs it.
 * `file`: one that the leaf has then. */
bool changes_hand_down(const Cgroup *cgroup, CgroupController controller, const char *file,
                       GError **error);

/* -- placement.c: which processors, and how much of the disks -- */
bool changes_add_placement(Changes *changes, const Cgroup *cgroup, const Resources *resources,
                           GError **error);
