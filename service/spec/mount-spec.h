#pragma once

/* One entry of `Mounts`: what of the host is bound, a new file system, or something small that is
 * made. Plain data, part of a TreeSpec. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "service/spec/place.h"

typedef enum MountType {
        MOUNT_TYPE_BIND,     /* with all that is mounted below the source */
        MOUNT_TYPE_BIND_ONE, /* without */
        MOUNT_TYPE_TMPFS,
        MOUNT_TYPE_DIR,     /* a directory, and those that lead to it */
        MOUNT_TYPE_SYMLINK, /* a symbolic link */
        MOUNT_TYPE_DATA,    /* a file with this content */
        MOUNT_TYPE_DATA_FD, /* a file with what is read from one of the caller's fds */
        MOUNT_TYPE_PROC,
        MOUNT_TYPE_DEV,
        MOUNT_TYPE_MQUEUE,
        _MOUNT_TYPE_MAX,
} MountType;

typedef struct MountSpec {
        MountType type;
        char *source;     /* of a bind, an absolute path, any bytes; of a link, its text */
        char *data;       /* of a file, any bytes */
        size_t data_size; /* without the NUL behind them */
        unsigned fd;      /* the number by which the order's fds have a file's content */
        Place place;  /* of a bind's source, pinned by the look-up; owned fd, -1 before and else */
        char *target; /* absolute path in the container, without "." or ".." or empty parts */
        char *size;   /* of a tmpfs, in bytes; NULL: the kernel's default, half of the memory */
        char *mode;   /* octal, of what is made; NULL: 0755, of a file 0644, of a tmpfs 1777 */
        bool read_only;
        bool no_exec;
        bool is_optional;   /* if a bind's source is not there, there is nothing to do */
        bool is_absent;     /* so the look-up found */
        bool is_privileged; /* writable and not the caller's own, as the look-up found: the
                               container sees the host's ids in it, and that costs run-privileged */
        bool uncovers; /* the look-up found mounts below that are left out: so does that, for who
                          could not unmount them */
} MountSpec;

void mount_spec_init(MountSpec *mount);
void mount_spec_clear(MountSpec *mount);
static inline bool mount_spec_is_bind(const MountSpec *mount)
{
        return mount->type == MOUNT_TYPE_BIND || mount->type == MOUNT_TYPE_BIND_ONE;
}
/* Can the container write through it to anything of the host's? */
static inline bool mount_spec_writes_to_host(const MountSpec *mount)
{
        return mount_spec_is_bind(mount) && !mount->read_only && !mount->is_absent;
}
const char *mount_spec_type_name(const MountSpec *mount);

typedef struct MountWords {
        const char *source; /* any bytes, with a NUL behind them or not */
        size_t source_size;
        const char *target, *type;
        char *const *options;
} MountWords;

/* An unknown type or option, or a path that cannot be one, is InvalidArgs naming it. `ret` was
 * initialised, and can be cleared in any case. Which targets and types a tree can have,
 * tree_spec_validate() says. */
bool mount_spec_parse(const MountWords *words, MountSpec *ret, GError **error);
