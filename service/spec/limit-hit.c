#include "service/spec/limit-hit.h"

#include <glib.h>

static const char *const words[_LIMIT_HIT_MAX] = {
        [LIMIT_HIT_NONE] = "",
        [LIMIT_HIT_MEMORY] = "memory",
        [LIMIT_HIT_MEMORY_OWNER] = "memory-owner",
        [LIMIT_HIT_MEMORY_HOST] = "memory-host",
        [LIMIT_HIT_TASKS] = "tasks",
        [LIMIT_HIT_CPU_TIME] = "cpu-time",
        [LIMIT_HIT_RUN_TIME] = "run-time",
};

const char *limit_hit_to_string(LimitHit hit)
{
        return words[hit];
}

LimitHit limit_hit_from_string(const char *word)
{
        for (LimitHit hit = LIMIT_HIT_MEMORY; hit < _LIMIT_HIT_MAX; hit++)
                if (g_strcmp0(word, words[hit]) == 0)
                        return hit;
        return LIMIT_HIT_NONE;
}
