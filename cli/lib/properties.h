#pragma once

/* All properties of a container, in the order of the service's reply. Owns the reply; knows no
 * property by name, so those of a newer service show up in JSON without a change here. Called by
 * `status` and `inspect`. */

#include "cli/lib/client.h"
#include "cli/lib/json.h"

typedef struct {
        sd_bus_message *reply; /* owns the texts */
        GArray *list;
} Properties;

/* Fetches them. 0, or -errno with `error` set. */
int properties_fetch(Properties *properties, Client *client, const char *path, sd_bus_error *error);
void properties_clear(Properties *properties);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Properties, properties_clear)

/* The strings of a list, with blanks between; "" if there are none. Owned. */
char *properties_line(const Properties *properties, const char *name);

/* The value of a property; "" or 0 if it is missing or of another type. */
const char *properties_text(const Properties *properties, const char *name);
uint64_t properties_number(const Properties *properties, const char *name);

void properties_to_json(const Properties *properties, Json *json);
void properties_members_to_json(const Properties *properties, Json *json); /* without brackets */
