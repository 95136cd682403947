/* What of a process only some owners, or some user namespaces, can have. */

#include "service/manager/internal.h"
#include "service/sandbox/outside.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"

/* How many ids the container has; 0: all of the host's. */
static uint32_t count_ids(UserNamespaceMode mode)
{
        return mode == USER_NAMESPACE_HOST ? 0 : mode == USER_NAMESPACE_AUTO ? ID_RANGE_SIZE : 1;
}

static bool check_id(uint32_t n, uint32_t id, const char *key, GError **error)
{
        return n == 0 || id < n ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "%s has %u: the ids of this container are 0 to %u", key, id, n - 1);
}

static bool check_ids(const Order *order, GError **error)
{
        const ProcessAttributes *attributes = &order->process.attributes;
        uint32_t n = count_ids(order->tree.user_namespace);
        bool keeps_id = order->tree.user_namespace == USER_NAMESPACE_KEEP_ID;

        if (attributes->n_groups && n == 1)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "with UserNamespace=%s there are no SupplementaryGroups",
                                 keeps_id ? "keep-id" : "self");
        if (!keeps_id && (!check_id(n, attributes->uid, "User", error) ||
                          !check_id(n, attributes->gid, "User", error)))
                return false;
        for (uint32_t i = 0; i < attributes->n_groups; i++)
                if (!check_id(n, attributes->groups[i], "SupplementaryGroups", error))
                        return false;
        return true;
}

/* The most that a container has without being asked: what the service itself has, but for open
 * files, of which it lets itself have more. */
static bool check_limits(const Profile *profile, const Order *order, GError **error)
{
        for (unsigned i = 0; i < N_PROCESS_LIMITS; i++) {
                const ProcessLimit *limit = &order->process.attributes.limits[i];
                ProcessLimit most;

                if (!limit->is_given || order->owner->uid == 0 || !outside_read_limit(i, &most))
                        continue;
                if (i == PROCESS_LIMIT_NOFILE)
                        most.hard = profile->files_hard;
                if (limit->hard > most.hard)
                        return error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                                         "Limit%s: the hard limit is at most %" G_GUINT64_FORMAT
                                         " for who is not root, not %" G_GUINT64_FORMAT,
                                         outside_limit_name(i), most.hard, limit->hard);
        }
        return true;
}

/* A container has the service's own unless that is below 0: who is not root is spared no more than
 * that. */
static bool check_oom_score(const Profile *profile, const Order *order, GError **error)
{
        const ProcessAttributes *attributes = &order->process.attributes;
        int least = MAX(profile->oom_score, 0);

        return !attributes->has_oom_score_adjust || attributes->oom_score_adjust >= least ||
               order->owner->uid == 0 ||
               error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                         "OOMScoreAdjust is at least %d for who is not root, not %d", least,
                         attributes->oom_score_adjust);
}

bool manager_admit_process(const Profile *profile, const Order *order, GError **error)
{
        return check_ids(order, error) && check_limits(profile, order, error) &&
               check_oom_score(profile, order, error);
}
