#pragma once

/* One value into one file of a controller's directory. For the files of this folder. */

#include "cli/oci/cgroup/limits.h"

/* Where a controller is, for a limit that config.json calls `key`. */
typedef struct Place {
        const char *key;
        int fd;
        bool is_unified;
} Place;

/* NotSupported if no hierarchy has the controller. The name is that of v1. */
bool oci_find_place(const PathCgroup *cgroup, const char *controller, const char *key, Place *ret,
                    GError **error);
/* The same of a limit that one of the versions does not have. */
bool oci_only_in(const Place *place, bool unified, GError **error);

bool oci_write(const Place *place, const char *file, const char *text, GError **error);
/* "max" in v2 and -1 in v1 for a negative number. */
bool oci_write_number(const Place *place, const char *file, int64_t value, GError **error);
bool oci_write_unsigned(const Place *place, const char *file, uint64_t value, GError **error);
bool oci_has_file(const Place *place, const char *file);
/* UINT64_MAX for "max", also for what v1 takes for that; false if it cannot be read. */
bool oci_read_number(const Place *place, const char *file, uint64_t *ret);

/* -- by controllers -- */
bool oci_set_memory(const PathCgroup *cgroup, const OciMemory *memory, GError **error);
bool oci_set_cpu(const PathCgroup *cgroup, const OciCpu *cpu, GError **error);
bool oci_set_block_io(const PathCgroup *cgroup, const OciBlockIo *io, GError **error);
bool oci_set_others(const PathCgroup *cgroup, const OciResources *resources, GError **error);
