#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/json.h"
#include "cli/session.h"
#include "cli/spawn-request.h"
#include "cli/text.h"
#include "cli/values.h"
#include "cli/verbs.h"
#include "dbus/names.h"
#include "service/limits.h"

enum { FLAG_FD = FLAG_OF_VERB };

typedef struct {
        SpawnRequest request;
        bool is_detached;
        bool has_terminal;
        char *rootfs;
        const char *const *argv;
} Run;

static const Flag run_flags[] = {
        {"detach", NULL, "run in the background; output goes to the log; print the id", 'd'},
        {"interactive", NULL, "accepted for podman's sake: input always reaches the command", 'i'},
        {"fd", "N", "pass file descriptor N as well; may be repeated", FLAG_FD},
        {0},
};

const Flag *verb_run_flags(void)
{
        static Flag storage[SPAWN_FLAGS_SIZE];

        return spawn_flags(storage, run_flags);
}

const Flag *verb_create_flags(void)
{
        static Flag storage[SPAWN_FLAGS_SIZE];

        return spawn_flags(storage, run_flags + 2); /* --fd alone */
}

static void run_clear(Run *run)
{
        spawn_request_clear(&run->request);
        g_free(run->rootfs);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

static int take_fd(Invocation *invocation, Run *run, const char *value)
{
        uint64_t number;

        if (!value_parse_number(value, 3, SPAWN_FD_NUMBER_MAX, &number))
                return invocation_usage(invocation, "--fd=%s: it takes a number from 3 to %u",
                                        value, SPAWN_FD_NUMBER_MAX);
        if (fcntl((int) number, F_GETFD) < 0)
                return invocation_usage(invocation, "--fd=%s: no such file descriptor is open",
                                        value);
        spawn_request_add_fd(&run->request, (int) number, (int) number);
        return 0;
}

static int take_flag(Invocation *invocation, Run *run, int id, const char *value)
{
        g_autofree char *wrong = NULL;

        switch (id) {
        case 'd':
                run->is_detached = true;
                return 0;
        case 'i':
                return 0;
        case FLAG_FD:
                return take_fd(invocation, run, value);
        default:
                wrong = spawn_request_take(&run->request, id, value);
                return wrong ? invocation_usage(invocation, "%s", wrong) : 0;
        }
}

/* The command line as a Run; an exit status if it is none. */
static int parse(Invocation *invocation, Run *run)
{
        static const char *const shell[] = {"/bin/sh", NULL};
        const char *value = NULL;
        int id, r;

        while ((id = invocation_next(invocation, &value)) != FLAG_END) {
                if (id == FLAG_STOP)
                        return invocation->status;
                r = take_flag(invocation, run, id, value);
                if (r != 0)
                        return r;
        }
        const char *rootfs = invocation->arguments[0];
        const Settings *settings = &invocation->settings;
        if ((settings->host || settings->machine) && *rootfs != '/')
                return invocation_usage(invocation, "ROOTFS must be absolute on another machine");
        run->rootfs = value_absolute_path(rootfs);
        if (!run->rootfs)
                return invocation_usage(invocation, "ROOTFS '%s': %s", rootfs, g_strerror(errno));
        run->argv = invocation->n_arguments > 1 ? (const char *const *) invocation->arguments + 1
                                                : shell;
        return -1;
}

static int require_fd_count(Invocation *invocation, const Run *run)
{
        if (run->request.fds->len <= SPAWN_FDS_MAX)
                return 0;
        return invocation_usage(invocation,
                                "%u file descriptors, stdin, stdout and stderr among them: a bus "
                                "message carries %u, and the bus cuts off who sends more",
                                run->request.fds->len, SPAWN_FDS_MAX);
}

/* Without -d the command is ours: it has our terminal or our stdio, and ends with us. */
static void prepare_attached(Run *run)
{
        SpawnRequest *request = &run->request;

        if (!spawn_request_has(request, SPAWN_Terminal) && isatty(STDIN_FILENO) &&
            isatty(STDOUT_FILENO))
                spawn_request_set(request, SPAWN_Terminal, "yes");
        run->has_terminal = spawn_request_is_true(request, SPAWN_Terminal);
        if (!spawn_request_has(request, SPAWN_Remove))
                spawn_request_set(request, SPAWN_Remove, "yes");
        spawn_request_set(request, SPAWN_WatchBus, "yes");
        for (int fd = 0; !run->has_terminal && fd <= 2; fd++)
                spawn_request_add_fd(request, fd, fd);
}

static void pass_term(Run *run)
{
        const char *term = g_getenv("TERM");

        if (term && *term && spawn_request_is_true(&run->request, SPAWN_Terminal))
                spawn_request_default_variable(&run->request, "TERM", term);
}

/* Spawn or Create; the container's path in *ret_path, or an exit status after a complaint. */
static int request_container(Client *client, const Run *run, const char *member, char **ret_path)
{
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        const char *path;
        int r = client_new_call(client, MANAGER_PATH, INTERFACE_MANAGER, member, &call);

        if (r >= 0)
                r = spawn_request_append(&run->request, call, run->rootfs, run->argv);
        if (r < 0) {
                client_complain_errno(client, member, r);
                return EXIT_RUNTIME_FAILED;
        }
        r = client_call(client, call, 0, &error, &reply);
        if (r < 0) {
                client_complain(client, NULL, &error);
                return session_status_of_error(&error);
        }
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0) {
                client_complain_errno(client, member, r);
                return EXIT_RUNTIME_FAILED;
        }
        *ret_path = g_strdup(path);
        return 0;
}

