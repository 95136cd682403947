#include <linux/capability.h>

#include "dbus/decode/arguments.h"
#include "dbus/decode/decoders.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/capability.h"

static bool read_capabilities(sd_bus_message *message, const char *key, uint64_t *ret,
                              GError **error)
{
        g_autofree char **names = NULL;
        uint64_t bit;

        if (!arguments_read_list(message, "s", key, &names, error))
                return false;
        for (char **name = names; *name; name++) {
                if (!capability_from_name(*name, &bit))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "%s: there is no capability '%s'", key, *name);
                *ret |= bit;
        }
        return true;
}

/* What is in the default set anyway adds nothing, unless the user is not root. */
bool decode_Capabilities(sd_bus_message *message, Order *order, GError **error)
{
        uint64_t named = 0;

        if (!read_capabilities(message, "Capabilities", &named, error))
                return false;
        order->process.capabilities = named & ~CAPABILITIES_DEFAULT;
        order->process.attributes.user_capabilities = named;
        return true;
}

bool decode_CapabilityBoundingSet(sd_bus_message *message, Order *order, GError **error)
{
        order->process.bounding_set = 0;
        return read_capabilities(message, "CapabilityBoundingSet", &order->process.bounding_set,
                                 error);
}

/* 2^32-1 is no id: the kernel says "unchanged" by it. */
static bool check_id(uint32_t id, const char *key, GError **error)
{
        return id != UINT32_MAX ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s has %u, which is no id", key, id);
}

bool decode_User(sd_bus_message *message, Order *order, GError **error)
{
        ProcessAttributes *attributes = &order->process.attributes;
        int r = sd_bus_message_read(message, "(uu)", &attributes->uid, &attributes->gid);

        if (r < 0)
                return arguments_malformed(error, r, "User");
        order->process.has_user = true;
        return check_id(attributes->uid, "User", error) && check_id(attributes->gid, "User", error);
}

bool decode_SupplementaryGroups(sd_bus_message *message, Order *order, GError **error)
{
        ProcessAttributes *attributes = &order->process.attributes;
        const uint32_t *groups;
        size_t size;
        int r = sd_bus_message_read_array(message, 'u', (const void **) &groups, &size);

        if (r < 0)
                return arguments_malformed(error, r, "SupplementaryGroups");
        if (size > sizeof attributes->groups)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "SupplementaryGroups has %zu groups, more than the %u allowed",
                                 size / sizeof *groups, GROUPS_MAX);
        attributes->n_groups = (uint32_t) (size / sizeof *groups);
        for (uint32_t i = 0; i < attributes->n_groups; i++) {
                attributes->groups[i] = groups[i];
                if (!check_id(groups[i], "SupplementaryGroups", error))
                        return false;
        }
        return true;
}

/* A limit of 0 for core dumps does not keep the kernel from starting the host's handler. A limit
 * of 1 does, and keeps as little of a dump. */
static bool read_limit(sd_bus_message *message, const char *key, ProcessLimit *limit, bool is_core,
                       GError **error)
{
        int r = sd_bus_message_read(message, "(tt)", &limit->soft, &limit->hard);

        if (r < 0)
                return arguments_malformed(error, r, key);
        limit->is_given = true;
        if (is_core) {
                limit->soft = MAX(limit->soft, 1);
                limit->hard = MAX(limit->hard, 1);
        }
        return limit->soft <= limit->hard ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "%s: the soft limit, %" G_GUINT64_FORMAT
                         ", is above the hard one, %" G_GUINT64_FORMAT,
                         key, limit->soft, limit->hard);
}

#define X(NAME)                                                                                    \
        bool decode_Limit##NAME(sd_bus_message *message, Order *order, GError **error)             \
        {                                                                                          \
                return read_limit(message, "Limit" #NAME,                                          \
                                  &order->process.attributes.limits[PROCESS_LIMIT_##NAME],         \
                                  PROCESS_LIMIT_##NAME == PROCESS_LIMIT_CORE, error);              \
        }
PROCESS_LIMITS(X)
#undef X

bool decode_OOMScoreAdjust(sd_bus_message *message, Order *order, GError **error)
{
        ProcessAttributes *attributes = &order->process.attributes;
        int r = sd_bus_message_read_basic(message, 'i', &attributes->oom_score_adjust);

        if (r < 0)
                return arguments_malformed(error, r, "OOMScoreAdjust");
        attributes->has_oom_score_adjust = true;
        return (attributes->oom_score_adjust >= -OOM_SCORE_ADJUST_MAX &&
                attributes->oom_score_adjust <= OOM_SCORE_ADJUST_MAX) ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS, "OOMScoreAdjust is %d, not -%d to %d",
                         attributes->oom_score_adjust, OOM_SCORE_ADJUST_MAX, OOM_SCORE_ADJUST_MAX);
}
