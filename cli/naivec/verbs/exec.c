/* exec: one more command in a container that runs. */

#include <stdio.h>

#include "cli/lib/client.h"
#include "cli/lib/json.h"
#include "cli/lib/session.h"
#include "cli/naivec/run-command.h"
#include "cli/naivec/verbs/verbs.h"
#include "dbus/names.h"

const Flag *verb_exec_flags(void)
{
        static Flag storage[SPAWN_FLAGS_SIZE];

        return run_command_exec_flags(storage);
}

/* 0 with the object's path in *ret_path, or an exit status after a complaint. */
static int request_exec(Client *client, const RunCommand *command, char **ret_path)
{
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        g_autofree char *container = client_find_container(client, command->container);
        const char *path;

        if (!container)
                return EXIT_RUNTIME_FAILED;
        int r = client_new_call(client, container, INTERFACE_CONTAINER, "Exec", &call);
        if (r >= 0)
                r = spawn_request_append(&command->request, call, NULL, command->argv);
        if (r >= 0)
                r = client_call(client, call, 0, &error, &reply);
        if (sd_bus_error_is_set(&error)) {
                client_complain(client, NULL, &error);
                return session_status_of_error(error.name);
        }
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r < 0) {
                client_complain_errno(client, "Exec", r);
                return EXIT_RUNTIME_FAILED;
        }
        *ret_path = g_strdup(path);
        return 0;
}

static void print_path(const Settings *settings, const char *path)
{
        Json json;

        if (settings->json == JSON_OFF) {
                puts(path);
                return;
        }
        json_init(&json, settings->json == JSON_PRETTY);
        json_open(&json, '{');
        json_key(&json, "path");
        json_string(&json, path);
        json_close(&json, '}');
        g_autofree char *text = json_finish(&json);
        fputs(text, stdout);
}

static int follow(Client *client, const RunCommand *command, const char *path)
{
        g_autoptr(Session) session = NULL;
        int status = 0;

        client_end_agent(client);
        spawn_request_yield_fds(&command->request);
        session = session_new(client, path, INTERFACE_EXEC);
        session_forward_signals(session);
        if (run_command_has_terminal(command))
                status = session_attach(session, run_command_terminal_options(command));
        return status != 0 ? status : session_run(session, false);
}

int verb_exec(Invocation *invocation)
{
        g_auto(RunCommand) command = {0};
        g_autoptr(Client) client = NULL;
        g_autofree char *path = NULL;
        int status;

        if (!run_command_parse_exec(&command, invocation))
                return invocation->status;
        if (!command.is_detached)
                run_command_attach(&command);
        if (!run_command_check_fds(&command, invocation))
                return invocation->status;
        client = client_open(&invocation->settings.client);
        if (!client || ((!command.is_detached || command.request.fds->len) &&
                        !client_passes_fds(client, "exec")))
                return EXIT_RUNTIME_FAILED;
        status = request_exec(client, &command, &path);
        if (status != 0)
                return status;
        if (!command.is_detached)
                return follow(client, &command, path);
        print_path(&invocation->settings, path);
        return 0;
}
