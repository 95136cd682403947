#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/lib/client.h"
#include "cli/lib/text.h"
#include "cli/lib/values.h"
#include "cli/naivec/log-reader.h"
#include "cli/naivec/verbs/verbs.h"
#include "dbus/names.h"

/* How often to ask for more output where the connection carries no fds. */
#define POLL_USEC UINT64_C(250000)

static const Flag logs_flags[] = {
        {"follow", NULL, "go on until the container ends", 'f'},
        {"lines", "N", "show only the last N lines", 'n'},
        {0},
};

const Flag *verb_logs_flags(void)
{
        return logs_flags;
}

typedef struct {
        Client *client;
        const char *path;
        bool follows;
        uint64_t n_lines; /* UINT64_MAX: all */
        uint64_t offset;
        bool escapes;
} Logs;

/* Whether to escape control characters: the output is another user's, and would go to a terminal.
 */
static bool needs_escape(Client *client, const char *id)
{
        g_autofree char *own = g_strdup_printf("%u/", (unsigned) geteuid());

        return isatty(STDOUT_FILENO) && strchr(id, '/') &&
               (client_is_remote(client) || !g_str_has_prefix(id, own));
}

static int write_out(const Logs *logs, const char *data, size_t length)
{
        if (logs->escapes) {
                g_autofree char *escaped = text_escape_bytes(data, length, true);
                fputs(escaped, stdout);
        } else {
                fwrite(data, 1, length, stdout);
        }
        return fflush(stdout) == EOF ? -errno : 0;
}

/* Prints the lines that are there already, and moves the offset behind them. */
static int print_available(Logs *logs, sd_bus_error *error)
{
        g_autoptr(GString) text = g_string_new(NULL);
        int r = log_read_available(logs->client, logs->path, &logs->offset, text, error);

        if (r < 0)
                return r;
        size_t start = log_tail_start(text, logs->n_lines);
        logs->n_lines = UINT64_MAX;
        return write_out(logs, text->str + start, text->len - start);
}

/* Prints the rest from a file descriptor that reads as ended when the container has ended. */
static int print_from_fd(Logs *logs, sd_bus_error *error)
{
        g_autoptr(sd_bus_message) reply = NULL;
        char data[16384];
        int fd, r;

        r = client_call_container(logs->client, logs->path, "OpenLog", error, &reply, "a{sv}", 2,
                                  "Follow", "b", logs->follows, "Offset", "t", logs->offset);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "h", &fd);
        while (r >= 0) {
                ssize_t n = read(fd, data, sizeof data);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                r = write_out(logs, data, (size_t) n);
        }
        return r;
}

static int on_waited(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
        *(bool *) data = true;
        return 0;
}

static int wait_a_moment(Client *client, uint64_t usec)
{
        int r = sd_bus_process(client_bus(client), NULL);

        if (r == 0)
                r = sd_bus_wait(client_bus(client), usec);
        return r == -EINTR ? 0 : r;
}

/* Prints the rest by asking again and again, and once more after the container's end: it may have
 * written something after the last answer. */
static int print_by_polling(Logs *logs, sd_bus_error *error)
{
        g_autoptr(sd_bus_message) call = NULL;
        bool has_ended = false, is_last;
        int r = client_new_call(logs->client, logs->path, INTERFACE_CONTAINER, "Wait", &call);

        if (r >= 0)
                r = sd_bus_call_async(client_bus(logs->client), NULL, call, on_waited, &has_ended,
                                      UINT64_MAX);
        do {
                is_last = has_ended;
                if (r >= 0)
                        r = print_available(logs, error);
                if (r >= 0 && !has_ended)
                        r = wait_a_moment(logs->client, POLL_USEC);
        } while (r >= 0 && !is_last);
        return r;
}

static int print_logs(Logs *logs, sd_bus_error *error)
{
        bool has_fds = client_passes_fds(logs->client, NULL);
        int r;

        /* Where the last lines begin is only known once all has been read. */
        if (logs->n_lines != UINT64_MAX || !has_fds)
                r = print_available(logs, error);
        else
                return print_from_fd(logs, error);
        if (r < 0 || !logs->follows)
                return r;
        return has_fds ? print_from_fd(logs, error) : print_by_polling(logs, error);
}

static int parse(Invocation *invocation, Logs *logs)
{
        const char *value = NULL;
        int id;

        while ((id = invocation_next(invocation, &value)) != FLAG_END) {
                switch (id) {
                case 'f':
                        logs->follows = true;
                        break;
                case 'n':
                        if (!value_parse_number(value, 0, UINT32_MAX, &logs->n_lines))
                                return invocation_usage(invocation, "--lines=%s: it takes a number",
                                                        value);
                        break;
                default:
                        return invocation->status;
                }
        }
        return -1;
}

int verb_logs(Invocation *invocation)
{
        g_autoptr(Client) client = NULL;
        g_autofree char *path = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        Logs logs = {.n_lines = UINT64_MAX};
        int status = parse(invocation, &logs);

        if (status >= 0)
                return status;
        client = client_open(&invocation->settings.client);
        if (!client)
                return EXIT_FAILURE;
        const char *id = invocation->arguments[0];
        path = client_find_container(client, id);
        if (!path)
                return EXIT_FAILURE;
        logs.client = client;
        logs.path = path;
        logs.escapes = needs_escape(client, id);
        int r = print_logs(&logs, &error);
        if (r >= 0)
                return EXIT_SUCCESS;
        return sd_bus_error_is_set(&error) ? client_complain(client, id, &error)
                                           : client_complain_errno(client, id, r);
}
