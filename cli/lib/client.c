#include "cli/lib/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/lib/embedded.h"
#include "cli/lib/session/hints.h"
#include "cli/lib/polkit-agent.h"
#include "cli/lib/text.h"
#include "dbus/names.h"
#include "service/util/fd.h"

struct Client {
        const ClientOptions *options;
        sd_bus *bus;
        Embedded service;
        pid_t agent;   /* pkttyagent, or 0 */
        bool is_known; /* to the service, by a call that was refused */
};

static void complain_service_ended(const Embedded *service)
{
        g_autofree char *words = embedded_last_words(service);

        if (*words)
                complain("the private service %s ended unexpectedly; its last message: %s",
                         service->program, words);
        else
                complain("the private service %s ended unexpectedly", service->program);
}

static int complain_disconnected(const Client *client)
{
        if (client->service.pid > 0)
                complain_service_ended(&client->service);
        else if (client->options->host)
                complain("no connection to the bus of %s", client->options->host);
        else
                complain(CONNECTION_LOST);
        if (client->options->host)
                hint("does 'ssh %s' work without questions, and is systemd-stdio-bridge there?",
                     client->options->host);
        return EXIT_FAILURE;
}

static bool means_disconnected(int error)
{
        return error == ENOTCONN || error == ECONNRESET || error == EPIPE;
}

int client_complain(const Client *client, const char *subject, const sd_bus_error *error)
{
        const char *message = error->message ? error->message : error->name;

        if (means_disconnected(sd_bus_error_get_errno(error)) ||
            (client->service.pid > 0 && sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY)))
                return complain_disconnected(client);
        if (subject)
                complain("%s: %s", subject, message);
        else
                complain("%s", message);
        hints_of_error(error->name);
        return EXIT_FAILURE;
}

int client_complain_errno(const Client *client, const char *subject, int error)
{
        error = abs(error);
        if (means_disconnected(error))
                return complain_disconnected(client);
        if (subject)
                complain("%s: %s", subject, g_strerror(error));
        else
                complain("%s", g_strerror(error));
        return EXIT_FAILURE;
}

/* The connection to the private service is a socketpair without a bus daemon: no Hello is sent, and
 * messages have no destination. */
static int open_embedded(Client *client)
{
        const char *lack = embedded_lacks();
        autofd int fd = -1;

        if (lack) {
                complain("--embedded cannot work here: the limit of %s", lack);
                return -EMFILE;
        }
        int r = embedded_start(&client->service, client->options->is_verbose, &fd);

        if (r < 0) {
                complain("cannot start the service %s: %s", client->service.program,
                         g_strerror(-r));
                return r;
        }
        r = sd_bus_new(&client->bus);
        if (r >= 0)
                r = sd_bus_set_fd(client->bus, fd, fd);
        if (r >= 0) {
                steal_fd(&fd);
                r = sd_bus_start(client->bus);
        }
        if (r < 0)
                client_complain_errno(client, "cannot connect to the private service", r);
        return r;
}

static int open_address(sd_bus **ret, const char *address)
{
        sd_bus *bus = NULL;
        int r = sd_bus_new(&bus);

        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, 1);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0) {
                sd_bus_unref(bus);
                return r;
        }
        *ret = bus;
        return 0;
}

static int open_bus(Client *client)
{
        const ClientOptions *options = client->options;
        int r;

        if (options->is_embedded)
                return open_embedded(client);
        if (options->address)
                r = open_address(&client->bus, options->address);
        else if (options->host)
                r = sd_bus_open_system_remote(&client->bus, options->host);
        else if (options->machine)
                r = sd_bus_open_system_machine(&client->bus, options->machine);
        else
                r = sd_bus_open_system(&client->bus);
        if (r >= 0)
                return 0;
        if (options->host) {
                complain_disconnected(client);
                return r;
        }
        complain("cannot connect to the %s: %s", options->address ? "bus" : "system bus",
                 g_strerror(-r));
        if (!options->address && !options->machine)
                hint("is a system bus running here? 'naivec --embedded' needs none");
        return r;
}

Client *client_open(const ClientOptions *options)
{
        g_autoptr(Client) client = g_new0(Client, 1);

        client->options = options;
        if (open_bus(client) < 0)
                return NULL;
        sd_bus_set_method_call_timeout(client->bus, CALL_TIMEOUT_USEC);
        return g_steal_pointer(&client);
}

void client_end_agent(Client *client)
{
        polkit_agent_stop(client->agent);
        client->agent = 0;
}

void client_free(Client *client)
{
        if (!client)
                return;
        client_end_agent(client);
        sd_bus_flush_close_unref(client->bus);
        embedded_stop(&client->service);
        g_free(client);
}

sd_bus *client_bus(Client *client)
{
        return client->bus;
}

bool client_is_remote(const Client *client)
{
        return client->options->host || client->options->machine;
}

bool client_passes_fds(Client *client, const char *verb)
{
        int r = sd_bus_can_send(client->bus, SD_BUS_TYPE_UNIX_FD);

        if (r < 0) {
                client_complain_errno(client, NULL, r);
                return false;
        }
        /* ssh carries bytes only, even where both ends of the bus connection have agreed on fds. */
        if (r > 0 && !client->options->host)
                return true;
        if (verb)
                complain("'%s' hands over file descriptors, which this connection cannot carry",
                         verb);
        if (verb && client->options->host)
                hint("'run --detach', 'wait', 'logs' and 'status' need none");
        return false;
}

