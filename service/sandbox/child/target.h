#pragma once

/* Where the child mounts: finds the targets of steps in the tree as made so far, and makes what is
 * missing of them, and small files, in what is ours alone. The rest of the tree is hostile: nothing
 * is ever made there, whatever somebody renames meanwhile. Belongs to child.c's library, and
 * follows its rules. */

#include "service/sandbox/child/plan.h"

#define SANDBOX_OWN_MAX 258u /* steps, the root, /tmp */

/* The mounts that are the container's own, by the kernel's ids: an id says more than a path. */
typedef struct Own {
        uint64_t ids[SANDBOX_OWN_MAX];
        int seals[SANDBOX_OWN_MAX]; /* what is to become read-only, by a copy of its fd; -1: not */
        size_t n;
} Own;

/* Each: false, with errno. */
bool own_add(Own *own, int mount, bool is_sealed);
bool own_seal(Own *own);

/* The target of a step that mounts, below `dir`, as O_PATH; -1 with errno. `own` may be NULL. */
int target_open(const Own *own, int dir, const MountStep *step);
/* Does it lie in one of these mounts, which is not ours, or in any proc or sysfs? */
bool target_is_in(const Own *own, int target, const int *mounts, size_t n);
bool target_is_root(int target); /* is it "/"? What is mounted there, no path leads to. */

bool make_directory(const Own *own, const MountStep *step);
bool make_link(const Own *own, const MountStep *step);
/* `source`: what is read to its end, to be the content; -1: the step's text is. */
bool make_file(const Own *own, const MountStep *step, int source);
bool cover_file(int target, const MountStep *step, int source); /* `target` is consumed */
