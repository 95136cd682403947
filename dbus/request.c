/* One call that cannot be answered at once. It keeps the message, counts against its caller while
 * it is pending, and ends in exactly one of request_done(), request_fail(), request_refuse() and
 * request_drop(), or when its caller leaves while polkit is asked: then the question is cancelled
 * and nobody is answered. */

#include <stdarg.h>

#include "dbus/error-map.h"
#include "dbus/log.h"
#include "dbus/names.h"
#include "dbus/server-internal.h"
#include "service/spec/limits.h"

struct Request {
        Server *server;
        sd_bus_message *message;
        Credentials *caller;
        AuthorityQuery *query;
        RootfsLookup *lookup;
        PeerWatch *watch;
        RequestQuestion question;
};

/* A storm of requests that are all refused costs a process and a question each: it is cut off
 * before both. */
typedef struct Refusals {
        uint64_t since; /* microseconds, monotonic */
        unsigned count;
} Refusals;

static Refusals *refusals_of(Server *server, uid_t uid)
{
        Refusals *refusals = g_hash_table_lookup(server->refusals, GUINT_TO_POINTER(uid));
        uint64_t now = (uint64_t) g_get_monotonic_time();

        if (!refusals) {
                refusals = g_new0(Refusals, 1);
                g_hash_table_insert(server->refusals, GUINT_TO_POINTER(uid), refusals);
        }
        if (refusals->count == 0 || now - refusals->since > REFUSALS_USEC)
                *refusals = (Refusals){.since = now};
        return refusals;
}

Request *request_new(Server *server, sd_bus_message *message, const Credentials *caller,
                     GError **error)
{
        if (server->refuses) {
                error_set(error, RUNTIME_ERROR_CANCELLED, "the service is stopping");
                return NULL;
        }
        if (caller->uid != 0 && refusals_of(server, caller->uid)->count >= REFUSALS_MAX) {
                error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                          "%u requests of yours were refused within %u s: wait a little",
                          REFUSALS_MAX, (unsigned) (REFUSALS_USEC / G_USEC_PER_SEC));
                return NULL;
        }
        if (caller->uid != 0 &&
            (server_count(server->pending, caller->uid, 0) >= PENDING_PER_UID_MAX ||
             server->n_pending >= PENDING_MAX)) {
                error_set(
                        error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                        "too many requests are waiting for an answer (%u for each user, %u in all)",
                        PENDING_PER_UID_MAX, PENDING_MAX);
                return NULL;
        }
        Request *request = g_new0(Request, 1);
        request->server = server;
        request->message = sd_bus_message_ref(message);
        request->caller = credentials_copy(caller);
        g_hash_table_add(server->requests, request);
        server_count(server->pending, caller->uid, 1);
        server->n_pending++;
        return request;
}

static void question_clear(Request *request)
{
        GDestroyNotify free_data = request->question.free_data;

        if (free_data && request->question.data)
                free_data(request->question.data);
        request->question = (RequestQuestion){0};
}

static void request_free(Request *request)
{
        Server *server = request->server;

        rootfs_lookup_cancel(request->lookup);
        authority_query_cancel(request->query);
        peer_watch_free(request->watch);
        question_clear(request);
        g_hash_table_remove(server->requests, request);
        server_count(server->pending, request->caller->uid, -1);
        server->n_pending--;
        sd_bus_message_unref(request->message);
        credentials_free(request->caller);
        g_free(request);
        server_activity(server);
}

void request_drop(Request *request)
{
        request_free(request);
}

void request_refuse(Request *request, const GError *error)
{
        g_autofree char *text = authority_escape(error->message);

        log_decision(request->caller->uid, NULL, text);
        refusals_of(request->server, request->caller->uid)->count++;
        request_fail(request, error);
}

void request_fail(Request *request, const GError *error)
{
        error_map_reply(request->message, error);
        request_free(request);
}

void request_done(Request *request, const char *types, ...)
{
        sd_bus_message *reply = NULL;
        va_list arguments;
        int r = sd_bus_message_new_method_return(request->message, &reply);

        va_start(arguments, types);
        if (r >= 0 && *types)
                r = sd_bus_message_appendv(reply, types, arguments);
        va_end(arguments);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        if (r < 0)
                g_warning("cannot answer a call: %s", g_strerror(-r));
        sd_bus_message_unref(reply);
        request_free(request);
}

void request_set_lookup(Request *request, RootfsLookup *lookup, GDestroyNotify free_data,
                        void *data)
{
        request->lookup = lookup;
        request->question = (RequestQuestion){.free_data = free_data, .data = data};
}

sd_bus_message *request_message(Request *request)
{
        return request->message;
}

Server *request_server(Request *request)
{
        return request->server;
}

const Credentials *request_caller(Request *request)
{
        return request->caller;
}

void request_cancel_all(Server *server)
{
        g_autoptr(GList) all = g_hash_table_get_keys(server->requests);
        g_autoptr(GError) error = NULL;

        error_set(&error, RUNTIME_ERROR_CANCELLED, "the service is stopping");
        for (GList *link = all; link; link = link->next) {
                Request *request = link->data;
                manager_forget(server->manager, request);
                request_fail(request, error);
        }
}

static void stop_watching(Request *request)
{
        peer_watch_free(request->watch);
        request->watch = NULL;
}

static void on_present(void *data)
{
        Request *request = data;
        RequestQuestion question = request->question;

        stop_watching(request);
        request->question = (RequestQuestion){0};
        question.next(request, question.data);
}

/* Polkit may say yes of a caller that it never found (CVE-2021-3560), and sooner than the bus says
 * that there is none: a yes counts only with the bus's word. */
static void on_answer(GError *error, void *data)
{
        Request *request = data;
        RequestQuestion question = request->question;

        request->query = NULL;
        log_decision(request->caller->uid, question.action,
                     error ? error->message : "authorized by polkit");
        if (!error) {
                peer_watch_await(request->watch, on_present);
                return;
        }
        refusals_of(request->server, request->caller->uid)->count++;
        stop_watching(request);
        if (question.refused)
                question.refused(request, question.data);
        else
                request_fail(request, error);
}

/* One that leaves has cost as much as one that is refused. */
static void on_caller_left(bool gone, void *data)
{
        Request *request = data;
        g_autoptr(GError) error = NULL;

        if (gone) {
                refusals_of(request->server, request->caller->uid)->count++;
                request_free(request);
                return;
        }
        error_set(&error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                  "the bus lets the service watch no more callers");
        request_fail(request, error);
}

/* Root passes by the bus daemon's word, as with systemd; on a private connection the kernel has
 * judged. */
bool request_is_asked(const Request *request)
{
        return request->caller->uid != 0 && request->server->authority;
}

void request_authorize(Request *request, const RequestQuestion *question)
{
        Server *server = request->server;

        if (!request_is_asked(request)) {
                question->next(request, question->data);
                return;
        }
        request->question = *question;
        const char *sender = sd_bus_message_get_sender(request->message);
        request->watch = peer_watch_new(server->watches, sender, on_caller_left, request);
        request->query = authority_check(
                server->authority,
                &(AuthorityRequest){
                        .sender = sender,
                        .action = question->action,
                        .details = question->details,
                        .interactive = sd_bus_message_get_allow_interactive_authorization(
                                               request->message) > 0,
                },
                on_answer, request);
}
