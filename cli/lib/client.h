#pragma once

/* The connection to the service, whichever way it is reached, and the words for what goes wrong on
 * it. Results are learnt from method replies alone: anybody may send signals, but only the service
 * can answer a call (GLib CVE-2024-34397 was about that). naivec therefore matches no signal at
 * all. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "service/util/bus-auto.h"

typedef struct Client Client;

/* Where the service is. At most one of the first four is set; none means the system bus. */
typedef struct {
        const char *address; /* of another bus */
        const char *host;    /* reached by ssh: [USER@]HOST */
        const char *machine; /* of systemd-machined */
        bool is_embedded;    /* a private service, no bus */
        bool asks_password;
        bool is_verbose; /* show the private service's messages */
} ClientOptions;

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(sd_bus_error, sd_bus_error_free)

/* Connects; NULL after saying why not. `options` must outlive the client. */
Client *client_open(const ClientOptions *options);
/* Disconnects, and waits for an embedded service to end its containers. */
void client_free(Client *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Client, client_free)

sd_bus *client_bus(Client *client);
bool client_is_remote(const Client *client);
/* Says that `verb` needs fds where they cannot pass, and returns false. */
bool client_passes_fds(Client *client, const char *verb);

/* A call to the service, marked for interactive authorization where that is wanted. */
int client_new_call(Client *client, const char *path, const char *interface, const char *member,
                    sd_bus_message **ret);
/* Sends a call and waits; 0 or -errno with `error` set. A refusal for want of a password starts the
 * password agent and repeats the call once. `usec` 0 is the default time limit, UINT64_MAX none. */
int client_call(Client *client, sd_bus_message *call, uint64_t usec, sd_bus_error *error,
                sd_bus_message **ret_reply);

/* After a refusal for want of a password: the same call anew, now with an agent to ask for one.
 * False where that would not help. For those who cannot use client_call(). */
bool client_repeat_call(Client *client, sd_bus_message *refused, const sd_bus_error *error,
                        sd_bus_message **ret);

/* The object path of container `id` ("ID" or "UID/ID"); NULL after saying why not. */
char *client_find_container(Client *client, const char *id);
/* The id that a container's object path names; NULL for any other path. Asks nobody: the container
 * may be gone. */
char *client_container_id(const char *path);
/* Calls a method of the container; `types` as for sd_bus_message_append(). */
int client_call_container(Client *client, const char *path, const char *member, sd_bus_error *error,
                          sd_bus_message **ret_reply, const char *types, ...);

/* "naivec: SUBJECT: message" and a hint where one helps. Returns EXIT_FAILURE. */
int client_complain(const Client *client, const char *subject, const sd_bus_error *error);
/* Like it, for an errno of sd-bus itself. */
int client_complain_errno(const Client *client, const char *subject, int error);
