#pragma once

/* A mount of a config.json, its options sorted into what each of them means for the new mount API.
 */

#include <linux/mount.h>
#include <sys/mount.h>

#include "cli/oci/spec/values.h"

typedef enum OciIdmapping {
        OCI_IDMAPPING_NONE,
        OCI_IDMAPPING_ONE,       /* `idmap`: the mount itself */
        OCI_IDMAPPING_RECURSIVE, /* `ridmap` */
} OciIdmapping;

typedef struct OciMount {
        char *destination; /* as it stands; runc takes a relative one as from "/" */
        char *type;        /* NULL: not said */
        char *source;      /* NULL: not said */
        /* The options, in bits of mount_setattr(2): for the mount, and with all below it (rro …).
         * Atimes are in `set` as one of MOUNT_ATTR__ATIME, which is in `clear` then. */
        uint64_t set, clear;
        uint64_t set_below, clear_below;
        bool bind, bind_recursive; /* `bind`, `rbind`, or the type "bind" */
        bool remount;
        bool copy_up; /* `tmpcopyup` */
        bool source_nofollow, destination_nofollow;
        uint64_t propagation; /* MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE; 0: not said */
        bool propagation_is_recursive;
        uint64_t superblock; /* MS_SYNCHRONOUS, MS_DIRSYNC, MS_MANDLOCK, MS_LAZYTIME, … */
        char **data;         /* what else there is: "mode=755"; in the config's order; never NULL */
        OciIdmapping idmapping;
        OciIdMaps uid_maps, gid_maps; /* empty: the container's */
} OciMount;

void oci_mount_clear(OciMount *mount);
