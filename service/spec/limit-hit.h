#pragma once

/* Which limit a container has met: the words of the property LimitHit, for the counters of its
 * cgroup to be told by and for its record. Plain data. */

typedef enum LimitHit {
        LIMIT_HIT_NONE, /* "" */
        LIMIT_HIT_MEMORY,
        LIMIT_HIT_MEMORY_OWNER, /* that of all of its owner's containers, or sandboxes, together */
        LIMIT_HIT_MEMORY_HOST,  /* no limit of ours: the machine's memory, or of a slice above */
        LIMIT_HIT_TASKS,
        LIMIT_HIT_CPU_TIME,
        LIMIT_HIT_RUN_TIME,
        _LIMIT_HIT_MAX,
} LimitHit;

const char *limit_hit_to_string(LimitHit hit);
LimitHit limit_hit_from_string(const char *word); /* LIMIT_HIT_NONE for any other */
