/* pause and resume: all processes of containers stand still, and go on. */

#include <stdlib.h>
#include <string.h>

#include "cli/naivec/batch.h"
#include "cli/naivec/listing.h"
#include "cli/naivec/verbs/verbs.h"

enum { FLAG_ALL = FLAG_OF_VERB };

static const Flag flags[] = {
        {"all", NULL, "all such containers of the caller; for root, those of everybody", FLAG_ALL},
        {0},
};

const Flag *verb_pause_flags(void)
{
        return flags;
}

static int call_all(Client *client, Batch *batch, const char *state)
{
        g_autoptr(GPtrArray) containers = listing_fetch(client);

        if (!containers)
                return EXIT_FAILURE;
        for (unsigned i = 0; i < containers->len; i++) {
                const ListedContainer *container = containers->pdata[i];

                if (!strcmp(container->state, state) && listing_is_ours(client, container))
                        batch_call(batch, container->name, container->path, "");
        }
        return batch_finish(batch);
}

/* `state`: what the containers are in that --all means. */
static int call(Invocation *invocation, const char *member, const char *state)
{
        g_autoptr(Client) client = NULL;
        g_autoptr(Batch) batch = NULL;
        const char *value = NULL;
        bool all = false;
        int id;

        while ((id = invocation_next(invocation, &value)) == FLAG_ALL)
                all = true;
        if (id != FLAG_END)
                return invocation->status;
        if (all == (invocation->n_arguments > 0))
                return invocation_usage(invocation, "'%s' needs either IDs or --all",
                                        invocation->verb->name);
        client = client_open(&invocation->settings.client);
        if (!client)
                return EXIT_FAILURE;
        batch = batch_new(client, member);
        if (all)
                return call_all(client, batch, state);
        for (char **name = invocation->arguments; *name; name++)
                batch_call(batch, *name, NULL, "");
        return batch_finish(batch);
}

int verb_pause(Invocation *invocation)
{
        return call(invocation, "Pause", "running");
}

int verb_resume(Invocation *invocation)
{
        return call(invocation, "Resume", "paused");
}
