#pragma once

/* One mount that a caller wants in its container, in the OCI's words: what of the host is bound, or
 * a new tmpfs. Plain data, part of a TreeSpec. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "service/spec/place.h"

typedef struct MountSpec {
        char *source; /* absolute path, any bytes; NULL: a tmpfs */
        Place place;  /* of the source, pinned by the look-up; owned fd, -1 before and of a tmpfs */
        char *target; /* absolute path in the container, without "." or ".." or empty parts */
        char *size;   /* of a tmpfs, in bytes; NULL: the kernel's default, half of the memory */
        char *mode;   /* of a tmpfs, octal */
        bool read_only;
        bool no_exec;
        bool is_privileged; /* writable and not the caller's own, as the look-up found: the
                               container sees the host's ids in it, and that costs run-privileged */
} MountSpec;

void mount_spec_init(MountSpec *mount);
void mount_spec_clear(MountSpec *mount);

typedef struct MountWords {
        const char *source, *target, *type;
        char *const *options;
} MountWords;

/* An unknown type or option, or a target that is not allowed, is InvalidArgs naming it. `ret` was
 * initialised, and can be cleared in any case. */
bool mount_spec_parse(const MountWords *words, MountSpec *ret, GError **error);
