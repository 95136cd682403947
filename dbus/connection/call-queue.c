#include "dbus/connection/call-queue.h"

#include "service/spec/limits.h"

/* What a user's calls have cost is halved with every second. */
#define HALF_LIFE_USEC ((uint64_t) G_USEC_PER_SEC)

/* A user who has cost so much rests after a call three times as long as that took. */
#define MUCH_USEC ((uint64_t) G_USEC_PER_SEC / 5)
#define RESTS     3u

typedef struct User {
        uid_t uid;
        unsigned n_calls;
        size_t bytes;
        uint64_t cost, epoch; /* microseconds, as of the half-life that has this number */
        uint64_t rested;      /* the moment from which on a call may be handed out */
        GQueue lines;         /* Line, borrowed: those with calls; the one whose turn it is first */
        GList link;           /* in `due`, while there are such lines */
} User;

/* The calls of one client. There is a line only while a call waits. */
typedef struct Line {
        char *sender;
        User *user;
        bool is_stranger; /* then `user` is the line's own */
        GQueue calls;     /* Call, owned */
        GList link;       /* in its user's `lines`, unless it is a stranger's */
} Line;

typedef struct Call {
        sd_bus_message *message;
        size_t size;
} Call;

struct CallQueue {
        GHashTable *users; /* uid → User, owned */
        GHashTable *lines; /* sender → Line, owned */
        GQueue due;        /* User, borrowed: the one that was served last is the last */
        size_t bytes;
};

/* -- users and what they cost -- */

static User *user_new(uid_t uid)
{
        User *user = g_new0(User, 1);

        user->uid = uid;
        user->link.data = user;
        return user;
}

static uint64_t cost_of(User *user)
{
        uint64_t epoch = (uint64_t) g_get_monotonic_time() / HALF_LIFE_USEC;

        user->cost = epoch - user->epoch < 64 ? user->cost >> (epoch - user->epoch) : 0;
        user->epoch = epoch;
        return user->cost;
}

static void charge(User *user, uint64_t usec)
{
        user->cost = cost_of(user) + usec;
}

static gboolean is_forgotten(void *uid, void *value, void *unused)
{
        User *user = value;

        return user->n_calls == 0 && cost_of(user) == 0;
}

/* Users are remembered after their last call, while there is something to be held against them. */
static User *user_of(CallQueue *queue, uid_t uid)
{
        User *user = g_hash_table_lookup(queue->users, GUINT_TO_POINTER(uid));

        if (!user) {
                g_hash_table_foreach_remove(queue->users, is_forgotten, NULL);
                user = user_new(uid);
                g_hash_table_insert(queue->users, GUINT_TO_POINTER(uid), user);
        }
        return user;
}

/* One message of any size may wait: its handler says what is wrong with it. When many users have
 * filled what there is for all together, small messages find room still. */
static bool has_room(const CallQueue *queue, const User *user, size_t size)
{
        if (user->n_calls >= QUEUED_PER_UID_MAX ||
            (user->n_calls > 0 && user->bytes + size > QUEUED_BYTES_PER_UID_MAX))
                return false;
        return queue->bytes + size <= QUEUED_BYTES_MAX || user->bytes + size <= QUEUED_BYTES_ALWAYS;
}

/* -- lines -- */

static void line_free(void *data)
{
        Line *line = data;

        if (line->is_stranger)
                g_free(line->user);
        g_free(line->sender);
        g_free(line);
}

static Line *line_of(CallQueue *queue, const char *sender, const Credentials *caller)
{
        Line *line = g_hash_table_lookup(queue->lines, sender);

        if (!line) {
                line = g_new0(Line, 1);
                line->sender = g_strdup(sender);
                line->link.data = line;
                line->is_stranger = !caller;
                line->user = caller ? user_of(queue, caller->uid) : user_new((uid_t) -1);
                g_hash_table_insert(queue->lines, line->sender, line);
        }
        return line;
}

static void append(CallQueue *queue, Line *line, Call *call)
{
        User *user = line->user;

        if (!line->is_stranger && line->calls.length == 0) {
                if (user->lines.length == 0)
                        g_queue_push_tail_link(&queue->due, &user->link);
                g_queue_push_tail_link(&user->lines, &line->link);
        }
        g_queue_push_tail(&line->calls, call);
        user->n_calls++;
        user->bytes += call->size;
        queue->bytes += call->size;
}

/* The first call of a line, whose last call ends it. */
static sd_bus_message *take(CallQueue *queue, Line *line)
{
        g_autofree Call *call = g_queue_pop_head(&line->calls);
        User *user = line->user;

        user->n_calls--;
        user->bytes -= call->size;
        queue->bytes -= call->size;
        if (line->calls.length > 0)
                return call->message;
        if (!line->is_stranger) {
                g_queue_unlink(&user->lines, &line->link);
                if (user->lines.length == 0)
                        g_queue_unlink(&queue->due, &user->link);
        }
        g_hash_table_remove(queue->lines, line->sender);
        return call->message;
}

