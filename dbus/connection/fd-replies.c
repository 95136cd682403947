#include "dbus/connection/fd-replies.h"

#include <string.h>

#define SENT_MAX   64u   /* replies that are remembered; the daemon's error comes soon */
#define UNABLE_MAX 1024u /* clients that are remembered */

typedef struct Sent {
        uint64_t cookie;
        char *to, *what;
} Sent;

struct FdReplies {
        sd_bus *bus;
        sd_bus_slot *slot;
        Sent sent[SENT_MAX]; /* a ring: the oldest is overwritten */
        unsigned next;
        GHashTable *unable; /* set of unique names, which are never given to anybody else */
};

static void on_dropped(FdReplies *replies, const Sent *sent)
{
        if (g_hash_table_contains(replies->unable, sent->to))
                return;
        g_message("%s cannot take file descriptors: %s got no answer", sent->to, sent->what);
        if (g_hash_table_size(replies->unable) >= UNABLE_MAX)
                g_hash_table_remove_all(replies->unable);
        g_hash_table_add(replies->unable, g_strdup(sent->to));
}

/* sd-bus drops an error for a reply, as nobody waits for that; filters see it before. */
static int on_message(sd_bus_message *message, void *data, sd_bus_error *error)
{
        FdReplies *replies = data;
        uint64_t cookie;

        if (sd_bus_message_is_method_error(message, SD_BUS_ERROR_NOT_SUPPORTED) <= 0 ||
            g_strcmp0(sd_bus_message_get_sender(message), "org.freedesktop.DBus") != 0 ||
            sd_bus_message_get_reply_cookie(message, &cookie) < 0)
                return 0;
        for (unsigned i = 0; i < SENT_MAX; i++)
                if (replies->sent[i].to && replies->sent[i].cookie == cookie)
                        on_dropped(replies, &replies->sent[i]);
        return 0;
}

bool fd_replies_may(const FdReplies *replies, sd_bus_message *call, GError **error)
{
        const char *sender = sd_bus_message_get_sender(call);

        return !sender || !g_hash_table_contains(replies->unable, sender) ||
               error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                         "your connection cannot take file descriptors, and %s gives one: does "
                         "your D-Bus library have to be told to pass them?",
                         sd_bus_message_get_member(call));
}

static void remember(FdReplies *replies, uint64_t cookie, sd_bus_message *call, const char *of)
{
        Sent *sent = &replies->sent[replies->next++ % SENT_MAX];

        g_free(sent->to);
        g_free(sent->what);
        *sent = (Sent){
                .cookie = cookie,
                .to = g_strdup(sd_bus_message_get_sender(call)),
                .what = g_strdup_printf("%s of %s", sd_bus_message_get_member(call), of),
        };
}

bool fd_replies_send(FdReplies *replies, sd_bus_message *call, int fd, const char *of,
                     GError **error)
{
        sd_bus_message *reply = NULL;
        uint64_t cookie;
        int r = sd_bus_message_new_method_return(call, &reply);

        if (r >= 0 && (r = sd_bus_message_append(reply, "h", fd)) >= 0 &&
            (r = sd_bus_send(replies->bus, reply, &cookie)) >= 0)
                remember(replies, cookie, call, of);
        sd_bus_message_unref(reply);
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_FAILED, -r, "cannot pass the fd")
                     : true;
}

FdReplies *fd_replies_new(sd_bus *bus)
{
        FdReplies *replies = g_new0(FdReplies, 1);

        replies->bus = bus;
        replies->unable = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        if (sd_bus_add_filter(bus, &replies->slot, on_message, replies) < 0)
                g_warning("cannot watch for replies that the bus drops");
        return replies;
}

void fd_replies_free(FdReplies *replies)
{
        if (!replies)
                return;
        sd_bus_slot_unref(replies->slot);
        for (unsigned i = 0; i < SENT_MAX; i++) {
                g_free(replies->sent[i].to);
                g_free(replies->sent[i].what);
        }
        g_hash_table_destroy(replies->unable);
        g_free(replies);
}
