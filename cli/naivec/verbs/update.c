/* update: new limits for containers that run, by the flags of `run`. */

#include <stdio.h>
#include <stdlib.h>

#include "cli/naivec/batch.h"
#include "cli/naivec/spawn-flags.h"
#include "cli/naivec/verbs/verbs.h"

enum { FLAG_FORCE = FLAG_OF_VERB };

static const Flag own_flags[] = {
        {"force", NULL, "take memory away that is in use", FLAG_FORCE},
        {0},
};

const Flag *verb_update_flags(void)
{
        static Flag storage[SPAWN_FLAGS_SIZE];

        return spawn_flags_of_update(storage, own_flags);
}

typedef struct {
        SpawnRequest request;
        bool has_limit, force;
} Update;

static int append(sd_bus_message *call, const void *data)
{
        const Update *update = data;
        int r = sd_bus_message_open_container(call, 'a', "{sv}");

        if (r >= 0)
                r = spawn_request_append_options(&update->request, call);
        if (r >= 0 && update->force)
                r = sd_bus_message_append(call, "{sv}", "Force", "b", true);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

/* Returns an exit status, or -1 to go on. */
static int parse(Invocation *invocation, Update *update)
{
        const char *value = NULL;
        int id;

        while ((id = invocation_next(invocation, &value)) != FLAG_END) {
                if (id == FLAG_STOP)
                        return invocation->status;
                if (id == FLAG_FORCE) {
                        update->force = true;
                        continue;
                }
                g_autofree char *wrong = spawn_flags_take(&update->request, id, value);
                if (wrong)
                        return invocation_usage(invocation, "%s", wrong);
                update->has_limit = true;
        }
        return update->has_limit ? -1
                                 : invocation_usage(invocation, "'update' needs a limit to change");
}

static int call_each(Invocation *invocation, const Update *update)
{
        g_autoptr(Client) client = client_open(&invocation->settings.client);
        g_autoptr(Batch) batch = NULL;

        if (!client)
                return EXIT_FAILURE;
        batch = batch_new(client, "Update");
        for (char **id = invocation->arguments; *id; id++)
                batch_call_with(batch, *id, append, update);
        return batch_finish(batch);
}

int verb_update(Invocation *invocation)
{
        Update update = {0};

        spawn_request_init(&update.request);
        int status = parse(invocation, &update);
        if (status < 0)
                status = call_each(invocation, &update);
        spawn_request_clear(&update.request);
        return status;
}
