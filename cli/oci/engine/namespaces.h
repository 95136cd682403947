#pragma once

/* The namespaces of a bundle: which are new, which are joined, and how a child comes to be born in
 * the latter without this process staying there. Used by create.c. */

#include "cli/oci/engine/build.h"

/* Opens what is to be joined, and judges the list. */
bool namespaces_open(Build *build, GError **error);
/* Enters those that a child inherits; `saved` gets the way back. A user namespace, and processes
 * together with one, are joined by a process between (OciPlan). */
typedef struct Saved {
        int fds[8], types[8];
        size_t n;
} Saved;
bool namespaces_enter(const Build *build, Saved *saved, GError **error);
void namespaces_return(Saved *saved);
