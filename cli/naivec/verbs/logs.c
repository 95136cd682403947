#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/lib/client.h"
#include "cli/lib/text.h"
#include "cli/lib/values.h"
#include "cli/naivec/log-reader.h"
#include "cli/naivec/verbs/verbs.h"
#include "dbus/names.h"

/* How often to ask for more output where the connection carries no fds. */
#define POLL_USEC UINT64_C(250000)
/* A service that finds no log of its predecessor's jumps so far at least. */
#define LOST_MIN (UINT64_C(1) << 60)
/* How long the service may take to come back, and the time between two tries. */
#define RESTART_USEC       (10 * (int64_t) G_USEC_PER_SEC)
#define RESTART_PAUSE_USEC (G_USEC_PER_SEC / 10)

enum { FLAG_HOLD = FLAG_OF_VERB };

static const Flag logs_flags[] = {
        {"follow", NULL, "go on until the container ends", 'f'},
        {"lines", "N", "show only the last N lines", 'n'},
        {"hold", NULL, "with -f: the container waits for a slow reader, nothing is lost",
         FLAG_HOLD},
        {0},
};

const Flag *verb_logs_flags(void)
{
        return logs_flags;
}

typedef struct {
        Client *client;
        const char *id, *path;
        bool follows, holds;
        uint64_t n_lines; /* UINT64_MAX: all */
        uint64_t offset;
        bool is_begun; /* something was read: what is missed from now on is a gap */
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

/* Says that bytes are not to be had any more, at the place where they are missing. */
static void tell_missed(const Logs *logs, uint64_t n)
{
        if (n == 0)
                return;
        if (n >= LOST_MIN)
                complain("%s: output is missing here: the service that kept it was killed",
                         logs->id);
        else if (logs->is_begun)
                complain("%s: %" PRIu64 " bytes of output are missing here: the container wrote "
                         "them faster than they were read",
                         logs->id, n);
        else
                hint("the first %" PRIu64 " bytes of output are kept no longer", n);
}

/* Prints the lines that are there already, and moves the offset behind them. */
static int print_available(Logs *logs, bool *ret_is_end, sd_bus_error *error)
{
        g_auto(LogPart) part = {0};
        int r = log_read(logs->client, logs->path, &logs->offset, &part, error);

        if (r < 0)
                return r;
        size_t start = log_tail_start(part.text, logs->n_lines);
        if (start == 0 && logs->n_lines > 0)
                tell_missed(logs, part.n_missed);
        logs->n_lines = UINT64_MAX;
        logs->is_begun = true;
        *ret_is_end = part.text->len == 0;
        return write_out(logs, part.text->str + start, part.text->len - start);
}

/* Prints a packet of OpenLog. 1 if it is the last one. */
static int print_packet(Logs *logs, const char *packet, size_t size)
{
        uint64_t offset;

        if (size < sizeof offset)
                return -EBADMSG;
        memcpy(&offset, packet, sizeof offset);
        size -= sizeof offset;
        if (offset < logs->offset)
                return -EBADMSG;
        tell_missed(logs, offset - logs->offset);
        logs->offset = offset + size;
        logs->is_begun = true;
        return size == 0 ? 1 : write_out(logs, packet + sizeof offset, size);
}

/* Prints the rest from a file descriptor. 1 at the end; 0 if the service has ended before: then
 * its successor has the rest. */
static int print_from_fd(Logs *logs, sd_bus_error *error)
{
        g_autoptr(sd_bus_message) reply = NULL;
        char data[sizeof(uint64_t) + 65536];
        int fd, r;

        r = client_call_container(logs->client, logs->path, "OpenLog", error, &reply, "a{sv}", 4,
                                  "Follow", "b", logs->follows, "Hold", "b", logs->holds, "Packets",
                                  "b", true, "Offset", "t", logs->offset);
        if (r < 0)
                return r;
        r = MIN(sd_bus_message_read(reply, "h", &fd), 0);
        while (r == 0) {
                ssize_t n = recv(fd, data, sizeof data, 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                r = print_packet(logs, data, (size_t) n);
        }
        return r;
}

/* Whether the service is about to end, or not there again yet. */
static bool is_between_services(const sd_bus_error *error)
{
        static const char *const names[] = {ERROR_CANCELLED, SD_BUS_ERROR_NO_REPLY,
                                            SD_BUS_ERROR_SERVICE_UNKNOWN,
                                            SD_BUS_ERROR_NAME_HAS_NO_OWNER};

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                if (sd_bus_error_has_name(error, names[i]))
                        return true;
        return false;
}

/* Goes on with each next service, once that is there. */
static int print_all_from_fd(Logs *logs, sd_bus_error *error)
{
        int64_t deadline = 0;

        for (;;) {
                int r = print_from_fd(logs, error);

                if (r > 0)
                        return 0;
                if (r == 0)
                        deadline = g_get_monotonic_time() + RESTART_USEC;
                else if (!is_between_services(error) || g_get_monotonic_time() >= deadline)
                        return r;
                sd_bus_error_free(error);
                g_usleep(RESTART_PAUSE_USEC);
        }
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
        bool has_ended = false, is_last, is_end;
        int r = client_new_call(logs->client, logs->path, INTERFACE_CONTAINER, "Wait", &call);

        if (r >= 0)
                r = sd_bus_call_async(client_bus(logs->client), NULL, call, on_waited, &has_ended,
                                      UINT64_MAX);
        do {
                is_last = has_ended;
                is_end = false;
                while (r >= 0 && !is_end)
                        r = print_available(logs, &is_end, error);
                if (r >= 0 && !has_ended)
                        r = wait_a_moment(logs->client, POLL_USEC);
        } while (r >= 0 && !is_last);
        return r;
}

static int print_logs(Logs *logs, sd_bus_error *error)
{
        bool has_fds = client_passes_fds(logs->client, NULL), is_end;
        int r;

        /* Where the last lines begin is only known once all has been read. One reply has all that
         * is kept at that moment. */
        if (logs->n_lines != UINT64_MAX || !has_fds || !logs->follows) {
                r = print_available(logs, &is_end, error);
                if (r < 0 || !logs->follows)
                        return r;
        }
        return has_fds ? print_all_from_fd(logs, error) : print_by_polling(logs, error);
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
                case FLAG_HOLD:
                        logs->holds = true;
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
        if (logs->holds && !logs->follows)
                return invocation_usage(invocation, "--hold needs --follow");
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
        if (logs.holds && !client_passes_fds(client, "logs --hold"))
                return EXIT_FAILURE;
        const char *id = invocation->arguments[0];
        path = client_find_container(client, id);
        if (!path)
                return EXIT_FAILURE;
        logs.client = client;
        logs.id = id;
        logs.path = path;
        logs.escapes = needs_escape(client, id);
        int r = print_logs(&logs, &error);
        if (r >= 0)
                return EXIT_SUCCESS;
        return sd_bus_error_is_set(&error) ? client_complain(client, id, &error)
                                           : client_complain_errno(client, id, r);
}
