#include "service/spec/rights.h"

#include <string.h>

#include "service/spec/error.h"
#include "service/util/capability.h"

/* Root with these can become anybody, with any groups, and keep what it has of capabilities. */
static bool may_become_anybody(const Rights *first)
{
        uint64_t needed = CAPABILITY(SETUID) | CAPABILITY(SETGID);

        return first->uid == 0 && (first->capabilities & needed) == needed;
}

static bool check_id(uint32_t n_ids, uint32_t id, const char *key, GError **error)
{
        return n_ids == 0 || id < n_ids ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "%s has %u: the ids of this container are 0 to %u", key, id, n_ids - 1);
}

static bool settle_user(const Rights *first, uint32_t n_ids, ProcessAttributes *attributes,
                        GError **error)
{
        if (attributes->uid == PROCESS_ID_OPEN) {
                attributes->uid = first->uid;
                attributes->gid = first->gid;
                return true;
        }
        if (!may_become_anybody(first) &&
            (attributes->uid != first->uid || attributes->gid != first->gid))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "User is %u:%u: the container's first process is %u:%u and could "
                                 "not become another user itself",
                                 attributes->uid, attributes->gid, first->uid, first->gid);
        return (attributes->uid == first->uid && attributes->gid == first->gid) ||
               (check_id(n_ids, attributes->uid, "User", error) &&
                check_id(n_ids, attributes->gid, "User", error));
}

/* Also fewer groups can be more rights: a file's mode may give a group less than it gives others.
 * Another user has none without being given them. */
static bool settle_groups(const Rights *first, uint32_t n_ids, ProcessAttributes *attributes,
                          GError **error)
{
        if (attributes->n_groups == PROCESS_GROUPS_OPEN) {
                bool is_same = attributes->uid == first->uid && attributes->gid == first->gid;
                attributes->n_groups = is_same ? first->n_groups : 0;
                memcpy(attributes->groups, first->groups, sizeof first->groups);
                return true;
        }
        if (!may_become_anybody(first) && (attributes->n_groups != first->n_groups ||
                                           memcmp(attributes->groups, first->groups,
                                                  first->n_groups * sizeof first->groups[0]) != 0))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "SupplementaryGroups: the container's first process has others "
                                 "and could not change them itself");
        if (attributes->n_groups && n_ids == 1)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "with one id in the container there are no "
                                 "SupplementaryGroups");
        for (uint32_t i = 0; i < attributes->n_groups; i++)
                if (!check_id(n_ids, attributes->groups[i], "SupplementaryGroups", error))
                        return false;
        return true;
}

static bool settle_capabilities(const Rights *first, ProcessAttributes *attributes, GError **error)
{
        uint64_t most = first->uid == 0 ? first->capabilities : first->user_capabilities, more;

        if (attributes->user_capabilities == PROCESS_CAPABILITIES_OPEN)
                attributes->user_capabilities = first->user_capabilities;
        more = attributes->user_capabilities & ~most;
        return !more || error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                  "Capabilities has %s, which the container's first process does "
                                  "not have",
                                  capability_name((unsigned) __builtin_ctzll(more)));
}

static bool check_privileges(const Rights *first, const ProcessSpec *process, GError **error)
{
        return !first->no_new_privileges || !process->has_no_new_privileges ||
               process->no_new_privileges ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "NoNewPrivileges is false: the container's first process can gain none");
}

bool rights_settle_join(const Rights *first, uint32_t n_ids, ProcessSpec *process, Rights *ret,
                        GError **error)
{
        ProcessAttributes *attributes = &process->attributes;

        if (!settle_user(first, n_ids, attributes, error) ||
            !settle_groups(first, n_ids, attributes, error) ||
            !settle_capabilities(first, attributes, error) ||
            !check_privileges(first, process, error))
                return false;
        *ret = *first;
        ret->no_new_privileges = first->no_new_privileges || process->no_new_privileges;
        return true;
}
