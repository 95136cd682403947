#include "dbus/connection/sessions.h"

#include "service/spec/error.h"

#define LOGIND    "org.freedesktop.login1"
#define PATH      "/org/freedesktop/login1"
#define INTERFACE LOGIND ".Manager"
#define NO_USER   LOGIND ".NoSuchUser"

#define REMOVED                                                                                    \
        "type='signal',sender='" LOGIND "',path='" PATH "',interface='" INTERFACE "',"             \
        "member='UserRemoved'"

/* Kept for the service's life: a few bytes for each user who ever had a sandbox. */
typedef struct User {
        Sessions *sessions;
        uid_t uid;
        sd_bus_slot *query;
        bool has;   /* was seen with a session, and not without one since */
        bool again; /* something has happened since the query was sent */
} User;

struct Sessions {
        sd_bus *bus;
        const SessionsEvents *events;
        void *data;
        sd_bus_slot *match;
        GHashTable *users; /* uid → User, owned */
};

static void user_free(void *data)
{
        User *user = data;

        sd_bus_slot_unref(user->query);
        g_free(user);
}

static void ask(User *user);

static int on_reply(sd_bus_message *message, void *data, sd_bus_error *error)
{
        User *user = data;
        const Sessions *sessions = user->sessions;
        bool is_there = !sd_bus_message_is_method_error(message, NULL);

        user->query = sd_bus_slot_unref(user->query);
        if (user->again)
                ask(user);
        if (is_there) {
                user->has = true;
                sessions->events->found(user->uid, sessions->data);
        } else if (user->has && sd_bus_message_is_method_error(message, NO_USER)) {
                user->has = false;
                sessions->events->ended(user->uid, sessions->data);
        }
        return 0;
}

/* Starts no logind where none runs. What cannot be sent is as if it were not answered. */
static void ask(User *user)
{
        sd_bus *bus = user->sessions->bus;
        sd_bus_message *message = NULL;

        user->again = user->query;
        if (user->query)
                return;
        if (sd_bus_message_new_method_call(bus, &message, LOGIND, PATH, INTERFACE, "GetUser") >=
                    0 &&
            sd_bus_message_set_auto_start(message, false) >= 0 &&
            sd_bus_message_append(message, "u", (uint32_t) user->uid) >= 0)
                (void) sd_bus_call_async(bus, &user->query, message, on_reply, user, 0);
        sd_bus_message_unref(message);
}

/* Anybody may send such a signal: it makes the service ask, once at a time, of a user who has
 * something to lose. */
static int on_removed(sd_bus_message *message, void *data, sd_bus_error *error)
{
        const Sessions *sessions = data;
        uint32_t uid;

        if (sd_bus_message_read(message, "u", &uid) < 0)
                return 0;
        User *user = g_hash_table_lookup(sessions->users, GUINT_TO_POINTER(uid));
        if (user && user->has)
                ask(user);
        return 0;
}

void sessions_watch(Sessions *sessions, uid_t uid, bool had)
{
        User *user = g_hash_table_lookup(sessions->users, GUINT_TO_POINTER(uid));

        if (!user) {
                user = g_new0(User, 1);
                *user = (User){.sessions = sessions, .uid = uid};
                g_hash_table_insert(sessions->users, GUINT_TO_POINTER(uid), user);
        }
        user->has = user->has || had;
        ask(user);
}

bool sessions_start(Sessions *sessions, GError **error)
{
        int r = sd_bus_add_match(sessions->bus, &sessions->match, REMOVED, on_removed, sessions);

        return r >= 0 || error_set_errno(error, RUNTIME_ERROR_FAILED, -r,
                                         "the bus does not tell of the end of sessions");
}

Sessions *sessions_new(sd_bus *bus, const SessionsEvents *events, void *data)
{
        Sessions *sessions = g_new0(Sessions, 1);

        *sessions = (Sessions){.bus = bus, .events = events, .data = data};
        sessions->users = g_hash_table_new_full(NULL, NULL, NULL, user_free);
        return sessions;
}

void sessions_free(Sessions *sessions)
{
        if (!sessions)
                return;
        sd_bus_slot_unref(sessions->match);
        g_hash_table_destroy(sessions->users);
        g_free(sessions);
}
