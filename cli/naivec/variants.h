#pragma once

/* What a reply says in a{sv}, whatever keys it has: as JSON, and one number by its key. Knows no
 * key by name, so what a newer service tells shows up without a change here. Called by the verbs
 * that print what a container or the service is. */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "cli/lib/json.h"

/* Writes the complete value at which the message stands: numbers, texts, lists, dictionaries with
 * texts for keys. Bytes (ay) become a text. 0 or -errno. */
int variants_to_json(sd_bus_message *message, Json *json);

/* The number of type t with this key in the a{sv} that is all of the reply. False: it has none. The
 * reply is rewound before and after. */
bool variants_number(sd_bus_message *reply, const char *key, uint64_t *ret);