static int print_id(Client *client, const Settings *settings, const char *path)
{
        g_autofree char *id = client_container_id(client, path);
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

/* A container that stays: made by `member`, its id printed. */
static int leave_container(Invocation *invocation, Run *run, const char *member)
{
        g_autoptr(Client) client = NULL;
        g_autofree char *path = NULL;
        int status;

        if (invocation->settings.embedded)
                return invocation_usage(invocation,
                                        "--embedded: the container would end with naivec");
        status = require_fd_count(invocation, run);
        if (status != 0)
                return status;
        pass_term(run);
        client = client_open(&invocation->settings);
        if (!client || (run->request.fds->len && !client_passes_fds(client, "--fd")))
                return EXIT_RUNTIME_FAILED;
        status = request_container(client, run, member, &path);
        return status != 0 ? status : print_id(client, &invocation->settings, path);
}

static int run_attached(Invocation *invocation, Run *run)
{
        g_autoptr(Client) client = NULL;
        g_autofree char *path = NULL;
        g_autoptr(Session) session = NULL;
        int status;

        prepare_attached(run);
        status = require_fd_count(invocation, run);
        if (status != 0)
                return status;
        pass_term(run);
        client = client_open(&invocation->settings);
        if (!client)
                return EXIT_RUNTIME_FAILED;
        if (!client_passes_fds(client, "run")) {
                if (invocation->settings.host)
                        hint("'naivec run --detach', then 'wait' and 'logs' do without");
                return EXIT_RUNTIME_FAILED;
        }
        /* Create and Start rather than Spawn, so that Wait can stand in between. */
        status = request_container(client, run, "Create", &path);
        if (status != 0)
                return status;
        session = session_new(client, path);
        session_forward_signals(session);
        if (run->has_terminal)
                status = session_attach(session, (TerminalOptions){.sends_eof = true});
        return status != 0 ? status : session_run(session, true);
}

int verb_run(Invocation *invocation)
{
        g_auto(Run) run = {0};
        int status;

        spawn_request_init(&run.request);
        status = parse(invocation, &run);
        if (status >= 0)
                return status;
        return run.is_detached ? leave_container(invocation, &run, "Spawn")
                               : run_attached(invocation, &run);
}

int verb_create(Invocation *invocation)
{
        g_auto(Run) run = {0};
        int status;

        spawn_request_init(&run.request);
        status = parse(invocation, &run);
        if (status >= 0)
                return status;
        status = leave_container(invocation, &run, "Create");
        return status > EXIT_USAGE ? EXIT_FAILURE : status;
}
