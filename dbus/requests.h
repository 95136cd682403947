#pragma once

/* Calls that cannot be answered at once: a lookup, polkit or a start comes first. Each Request
 * keeps its message, counts against its caller while it is pending, and ends in exactly one of
 * request_done(), request_fail(), request_refuse(), request_drop() and request_call_again(), or
 * when its caller leaves while polkit is asked: then the question is cancelled and nobody is
 * answered. A call beyond those that a user may have at work waits in a line, as its message alone,
 * and is dropped when its caller leaves. Knows nothing of containers: what is asked, and what comes
 * next, the handlers say. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "dbus/activity.h"
#include "dbus/connection/peer-watch.h"
#include "polkit/authority.h"
#include "service/rootfs/lookup.h"
#include "service/spec/credentials.h"

typedef struct Requests Requests;
typedef struct Request Request;
typedef void (*RequestFunc)(Request *request, void *data);

typedef struct RequestsOptions {
        Authority *authority; /* NULL on a private connection, whose caller the kernel has judged */
        PeerWatches *watches; /* both borrowed */
        Activity activity;
        void *handler_data;
        /* The time that goes on with a request after its turn has come, or polkit's answer. */
        void (*charge)(uid_t uid, uint64_t usec, void *handler_data);
} RequestsOptions;

Requests *requests_new(const RequestsOptions *options);
void requests_free(Requests *requests); /* call it when none is pending any more */
bool requests_is_idle(const Requests *requests);
/* Admits no more. What is pending is answered "cancelled", after a call of `cancelled` for each. */
void requests_refuse(Requests *requests, RequestFunc cancelled, void *data);

/* Counts the request against its caller. Keeps a reference to `message`. True with NULL: the call
 * waits in the line; at its turn `again` is called, as sd-bus would, and comes here once more. */
bool request_new(Requests *requests, sd_bus_message *message, const Credentials *caller,
                 sd_bus_message_handler_t again, Request **ret, GError **error);
sd_bus_message *request_message(Request *request);
const Credentials *request_caller(Request *request);

/* Each of these answers the call and frees the request; after request_drop() somebody else
 * answers, and request_call_again() lets a handler answer, which may take the request's place. */
void request_done(Request *request, const char *types, ...);
void request_fail(Request *request, const GError *error);
/* For the caller's own mistake, which is logged and counted. */
void request_refuse(Request *request, const GError *error);
void request_drop(Request *request);
void request_call_again(Request *request, sd_bus_message_handler_t handler);

/* The look-up that the request waits for, and `data`, to be freed if the request is cancelled.
 * NULL: the look-up has ended. */
void request_set_lookup(Request *request, RootfsLookup *lookup, GDestroyNotify free_data,
                        void *data);

/* Other work that the request waits for: `cancel` is called with it if the request ends before.
 * NULL: the work is done. */
void request_set_work(Request *request, GDestroyNotify cancel, void *work);

typedef struct RequestQuestion {
        const char *action;
        const char *const *details;
        bool is_quiet; /* nobody is asked for a password, whatever the caller allows */
        bool goes_on;  /* a refusal does not count: `refused` asks for something else, and owns
                          `data` */
        RequestFunc next;
        RequestFunc refused;      /* Called on refusal, to answer as if the container did not exist.
                                   * NULL: report the refusal. */
        GDestroyNotify free_data; /* of `data`, unless `next` took it over */
        void *data;
} RequestQuestion;
/* Asks polkit for `action`, unless the caller is root or the private peer; then calls `next`, from
 * inside if polkit is not asked. A refused request is answered and freed. */
void request_authorize(Request *request, const RequestQuestion *question);
bool request_is_asked(const Request *request); /* is polkit asked about this caller at all? */
