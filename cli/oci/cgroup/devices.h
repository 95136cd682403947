#pragma once

/* Rules on devices as what is left of them: one answer for every device, and exceptions. The config
 * has rules of which the last one that fits counts; v1 keeps exceptions itself, and does not say
 * which rules it could not follow, so both versions get the same from here. */

#include "cli/oci/spec/resources.h"

#define DEVICE_ANY INT64_C(-1)

typedef struct DeviceException {
        char type; /* 'b' or 'c' */
        int64_t major, minor;
        unsigned access;
} DeviceException;

/* As the kernel counts them for BPF. */
#define DEVICE_MKNOD 1u
#define DEVICE_READ  2u
#define DEVICE_WRITE 4u
#define DEVICE_ALL   7u

typedef struct DeviceRules {
        bool allows; /* what has no exception */
        GArray *exceptions;
} DeviceRules;

/* Begins with nothing allowed, and ends with what every container has. NotSupported: a rule takes a
 * part of what a wider one has given, or gives it back. */
bool device_rules_make(const OciDeviceRule *rules, size_t n, DeviceRules *ret, GError **error);
void device_rules_clear(DeviceRules *rules);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DeviceRules, device_rules_clear)

/* -- device-program.c -- */

/* Attaches the rules to a directory of v2, for as long as that is there. */
bool device_rules_attach(const DeviceRules *rules, int dirfd, GError **error);
