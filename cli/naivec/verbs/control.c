/* The verbs that call a method on each of several containers: start, stop, kill, delete. */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lib/values.h"
#include "cli/naivec/batch.h"
#include "cli/naivec/listing.h"
#include "cli/naivec/verbs/verbs.h"

enum { FLAG_ALL = FLAG_OF_VERB, FLAG_TIME };

static const Flag stop_flags[] = {
        {"signal", "SIGNAL", "the signal that asks to end (default: TERM)", 's'},
        {"time", "SECONDS", "kill the container after this time (default: the service's)", 'T'},
        {"all", NULL, "all containers of the caller; for root, those of everybody", FLAG_ALL},
        {0},
};

static const Flag kill_flags[] = {
        {"signal", "SIGNAL", "the signal, by name or number (default: TERM)", 's'},
        {"all", NULL, "signal all processes of the container, not only the main one", FLAG_ALL},
        {0},
};

const Flag *verb_stop_flags(void)
{
        return stop_flags;
}

const Flag *verb_kill_flags(void)
{
        return kill_flags;
}

typedef struct {
        int signal;
        uint64_t usec;
        bool all;
} Control;

/* Reads the flags of stop and kill. Returns an exit status, or -1 to go on. */
static int parse(Invocation *invocation, Control *control)
{
        const char *value = NULL;
        int id;

        while ((id = invocation_next(invocation, &value)) != FLAG_END) {
                switch (id) {
                case 's':
                        if (!value_parse_signal(value, &control->signal))
                                return invocation_usage(invocation,
                                                        "--signal=%s: it takes TERM, SIGTERM or 15",
                                                        value);
                        break;
                case 'T':
                        if (!value_parse_seconds(value, &control->usec))
                                return invocation_usage(
                                        invocation, "--time=%s: it takes seconds, or '2min 30s'",
                                        value);
                        break;
                case FLAG_ALL:
                        control->all = true;
                        break;
                default:
                        return invocation->status;
                }
        }
        return -1;
}

/* A verb without flags: calls the method on each ID. */
static int call_each(Invocation *invocation, const char *member)
{
        g_autoptr(Client) client = NULL;
        g_autoptr(Batch) batch = NULL;
        const char *value = NULL;

        if (invocation_next(invocation, &value) != FLAG_END)
                return invocation->status;
        client = client_open(&invocation->settings.client);
        if (!client)
                return EXIT_FAILURE;
        batch = batch_new(client, member);
        if (!strcmp(member, "Delete"))
                batch_take_gone(batch);
        for (char **id = invocation->arguments; *id; id++)
                batch_call(batch, *id, NULL, "");
        return batch_finish(batch);
}

int verb_start(Invocation *invocation)
{
        return call_each(invocation, "Start");
}

int verb_delete(Invocation *invocation)
{
        return call_each(invocation, "Delete");
}

/* `-9` and `-KILL`, as kill(1) has them: made `--signal=…`. -HUP is no host. */
static void take_signals(Invocation *invocation)
{
        int signal;

        for (int i = 1; i < invocation->argc && strcmp(invocation->argv[i], "--") != 0; i++) {
                const char *word = invocation->argv[i];

                if (word[0] == '-' && (g_ascii_isdigit(word[1]) || g_ascii_isupper(word[1])) &&
                    value_parse_signal(word + 1, &signal)) {
                        g_autofree char *flag = g_strconcat("--signal=", word + 1, NULL);
                        invocation->argv[i] = (char *) g_intern_string(flag);
                }
        }
}

int verb_kill(Invocation *invocation)
{
        g_autoptr(Client) client = NULL;
        g_autoptr(Batch) batch = NULL;
        Control control = {.signal = SIGTERM};
        take_signals(invocation);
        int status = parse(invocation, &control);

        if (status >= 0)
                return status;
        client = client_open(&invocation->settings.client);
        if (!client)
                return EXIT_FAILURE;
        batch = batch_new(client, "Kill");
        for (char **id = invocation->arguments; *id; id++)
                batch_call(batch, *id, NULL, "si", control.all ? "all" : "main", control.signal);
        return batch_finish(batch);
}

static int stop_all(Client *client, Batch *batch, const Control *control)
{
        g_autoptr(GPtrArray) containers = listing_fetch(client);

        if (!containers)
                return EXIT_FAILURE;
        for (unsigned i = 0; i < containers->len; i++) {
                const ListedContainer *container = containers->pdata[i];

                if (strcmp(container->state, "stopped") && listing_is_ours(client, container))
                        batch_call(batch, container->name, container->path, "it", control->signal,
                                   control->usec);
        }
        return batch_finish(batch);
}

int verb_stop(Invocation *invocation)
{
        g_autoptr(Client) client = NULL;
        g_autoptr(Batch) batch = NULL;
        /* With 0 and UINT64_MAX the service takes its defaults. */
        Control control = {.signal = 0, .usec = UINT64_MAX};
        int status = parse(invocation, &control);

        if (status >= 0)
                return status;
        if (control.all == (invocation->n_arguments > 0))
                return invocation_usage(invocation, "'stop' needs either IDs or --all");
        client = client_open(&invocation->settings.client);
        if (!client)
                return EXIT_FAILURE;
        batch = batch_new(client, "Stop");
        batch_take_gone(batch);
        if (control.all)
                return stop_all(client, batch, &control);
        for (char **id = invocation->arguments; *id; id++)
                batch_call(batch, *id, NULL, "it", control.signal, control.usec);
        return batch_finish(batch);
}
