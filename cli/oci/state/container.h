#pragma once

/* A container as a command finds it: its directory, its state, what has become of it. Called by the
 * verbs. */

#include "cli/oci/spec/spec.h"
#include "cli/oci/state/state.h"

typedef struct OciContainer {
        char *root, *id;
        int directory; /* with the lock, if that was wanted */
        int pidfd;     /* of its first process; -1: it has ended, or was never there */
        OciState *state;
        OciStatus status;
        OciSpec *spec; /* NULL until it is asked for */
} OciContainer;

bool oci_container_open(const char *root, const char *id, bool lock, OciContainer **ret,
                        GError **error);
/* The same of a directory that is open, and locked if `lock` says so. Consumed. */
bool oci_container_take(const char *root, const char *id, int directory, bool lock,
                        OciContainer **ret, GError **error);
void oci_container_free(OciContainer *container);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OciContainer, oci_container_free)

/* The container's config.json, as it was when it was made. Borrowed. */
bool oci_container_config(OciContainer *container, const OciSpec **ret, GError **error);

/* The state as the OCI has it, in one line: what hooks read and `state` prints. Owned. */
char *oci_state_json(const OciState *state, const OciPairs *annotations, const char *status,
                     int64_t pid, bool is_pretty);

/* To its first process, or to all. A first process that stands still does not die of SIGKILL in v1:
 * it is made to go on, then. */
bool oci_container_signal(OciContainer *container, int signal, bool all, GError **error);
/* Ends whatever is in it, and waits for that. */
bool oci_container_end(OciContainer *container, GError **error);
/* Removes cgroups and state. Nothing may run in it any more. */
bool oci_container_remove(OciContainer *container, GError **error);
