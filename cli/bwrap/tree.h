#pragma once

/* The tree that a command line describes: its steps as the mounts of the service, in their order.
 * Where bubblewrap changes what an earlier step has made, the earlier mount is made otherwise.
 * Knows nothing of the rest of the line. Called by translate.c and naive-bwrap.c. */

#include <glib.h>
#include <stdbool.h>

#include "cli/bwrap/line.h"
#include "cli/lib/spawn-request.h"

typedef struct Tree {
        GPtrArray *mounts;
        gsize data_size; /* of all files so far */
        bool root_is_read_only;
} Tree;

void tree_init(Tree *tree);
void tree_clear(Tree *tree);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Tree, tree_clear)

/* NULL, or a text that says what is wrong (free it). */
char *tree_add(Tree *tree, const BwrapStep *step);
void tree_request(const Tree *tree, SpawnRequest *request);

/* What of the host is at this path inside; NULL if it is nothing of the host's. Owned. */
char *tree_find_host_path(const Tree *tree, const char *path);
/* Is a directory there, as far as can be told from here? */
bool tree_has_directory(const Tree *tree, const char *path);
