#pragma once

/* The index: a directory in which the OCI command line says, for the service, which containers it
 * has, a file for each. The service reads no JSON, and nothing below a root directory of the
 * command line, which may lie on any file system: all that it needs stands in the file, and none of
 * it is believed before the kernel says the same. Written by the command line, as root, and read by
 * the manager. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define INDEX_STATE_DIRECTORY "/run/naive-runc" /* the service's, unless it is told otherwise */
#define INDEX_DIRECTORY       "oci"             /* in that */
#define INDEX_FILE_MAX        65536u

typedef struct IndexEntry {
        char *id;           /* of the OCI */
        char *root;         /* the command line's --root; with `id` it names the container */
        char *belongs_to;   /* who had it made: "podman" */
        char **directories; /* of its cgroups, see path_cgroup_directories(); at least one */
        uint64_t serial;    /* names it on the bus: "oci-5" */
        pid_t pid;          /* on the host */
        uint64_t start_time;
        uint64_t created_usec, started_usec; /* `started_usec` 0: it waits for its start */
} IndexEntry;
void index_entry_clear(IndexEntry *entry);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IndexEntry, index_entry_clear)

char *index_entry_to_text(const IndexEntry *entry);
bool index_entry_parse(const char *text, IndexEntry *ret, GError **error);

/* -- for the command line -- */

/* Says, or says anew, what there is of the container, in the index of INDEX_STATE_DIRECTORY, whose
 * directories are made if need be. Best effort, and only for root: no container fails for the
 * service's sake. */
void index_publish(const IndexEntry *entry);
/* A number that no container has had since the machine started; 0: there is no index. */
uint64_t index_take_serial(void);
void index_withdraw(const char *root, const char *id);
