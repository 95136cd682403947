#pragma once

/* What server.c, request.c and the two APIs share. */

#include "dbus/connection/callers.h"
#include "dbus/connection/peer-watch.h"
#include "dbus/server.h"
#include "service/rootfs/lookup.h"

/* What hangs on one container at this edge: who waits for its end, and whose leaving ends it. */
typedef struct ContainerBond {
        GPtrArray *waiting; /* Waiting, owned: calls of Wait, Stop and Delete of a live one */
        PeerWatch *caller;  /* WatchBus */
        uid_t owner;
        char *id;
        Server *server;
} ContainerBond;

struct Server {
        ServerOptions options;
        Manager *manager;
        Authority *authority; /* NULL on a private connection */
        Callers *callers;
        GHashTable *bonds;    /* Container → ContainerBond, owned */
        GHashTable *requests; /* set of Request, borrowed */
        GHashTable *pending;  /* uid → count of Requests */
        GHashTable *waiting;  /* uid → count of kept calls */
        GHashTable *refusals; /* uid → Refusals, owned */
        PeerWatches *watches;
        RootfsLookups *lookups;
        GQueue unannounced; /* Containers that the bus has not been told of */
        guint announce_source;
        unsigned n_pending;
        unsigned n_waiting;
        uint64_t calls;
        bool refuses;
        bool emitting; /* the object look-up serves us, not a caller */
};

/* -- server.c -- */
const Credentials *server_caller(Server *server, sd_bus_message *message, GError **error);
char *server_container_path(const ContainerInfo *info);
/* The owner and id that a container's object path names. Owned id. */
bool server_parse_path(const char *path, uid_t *ret_owner, char **ret_id);
bool server_may_see(const Credentials *caller, uid_t owner);
const MethodRule *server_rule(const char *interface, const char *member);
unsigned server_count(GHashTable *counts, uid_t uid, int change); /* the new count of `uid` */
ContainerBond *server_bond(Server *server, Container *container);
/* WatchBus: its end comes with its watcher's, or with a bus on which its name meant another. */
void server_watch_caller(Server *server, Container *container);
char *server_watcher(Server *server, const char *name); /* with the bus's id; owned */
bool server_may_wait(Server *server, sd_bus_message *message, GError **error);
/* Keeps `message` to be answered when the container ends. */
bool server_wait(Server *server, Container *container, sd_bus_message *message, GError **error);
void server_activity(Server *server);

/* -- request.c: one call that cannot be answered at once, answered exactly once -- */
typedef struct Request Request;
/* Counts it against its caller. `message` is kept. */
Request *request_new(Server *server, sd_bus_message *message, const Credentials *caller,
                     GError **error);
void request_fail(Request *request, const GError *error); /* answers and frees */
void request_refuse(
        Request *request,
        const GError *error); /* the same, for what the caller did wrong: logged, counted */
void request_done(Request *request, const char *types, ...); /* answers and frees */
void request_cancel_all(Server *server);                     /* answers "cancelled" */
/* What it waits for, and `data`, to be freed if it is cancelled. NULL: it has come. */
void request_set_lookup(Request *request, RootfsLookup *lookup, GDestroyNotify free_data,
                        void *data);
void request_drop(Request *request); /* frees; the call is answered elsewhere */
sd_bus_message *request_message(Request *request);
Server *request_server(Request *request);
const Credentials *request_caller(Request *request);
bool request_is_asked(const Request *request); /* is it a caller whom polkit is asked about? */
/* Asks for `action` unless the caller is root or the private peer; then calls `next`, from inside
 * if nothing has to be asked. Refused: answered and freed. */
typedef void (*RequestFunc)(Request *request, void *data);
typedef struct RequestQuestion {
        const char *action;
        const char *const *details;
        RequestFunc next;
        RequestFunc refused; /* answers a refusal, in order to say no more than of what there is
                                not; or NULL */
        GDestroyNotify free_data; /* of `data`, unless `next` took it over */
        void *data;
} RequestQuestion;
void request_authorize(Request *request, const RequestQuestion *question);
/* -- manager-api.c, container-api.c -- */
bool manager_api_export(Server *server, GError **error);
bool container_api_export(Server *server, GError **error);
int reply_error(sd_bus_error *ret_error, GError *error);
