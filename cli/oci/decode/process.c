#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "cli/oci/decode/tables.h"
#include "cli/oci/spec/process.h"
#include "service/util/capability.h"

bool decode_capabilities(Decoder *decoder, const DecodeField *field, json_object *value,
                         void *target)
{
        uint64_t mask = 0;

        if (!json_object_is_type(value, json_type_array))
                return decode_fail(decoder, "is not a list");
        for (size_t i = 0; i < json_object_array_length(value); i++) {
                size_t back = decode_enter_index(decoder, i);
                const char *name;
                uint64_t bit;

                if (!decode_text(decoder, json_object_array_get_idx(value, i), &name))
                        return false;
                if (capability_from_name(name, &bit) &&
                    prctl(PR_CAPBSET_READ, __builtin_ctzll(bit), 0, 0, 0) >= 0)
                        mask |= bit;
                decode_leave(decoder, back);
        }
        *(uint64_t *) target = mask;
        return true;
}

static bool finish_capabilities(Decoder *decoder, void *target)
{
        OciCapabilities *capabilities = target;

        capabilities->is_given = true;
        return true;
}

static const DecodeField capability_fields[] = {
        DECODE("bounding", decode_capabilities, OciCapabilities, bounding),
        DECODE("effective", decode_capabilities, OciCapabilities, effective),
        DECODE("inheritable", decode_capabilities, OciCapabilities, inheritable),
        DECODE("permitted", decode_capabilities, OciCapabilities, permitted),
        DECODE("ambient", decode_capabilities, OciCapabilities, ambient),
};
static const DecodeObject capability_object =
        DECODE_OBJECT(capability_fields, .finish = finish_capabilities);

/* One more than the number, until finish_limit(): 0 is a limit, too. */
#define LIMIT(name)                                                                                \
        {                                                                                          \
                "RLIMIT_" #name, RLIMIT_##name + 1                                                 \
        }
static const DecodeWord limit_words[] = {
        LIMIT(AS),     LIMIT(CORE),   LIMIT(CPU),        LIMIT(DATA),
        LIMIT(FSIZE),  LIMIT(LOCKS),  LIMIT(MEMLOCK),    LIMIT(MSGQUEUE),
        LIMIT(NICE),   LIMIT(NOFILE), LIMIT(NPROC),      LIMIT(RSS),
        LIMIT(RTPRIO), LIMIT(RTTIME), LIMIT(SIGPENDING), LIMIT(STACK),
};

static bool finish_limit(Decoder *decoder, void *target)
{
        OciRlimit *limit = target;

        if (limit->resource-- == 0)
                return decode_fail_at(decoder, "type", "is missing");
        return limit->soft <= limit->hard ||
               decode_fail_at(decoder, "soft", "is above the hard limit");
}

static const DecodeField limit_fields[] = {
        DECODE("type", decode_word, OciRlimit, resource, .of = DECODE_WORDS(limit_words)),
        DECODE("soft", decode_uint64, OciRlimit, soft),
        DECODE("hard", decode_uint64, OciRlimit, hard),
};
static const DecodeObject limit_object =
        DECODE_OBJECT(limit_fields, .size = sizeof(OciRlimit), .finish = finish_limit);

static const DecodeWord policy_words[] = {
        {"SCHED_OTHER", SCHED_OTHER}, {"SCHED_FIFO", SCHED_FIFO},
        {"SCHED_RR", SCHED_RR},       {"SCHED_BATCH", SCHED_BATCH},
        {"SCHED_IDLE", SCHED_IDLE},   {"SCHED_DEADLINE", SCHED_DEADLINE},
};
static const DecodeWord scheduler_flag_words[] = {
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
        bool is_realtime = scheduler->policy == SCHED_FIFO || scheduler->policy == SCHED_RR;
        bool has_deadline = scheduler->runtime || scheduler->deadline || scheduler->period;

        scheduler->is_given = true;
        if (scheduler->priority != 0 && !is_realtime)
                return decode_fail_at(decoder, "priority", "needs SCHED_FIFO or SCHED_RR");
        if (has_deadline && scheduler->policy != SCHED_DEADLINE)
                return decode_fail_at(decoder, "deadline", "needs SCHED_DEADLINE");
        return true;
}

static const DecodeField scheduler_fields[] = {
        DECODE("policy", decode_word, OciScheduler, policy, .of = DECODE_WORDS(policy_words)),
        DECODE("nice", decode_int32, OciScheduler, nice, .of = &(const DecodeRange){-20, 19}),
        DECODE("priority", decode_int32, OciScheduler, priority),
        DECODE("flags", decode_word_bits, OciScheduler, flags,
               .of = DECODE_WORDS(scheduler_flag_words)),
        DECODE("runtime", decode_uint64, OciScheduler, runtime),
        DECODE("deadline", decode_uint64, OciScheduler, deadline),
        DECODE("period", decode_uint64, OciScheduler, period),
};
static const DecodeObject scheduler_object =
        DECODE_OBJECT(scheduler_fields, .finish = finish_scheduler);

