#include "dbus/notices/notices.h"

#include <errno.h>

#include "dbus/names.h"
#include "dbus/rules.h"
#include "dbus/uid-counts.h"
#include "service/spec/limits.h"

struct Notices {
        sd_bus *bus;
        const Callers *callers;
        GHashTable *sent; /* owner → messages sent of its containers in this second */
        int64_t second;
};

typedef struct Message {
        Notices *notices;
        const char *path;
        uid_t owner;
        const Notice *notice;
} Message;

static int append(sd_bus_message *signal, const Notice *notice)
{
        switch (notice->kind) {
        case NOTICE_OUT_OF_MEMORY:
                return sd_bus_message_append(signal, "ts", notice->number, notice->word);
        case NOTICE_DENIED:
                return sd_bus_message_append(signal, "su", notice->word,
                                             (uint32_t) MIN(notice->number, UINT32_MAX));
        case NOTICE_PRESSURE:
                return sd_bus_message_append(signal, "st", notice->word, notice->number);
        }
        return -EINVAL;
}

static void send_to(const char *name, const Credentials *caller, void *data)
{
        static const char *const members[] = {
                [NOTICE_OUT_OF_MEMORY] = "OutOfMemory",
                [NOTICE_DENIED] = "Denied",
                [NOTICE_PRESSURE] = "Pressure",
        };
        const Message *message = data;
        sd_bus_message *signal = NULL;

        if (!rules_may_see(caller, message->owner))
                return;
        uid_count(message->notices->sent, message->owner, 1);
        int r = sd_bus_message_new_signal(message->notices->bus, &signal, message->path,
                                          INTERFACE_CONTAINER, members[message->notice->kind]);
        if (r >= 0)
                r = append(signal, message->notice);
        if (r >= 0 && name)
                r = sd_bus_message_set_destination(signal, name);
        if (r >= 0)
                r = sd_bus_send(message->notices->bus, signal, NULL);
        sd_bus_message_unref(signal);
        if (r < 0)
                g_warning("cannot send a signal: %s", g_strerror(-r));
}

/* A kill is the end of its container, so no later one would make up for it. */
static bool has_room(Notices *notices, uid_t owner, NoticeKind kind)
{
        unsigned most =
                kind == NOTICE_OUT_OF_MEMORY ? KILL_NOTICES_PER_SEC_MAX : NOTICES_PER_SEC_MAX;
        int64_t second = g_get_monotonic_time() / G_USEC_PER_SEC;

        if (second != notices->second)
                g_hash_table_remove_all(notices->sent);
        notices->second = second;
        return uid_count(notices->sent, owner, 0) < most;
}

bool notices_send(Notices *notices, const char *path, uid_t owner, const Notice *notice)
{
        Message message = {notices, path, owner, notice};

        if (!has_room(notices, owner, notice->kind))
                return false;
        callers_foreach(notices->callers, send_to, &message);
        return true;
}

Notices *notices_new(sd_bus *bus, const Callers *callers)
{
        Notices *notices = g_new0(Notices, 1);

        notices->bus = bus;
        notices->callers = callers;
        notices->sent = g_hash_table_new(NULL, NULL);
        return notices;
}

void notices_free(Notices *notices)
{
        if (!notices)
                return;
        g_hash_table_destroy(notices->sent);
        g_free(notices);
}
