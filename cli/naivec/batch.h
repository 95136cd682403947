#pragma once

/* One method called on several containers at once, so that their grace times and ends overlap. */

#include <systemd/sd-bus.h>

#include "cli/lib/client.h"

typedef struct Batch Batch;

/* Called for each good reply, in the order of arrival; 0 or -errno. */
typedef int (*BatchReply)(const char *id, sd_bus_message *reply, void *data);

Batch *batch_new(Client *client, const char *member);
void batch_free(Batch *batch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Batch, batch_free)

void batch_on_reply(Batch *batch, BatchReply on_reply, void *data);

/* Calls the method on container `id`, whose path is looked up if NULL, with arguments as for
 * sd_bus_message_append(). Failures are complained about, and remembered. */
void batch_call(Batch *batch, const char *id, const char *path, const char *types, ...);

/* Waits for all answers, however long they take. EXIT_SUCCESS if all were good, else EXIT_FAILURE.
 */
int batch_finish(Batch *batch);
