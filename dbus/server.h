#pragma once

/* The bus face of the service over one connection: holds what the handlers of the two APIs need,
 * and sees every call first. Built and wired in service/build.c.
 *
 * The order of dbus/, from the lowest step up; a file includes only what is below its own step
 * (STEPS in tests/lint/include-layers.py): connection/ · names, options · arguments, log, methods
 * · paths, rules, properties, decoding · requests · waiting · signals · server · methods of
 * containers, Spawn · the two APIs. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "dbus/activity.h"
#include "dbus/connection/callers.h"
#include "dbus/connection/fd-replies.h"
#include "dbus/connection/intake.h"
#include "dbus/connection/peer-watch.h"
#include "dbus/connection/sessions.h"
#include "dbus/requests.h"
#include "dbus/signals.h"
#include "dbus/waiting.h"
#include "polkit/authority.h"
#include "service/cgroup/cgroup.h"
#include "service/cgroup/start/abilities.h"
#include "service/manager/manager.h"
#include "service/rootfs/lookup.h"
#include "service/spec/credentials.h"

/* What was found at start. */
typedef struct ServiceFeatures {
        CgroupAbilities cgroups;
        bool has_id_ranges;
        const char *no_sandbox; /* why no container can be started; NULL: they can */
} ServiceFeatures;

typedef struct ServerOptions {
        sd_bus *bus; /* borrowed; not yet served */
        /* The caller of a private connection, who needs no permission; NULL on a bus. */
        const Credentials *peer;
        const CgroupTree *cgroups; /* borrowed */
        ServiceFeatures features;
        bool sandbox_needs_process_fd; /* see SandboxNeedsProcessFD */
        Activity activity;
        IntakeSenders senders;
} ServerOptions;

/* The data of every handler. */
typedef struct Server {
        ServerOptions options;
        Manager *manager; /* borrowed */
        Callers *callers;
        PeerWatches *watches;
        Sessions *sessions; /* NULL on a private connection */
        FdReplies *fd_replies;
        RootfsLookups *lookups;
        Authority *authority; /* NULL on a private connection */
        Requests *requests;
        Waiting *waiting;
        Signals *signals; /* data of signals_events, for the manager */
        Intake *intake;
} Server;

Server *server_new(const ServerOptions *options);
void server_free(Server *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Server, server_free)

/* Begins to see calls; afterwards the APIs export their objects. A caller must never see a
 * half-built service: the bus name comes last. */
bool server_attach(Server *server, Manager *manager, GError **error);

/* The containers that the caller may see, as by manager_list(). */
GPtrArray *server_list(const Server *server, const Credentials *caller);

bool server_is_idle(const Server *server);   /* no call, no request, no question is pending */
uint64_t server_calls(const Server *server); /* method calls that have come in so far */
void server_refuse(Server *server); /* answers pending and new requests: the service stops */
void server_cancel(Server *server); /* the same, and the calls that wait for an end */
