#include "polkit/authority.h"

#include <errno.h>
#include <string.h>

#include "service/util/bus-auto.h"

/* Calls go to the well-known name, so that the bus starts polkit if need be and no stale unique
 * name is asked after polkit's restart. Only a reply to our own serial is heard; a late or second
 * one finds no slot any more. Nothing here waits: the reply, the time-out and the end of the
 * connection all arrive through the one slot of the query. */

#define POLKIT_NAME        "org.freedesktop.PolicyKit1"
#define POLKIT_PATH        "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE   "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_INTERACTIVE 1u /* AllowUserInteraction */

/* Agents show details as markup: by these characters a caller could make a question look
 * otherwise. */
#define MARKUP "<>&"

#define QUIET_TIMEOUT_USEC (25u * UINT64_C(1000000)) /* nobody types: polkit hangs */

struct Authority {
        sd_bus *bus;
        uint64_t timeout_usec;
        GQueue queries;
};

struct AuthorityQuery {
        Authority *authority;
        GList link;              /* in authority->queries */
        sd_bus_slot *slot;       /* the call on its way, or else */
        GSource *failure_source; /* the failure to send it, about to be told */
        GError *failure;
        char *cancellation_id;
        bool interactive;
        AuthorityFunc func;
        void *data;
};

static void query_free(AuthorityQuery *query)
{
        if (!query)
                return;
        g_queue_unlink(&query->authority->queries, &query->link);
        sd_bus_slot_unref(query->slot);
        if (query->failure_source) {
                g_source_destroy(query->failure_source);
                g_source_unref(query->failure_source);
        }
        g_clear_error(&query->failure);
        g_free(query->cancellation_id);
        g_free(query);
}

/* Frees the query before the callback, which may free the Authority or ask the next question. */
static void query_finish_consume(AuthorityQuery *query, GError *error)
{
        AuthorityFunc func = query->func;
        void *data = query->data;

        query_free(query);
        func(error, data);
}

/* Nobody waits for the reply, and polkit is not started for this. A failure leaves a prompt that
 * leads nowhere: harmless, since its answer is no longer heard. */
static void send_cancel(AuthorityQuery *query)
{
        g_autoptr(sd_bus_message) message = NULL;

        if (!query->slot)
                return;
        if (sd_bus_message_new_method_call(query->authority->bus, &message, POLKIT_NAME,
                                           POLKIT_PATH, POLKIT_INTERFACE,
                                           "CancelCheckAuthorization") < 0 ||
            sd_bus_message_set_expect_reply(message, false) < 0 ||
            sd_bus_message_set_auto_start(message, false) < 0 ||
            sd_bus_message_append(message, "s", query->cancellation_id) < 0)
                return;
        (void) sd_bus_send(query->authority->bus, message, NULL);
}

static bool answer_to_error(bool authorized, bool challenge, bool dismissed, bool interactive,
                            GError **error)
{
        if (authorized && (challenge || dismissed))
                return error_set(error, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE,
                                 "polkit's answer contradicts itself");
        if (authorized)
                return true;
        if (dismissed)
                return error_set(error, RUNTIME_ERROR_ACCESS_DENIED,
                                 "not authorized: the authentication was dismissed");
        if (challenge && !interactive)
                return error_set(
                        error, RUNTIME_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                        "authentication is required, and the call does not allow a prompt");
        if (challenge)
                return error_set(error, RUNTIME_ERROR_ACCESS_DENIED,
                                 "not authorized: nobody authenticated; the caller may have no "
                                 "authentication agent");
        return error_set(error, RUNTIME_ERROR_ACCESS_DENIED, "not authorized");
}

/* `ret_dismissed`: the key "polkit.dismissed" is there, with any value, as libpolkit reads it.
 * Negative for a malformed answer. */
static int read_answer(sd_bus_message *reply, bool *ret_authorized, bool *ret_challenge,
                       bool *ret_dismissed)
{
        int authorized = 0, challenge = 0, r;
        const char *key, *value;
        bool dismissed = false;

        if (!sd_bus_message_has_signature(reply, "(bba{ss})"))
                return -EBADMSG;
        r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "bb", &authorized, &challenge);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "{ss}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(reply, "{ss}", &key, &value)) > 0)
                dismissed = dismissed || g_str_equal(key, "polkit.dismissed");
        if (r < 0)
                return r;

        *ret_authorized = authorized;
        *ret_challenge = challenge;
        *ret_dismissed = dismissed;
        return 0;
}

static bool judge_reply(sd_bus_message *reply, bool interactive, GError **error)
{
        bool authorized = false, challenge = false, dismissed = false;
        const sd_bus_error *refusal = sd_bus_message_get_error(reply);
        int r;

        if (refusal) {
                const char *reason = refusal->message ? refusal->message : "no reason given";
                g_autofree char *words = authority_escape(reason);

                return error_set(error, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE,
                                 "polkit gave no answer: %s (%s)", words, refusal->name);
        }
        r = read_answer(reply, &authorized, &challenge, &dismissed);
        if (r < 0)
                return error_set_errno(error, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE, -r,
                                       "cannot understand polkit's answer");
        return answer_to_error(authorized, challenge, dismissed, interactive, error);
}

static int on_reply(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
        AuthorityQuery *query = data;
        g_autoptr(GError) error = NULL;

        judge_reply(reply, query->interactive, &error);
        /* Our own time-out: polkit still asks somebody. */
        if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NO_REPLY))
                send_cancel(query);
        query_finish_consume(query, error);
        return 1;
}