static const DecodeWord io_class_words[] = {
        {"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
        {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
        {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
};

static bool finish_io_priority(Decoder *decoder, void *target)
{
        OciIoPriority *priority = target;

        priority->is_given = true;
        return priority->class != IOPRIO_CLASS_NONE ||
               decode_fail_at(decoder, "class", "is missing");
}

static const DecodeField io_priority_fields[] = {
        DECODE("class", decode_word, OciIoPriority, class, .of = DECODE_WORDS(io_class_words)),
        DECODE("priority", decode_int32, OciIoPriority, priority, .of = &(const DecodeRange){0, 7}),
};
static const DecodeObject io_priority_object =
        DECODE_OBJECT(io_priority_fields, .finish = finish_io_priority);

static const DecodeField affinity_fields[] = {
        DECODE("initial", decode_string, OciProcess, initial_affinity),
        DECODE("final", decode_string, OciProcess, final_affinity),
};
static const DecodeObject affinity_object = DECODE_OBJECT(affinity_fields);

static const DecodeField console_fields[] = {
        DECODE("height", decode_uint16, OciProcess, rows),
        DECODE("width", decode_uint16, OciProcess, columns),
};
static const DecodeObject console_object = DECODE_OBJECT(console_fields);

static bool decode_groups(Decoder *decoder, const DecodeField *field, json_object *value,
                          void *target)
{
        OciProcess *process = target;

        if (!json_object_is_type(value, json_type_array))
                return decode_fail(decoder, "is not a list");
        size_t n = json_object_array_length(value);
        if (n > DECODE_ITEMS_MAX) /* the kernel's NGROUPS_MAX as well */
                return decode_fail(decoder, "has more than %u items", DECODE_ITEMS_MAX);
        process->groups = g_new0(uint32_t, n + 1);
        process->n_groups = n;
        for (size_t i = 0; i < n; i++) {
                size_t back = decode_enter_index(decoder, i);

                if (!decode_uint32(decoder, &(const DecodeField){0},
                                   json_object_array_get_idx(value, i), &process->groups[i]))
                        return false;
                decode_leave(decoder, back);
        }
        return true;
}

static const DecodeField user_fields[] = {
        DECODE("uid", decode_uint32, OciProcess, uid),
        DECODE("gid", decode_uint32, OciProcess, gid),
        DECODE("umask", decode_maybe_unsigned, OciProcess, umask,
               .of = &(const DecodeRange){0, 0777}),
        {.name = "additionalGids", .decode = decode_groups},
};
static const DecodeObject user_object = DECODE_OBJECT(user_fields);

static bool finish_process(Decoder *decoder, void *target)
{
        const OciProcess *process = target;

        if (!process->args || !process->args[0])
                return decode_fail_at(decoder, "args", "is missing or empty");
        if (!process->args[0][0])
                return decode_fail_at(decoder, "args[0]", "is empty");
        if (!process->cwd || process->cwd[0] != '/')
                return decode_fail_at(decoder, "cwd", "is not an absolute path");
        for (size_t i = 0; process->env[i]; i++)
                if (process->env[i][0] == '=' || !strchr(process->env[i], '='))
                        return decode_fail_at(decoder, "env", "[%zu] is not NAME=VALUE", i);
        for (size_t i = 0; i < process->n_rlimits; i++) {
                for (size_t j = 0; j < i; j++)
                        if (process->rlimits[i].resource == process->rlimits[j].resource)
                                return decode_fail_at(decoder, "rlimits",
                                                      "[%zu] and [%zu] are of one type", j, i);
        }
        return true;
}

static const DecodeField process_fields[] = {
        DECODE("terminal", decode_bool, OciProcess, terminal),
        DECODE_FLAT("consoleSize", &console_object),
        DECODE_FLAT("user", &user_object),
        DECODE("args", decode_strings, OciProcess, args),
        DECODE("env", decode_strings, OciProcess, env),
        DECODE("cwd", decode_string, OciProcess, cwd),
        DECODE("capabilities", decode_object, OciProcess, capabilities, .of = &capability_object),
        DECODE_LIST("rlimits", OciProcess, rlimits, n_rlimits, &limit_object),
        DECODE("noNewPrivileges", decode_bool, OciProcess, no_new_privileges),
        DECODE("oomScoreAdj", decode_maybe_signed, OciProcess, oom_score_adjust,
               .of = &(const DecodeRange){-1000, 1000}),
        DECODE("scheduler", decode_object, OciProcess, scheduler, .of = &scheduler_object),
        DECODE("ioPriority", decode_object, OciProcess, io_priority, .of = &io_priority_object),
        DECODE_FLAT("execCPUAffinity", &affinity_object),
        DECODE_NO("apparmorProfile"),
        DECODE_NO("selinuxLabel"),
};
const DecodeObject decode_process_object = DECODE_OBJECT(process_fields, .finish = finish_process);