static void drop_line(CallQueue *queue, Line *line, CallQueueFunc function, void *data)
{
        for (guint left = line->calls.length; left > 0; left--) {
                sd_bus_message *message = take(queue, line);
                if (function)
                        function(message, data);
                sd_bus_message_unref(message);
        }
}

/* -- the queue -- */

bool call_queue_push(CallQueue *queue, sd_bus_message *message, const Credentials *caller,
                     size_t size, uint64_t usec)
{
        Line *line = line_of(queue, sd_bus_message_get_sender(message), caller);

        charge(line->user, usec);
        bool fits = has_room(queue, line->user, size);
        if (fits) {
                Call *call = g_new(Call, 1);
                *call = (Call){.message = sd_bus_message_ref(message), .size = size};
                append(queue, line, call);
        } else if (line->calls.length == 0)
                g_hash_table_remove(queue->lines, line->sender);
        return fits;
}

void call_queue_meet(CallQueue *queue, const char *sender, const Credentials *caller,
                     CallQueueFunc refused, void *data)
{
        Line *line = g_hash_table_lookup(queue->lines, sender);

        if (!line || !line->is_stranger)
                return;
        g_hash_table_steal(queue->lines, sender);
        charge(user_of(queue, caller->uid), cost_of(line->user));
        for (Call *call; (call = g_queue_pop_head(&line->calls));) {
                queue->bytes -= call->size;
                if (!call_queue_push(queue, call->message, caller, call->size, 0))
                        refused(call->message, data);
                sd_bus_message_unref(call->message);
                g_free(call);
        }
        line_free(line);
}

void call_queue_drop(CallQueue *queue, const char *sender, CallQueueFunc function, void *data)
{
        Line *line = g_hash_table_lookup(queue->lines, sender);

        if (line)
                drop_line(queue, line, function, data);
}

void call_queue_drop_all(CallQueue *queue, CallQueueFunc function, void *data)
{
        g_autoptr(GList) lines = g_hash_table_get_values(queue->lines);

        for (GList *link = lines; link; link = link->next)
                drop_line(queue, link->data, function, data);
}

static bool has_others(const CallQueue *queue, const User *user)
{
        GHashTableIter iterator;
        void *other;

        g_hash_table_iter_init(&iterator, queue->users);
        while (g_hash_table_iter_next(&iterator, NULL, &other))
                if (other != user && cost_of(other) > 0)
                        return true;
        return false;
}

/* Of two that have cost the same, the one that was served longer ago. */
static User *next_user(const CallQueue *queue)
{
        User *best = NULL;

        for (GList *link = queue->due.head; link; link = link->next)
                if (!best || cost_of(link->data) < best->cost)
                        best = link->data;
        return best;
}

uint64_t call_queue_due_at(const CallQueue *queue)
{
        User *user = next_user(queue);

        if (!user)
                return UINT64_MAX;
        return cost_of(user) > MUCH_USEC && has_others(queue, user) ? user->rested : 0;
}

sd_bus_message *call_queue_next(CallQueue *queue, uid_t *ret_uid)
{
        User *user = next_user(queue);

        if (!user)
                return NULL;
        *ret_uid = user->uid;
        g_queue_unlink(&queue->due, &user->link);
        g_queue_push_tail_link(&queue->due, &user->link);
        Line *line = user->lines.head->data;
        g_queue_unlink(&user->lines, &line->link);
        g_queue_push_tail_link(&user->lines, &line->link);
        return take(queue, line);
}

void call_queue_charge(CallQueue *queue, uid_t uid, uint64_t usec)
{
        User *user = user_of(queue, uid);

        charge(user, usec);
        user->rested = (uint64_t) g_get_monotonic_time() + RESTS * usec;
}

bool call_queue_is_empty(const CallQueue *queue)
{
        return g_hash_table_size(queue->lines) == 0;
}

unsigned call_queue_n_due(const CallQueue *queue)
{
        return queue->due.length;
}

bool call_queue_is_full(const CallQueue *queue, uid_t uid)
{
        const User *user = g_hash_table_lookup(queue->users, GUINT_TO_POINTER(uid));

        return user && user->n_calls >= QUEUED_PER_UID_MAX;
}

CallQueue *call_queue_new(void)
{
        CallQueue *queue = g_new0(CallQueue, 1);

        queue->users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        queue->lines = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, line_free);
        return queue;
}

void call_queue_free(CallQueue *queue)
{
        if (!queue)
                return;
        call_queue_drop_all(queue, NULL, NULL);
        g_hash_table_destroy(queue->lines);
        g_hash_table_destroy(queue->users);
        g_free(queue);
}
