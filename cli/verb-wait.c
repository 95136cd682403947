#include <stdio.h>
#include <stdlib.h>

#include "cli/batch.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verbs.h"

static const Column columns[] = {
        {"ID", "id", false},
        {"RESULT", "result", false},
        {"CODE", "code", true},
        {0},
};

/* A line as soon as its container ends; JSON wants all in one array. */
static int on_reply(const char *id, sd_bus_message *reply, void *data)
{
        Table *table = data;
        const char *result;
        int code, r = sd_bus_message_read(reply, "si", &result, &code);

        if (r < 0)
                return r;
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
        JsonMode mode;

        if (invocation_next(invocation, &value) != FLAG_END)
                return invocation->status;
        mode = invocation->settings.json;
        client = client_open(&invocation->settings);
        if (!client)
                return EXIT_FAILURE;
        table = mode == JSON_OFF ? NULL : table_new(columns);
        batch = batch_new(client, "Wait");
        batch_on_reply(batch, on_reply, table);
        for (char **id = invocation->arguments; *id; id++)
                batch_call(batch, *id, NULL, "");
        int status = batch_finish(batch);
        if (table) {
                g_autofree char *text = table_format(table, mode, false);
                fputs(text, stdout);
        }
        return status;
}
