#pragma once

/* Who sent a message: by the bus daemon's own word, remembered per unique name (such a name is
 * never given to anybody else), or on a private connection by the kernel's word of the socket's
 * other end. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "service/spec/credentials.h"
#include "service/spec/error.h"

typedef struct Callers Callers;

/* `peer`: the one caller of a private connection (copied); NULL on a bus. */
Callers *callers_new(sd_bus *bus, const Credentials *peer);
void callers_free(Callers *callers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Callers, callers_free)

/* Borrowed, valid until the next call. Asks the bus daemon once for each new name. That is the
 * service's only synchronous call; it has a time limit, and without an answering daemon no message
 * would have come. */
const Credentials *callers_get(Callers *callers, sd_bus_message *message, GError **error);