/* Whether a user could be asked for a password: a terminal is there, and the service asks polkit.
 */
static bool may_ask(const Client *client)
{
        return client->options->asks_password && !client->options->is_embedded &&
               isatty(STDIN_FILENO);
}

/* Whether pkttyagent has to be started first. It registers with the polkit of this machine, so it
 * helps on the local system bus only. */
static bool needs_agent(const Client *client)
{
        return client->agent == 0 && may_ask(client) && polkit_agent_is_possible() &&
               !client->options->address && !client_is_remote(client);
}

int client_new_call(Client *client, const char *path, const char *interface, const char *member,
                    sd_bus_message **ret)
{
        g_autoptr(sd_bus_message) call = NULL;
        int r = sd_bus_message_new_method_call(client->bus, &call,
                                               client->options->is_embedded ? NULL : BUS_NAME, path,
                                               interface, member);

        if (r < 0)
                return r;
        /* The first call forbids polkit to ask while our agent is not running: maybe no agent is
         * there to answer. If polkit then says that a password is needed, client_repeat_call()
         * starts the agent. */
        r = sd_bus_message_set_allow_interactive_authorization(call, may_ask(client) &&
                                                                             !needs_agent(client));
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&call);
        return 0;
}

/* While one user floods the service with descriptors, it may not take those that come with the
 * first call of a client: it does not know whose they are. When it answers, it does. */
static bool is_known_now(Client *client, const sd_bus_error *error)
{
        bool is_first = !client->is_known;

        client->is_known = true;
        return is_first && sd_bus_error_has_name(error, SD_BUS_ERROR_LIMITS_EXCEEDED) &&
               strstr(error->message, " is lost: ");
}

static bool get_agent(Client *client, const sd_bus_error *error)
{
        pid_t agent;

        if (!sd_bus_error_has_name(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED) ||
            !needs_agent(client))
                return false;
        agent = polkit_agent_start();
        if (agent < 0) {
                hint("cannot ask for a password: pkttyagent: %s", g_strerror(-agent));
                return false;
        }
        client->agent = agent;
        return true;
}

bool client_repeat_call(Client *client, sd_bus_message *refused, const sd_bus_error *error,
                        sd_bus_message **ret)
{
        g_autoptr(sd_bus_message) call = NULL;

        if (!is_known_now(client, error) && !get_agent(client, error))
                return false;
        if (client_new_call(client, sd_bus_message_get_path(refused),
                            sd_bus_message_get_interface(refused),
                            sd_bus_message_get_member(refused), &call) < 0 ||
            sd_bus_message_rewind(refused, 1) < 0 || sd_bus_message_copy(call, refused, 1) < 0)
                return false;
        *ret = g_steal_pointer(&call);
        return true;
}

int client_call(Client *client, sd_bus_message *call, uint64_t usec, sd_bus_error *error,
                sd_bus_message **ret_reply)
{
        g_autoptr(sd_bus_message) again = NULL;
        int r = sd_bus_call(client->bus, call, usec, error, ret_reply);

        while (r < 0 && client_repeat_call(client, call, error, &again)) {
                sd_bus_error_free(error);
                r = sd_bus_call(client->bus, again, usec, error, ret_reply);
                g_clear_pointer(&again, sd_bus_message_unref);
        }
        if (r < 0 && !sd_bus_error_is_set(error))
                sd_bus_error_set_errno(error, r);
        return r < 0 ? r : 0;
}

char *client_find_container(Client *client, const char *id)
{
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        const char *path;
        int r = client_new_call(client, MANAGER_PATH, INTERFACE_MANAGER, "GetContainer", &call);

        if (r >= 0)
                r = sd_bus_message_append(call, "s", id);
        if (r < 0) {
                client_complain_errno(client, id, r);
                return NULL;
        }
        r = client_call(client, call, 0, &error, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r < 0) {
                if (sd_bus_error_is_set(&error))
                        client_complain(client, id, &error);
                else
                        client_complain_errno(client, id, r);
                return NULL;
        }
        return g_strdup(path);
}

char *client_container_id(const char *path)
{
        const char *slash = strrchr(path, '/');
        g_autofree char *prefix = slash ? g_strndup(path, (size_t) (slash - path)) : NULL;
        char *id = NULL;

        return prefix && sd_bus_path_decode(path, prefix, &id) > 0 ? id : NULL;
}

int client_call_container(Client *client, const char *path, const char *member, sd_bus_error *error,
                          sd_bus_message **ret_reply, const char *types, ...)
{
        g_autoptr(sd_bus_message) call = NULL;
        va_list list;
        int r = client_new_call(client, path, INTERFACE_CONTAINER, member, &call);

        if (r >= 0) {
                va_start(list, types);
                r = sd_bus_message_appendv(call, types, list);
                va_end(list);
        }
        if (r < 0)
                return sd_bus_error_set_errno(error, r);
        return client_call(client, call, 0, error, ret_reply);
}
