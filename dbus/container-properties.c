#include "dbus/container-properties.h"

#include <errno.h>
#include <glib.h>
#include <stddef.h>
#include <string.h>

#include "dbus/figures.h"
#include "dbus/names.h"

/* -- from fields to values: FITS_...() checks the type of a field -- */

#define FIELD(name)        ((ContainerInfo *) NULL)->name
#define IS(field, type)    __builtin_types_compatible_p(__typeof__(FIELD(field)), type)
#define FITS_u32(field)    (sizeof(FIELD(field)) == sizeof(uint32_t)) /* uid_t, pid_t */
#define FITS_i32(field)    IS(field, int)
#define FITS_u64(field)    IS(field, uint64_t)
#define FITS_text(field)   IS(field, char *)
#define FITS_texts(field)  IS(field, char **)
#define FITS_state(field)  IS(field, ContainerState)
#define FITS_result(field) IS(field, ContainerResult)
#define FITS_limit(field)  IS(field, LimitHit)
#define FITS_usage(field)  IS(field, CgroupUsage)
#define FITS_labels(field) IS(field, char **)

static int append_u32(sd_bus_message *reply, const void *field)
{
        return sd_bus_message_append_basic(reply, 'u', field);
}

static int append_i32(sd_bus_message *reply, const void *field)
{
        return sd_bus_message_append_basic(reply, 'i', field);
}

static int append_u64(sd_bus_message *reply, const void *field)
{
        return sd_bus_message_append_basic(reply, 't', field);
}

static int append_text(sd_bus_message *reply, const void *field)
{
        const char *text = *(char *const *) field;

        return sd_bus_message_append_basic(reply, 's', text ? text : "");
}

static int append_texts(sd_bus_message *reply, const void *field)
{
        return sd_bus_message_append_strv(reply, *(char **const *) field);
}

static int append_state(sd_bus_message *reply, const void *field)
{
        const ContainerState *state = field;

        return sd_bus_message_append_basic(reply, 's', container_state_to_string(*state));
}

static int append_result(sd_bus_message *reply, const void *field)
{
        const ContainerResult *result = field;

        return sd_bus_message_append_basic(reply, 's', container_result_to_string(*result));
}

static int append_limit(sd_bus_message *reply, const void *field)
{
        const LimitHit *hit = field;

        return sd_bus_message_append_basic(reply, 's', limit_hit_to_string(*hit));
}

static int append_usage(sd_bus_message *reply, const void *field)
{
        const CgroupUsage *usage = field;

        return figures_append(reply, usage->known, usage->values, _CGROUP_USAGE_MAX);
}

static int append_labels(sd_bus_message *reply, const void *field)
{
        char *const *label = *(char **const *) field;
        int r = sd_bus_message_open_container(reply, 'a', "{ss}");

        for (; r >= 0 && label && *label; label += 2)
                r = sd_bus_message_append(reply, "{ss}", label[0], label[1]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* -- the rows -- */

#define CHECK(name, type, field, when) G_STATIC_ASSERT(FITS_##type(field));
CONTAINER_PROPERTIES(CHECK)

static const struct {
        const char *name;
        int (*append)(sd_bus_message *reply, const void *field);
        size_t offset;
        unsigned when;
} properties[] = {
#define ROW(name, type, field, when) {#name, append_##type, offsetof(ContainerInfo, field), when},
        CONTAINER_PROPERTIES(ROW)};

int container_property_append(sd_bus_message *reply, const ContainerInfo *info, const char *name)
{
        for (size_t i = 0; i < G_N_ELEMENTS(properties); i++)
                if (strcmp(properties[i].name, name) == 0)
                        return properties[i].append(reply,
                                                    (const char *) info + properties[i].offset);
        return -ENOENT;
}

void container_properties_emit(sd_bus *bus, const char *path, ContainerState state)
{
        unsigned when = state == CONTAINER_STOPPED ? PROPERTY_AT_END : PROPERTY_AT_START;
        const char *names[G_N_ELEMENTS(properties) + 1] = {NULL};
        size_t n = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(properties); i++)
                if (properties[i].when & when)
                        names[n++] = properties[i].name;
        sd_bus_emit_properties_changed_strv(bus, path, INTERFACE_CONTAINER, (char **) names);
}
