#pragma once

/* Calls a method on several containers at once, so that their grace times overlap. Owns the pending
 * calls; knows no verb. Called by start, stop, pause, resume, update, kill, delete and wait. */

#include <systemd/sd-bus.h>

#include "cli/lib/client.h"

typedef struct Batch Batch;

/* Called for each reply that is no error, in the order of arrival. Returns 0 or -errno. */
typedef int (*BatchReply)(const char *id, sd_bus_message *reply, void *data);

Batch *batch_new(Client *client, const char *member);
void batch_free(Batch *batch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Batch, batch_free)

/* A container of the caller's that goes while it is called has what the caller wants. */
void batch_take_gone(Batch *batch);

void batch_on_reply(Batch *batch, BatchReply on_reply, void *data);

/* Calls the method on container `id`, with arguments as for sd_bus_message_append(). If `path` is
 * NULL it is looked up. Complains about a failure, which batch_finish() then returns. */
void batch_call(Batch *batch, const char *id, const char *path, const char *types, ...);

/* The same with arguments that `append` adds; it returns 0 or -errno. */
typedef int (*BatchAppend)(sd_bus_message *call, const void *data);
void batch_call_with(Batch *batch, const char *id, BatchAppend append, const void *data);

/* Waits for all replies, without a time limit. EXIT_FAILURE if a call has failed, else
 * EXIT_SUCCESS. */
int batch_finish(Batch *batch);
