#pragma once

/* The part of a record that says what a container's first process may do. Called by record.c. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/container/info.h"

#define RECORD_GROUP "Container"

/* False if the key is missing, too. */
bool record_get_uint64(GKeyFile *file, const char *key, uint64_t *ret, GError **error);

void record_add_rights(GKeyFile *file, const Rights *rights);
void record_add_filters(GKeyFile *file, const Filters *filters);
bool record_parse_rights(GKeyFile *file, ContainerInfo *info, GError **error);
