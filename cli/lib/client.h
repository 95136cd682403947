#pragma once

/* The connection to the service, however it is reached, and the messages for what goes wrong on it.
 * Results are taken from method replies only, and no bus signal is listened to but by `events`:
 * anybody may send a signal, but only the service can answer a call (GLib's CVE-2024-34397 was
 * about forged signals). Called by every verb. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "service/spec/limits.h"
#include "service/util/bus-auto.h"

/* Long enough for a user to type a password, and for the service to resolve the rootfs and to set
 * up the sandbox. */
#define CALL_TIMEOUT_USEC                                                                          \
        (AUTHORITY_TIMEOUT_USEC + (RESOLVE_TIMEOUT_MSEC + SETUP_TIMEOUT_MSEC) * UINT64_C(1000) +   \
         UINT64_C(10000000))

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

/* Connects; NULL after a complaint. `options` must outlive the client. */
Client *client_open(const ClientOptions *options);
/* Disconnects, and waits until a private service has ended its containers. */
void client_free(Client *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Client, client_free)

/* Ends the password agent, which has copies of our stdio; it is started again if it is needed. */
void client_end_agent(Client *client);

sd_bus *client_bus(Client *client);
bool client_is_remote(const Client *client);
/* Whether the connection carries file descriptors. If not, and `verb` is given, complains that
 * `verb` needs them. */
bool client_passes_fds(Client *client, const char *verb);

/* A new call to the service. It allows polkit to ask for a password if somebody can answer. */
int client_new_call(Client *client, const char *path, const char *interface, const char *member,
                    sd_bus_message **ret);
/* Sends a call and waits for the reply; 0, or -errno with `error` set. If a password is needed,
 * starts the password agent and repeats the call once. `usec` 0 is the default time limit,
 * UINT64_MAX none. */
int client_call(Client *client, sd_bus_message *call, uint64_t usec, sd_bus_error *error,
                sd_bus_message **ret_reply);

/* If `error` says that a password is needed: starts the password agent and makes the same call
 * again, not yet sent. False if an agent would not help. For callers that cannot wait in
 * client_call(). */
bool client_repeat_call(Client *client, sd_bus_message *refused, const sd_bus_error *error,
                        sd_bus_message **ret);

/* The object path of container `id` ("ID" or "UID/ID"); NULL after a complaint. */
char *client_find_container(Client *client, const char *id);
/* The id in a container's object path; NULL for any other path. No call is made, so the container
 * may be gone already. */
char *client_container_id(const char *path);
/* Calls a method of the container; `types` as for sd_bus_message_append(). */
int client_call_container(Client *client, const char *path, const char *member, sd_bus_error *error,
                          sd_bus_message **ret_reply, const char *types, ...);

/* Prints "PROGRAM: SUBJECT: message", and a hint if there is one for this error. Returns
 * EXIT_FAILURE. */
int client_complain(const Client *client, const char *subject, const sd_bus_error *error);
/* The same for an errno that sd-bus returned. */
int client_complain_errno(const Client *client, const char *subject, int error);
