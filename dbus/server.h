#pragma once

/* The bus face of the service: objects, methods, signals and properties over one connection, each
 * request judged before it changes anything. Wired in main.c; handlers live in manager-api.c and
 * container-api.c. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "polkit/authority.h"
#include "service/cgroup/cgroup.h"
#include "service/manager/manager.h"
#include "service/spec/credentials.h"

typedef struct Server Server;

typedef struct ServerOptions {
        sd_bus *bus; /* borrowed; not yet served */
        const Credentials
                *peer; /* the caller of a private connection, who needs no permission; or NULL */
        CgroupMode cgroup_mode;
        void (*activity)(void *data); /* something happened: idleness may have begun or ended */
        void *data;
} ServerOptions;

Server *server_new(const ServerOptions *options);
void server_free(Server *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Server, server_free)

/* The manager's events, with the server as their data; and the manager itself, before anything is
 * served. */
extern const ManagerEvents server_events;
/* Adds all objects. A caller must never see a half-built service: the name comes afterwards. */
bool server_export(Server *server, Manager *manager, GError **error);

bool server_is_idle(const Server *server);   /* no request, no question, no wait is pending */
uint64_t server_calls(const Server *server); /* method calls that have come in so far */
void server_refuse(Server *server);          /* requests, pending and new ones: the service stops */
void server_cancel(Server *server);          /* the same, and whoever waits for an end */

/* One row of who may call what; a test holds the rows against the live vtables. */
typedef struct MethodRule {
        const char *interface, *member;
        const char *action; /* polkit's; NULL: changes nothing and tells nothing of others */
        bool owner_is_free; /* the container's owner needs no permission */
} MethodRule;
extern const MethodRule method_rules[]; /* ends with a NULL interface */
