#include "cli/naivec/batch.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "dbus/names.h"

/* dbus-daemon allows a connection 128 unanswered calls. */
#define PENDING_CALLS_MAX 100

struct Batch {
        Client *client;
        const char *member;
        BatchReply on_reply;
        void *data;
        GPtrArray *items;
        bool takes_gone;
        unsigned n_pending;
        int status;
};

typedef struct {
        Batch *batch;
        char *id;
        bool is_own; /* so an unknown object is one that has gone */
        sd_bus_message *call;
} Item;

static void item_free(void *data)
{
        Item *item = data;

        g_free(item->id);
        sd_bus_message_unref(item->call);
        g_free(item);
}

Batch *batch_new(Client *client, const char *member)
{
        Batch *batch = g_new0(Batch, 1);

        batch->client = client;
        batch->member = member;
        batch->items = g_ptr_array_new_with_free_func(item_free);
        return batch;
}

void batch_free(Batch *batch)
{
        if (!batch)
                return;
        g_ptr_array_unref(batch->items);
        g_free(batch);
}

void batch_take_gone(Batch *batch)
{
        batch->takes_gone = true;
}

void batch_on_reply(Batch *batch, BatchReply on_reply, void *data)
{
        batch->on_reply = on_reply;
        batch->data = data;
}

static int on_answer(sd_bus_message *reply, void *data, sd_bus_error *ret_error);

/* Sends the item's call; on_answer() gets the reply. */
static void send_item(Item *item)
{
        Batch *batch = item->batch;
        int r = sd_bus_call_async(client_bus(batch->client), NULL, item->call, on_answer, item,
                                  UINT64_MAX);

        if (r < 0)
                batch->status = client_complain_errno(batch->client, item->id, r);
        else
                batch->n_pending++;
}

static void take_refusal(Item *item, const sd_bus_error *error)
{
        Batch *batch = item->batch;
        sd_bus_message *again = NULL;

        if (batch->takes_gone && item->is_own &&
            sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT))
                return;
        if (!client_repeat_call(batch->client, item->call, error, &again)) {
                batch->status = client_complain(batch->client, item->id, error);
                return;
        }
        sd_bus_message_unref(item->call);
        item->call = again;
        send_item(item);
}

static int on_answer(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
        Item *item = data;
        Batch *batch = item->batch;

        batch->n_pending--;
        if (sd_bus_message_is_method_error(reply, NULL))
                take_refusal(item, sd_bus_message_get_error(reply));
        else if (batch->on_reply && batch->on_reply(item->id, reply, batch->data) < 0)
                batch->status = EXIT_FAILURE;
        return 0;
}

/* Waits until at most `n` calls are unanswered; false if the connection is lost. */
static bool drain_to(Batch *batch, unsigned n)
{
        sd_bus *bus = client_bus(batch->client);
        int r = 0;

        while (r >= 0 && batch->n_pending > n) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
                if (r == -EINTR)
                        r = 0;
        }
        if (r >= 0)
                return true;
        batch->n_pending = 0;
        batch->status = client_complain_errno(batch->client, NULL, r);
        return false;
}

/* Who names a container twice means it once: the service would answer the first call that a later
 * one has taken its place. */
static bool is_called(const Batch *batch, const char *path)
{
        for (guint i = 0; i < batch->items->len; i++)
                if (strcmp(sd_bus_message_get_path(((Item *) batch->items->pdata[i])->call),
                           path) == 0)
                        return true;
        return false;
}

/* A call of the method on the container, without its arguments; NULL after a complaint. */
static sd_bus_message *new_call(Batch *batch, const char *id, const char *path)
{
        g_autofree char *found = path ? g_strdup(path) : client_find_container(batch->client, id);
        sd_bus_message *call = NULL;

        if (!found) {
                batch->status = EXIT_FAILURE;
                return NULL;
        }
        int r = client_new_call(batch->client, found, INTERFACE_CONTAINER, batch->member, &call);
        if (r < 0)
                batch->status = client_complain_errno(batch->client, id, r);
        return call;
}

/* Consumes `call`; `r` is what came of its arguments. */
static void take_call(Batch *batch, const char *id, bool is_own, sd_bus_message *consumed, int r)
{
        g_autoptr(sd_bus_message) call = consumed;

        if (r < 0) {
                batch->status = client_complain_errno(batch->client, id, r);
                return;
        }
        if (is_called(batch, sd_bus_message_get_path(call)))
                return;
        Item *item = g_new(Item, 1);
        *item = (Item){
                .batch = batch,
                .id = g_strdup(id),
                .is_own = is_own,
                .call = g_steal_pointer(&call),
        };
        g_ptr_array_add(batch->items, item);
        send_item(item);
        drain_to(batch, PENDING_CALLS_MAX - 1);
}

void batch_call(Batch *batch, const char *id, const char *path, const char *types, ...)
{
        sd_bus_message *call = new_call(batch, id, path);
        va_list list;
        int r = 0;

        if (!call)
                return;
        if (*types) {
                va_start(list, types);
                r = sd_bus_message_appendv(call, types, list);
                va_end(list);
        }
        take_call(batch, id, path || !strchr(id, '/'), call, r);
}

void batch_call_with(Batch *batch, const char *id, BatchAppend append, const void *data)
{
        sd_bus_message *call = new_call(batch, id, NULL);

        if (call)
                take_call(batch, id, !strchr(id, '/'), call, append(call, data));
}

int batch_finish(Batch *batch)
{
        drain_to(batch, 0);
        return batch->status;
}
