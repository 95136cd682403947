#pragma once

/* A JSON text that a stranger wrote, as a tree: read whole within bounds, judged by json-c at its
 * strictest, and for what json-c lets pass: a NUL inside a string, and a number that no 64 bits
 * hold, which json-c makes the next best. Knows no config. Only cli/oci/decode sees the tree. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#define DOCUMENT_SIZE_MAX  (8u << 20)
#define DOCUMENT_DEPTH_MAX 32

typedef struct json_object
        json_object; /* json-c's, whose headers do not go with ours for writing */
void document_free(json_object *document);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_object, document_free)

/* `name` is what errors call the text. An object, or an error. Owned. */
bool document_parse(const char *text, size_t length, const char *name, json_object **ret,
                    GError **error);
/* All that `fd` has to read. Owned, with a NUL behind it. */
bool document_read(int fd, const char *name, char **ret_text, size_t *ret_length, GError **error);
