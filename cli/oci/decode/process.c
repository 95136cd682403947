#include <json-c/json_object.h>
#include <linux/capability.h>
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
static const DecodeObject capability_object = {DECODE_MEMBERS(capability_fields),
                                               .finish = finish_capabilities};

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
        DECODE_AS("type", decode_word, OciRlimit, resource, DECODE_WORDS(limit_words)),
        DECODE("soft", decode_uint64, OciRlimit, soft),
        DECODE("hard", decode_uint64, OciRlimit, hard),
};
static const DecodeObject limit_object = {DECODE_MEMBERS(limit_fields), .size = sizeof(OciRlimit),
                                          .finish = finish_limit};

static const DecodeField console_fields[] = {
        DECODE("height", decode_uint16, OciProcess, rows),
        DECODE("width", decode_uint16, OciProcess, columns),
};
static const DecodeObject console_object = {DECODE_MEMBERS(console_fields)};

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
        DECODE_AS("umask", decode_maybe_unsigned, OciProcess, umask, &(const DecodeRange){0, 0777}),
        {.name = "additionalGids", .decode = decode_groups},
};
static const DecodeObject user_object = {DECODE_MEMBERS(user_fields)};

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
        DECODE_AS("capabilities", decode_object, OciProcess, capabilities, &capability_object),
        DECODE_LIST("rlimits", OciProcess, rlimits, n_rlimits, &limit_object),
        DECODE("noNewPrivileges", decode_bool, OciProcess, no_new_privileges),
        DECODE_AS("oomScoreAdj", decode_maybe_signed, OciProcess, oom_score_adjust,
                  &(const DecodeRange){-1000, 1000}),
        DECODE_AS("scheduler", decode_object, OciProcess, scheduler, &decode_scheduler_object),
        DECODE_AS("ioPriority", decode_object, OciProcess, io_priority, &decode_io_priority_object),
        DECODE_NO("execCPUAffinity"),
        DECODE("apparmorProfile", decode_string, OciProcess, apparmor_profile),
        DECODE_NO("selinuxLabel"),
};
const DecodeObject decode_process_object = {DECODE_MEMBERS(process_fields),
                                            .finish = finish_process};
