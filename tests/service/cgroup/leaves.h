#pragma once

/* Leaves for the tests of the cgroup module on the machine's own hierarchies, below a parent of the
 * test's own. Needs root; what can be tried depends on the mode, and each test says what it leaves
 * out. Called by the programs in this folder. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/cgroup/cgroup.h"
#include "service/cgroup/internal.h"

#define MIB   UINT64_C(1048576)
#define OWNER 4242u

extern const CgroupLimits unlimited;
extern char *top;    /* "/naive-runc-test-1234" */
extern char *parent; /* two levels: "/naive-runc-test-1234/unit.service" */
extern CgroupTree *tree;

/* Runs the program's tests; fails if a directory is left behind. */
int run_leaf_cases(int argc, char **argv);

/* -- leaves -- */

Cgroup *make(uint64_t serial, const CgroupLimits *limits);
void finish(Cgroup *cgroup); /* processes end a little after they are killed */
/* The value in a file of the leaf, found through the module's own fds only to know which leaf.
 * Owned; NULL: there is none. */
char *leaf_file(uint64_t serial, CgroupController controller, const char *file);
uint64_t memory_limit(uint64_t serial);

bool serves(CgroupController controller);
bool is_v1(CgroupController controller);
#define NEED(controller)                                                                           \
        if (!serves(controller)) {                                                                 \
                g_test_skip(tree->missing[controller]);                                            \
                return;                                                                            \
        }

/* All directories below `below`, in every cgroup mount of the machine, as one sorted text. Owned.
 */
char *listing(const char *below);

/* What a new service would find: leaves of the owner's with number 1 and somebody in it, of root's
 * with the highest number and nobody in it, others. */
extern unsigned seen_empty, seen_populated, seen_other;
void look(void);

/* -- processes in them -- */

/* A child that is in the leaf from its birth (v2) and enters the v1 leaves itself, as a container
 * does. Returns when it is in. */
pid_t spawn(const Cgroup *cgroup, int (*body)(void));
/* Touches memory through a mapping: malloc is not for a raw clone's child. 7 if it could. */
int touch(size_t bytes);
pid_t spawn_touch(const Cgroup *cgroup, size_t bytes); /* ends with that */
int wait_for(pid_t pid);                               /* its wait status */
/* Should the test abort, its children must not outlive it. */
G_NORETURN int sleep_forever(void);
int fork_40(void); /* how many it could make */
