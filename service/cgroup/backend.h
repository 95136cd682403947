#pragma once

/* The few things that cgroup v1 and v2 do differently, each on the directory fd of a leaf. v1.c and
 * v2.c fill this in; the other files of the folder call it, and nobody else. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct CgroupBackend {
        /* One of the values may be CGROUP_NO_LIMIT, not both. */
        bool (*set_memory)(int leaf, uint64_t memory_max, uint64_t swap_max, GError **error);
        /* Opens the fd that counts OOM kills and the one that reports them; `*ret_event` is -1 if
         * the first does both. From then on, where the kernel can, an OOM ends all of the leaf. */
        bool (*watch_oom)(int leaf, int *ret_count, int *ret_event, GError **error);
        bool (*kill)(int leaf, GError **error);
        bool (*is_populated)(int leaf);
        int (*tell_freezer)(int leaf, bool frozen); /* 0 or -errno */
        bool (*is_told_to_freeze)(int leaf);
        bool (*is_frozen)(int leaf);
        const char *freeze_events; /* the file that reports a change of that; NULL: none does */
} CgroupBackend;

extern const CgroupBackend cgroup_unified;
extern const CgroupBackend cgroup_legacy;
