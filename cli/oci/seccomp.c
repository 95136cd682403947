#include "cli/oci/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>

#include "service/spec/error.h"

#define ARCHITECTURE_PREFIX "SCMP_ARCH_"

static uint32_t action_of(OciSeccompAction action, const OciUnsigned *number)
{
        uint32_t errnum = number->is_given ? (uint32_t) number->value & SECCOMP_RET_DATA : EPERM;

        switch (action) {
        case OCI_SECCOMP_KILL_THREAD:
                return SCMP_ACT_KILL_THREAD;
        case OCI_SECCOMP_KILL_PROCESS:
                return SCMP_ACT_KILL_PROCESS;
        case OCI_SECCOMP_TRAP:
                return SCMP_ACT_TRAP;
        case OCI_SECCOMP_ERRNO:
                return SCMP_ACT_ERRNO(errnum);
        case OCI_SECCOMP_TRACE:
                return SCMP_ACT_TRACE(errnum);
        case OCI_SECCOMP_LOG:
                return SCMP_ACT_LOG;
        case OCI_SECCOMP_ALLOW:
                break;
        }
        return SCMP_ACT_ALLOW;
}

/* The native one is there in any case. */
static bool add_architectures(scmp_filter_ctx filter, char *const *names, GError **error)
{
        for (; *names; names++) {
                bool has_prefix = g_str_has_prefix(*names, ARCHITECTURE_PREFIX);
                g_autofree char *word =
                        g_ascii_strdown(has_prefix ? *names + strlen(ARCHITECTURE_PREFIX) : "", -1);
                uint32_t token = *word ? seccomp_arch_resolve_name(word) : 0;
                if (token == 0)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "linux.seccomp.architectures: libseccomp does not know "
                                         "'%s'",
                                         *names);
                int r = seccomp_arch_add(filter, token);
                if (r < 0 && r != -EEXIST)
                        return error_set_errno(error, RUNTIME_ERROR_NOT_SUPPORTED, -r,
                                               "linux.seccomp.architectures: cannot add '%s'",
                                               *names);
        }
        return true;
}

static struct scmp_arg_cmp compare(const OciSeccompArgument *argument)
{
        static const enum scmp_compare operators[] = {
                [OCI_SECCOMP_NE] = SCMP_CMP_NE,
                [OCI_SECCOMP_LT] = SCMP_CMP_LT,
                [OCI_SECCOMP_LE] = SCMP_CMP_LE,
                [OCI_SECCOMP_EQ] = SCMP_CMP_EQ,
                [OCI_SECCOMP_GE] = SCMP_CMP_GE,
                [OCI_SECCOMP_GT] = SCMP_CMP_GT,
                [OCI_SECCOMP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
        };

        return SCMP_CMP64(argument->index, operators[argument->operator], argument->value,
                          argument->value_two);
}

static bool has_argument_twice(const OciSeccompRule *rule)
{
        unsigned seen = 0;

        for (size_t i = 0; i < rule->n_args; i++) {
                unsigned bit = 1u << rule->args[i].index;
                if (seen & bit)
                        return true;
                seen |= bit;
        }
        return false;
}

/* All arguments have to fit. Of one that is named twice, as in runc, any one of them: libseccomp
 * cannot compare an argument with two values in one rule. */
static int add_rule(scmp_filter_ctx filter, uint32_t action, int number, const OciSeccompRule *rule)
{
        struct scmp_arg_cmp comparisons[6];
        bool apart = has_argument_twice(rule);
        int r = 0;

        for (size_t i = 0; i < rule->n_args && r >= 0; i++) {
                comparisons[apart ? 0 : i] = compare(&rule->args[i]);
                if (apart)
                        r = seccomp_rule_add_array(filter, action, number, 1, comparisons);
        }
        if (!apart)
                r = seccomp_rule_add_array(filter, action, number, (unsigned) rule->n_args,
                                           comparisons);
        return r == -EEXIST ? 0 : r;
}

static bool add_rules(scmp_filter_ctx filter, const OciSeccomp *seccomp, GError **error)
{
        uint32_t otherwise = action_of(seccomp->default_action, &seccomp->default_errno);

        for (size_t i = 0; i < seccomp->n_rules; i++) {
                const OciSeccompRule *rule = &seccomp->rules[i];
                uint32_t action = action_of(rule->action, &rule->errno_value);
                if (action == otherwise) /* libseccomp refuses what would change nothing */
                        continue;
                for (char **name = rule->names; *name; name++) {
                        int number = seccomp_syscall_resolve_name(*name);
                        int r = number == __NR_SCMP_ERROR ? 0
                                                          : add_rule(filter, action, number, rule);
                        if (r < 0)
                                return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, -r,
                                                       "linux.seccomp.syscalls[%zu]: cannot add a "
                                                       "rule for %s",
                                                       i, *name);
                }
        }
        return true;
}

static bool find_flags(char *const *names, unsigned *ret, GError **error)
{
        static const struct {
                const char *name;
                unsigned flag;
        } known[] = {
                {"SECCOMP_FILTER_FLAG_TSYNC", 0}, /* there is one thread */
                {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
                {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
        };
        unsigned flags = 0;

        for (; *names; names++) {
                size_t i = 0;
                while (i < G_N_ELEMENTS(known) && strcmp(*names, known[i].name) != 0)
                        i++;
                if (i == G_N_ELEMENTS(known))
                        return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                         "linux.seccomp.flags: '%s' is not supported", *names);
                flags |= known[i].flag;
        }
        *ret = flags;
        return true;
}

static bool compile(scmp_filter_ctx filter, const OciSeccomp *seccomp, GArray *code, GError **error)
{
        if (!add_architectures(filter, seccomp->architectures, error) ||
            !add_rules(filter, seccomp, error))
                return false;
        int r = seccomp_append_exported(code, filter);
        return r >= 0 || error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, -r,
                                         "linux.seccomp: cannot build the filter");
}

bool oci_seccomp_compile(const OciSeccomp *seccomp, SeccompProgram **ret, unsigned *ret_flags,
                         GError **error)
{
        g_autoptr(GArray) code = g_array_new(FALSE, FALSE, sizeof(struct sock_filter));
        unsigned flags = 0;

        if (!find_flags(seccomp->flags, &flags, error))
                return false;
        scmp_filter_ctx filter =
                seccomp_init(action_of(seccomp->default_action, &seccomp->default_errno));
        if (!filter)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "linux.seccomp: libseccomp cannot begin a filter with this "
                                 "default action");
        bool ok = compile(filter, seccomp, code, error);
        seccomp_release(filter);
        if (!ok)
                return false;
        SeccompProgram *program = g_new0(SeccompProgram, 1);
        program->program.len = (unsigned short) code->len;
        program->program.filter = g_array_steal(code, NULL);
        *ret = program;
        *ret_flags = flags;
        return true;
}
