#pragma once

/* What `linux.resources` says, put into the files of a cgroup, whichever version of cgroups has the
 * controller. Knows no container and no JSON but that of statistics. A limit that is asked for and
 * cannot be had is an error that names it. Called by the verbs. */

#include "cli/lib/json.h"
#include "cli/oci/spec/resources.h"
#include "service/cgroup/path/path.h"

/* Sets what is said, and leaves the rest as it is: for a cgroup in which nothing runs yet, and for
 * one in which something does. Never devices. `cgroup` NULL: the container has none, and whoever
 * asks for a limit gets an error. */
bool oci_limits_set(const PathCgroup *cgroup, const OciResources *resources, GError **error);

/* The devices that may be used: none but those that every container has, and what the rules add, or
 * take away, in their order. Called once, after the limits. */
bool oci_devices_set(const PathCgroup *cgroup, const OciDeviceRule *rules, size_t n,
                     GError **error);

/* The object "data" of `events --stats`, as runc writes it. */
void oci_stats_write(const PathCgroup *cgroup, Json *json);
