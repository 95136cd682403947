#pragma once

/* The root tree and the mounts of a bundle. Belongs to child.c's library, and follows its rules:
 * each function reports which step failed, and ends the process. */

#include "service/sandbox/child/oci/plan.h"

/* What is left to be done once all steps are. */
#define OCI_SEALS_MAX 256u
typedef struct OciTree {
        int covers; /* an empty file and an empty directory, to cover others */
        int root;
        int seals[OCI_SEALS_MAX]; /* mounts that become read-only */
        size_t n_seals;
} OciTree;

void oci_tree_attach(const SandboxBase *base, const OciPlan *plan, OciTree *tree);
/* The container's own terminal becomes stdin, stdout, stderr and perhaps /dev/console. */
void oci_tree_open_terminal(const SandboxBase *base, const OciPlan *plan, const OciTree *tree,
                            int *ret_master);
void oci_tree_cover(const SandboxBase *base, const OciPlan *plan, OciTree *tree);
void oci_tree_enter(const SandboxBase *base, const OciPlan *plan, const OciTree *tree);
