#include "dbus/requests.h"

#include <stdarg.h>
#include <sys/resource.h>

#include "dbus/connection/error-map.h"
#include "dbus/line/line.h"
#include "dbus/line/weight.h"
#include "dbus/log.h"
#include "dbus/names.h"
#include "dbus/uid-counts.h"
#include "service/spec/limits.h"

#define PLACE_BYTES                                                                                \
        (LINE_BYTES_MAX / LINE_PLACES_MAX) /* what waits counts for at least this much */

struct Requests {
        RequestsOptions options;
        GHashTable *all;      /* set of Request, borrowed: each is freed by its end */
        GHashTable *pending;  /* uid → count of Requests */
        GHashTable *refusals; /* uid → Refusals, owned */
        unsigned of_users;    /* how many there are in `all` but for root's */
        Line *line;           /* of Waiter */
        guint turn;           /* lets one after another out of the line */
        sd_bus_message *at_turn;
        bool refuses;
};

/* A call that waits for its turn. */
typedef struct Waiter {
        LinePlace place; /* first */
        Requests *requests;
        sd_bus_message *message;
        sd_bus_message_handler_t again;
        PeerWatch *watch;
} Waiter;

struct Request {
        Requests *requests;
        sd_bus_message *message;
        Credentials *caller;
        AuthorityQuery *query;
        RootfsLookup *lookup;
        GDestroyNotify cancel_work; /* NULL: it has none */
        void *work;
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

/* -- the line -- */

/* A user may have the fewer requests at work the fewer more there may be: so a few users whose
 * questions nobody answers leave something for the next one. */
static bool may_begin(uid_t uid, const void *data)
{
        const Requests *requests = data;
        unsigned own = uid_count(requests->pending, uid, 0);

        return own < PENDING_PER_UID_MAX && own < PENDING_MAX - requests->of_users;
}

static void waiter_free(Waiter *waiter)
{
        peer_watch_free(waiter->watch);
        sd_bus_message_unref(waiter->message);
        activity_tell(&waiter->requests->options.activity);
        g_free(waiter);
}

/* A caller who cannot be watched goes on waiting. */
static void on_waiter_left(bool gone, void *data)
{
        Waiter *waiter = data;

        if (!gone)
                return;
        line_leave(waiter->requests->line, &waiter->place);
        waiter_free(waiter);
}

static void call_again(Requests *requests, sd_bus_message *message,
                       sd_bus_message_handler_t handler)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;

        sd_bus_message_rewind(message, true);
        requests->at_turn = message;
        int r = handler(message, requests->options.handler_data, &error);
        requests->at_turn = NULL;
        if (r < 0)
                sd_bus_reply_method_errno(message, r, &error);
        sd_bus_error_free(&error);
}

static uint64_t now_usec(void)
{
        return (uint64_t) g_get_monotonic_time();
}

static void charge_since(Requests *requests, uid_t uid, uint64_t began)
{
        requests->options.charge(uid, now_usec() - began, requests->options.handler_data);
}

/* One in each turn of the loop: a request that is refused at once makes room for the next. */
static gboolean on_turn(void *data)
{
        Requests *requests = data;
        Waiter *waiter = (Waiter *) line_next(requests->line, may_begin, requests);

        if (!waiter) {
                requests->turn = 0;
                return G_SOURCE_REMOVE;
        }
        uint64_t began = now_usec();
        call_again(requests, waiter->message, waiter->again);
        charge_since(requests, waiter->place.uid, began);
        waiter_free(waiter);
        return G_SOURCE_CONTINUE;
}

/* What may come with descriptors, as the bus's policy has it, weighs so much that all that waits
 * can hold a quarter of the service's. */
static size_t least_weight(sd_bus_message *message)
{
        const size_t place = LINE_BYTES_MAX / LINE_PLACES_MAX;
        struct rlimit files = {0};

        if (g_strcmp0(sd_bus_message_get_interface(message), INTERFACE_MANAGER) != 0 &&
            g_strcmp0(sd_bus_message_get_member(message), "Exec") != 0)
                return place;
        getrlimit(RLIMIT_NOFILE, &files);
        return MAX(place, LINE_BYTES_MAX / (files.rlim_cur / (4 * SPAWN_FDS_MAX) + 1));
}

static bool wait_in_line(Requests *requests, sd_bus_message *message, uid_t uid,
                         sd_bus_message_handler_t again, GError **error)
{
        size_t weight = weight_of_message(message, LINE_MESSAGE_BYTES_MAX);

        if (line_length(requests->line, uid) >= LINE_PER_UID_MAX)
                return error_set(error, RUNTIME_ERROR_BUSY,
                                 "%u requests of yours wait for their turn already",
                                 LINE_PER_UID_MAX);
        if (weight > LINE_MESSAGE_BYTES_MAX)
                return error_set(error, RUNTIME_ERROR_BUSY,
                                 "other requests of yours come first, and this one is too large to "
                                 "wait for its turn");
        Waiter *waiter = g_new0(Waiter, 1);
        waiter->place = (LinePlace){.uid = uid, .weight = MAX(weight, least_weight(message))};
        waiter->requests = requests;
        waiter->message = sd_bus_message_ref(message);
        waiter->again = again;
        waiter->watch = peer_watch_new(requests->options.watches,
                                       sd_bus_message_get_sender(message), on_waiter_left, waiter);
        line_join(requests->line, &waiter->place);
        while ((waiter = (Waiter *) line_surplus(requests->line))) {
                g_autoptr(GError) full = NULL;
                error_set(&full, RUNTIME_ERROR_BUSY,
                          "too many requests wait for their turn, most of them yours");
                error_map_reply(waiter->message, full);
                waiter_free(waiter);
        }
        return true;
}

