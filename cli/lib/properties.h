#pragma once

/* The properties of a container, whatever there are of them, in the order of the reply. */

#include "cli/lib/json.h"
#include "cli/lib/client.h"

typedef struct {
        sd_bus_message *reply; /* owns the texts */
        GArray *list;
} Properties;

/* 0, or -errno with `error` set. */
int properties_fetch(Properties *properties, Client *client, const char *path, sd_bus_error *error);
void properties_clear(Properties *properties);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Properties, properties_clear)

/* The strings of an `as` in one line; "" if there are none. Owned. */
char *properties_line(const Properties *properties, const char *name);

/* "" and 0 for what is missing or of another type. */
const char *properties_text(const Properties *properties, const char *name);
uint64_t properties_number(const Properties *properties, const char *name);

void properties_to_json(const Properties *properties, Json *json);
