#include "dbus/requests.h"

#include <stdarg.h>

#include "dbus/connection/error-map.h"
#include "dbus/log.h"
#include "dbus/uid-counts.h"
#include "service/spec/limits.h"

struct Requests {
        RequestsOptions options;
        GHashTable *all;      /* set of Request, borrowed: each is freed by its end */
        GHashTable *pending;  /* uid → count of Requests */
        GHashTable *refusals; /* uid → Refusals, owned */
        bool refuses;
};

struct Request {
        Requests *requests;
        sd_bus_message *message;
        Credentials *caller;
        AuthorityQuery *query;
        RootfsLookup *lookup;
        PeerWatch *watch;
        RequestQuestion question;
};

/* How often a user was refused lately. A request that is refused costs a process and a question, so
 * a storm of them is cut off before both. */
typedef struct Refusals {
        uint64_t since; /* microseconds, monotonic */
        unsigned count;
} Refusals;

static Refusals *refusals_of(Requests *requests, uid_t uid)
{
        Refusals *refusals = g_hash_table_lookup(requests->refusals, GUINT_TO_POINTER(uid));
        uint64_t now = (uint64_t) g_get_monotonic_time();

        if (!refusals) {
                refusals = g_new0(Refusals, 1);
                g_hash_table_insert(requests->refusals, GUINT_TO_POINTER(uid), refusals);
        }
        if (refusals->count == 0 || now - refusals->since > REFUSALS_USEC)
                *refusals = (Refusals){.since = now};
        return refusals;
}

Request *request_new(Requests *requests, sd_bus_message *message, const Credentials *caller,
                     GError **error)
{
        if (requests->refuses) {
                error_set(error, RUNTIME_ERROR_CANCELLED, "the service is stopping");
                return NULL;
        }
        if (caller->uid != 0 && refusals_of(requests, caller->uid)->count >= REFUSALS_MAX) {
                error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                          "%u requests of yours were refused within %u s: wait a little",
                          REFUSALS_MAX, (unsigned) (REFUSALS_USEC / G_USEC_PER_SEC));
                return NULL;
        }
        if (caller->uid != 0 &&
            (uid_count(requests->pending, caller->uid, 0) >= PENDING_PER_UID_MAX ||
             g_hash_table_size(requests->all) >= PENDING_MAX)) {
                error_set(
                        error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                        "too many requests are waiting for an answer (%u for each user, %u in all)",
                        PENDING_PER_UID_MAX, PENDING_MAX);
                return NULL;
        }
        Request *request = g_new0(Request, 1);
        request->requests = requests;
        request->message = sd_bus_message_ref(message);
        request->caller = credentials_copy(caller);
        g_hash_table_add(requests->all, request);
        uid_count(requests->pending, caller->uid, 1);
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
        Requests *requests = request->requests;

        rootfs_lookup_cancel(request->lookup);
        authority_query_cancel(request->query);
        peer_watch_free(request->watch);
        question_clear(request);
        g_hash_table_remove(requests->all, request);
        uid_count(requests->pending, request->caller->uid, -1);
        sd_bus_message_unref(request->message);
        credentials_free(request->caller);
        g_free(request);
        activity_tell(&requests->options.activity);
}

void request_drop(Request *request)
{
        request_free(request);
}

void request_refuse(Request *request, const GError *error)
{
        g_autofree char *text = authority_escape(error->message);

        log_decision(request->caller->uid, NULL, text);
        refusals_of(request->requests, request->caller->uid)->count++;
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

const Credentials *request_caller(Request *request)
{
        return request->caller;
}

void requests_refuse(Requests *requests, RequestFunc cancelled, void *data)
{
        g_autoptr(GList) all = g_hash_table_get_keys(requests->all);
        g_autoptr(GError) error = NULL;

        requests->refuses = true;
        error_set(&error, RUNTIME_ERROR_CANCELLED, "the service is stopping");
        for (GList *link = all; link; link = link->next) {
                cancelled(link->data, data);
                request_fail(link->data, error);
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

/* Polkit may say yes of a caller that it never found (CVE-2021-3560), and say so before the bus
 * says that the caller is gone. So a yes counts only once the bus has said that the caller is
 * there. */
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
        refusals_of(request->requests, request->caller->uid)->count++;
        stop_watching(request);
        if (question.refused)
                question.refused(request, question.data);
        else
                request_fail(request, error);
}

/* A caller that leaves has cost as much as a caller that is refused. */
static void on_caller_left(bool gone, void *data)
{
        Request *request = data;
        g_autoptr(GError) error = NULL;

        if (gone) {
                refusals_of(request->requests, request->caller->uid)->count++;
                request_free(request);
                return;
        }
        error_set(&error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                  "the bus lets the service watch no more callers");
        request_fail(request, error);
}

/* Not asked are root, for whom the bus daemon vouches, as with systemd, and the caller of a private
 * connection, for whom the kernel does. */
bool request_is_asked(const Request *request)
{
        return request->caller->uid != 0 && request->requests->options.authority;
}

void request_authorize(Request *request, const RequestQuestion *question)
{
        const RequestsOptions *options = &request->requests->options;

        if (!request_is_asked(request)) {
                question->next(request, question->data);
                return;
        }
        request->question = *question;
        const char *sender = sd_bus_message_get_sender(request->message);
        request->watch = peer_watch_new(options->watches, sender, on_caller_left, request);
        request->query = authority_check(
                options->authority,
                &(AuthorityRequest){
                        .sender = sender,
                        .action = question->action,
                        .details = question->details,
                        .interactive = sd_bus_message_get_allow_interactive_authorization(
                                               request->message) > 0,
                },
                on_answer, request);
}

bool requests_is_idle(const Requests *requests)
{
        return g_hash_table_size(requests->all) == 0;
}

Requests *requests_new(const RequestsOptions *options)
{
        Requests *requests = g_new0(Requests, 1);

        requests->options = *options;
        requests->all = g_hash_table_new(NULL, NULL);
        requests->pending = g_hash_table_new(NULL, NULL);
        requests->refusals = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        return requests;
}

void requests_free(Requests *requests)
{
        if (!requests)
                return;
        g_hash_table_destroy(requests->all);
        g_hash_table_destroy(requests->pending);
        g_hash_table_destroy(requests->refusals);
        g_free(requests);
}