/* -- requests at work -- */

bool request_new(Requests *requests, sd_bus_message *message, const Credentials *caller,
                 sd_bus_message_handler_t again, Request **ret, GError **error)
{
        bool is_root = caller->uid == 0;

        if (requests->refuses)
                return error_set(error, RUNTIME_ERROR_CANCELLED, "the service is stopping");
        if (!is_root && refusals_of(requests, caller->uid)->count >= REFUSALS_MAX)
                return error_set(error, RUNTIME_ERROR_BUSY,
                                 "%u requests of yours were refused within %u s: wait a little",
                                 REFUSALS_MAX, (unsigned) (REFUSALS_USEC / G_USEC_PER_SEC));
        /* nobody overtakes who waits, neither of the same user nor in the moment of another's turn
         */
        if (!is_root && message != requests->at_turn &&
            (requests->turn || line_length(requests->line, caller->uid) > 0 ||
             !may_begin(caller->uid, requests))) {
                *ret = NULL;
                return wait_in_line(requests, message, caller->uid, again, error);
        }
        Request *request = g_new0(Request, 1);
        request->requests = requests;
        request->message = sd_bus_message_ref(message);
        request->caller = credentials_copy(caller);
        g_hash_table_add(requests->all, request);
        uid_count(requests->pending, caller->uid, 1);
        requests->of_users += !is_root;
        *ret = request;
        return true;
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
        if (request->cancel_work)
                request->cancel_work(request->work);
        authority_query_cancel(request->query);
        peer_watch_free(request->watch);
        question_clear(request);
        g_hash_table_remove(requests->all, request);
        uid_count(requests->pending, request->caller->uid, -1);
        requests->of_users -= request->caller->uid != 0;
        if (!requests->turn && !line_is_empty(requests->line))
                requests->turn = g_idle_add_full(G_PRIORITY_DEFAULT, on_turn, requests, NULL);
        sd_bus_message_unref(request->message);
        credentials_free(request->caller);
        g_free(request);
        activity_tell(&requests->options.activity);
}

void request_drop(Request *request)
{
        request_free(request);
}

void request_call_again(Request *request, sd_bus_message_handler_t handler)
{
        Requests *requests = request->requests;
        sd_bus_message *message = sd_bus_message_ref(request->message);

        request_free(request);
        call_again(requests, message, handler);
        sd_bus_message_unref(message);
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

void request_set_work(Request *request, GDestroyNotify cancel, void *work)
{
        request->cancel_work = cancel;
        request->work = work;
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
        for (Waiter *waiter; (waiter = (Waiter *) line_next(requests->line, NULL, NULL));) {
                error_map_reply(waiter->message, error);
                waiter_free(waiter);
        }
        for (GList *link = all; link; link = link->next) {
                cancelled(link->data, data);
                request_fail(link->data, error);
        }
}

/* Polkit may say yes of a caller that had left before polkit asked the bus for it (CVE-2021-3560).
 * dbus-daemon and dbus-broker tell us that a client has left in the moment in which it leaves, so
 * before such a yes: on_caller_left() has ended the request then. */
static void on_answer(GError *error, void *data)
{
        Request *request = data;
        RequestQuestion question = request->question;

        request->query = NULL;
        if (!error || !question.goes_on)
                log_decision(request->caller->uid, question.action,
                             error ? error->message : "authorized by polkit");
        peer_watch_free(g_steal_pointer(&request->watch));
        if (!error || question.goes_on) {
                Requests *requests = request->requests;
                uid_t uid = request->caller->uid;
                uint64_t began = now_usec();
                request->question = (RequestQuestion){0};
                (error ? question.refused : question.next)(request, question.data);
                charge_since(requests, uid, began);
                return;
        }
        refusals_of(request->requests, request->caller->uid)->count++;
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
        error_set(&error, RUNTIME_ERROR_BUSY,
                  "the bus does not say whether the caller is still there");
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
                        .interactive = !question->is_quiet &&
                                       sd_bus_message_get_allow_interactive_authorization(
                                               request->message) > 0,
                },
                on_answer, request);
}

bool requests_is_idle(const Requests *requests)
{
        return g_hash_table_size(requests->all) == 0 && line_is_empty(requests->line);
}

Requests *requests_new(const RequestsOptions *options)
{
        Requests *requests = g_new0(Requests, 1);

        requests->options = *options;
        requests->all = g_hash_table_new(NULL, NULL);
        requests->pending = g_hash_table_new(NULL, NULL);
        requests->refusals = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        requests->line = line_new(LINE_BYTES_MAX);
        return requests;
}

void requests_free(Requests *requests)
{
        if (!requests)
                return;
        if (requests->turn)
                g_source_remove(requests->turn);
        line_free(requests->line);
        g_hash_table_destroy(requests->all);
        g_hash_table_destroy(requests->pending);
        g_hash_table_destroy(requests->refusals);
        g_free(requests);
}
