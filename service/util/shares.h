#pragma once

/* The weight of processors in cgroup v2, 1 to 10000, and the shares of v1, 2 to 262144, of which
 * OCI programs speak. The curve is that of runc since 1.3.2 and crun since 1.23: it takes 1024 for
 * 100, what either has by default, and the ends for the ends. */

#include <stdint.h>

uint64_t shares_from_weight(uint64_t weight);
uint64_t shares_to_weight(uint64_t shares);

/* The weight of disks, 1 to 10000, as the scheduler BFQ counts it, 1 to 1000, by systemd's curve:
 * the default is 100 in both. And podman's, 10 to 1000, as its runtimes turn it into v2's. */
uint64_t shares_of_bfq(uint64_t weight);
uint64_t shares_of_podman_disk(uint64_t shares);
