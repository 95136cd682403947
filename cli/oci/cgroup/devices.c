#include "cli/oci/cgroup/devices.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/oci/cgroup/write.h"
#include "service/cgroup/path/path.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

#define NUMBER_SIZE 24u

/* What every container has: null, zero, full, random, urandom, tty, console, ptmx, and terminals.
 */
static const DeviceException common[] = {
        {'c', 1, 3, DEVICE_ALL}, {'c', 1, 5, DEVICE_ALL}, {'c', 1, 7, DEVICE_ALL},
        {'c', 1, 8, DEVICE_ALL}, {'c', 1, 9, DEVICE_ALL}, {'c', 5, 0, DEVICE_ALL},
        {'c', 5, 1, DEVICE_ALL}, {'c', 5, 2, DEVICE_ALL}, {'c', 136, DEVICE_ANY, DEVICE_ALL},
};

void device_rules_clear(DeviceRules *rules)
{
        g_clear_pointer(&rules->exceptions, g_array_unref);
}

/* -- rules -- */

static bool covers(int64_t wide, int64_t narrow)
{
        return wide == DEVICE_ANY || wide == narrow;
}

static bool contains(const DeviceException *wide, const DeviceException *narrow)
{
        return wide->type == narrow->type && covers(wide->major, narrow->major) &&
               covers(wide->minor, narrow->minor);
}

static bool overlaps(const DeviceException *a, const DeviceException *b)
{
        return a->type == b->type && (covers(a->major, b->major) || covers(b->major, a->major)) &&
               (covers(a->minor, b->minor) || covers(b->minor, a->minor));
}

static void add(DeviceRules *rules, const DeviceException *added)
{
        for (guint i = 0; i < rules->exceptions->len; i++) {
                DeviceException *there = &g_array_index(rules->exceptions, DeviceException, i);
                if (there->type == added->type && there->major == added->major &&
                    there->minor == added->minor) {
                        there->access |= added->access;
                        return;
                }
        }
        g_array_append_vals(rules->exceptions, added, 1);
}

static bool take_away(DeviceRules *rules, const DeviceException *taken, GError **error)
{
        for (guint i = rules->exceptions->len; i-- > 0;) {
                DeviceException *there = &g_array_index(rules->exceptions, DeviceException, i);
                if (!overlaps(there, taken) || !(there->access & taken->access))
                        continue;
                if (!contains(taken, there))
                        return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                         "linux.resources.devices: the rule for %c %" PRId64
                                         ":%" PRId64 " takes a part of what one before it says of "
                                         "more devices",
                                         taken->type, taken->major, taken->minor);
                there->access &= ~taken->access;
                if (there->access == 0)
                        g_array_remove_index(rules->exceptions, i);
        }
        return true;
}

static bool apply(DeviceRules *rules, const DeviceException *device, bool allow, GError **error)
{
        if (allow == rules->allows)
                return take_away(rules, device, error);
        add(rules, device);
        return true;
}

static bool apply_rule(DeviceRules *rules, const OciDeviceRule *rule, GError **error)
{
        DeviceException device = {
                .type = rule->type,
                .major = rule->major.is_given && rule->major.value >= 0 ? rule->major.value
                                                                        : DEVICE_ANY,
                .minor = rule->minor.is_given && rule->minor.value >= 0 ? rule->minor.value
                                                                        : DEVICE_ANY,
                .access = (rule->mknod ? DEVICE_MKNOD : 0) | (rule->read ? DEVICE_READ : 0) |
                          (rule->write ? DEVICE_WRITE : 0),
        };
        bool is_all = device.major == DEVICE_ANY && device.minor == DEVICE_ANY;

        if (device.major > INT32_MAX || device.minor > INT32_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "linux.resources.devices: there is no device %" PRId64 ":%" PRId64,
                                 device.major, device.minor);
        if (rule->type == 'a' && is_all && device.access == DEVICE_ALL) {
                rules->allows = rule->allow;
                g_array_set_size(rules->exceptions, 0);
                return true;
        }
        if (rule->type != 'a')
                return apply(rules, &device, rule->allow, error);
        device.type = 'b';
        if (!apply(rules, &device, rule->allow, error))
                return false;
        device.type = 'c';
        return apply(rules, &device, rule->allow, error);
}

bool device_rules_make(const OciDeviceRule *list, size_t n, DeviceRules *ret, GError **error)
{
        g_auto(DeviceRules) rules = {
                .exceptions = g_array_new(FALSE, FALSE, sizeof(DeviceException)),
        };

        for (size_t i = 0; i < n; i++)
                if (!apply_rule(&rules, &list[i], error))
                        return false;
        for (size_t i = 0; i < G_N_ELEMENTS(common); i++)
                if (!apply(&rules, &common[i], true, error))
                        return false;
        *ret = rules;
        rules.exceptions = NULL;
        return true;
}

/* -- into the kernel -- */

static void print_number(char text[NUMBER_SIZE], int64_t number)
{
        if (number == DEVICE_ANY)
                g_strlcpy(text, "*", NUMBER_SIZE);
        else
                snprintf(text, NUMBER_SIZE, "%" PRId64, number);
}

/* "c 136:* rwm" */
static bool write_exception(const Place *place, const char *file, const DeviceException *device,
                            GError **error)
{
        char major[NUMBER_SIZE], minor[NUMBER_SIZE], text[80];

        print_number(major, device->major);
        print_number(minor, device->minor);
        snprintf(text, sizeof text, "%c %s:%s %s%s%s", device->type, major, minor,
                 device->access & DEVICE_READ ? "r" : "", device->access & DEVICE_WRITE ? "w" : "",
                 device->access & DEVICE_MKNOD ? "m" : "");
        return oci_write(place, file, text, error);
}

/* A new cgroup has what the one above has: to allow all there is nothing to write. */
static bool write_legacy(const Place *place, const DeviceRules *rules, GError **error)
{
        if (!rules->allows && !oci_write(place, "devices.deny", "a", error))
                return false;
        for (guint i = 0; i < rules->exceptions->len; i++)
                if (!write_exception(place, rules->allows ? "devices.deny" : "devices.allow",
                                     &g_array_index(rules->exceptions, DeviceException, i), error))
                        return false;
        return true;
}

/* In a user namespace nobody may use a device that is not there already, and nobody may limit it.
 */
static bool is_inner(void)
{
        g_autofree char *map = NULL;
        unsigned inside, outside, count;

        return g_file_get_contents("/proc/self/uid_map", &map, NULL, NULL) &&
               (sscanf(map, "%u %u %u", &inside, &outside, &count) != 3 || outside != 0 ||
                count != UINT32_MAX);
}

bool oci_devices_set(const PathCgroup *cgroup, const OciDeviceRule *list, size_t n, GError **error)
{
        g_auto(DeviceRules) rules = {0};
        Place place = {.key = "devices"};

        if (!device_rules_make(list, n, &rules, error))
                return false;
        if (!cgroup || is_inner())
                return true;
        place.fd = path_cgroup_of(cgroup, "devices", NULL);
        if (place.fd >= 0)
                return write_legacy(&place, &rules, error);
        place.fd = path_cgroup_unified(cgroup);
        if (rules.allows && rules.exceptions->len == 0)
                return true;
        return place.fd >= 0 ? device_rules_attach(&rules, place.fd, error)
                             : error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                         "linux.resources.devices: no cgroup hierarchy here limits "
                                         "devices");
}
