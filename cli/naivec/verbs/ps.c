/* ps: the processes of a container. */

#include <stdlib.h>

#include "cli/lib/pager.h"
#include "cli/lib/table.h"
#include "cli/naivec/verbs/verbs.h"

static const Column columns[] = {{"PID", "pid", true}, {"COMMAND", "command", false}, {0}};

static int read_processes(sd_bus_message *reply, Table *table)
{
        const char *command;
        uint32_t pid;
        int r = sd_bus_message_enter_container(reply, 'a', "(us)");

        while (r >= 0 && (r = sd_bus_message_read(reply, "(us)", &pid, &command)) > 0) {
                table_add_number(table, pid, NULL);
                table_add_string(table, command);
        }
        return r;
}

int verb_ps(Invocation *invocation)
{
        g_autoptr(Client) client = NULL;
        g_autoptr(Table) table = table_new(columns);
        g_autoptr(sd_bus_message) reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        const Settings *settings = &invocation->settings;
        const char *value = NULL;

        if (invocation_next(invocation, &value) != FLAG_END)
                return invocation->status;
        const char *id = invocation->arguments[0];
        client = client_open(&settings->client);
        g_autofree char *path = client ? client_find_container(client, id) : NULL;
        if (!path)
                return EXIT_FAILURE;
        if (client_call_container(client, path, "GetProcesses", &error, &reply, "") < 0)
                return client_complain(client, id, &error);
        int r = read_processes(reply, table);
        if (r < 0)
                return client_complain_errno(client, id, r);
        g_autofree char *text = table_format(table, settings->json, settings->has_legend);
        pager_print(text, settings->has_pager);
        return EXIT_SUCCESS;
}
