#include "cli/naivec/more-flags.h"

#include <string.h>

#include "cli/lib/values.h"
#include "service/util/capability.h"

static bool parse_limit(const char *text, uint64_t *ret)
{
        if (g_str_equal(text, "-1") || g_str_equal(text, "unlimited")) {
                *ret = UINT64_MAX;
                return true;
        }
        return value_parse_number(text, 0, UINT64_MAX, ret);
}

char *more_flags_take_ulimit(SpawnRequest *request, const char *text)
{
        static const struct {
                const char *name;
                SpawnOption option;
        } limits[] = {
                {"core", SPAWN_LimitCORE},       {"fsize", SPAWN_LimitFSIZE},
                {"memlock", SPAWN_LimitMEMLOCK}, {"nofile", SPAWN_LimitNOFILE},
                {"nproc", SPAWN_LimitNPROC},     {"stack", SPAWN_LimitSTACK},
        };
        g_auto(GStrv) halves = g_strsplit(text, "=", 2);
        g_auto(GStrv) values = g_strsplit(halves[0] && halves[1] ? halves[1] : "", ":", 2);
        uint64_t soft, hard;

        for (unsigned i = 0; halves[0] && i < G_N_ELEMENTS(limits); i++) {
                if (strcmp(halves[0], limits[i].name) != 0)
                        continue;
                if (!values[0] || !parse_limit(values[0], &soft) ||
                    !parse_limit(values[1] ? values[1] : values[0], &hard))
                        return g_strdup_printf("--ulimit=%s: it takes NAME=SOFT or NAME=SOFT:HARD, "
                                               "numbers or -1 for no limit",
                                               text);
                spawn_request_set_pair(request, limits[i].option, soft, hard);
                return NULL;
        }
        return g_strdup_printf(
                "--ulimit=%s: NAME is one of core, fsize, memlock, nofile, nproc, stack", text);
}

char *more_flags_take_cap_drop(CapDrop *drop, const char *text)
{
        g_autofree char *upper = g_ascii_strup(text, -1);
        g_autofree char *name = g_str_has_prefix(upper, "CAP_") ? g_strdup(upper)
                                                                : g_strconcat("CAP_", upper, NULL);
        uint64_t bit = 0;

        if (g_str_equal(upper, "ALL"))
                drop->all = true;
        else if (!capability_from_name(name, &bit))
                return g_strdup_printf("--cap-drop=%s: there is no such capability", text);
        drop->mask |= bit;
        return NULL;
}

static void put_names(SpawnRequest *request, SpawnOption option, uint64_t mask)
{
        spawn_request_set_empty(request, option);
        for (unsigned i = 0; capability_name(i); i++)
                if (mask & UINT64_C(1) << i)
                        spawn_request_add(request, option, capability_name(i));
}

/* As podman combines them: the default set, or with "--cap-add all" all capabilities, or with
 * "--cap-drop all" none; then without what is dropped by name; then with what is added by name. */
char *more_flags_settle_cap_drop(const CapDrop *drop, SpawnRequest *request)
{
        const GPtrArray *names = request->values[SPAWN_Capabilities];
        uint64_t added = 0, every = 0, bit;

        if (!drop->all && !drop->mask)
                return NULL;
        for (unsigned i = 0; capability_name(i); i++)
                every |= UINT64_C(1) << i;
        for (unsigned i = 0; names && i < names->len; i++)
                if (capability_from_name(names->pdata[i], &bit))
                        added |= bit;
        if (added == every) {
                if (drop->all)
                        return g_strdup(
                                "--cap-add and --cap-drop exclude each other: both are all");
                added &= ~drop->mask;
                put_names(request, SPAWN_Capabilities, added);
        } else if (added & drop->mask) {
                return g_strdup_printf(
                        "--cap-add and --cap-drop both name %s",
                        capability_name((unsigned) __builtin_ctzll(added & drop->mask)));
        }
        put_names(request, SPAWN_CapabilityBoundingSet,
                  (drop->all ? 0 : CAPABILITIES_DEFAULT & ~drop->mask) | added);
        return NULL;
}