static gboolean on_failure(void *data)
{
        AuthorityQuery *query = data;
        g_autoptr(GError) error = g_steal_pointer(&query->failure);

        query_finish_consume(query, error);
        return G_SOURCE_REMOVE;
}

static char *escape(const char *bytes, const char *special);

static int append_details(sd_bus_message *message, const char *const *details)
{
        int r = sd_bus_message_open_container(message, 'a', "{ss}");

        for (; r >= 0 && details && details[0]; details += 2) {
                g_autofree char *value = escape(details[1], MARKUP);

                r = sd_bus_message_append(message, "{ss}", details[0], value);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int send_check(AuthorityQuery *query, const AuthorityRequest *request)
{
        sd_bus *bus = query->authority->bus;
        uint64_t timeout_usec = query->authority->timeout_usec;
        g_autoptr(sd_bus_message) message = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &message, POLKIT_NAME, POLKIT_PATH,
                                           POLKIT_INTERFACE, "CheckAuthorization");
        if (r < 0)
                return r;
        /* The subject is the connection, which the bus daemon vouches for. Never a process id: it
         * can be handed on to a set-id program before polkit looks (CVE-2013-4288). */
        r = sd_bus_message_append(message, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                  request->sender, request->action);
        if (r < 0)
                return r;
        r = append_details(message, request->details);
        if (r < 0)
                return r;
        r = sd_bus_message_append(message, "us", request->interactive ? POLKIT_INTERACTIVE : 0,
                                  query->cancellation_id);
        if (r < 0)
                return r;
        if (!request->interactive)
                timeout_usec = MIN(timeout_usec, QUIET_TIMEOUT_USEC);
        return sd_bus_call_async(bus, &query->slot, message, on_reply, query, timeout_usec);
}

static void tell_failure_later(AuthorityQuery *query)
{
        query->failure_source = g_idle_source_new();
        g_source_set_priority(query->failure_source, G_PRIORITY_DEFAULT);
        g_source_set_callback(query->failure_source, on_failure, query, NULL);
        g_source_attach(query->failure_source, g_main_context_get_thread_default());
}

AuthorityQuery *authority_check(Authority *authority, const AuthorityRequest *request,
                                AuthorityFunc func, void *data)
{
        AuthorityQuery *query = g_new0(AuthorityQuery, 1);
        int r;

        query->authority = authority;
        query->link.data = query;
        query->cancellation_id = g_uuid_string_random();
        query->interactive = request->interactive;
        query->func = func;
        query->data = data;
        g_queue_push_tail_link(&authority->queries, &query->link);

        if (!request->sender || request->sender[0] != ':') {
                error_set(&query->failure, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE,
                          "cannot ask polkit about a caller without a unique bus name");
                tell_failure_later(query);
                return query;
        }
        r = send_check(query, request);
        if (r < 0) {
                error_set_errno(&query->failure, RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE, -r,
                                "cannot ask polkit");
                tell_failure_later(query);
        }
        return query;
}

void authority_query_cancel(AuthorityQuery *query)
{
        if (!query)
                return;
        send_cancel(query);
        query_free(query);
}

Authority *authority_new(sd_bus *bus, uint64_t timeout_usec)
{
        Authority *authority = g_new0(Authority, 1);

        g_assert(timeout_usec > 0); /* sd-bus would take its own default */
        authority->bus = sd_bus_ref(bus);
        authority->timeout_usec = timeout_usec;
        g_queue_init(&authority->queries);
        return authority;
}

void authority_free(Authority *authority)
{
        if (!authority)
                return;
        while (authority->queries.head)
                authority_query_cancel(authority->queries.head->data);
        sd_bus_unref(authority->bus);
        g_free(authority);
}

/* Letters, marks, digits, punctuation and the ASCII space. Not what GLib calls printable but shows
 * as an empty place: the other spaces and the line and paragraph separators. Format characters,
 * those that turn the direction of text among them, are not printable for GLib either. */
static bool is_plain(gunichar c, const char *special)
{
        return c != '\\' && !(c < 0x80 && strchr(special, (int) c)) &&
               (c == ' ' || (g_unichar_isprint(c) && !g_unichar_isspace(c)));
}

/* Appends the next character of `bytes`, escaped if need be, and returns what follows it. */
static const char *escape_one(GString *text, const char *bytes, const char *special)
{
        gunichar c = g_utf8_get_char_validated(bytes, -1);

        if (c == (gunichar) -1 || c == (gunichar) -2) {
                g_string_append_printf(text, "\\x%02x", (unsigned char) *bytes);
                return bytes + 1;
        }
        if (is_plain(c, special))
                g_string_append_unichar(text, c);
        else if (c == '\\')
                g_string_append(text, "\\\\");
        else if (c < 0x80)
                g_string_append_printf(text, "\\x%02x", c);
        else
                g_string_append_printf(text, "\\u{%x}", c);
        return g_utf8_next_char(bytes);
}

static char *escape(const char *bytes, const char *special)
{
        static const char ellipsis[] = "…";
        GString *text = g_string_new(NULL);
        size_t cut = 0; /* the longest whole part that leaves room for the ellipsis */

        while (*bytes) {
                bytes = escape_one(text, bytes, special);
                if (text->len > AUTHORITY_TEXT_MAX) {
                        g_string_truncate(text, cut);
                        g_string_append(text, ellipsis);
                        break;
                }
                if (text->len <= AUTHORITY_TEXT_MAX - strlen(ellipsis))
                        cut = text->len;
        }
        return g_string_free(text, FALSE);
}

char *authority_escape(const char *bytes)
{
        return escape(bytes, "");
}
