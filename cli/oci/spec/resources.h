#pragma once

/* `linux.resources` of a config.json, or the whole of what `update` is given. What is not given
 * stays as it is. Numbers are the OCI's: memory and swap together in `swap`, -1 for "no limit". */

#include <sys/types.h>

#include "cli/oci/spec/values.h"

/* A rule, in the config's order; a later one overrides. */
typedef struct OciDeviceRule {
        bool allow;
        char type;              /* 'a', 'b', 'c' */
        OciSigned major, minor; /* not given, or -1: all */
        bool read, write, mknod;
} OciDeviceRule;

typedef struct OciMemory {
        OciSigned limit, reservation, swap;
        OciUnsigned swappiness;
        OciBool disable_oom_killer;
        OciBool check_before_update;
} OciMemory;

typedef struct OciCpu {
        OciUnsigned shares, period, burst, realtime_period;
        OciSigned quota, realtime_runtime, idle;
        char *cpus, *mems; /* NULL: not said */
} OciCpu;

typedef struct OciDeviceNumber {
        int64_t major, minor;
        uint64_t value;          /* bytes or operations in a second, or the weight */
        OciUnsigned leaf_weight; /* of weightDevice */
} OciDeviceNumber;

typedef struct OciDeviceNumbers {
        OciDeviceNumber *items;
        size_t n;
} OciDeviceNumbers;

typedef struct OciBlockIo {
        OciUnsigned weight, leaf_weight;
        OciDeviceNumbers weights;
        OciDeviceNumbers read_bps, write_bps, read_iops, write_iops;
} OciBlockIo;

typedef struct OciHugepageLimit {
        char *page_size; /* "2MB" */
        uint64_t limit;
} OciHugepageLimit;

typedef struct OciRdma {
        char *device;
        OciUnsigned handles, objects;
} OciRdma;

typedef struct OciNetworkPriority {
        char *interface;
        uint32_t priority;
} OciNetworkPriority;

typedef struct OciResources {
        OciDeviceRule *devices;
        size_t n_devices;
        OciMemory memory;
        OciCpu cpu;
        OciSigned pids; /* pids.limit */
        OciBlockIo block_io;
        OciHugepageLimit *hugepages;
        size_t n_hugepages;
        OciUnsigned class_id; /* network, v1 alone */
        OciNetworkPriority *priorities;
        size_t n_priorities;
        OciRdma *rdma;
        size_t n_rdma;
        OciPairs unified; /* no key has a slash */
} OciResources;

void oci_resources_clear(OciResources *resources);
