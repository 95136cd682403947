#pragma once

/* What is kept of a container in ROOT/ID: `state.json`, a copy of `config.json`, the socket
 * `start`. To make the directory is to take the id. state.json is written twice: first with the
 * cgroups alone, so that whatever a killed `create` left can be removed, then with the process.
 * Each time it is another file, renamed. Whoever changes a container holds the directory's lock.
 * Called by the verbs; the engine gets the directory. */

#include <sys/types.h>

#include "cli/oci/spec/values.h"

typedef enum OciStatus {
        OCI_CREATING, /* somebody is at it */
        OCI_CREATED,
        OCI_RUNNING,
        OCI_PAUSED,
        OCI_STOPPED, /* also what a killed `create` left */
} OciStatus;

typedef struct OciState {
        char *id;
        char *bundle, *rootfs; /* absolute */
        char *created;         /* RFC 3339; NULL: only begun */
        char **cgroups;        /* directories, see service/cgroup/path/path.h; never NULL */
        int64_t pid;           /* 0: only begun */
        uint64_t start_time;
        uint64_t serial;        /* on the bus; 0: it is not shown there */
        bool has_no_cgroup;     /* nor was to have one */
        bool has_pid_namespace; /* its own: with its first process all others end */
} OciState;

void oci_state_free(OciState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OciState, oci_state_free)

/* --root, or where containers are kept without it. Owned. */
char *oci_state_root(const char *root);
/* Takes the id, and the lock. Owned fd of the directory. */
bool oci_state_make(const char *root, const char *id, int *ret_directory, GError **error);
/* Opens the directory of a container: NO_SUCH_CONTAINER, "… does not exist". With `lock` waits for
 * whoever changes it now. */
bool oci_state_open(const char *root, const char *id, bool lock, int *ret_directory,
                    GError **error);
/* Removes the directory, whatever is in it. */
bool oci_state_remove(const char *root, const char *id, GError **error);
/* The ids below `root`, sorted. Owned. */
char **oci_state_list(const char *root);

bool oci_state_write(int directory, const OciState *state, GError **error);
/* Without a state.json, as a killed `create` leaves it, gives one that says only the id. */
bool oci_state_read(int directory, const char *id, OciState **ret, GError **error);
bool oci_state_write_file(int directory, const char *name, const char *text, size_t length,
                          GError **error);

/* What has become of it. `*ret_pidfd` (may be NULL) is its first process's, -1 if that has ended;
 * owned. */
OciStatus oci_state_status(int directory, const OciState *state, int *ret_pidfd);
/* Once it has been started, and that is published, the socket goes by which it waited. */
bool oci_state_has_waited(int directory);
void oci_state_end_waiting(int directory);
const char *oci_status_word(OciStatus status);
