#include <json-c/json_object.h>

#include "cli/oci/decode/tables.h"
#include "cli/oci/spec/seccomp.h"

static const DecodeWord action_words[] = {
        {"SCMP_ACT_KILL", OCI_SECCOMP_KILL_THREAD},
        {"SCMP_ACT_KILL_THREAD", OCI_SECCOMP_KILL_THREAD},
        {"SCMP_ACT_KILL_PROCESS", OCI_SECCOMP_KILL_PROCESS},
        {"SCMP_ACT_TRAP", OCI_SECCOMP_TRAP},
        {"SCMP_ACT_ERRNO", OCI_SECCOMP_ERRNO},
        {"SCMP_ACT_TRACE", OCI_SECCOMP_TRACE},
        {"SCMP_ACT_ALLOW", OCI_SECCOMP_ALLOW},
        {"SCMP_ACT_LOG", OCI_SECCOMP_LOG},
};

static const DecodeWord operator_words[] = {
        {"SCMP_CMP_NE", OCI_SECCOMP_NE},
        {"SCMP_CMP_LT", OCI_SECCOMP_LT},
        {"SCMP_CMP_LE", OCI_SECCOMP_LE},
        {"SCMP_CMP_EQ", OCI_SECCOMP_EQ},
        {"SCMP_CMP_GE", OCI_SECCOMP_GE},
        {"SCMP_CMP_GT", OCI_SECCOMP_GT},
        {"SCMP_CMP_MASKED_EQ", OCI_SECCOMP_MASKED_EQ},
};

const DecodeWords decode_seccomp_actions = {action_words, G_N_ELEMENTS(action_words)};
const DecodeWords decode_seccomp_operators = {operator_words, G_N_ELEMENTS(operator_words)};

static const DecodeRange errno_range = {0, 4095}; /* what a filter can answer with */

static const DecodeField argument_fields[] = {
        DECODE_AS("index", decode_uint32, OciSeccompArgument, index, &(const DecodeRange){0, 5}),
        DECODE("value", decode_uint64, OciSeccompArgument, value),
        DECODE("valueTwo", decode_uint64, OciSeccompArgument, value_two),
        DECODE_AS("op", decode_word, OciSeccompArgument, operator, & decode_seccomp_operators),
};
static const DecodeObject argument_object = {DECODE_MEMBERS(argument_fields),
                                             .size = sizeof(OciSeccompArgument)};

static bool finish_rule(Decoder *decoder, void *target)
{
        const OciSeccompRule *rule = target;

        if (!rule->names || !rule->names[0])
                return decode_fail_at(decoder, "names", "is missing or empty");
        return true;
}

static const DecodeField rule_fields[] = {
        DECODE("names", decode_strings, OciSeccompRule, names),
        DECODE_AS("action", decode_word, OciSeccompRule, action, &decode_seccomp_actions),
        DECODE_AS("errnoRet", decode_maybe_unsigned, OciSeccompRule, errno_value, &errno_range),
        DECODE_LIST("args", OciSeccompRule, args, n_args, &argument_object),
};
static const DecodeObject rule_object = {DECODE_MEMBERS(rule_fields),
                                         .size = sizeof(OciSeccompRule), .finish = finish_rule};

static const DecodeField seccomp_fields[] = {
        DECODE_AS("defaultAction", decode_word, OciSeccomp, default_action,
                  &decode_seccomp_actions),
        DECODE_AS("defaultErrnoRet", decode_maybe_unsigned, OciSeccomp, default_errno,
                  &errno_range),
        DECODE("architectures", decode_strings, OciSeccomp, architectures),
        DECODE("flags", decode_strings, OciSeccomp, flags),
        DECODE_LIST("syscalls", OciSeccomp, rules, n_rules, &rule_object),
        DECODE_NO("listenerPath"),
        DECODE_NO("listenerMetadata"),
};
const DecodeObject decode_seccomp_object = {DECODE_MEMBERS(seccomp_fields)};

bool decode_seccomp(Decoder *decoder, const DecodeField *field, json_object *value, void *target)
{
        OciSeccomp *seccomp = g_new0(OciSeccomp, 1);

        /* the owner frees it, whole or not */
        *(OciSeccomp **) target = seccomp;
        seccomp->architectures = g_new0(char *, 1);
        seccomp->flags = g_new0(char *, 1);
        if (json_object_is_type(value, json_type_object) &&
            !json_object_object_get_ex(value, "defaultAction", NULL))
                return decode_fail_at(decoder, "defaultAction", "is missing");
        return decode_object(decoder, field, value, seccomp);
}
