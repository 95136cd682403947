#include <stdio.h>
#include <stdlib.h>

#include "cli/lib/session.h"
#include "cli/lib/table.h"
#include "cli/lib/text.h"
#include "cli/naivec/batch.h"
#include "cli/naivec/verbs/verbs.h"

static const Column columns[] = {
        {"ID", "id", false},
        {"RESULT", "result", false},
        {"CODE", "code", true},
        {0},
};

typedef struct {
        Table *table; /* for JSON, which is printed at the end; NULL: print a line as each container
                         ends */
        int status;   /* the exit status for the container that ended last */
} Waiting;

static int on_reply(const char *id, sd_bus_message *reply, void *data)
{
        Waiting *waiting = data;
        Table *table = waiting->table;
        const char *result;
        int code, r = sd_bus_message_read(reply, "si", &result, &code);

        if (r < 0)
                return r;
        waiting->status = session_status_of(result, code);
        if (table) {
                table_add_string(table, id);
                table_add_string(table, result);
                table_add_signed(table, code);
                return 0;
        }
        g_autofree char *escaped = text_escape(result);
        printf("%s %s %d\n", id, escaped, code);
        fflush(stdout);
        return 0;
}

int verb_wait(Invocation *invocation)
{
        g_autoptr(Client) client = NULL;
        g_autoptr(Batch) batch = NULL;
        g_autoptr(Table) table = NULL;
        const char *value = NULL;
        Waiting waiting = {0};
        JsonMode mode;

        if (invocation_next(invocation, &value) != FLAG_END)
                return invocation->status;
        mode = invocation->settings.json;
        client = client_open(&invocation->settings.client);
        if (!client)
                return EXIT_FAILURE;
        table = mode == JSON_OFF ? NULL : table_new(columns);
        batch = batch_new(client, "Wait");
        waiting.table = table;
        batch_on_reply(batch, on_reply, &waiting);
        for (char **id = invocation->arguments; *id; id++)
                batch_call(batch, *id, NULL, "");
        int status = batch_finish(batch);
        if (table) {
                g_autofree char *text = table_format(table, mode, false);
                fputs(text, stdout);
        }
        /* Of several containers, no single exit status would be the right answer. */
        return status == EXIT_SUCCESS && invocation->n_arguments == 1 ? waiting.status : status;
}
