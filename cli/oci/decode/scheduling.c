#include <linux/ioprio.h>
#include <linux/sched.h>

#include "cli/oci/decode/tables.h"
#include "cli/oci/spec/process.h"

/* The first word is the default, which needs a number of its own: see finish_scheduler(). */
static const DecodeWord policy_words[] = {
        {"SCHED_OTHER", SCHED_NORMAL + 1}, {"SCHED_FIFO", SCHED_FIFO + 1},
        {"SCHED_RR", SCHED_RR + 1},        {"SCHED_BATCH", SCHED_BATCH + 1},
        {"SCHED_IDLE", SCHED_IDLE + 1},    {"SCHED_DEADLINE", SCHED_DEADLINE + 1},
};

static const DecodeWord flag_words[] = {
        {"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
        {"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
        {"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
        {"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
        {"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
        {"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
        {"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
};

static bool finish_scheduler(Decoder *decoder, void *target)
{
        OciScheduler *scheduler = target;

        scheduler->is_given = true;
        return scheduler->policy-- > 0 || decode_fail_at(decoder, "policy", "is missing");
}

static const DecodeField scheduler_fields[] = {
        DECODE_AS("policy", decode_word, OciScheduler, policy, DECODE_WORDS(policy_words)),
        DECODE_AS("nice", decode_int64, OciScheduler, nice, &(const DecodeRange){-20, 19}),
        DECODE_AS("priority", decode_int64, OciScheduler, priority, &(const DecodeRange){0, 99}),
        DECODE_AS("flags", decode_word_bits, OciScheduler, flags, DECODE_WORDS(flag_words)),
        DECODE("runtime", decode_uint64, OciScheduler, runtime),
        DECODE("deadline", decode_uint64, OciScheduler, deadline),
        DECODE("period", decode_uint64, OciScheduler, period),
};
const DecodeObject decode_scheduler_object = {DECODE_MEMBERS(scheduler_fields),
                                              .finish = finish_scheduler};

static const DecodeWord class_words[] = {
        {"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
        {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
        {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
};

static bool finish_io_priority(Decoder *decoder, void *target)
{
        const OciIOPriority *io = target;

        return io->class || decode_fail_at(decoder, "class", "is missing");
}

static const DecodeField io_priority_fields[] = {
        DECODE_AS("class", decode_word, OciIOPriority, class, DECODE_WORDS(class_words)),
        DECODE_AS("priority", decode_int64, OciIOPriority, priority, &(const DecodeRange){0, 7}),
};
const DecodeObject decode_io_priority_object = {DECODE_MEMBERS(io_priority_fields),
                                                .finish = finish_io_priority};
