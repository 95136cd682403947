#include <stdio.h>
#include <stdlib.h>

#include "cli/lib/client.h"
#include "cli/lib/json.h"
#include "cli/lib/session.h"
#include "cli/lib/session/create.h"
#include "cli/lib/text.h"
#include "cli/naivec/run-command.h"
#include "cli/naivec/verbs/verbs.h"
#include "dbus/names.h"

const Flag *verb_run_flags(void)
{
        static Flag storage[SPAWN_FLAGS_SIZE];

        return run_command_flags(storage);
}

const Flag *verb_create_flags(void)
{
        static Flag storage[SPAWN_FLAGS_SIZE];

        return run_command_create_flags(storage);
}

static int request_container(Client *client, const RunCommand *command, const char *member,
                             char **ret_path)
{
        return session_make_container(
                client,
                &(NewContainer){&command->request, command->rootfs, command->argv, member, NULL},
                ret_path);
}

static int print_id(const Settings *settings, const char *path)
{
        g_autofree char *id = client_container_id(path);
        Json json;

        if (!id)
                return EXIT_RUNTIME_FAILED;
        if (settings->json == JSON_OFF) {
                g_autofree char *escaped = text_escape(id);
                puts(escaped);
                return 0;
        }
        json_init(&json, settings->json == JSON_PRETTY);
        json_open(&json, '{');
        json_key(&json, "id");
        json_string(&json, id);
        json_key(&json, "path");
        json_string(&json, path);
        json_close(&json, '}');
        g_autofree char *text = json_finish(&json);
        fputs(text, stdout);
        return 0;
}

/* Makes a container that outlives naivec, by the method `member`, and prints its id. */
static int leave_container(Invocation *invocation, const RunCommand *command, const char *member)
{
        g_autoptr(Client) client = NULL;
        g_autofree char *path = NULL;
        int status;

        if (invocation->settings.client.is_embedded)
                return invocation_usage(
                        invocation,
                        "--embedded: the private service and its containers end with naivec");
        if (!run_command_check_fds(command, invocation))
                return invocation->status;
        client = client_open(&invocation->settings.client);
        if (!client || (spawn_request_count_fds(&command->request) &&
                        !client_passes_fds(client, spawn_request_has(&command->request,
                                                                     SPAWN_NetworkNamespaceFD)
                                                           ? "--network=ns:"
                                                           : "--fd")))
                return EXIT_RUNTIME_FAILED;
        status = request_container(client, command, member, &path);
        return status != 0 ? status : print_id(&invocation->settings, path);
}

static int run_attached(Invocation *invocation, RunCommand *command)
{
        g_autoptr(Client) client = NULL;
        g_autofree char *path = NULL;
        g_autoptr(Session) session = NULL;
        int status;

        run_command_attach(command);
        if (!run_command_check_fds(command, invocation))
                return invocation->status;
        client = client_open(&invocation->settings.client);
        if (!client || !client_passes_fds(client, "run"))
                return EXIT_RUNTIME_FAILED;
        /* Create and then Start, so that Wait can be sent between the two. */
        status = request_container(client, command, "Create", &path);
        if (status != 0)
                return status;
        client_end_agent(client);
        spawn_request_yield_fds(&command->request);
        session = session_new(client, path, INTERFACE_CONTAINER);
        session_forward_signals(session);
        if (run_command_has_terminal(command))
                status = session_attach(session, run_command_terminal_options(command));
        if (status == 0)
                status = session_run(session, true);
        standard_streams_finish(&command->streams, session_has_result(session));
        return status;
}

int verb_run(Invocation *invocation)
{
        g_auto(RunCommand) command = {0};

        if (!run_command_parse(&command, invocation))
                return invocation->status;
        return command.is_detached ? leave_container(invocation, &command, "Spawn")
                                   : run_attached(invocation, &command);
}

int verb_create(Invocation *invocation)
{
        g_auto(RunCommand) command = {0};
        int status;

        if (!run_command_parse(&command, invocation))
                return invocation->status;
        status = leave_container(invocation, &command, "Create");
        return status > EXIT_USAGE ? EXIT_FAILURE : status;
}
