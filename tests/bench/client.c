/* A connected client, as an application would be one: it has its connection to the bus, and asks
 * for containers by method calls. Measured is the time from the call until the client knows the
 * exit: Run (or Spawn with --spawn, which passes a pipe for the output, read to its end) and then
 * Wait, or with --signal the signal Exited, to which it has subscribed; with --status one Spawn
 * with StatusFD. With --in-flight so many at a time; with --list it asks for the list of all
 * instead. */

#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dbus/names.h"
#include "service/util/bus-auto.h"
#include "tests/bench/client-calls.h"
#include "tests/bench/client-flight.h"
#include "tests/bench/connection.h"
#include "tests/bench/rounds.h"

typedef struct Client {
        sd_bus *bus;
        ContainerOrders orders;
        bool spawn, by_signal, told;
        const char *path; /* of the container that is waited for by its signal */
        int status;
        FlightPlan flight;
        size_t list_min;
} Client;

static int call(Client *client, sd_bus_message *message, sd_bus_message **ret)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call(client->bus, message, CALL_TIMEOUT_USEC, &error, ret);

        if (r < 0)
                warnx("%s: %s", sd_bus_message_get_member(message),
                      error.message ? error.message : strerror(-r));
        sd_bus_error_free(&error);
        return r;
}

/* The container's path in the reply, which the caller frees. */
static int start(Client *client, const ContainerOrder *order, int output, sd_bus_message **ret)
{
        g_autoptr(sd_bus_message) message = NULL;
        int r = client->spawn ? calls_spawn(client->bus, order, output, false, &message)
                              : calls_run(client->bus, order, &message);

        return r < 0 ? r : call(client, message, ret);
}

static int await(Client *client, const char *path, int *ret_status)
{
        g_autoptr(sd_bus_message) message = NULL, reply = NULL;
        int r = calls_container(client->bus, path, "Wait", &message);

        if (r >= 0)
                r = call(client, message, &reply);
        return r < 0 ? r : calls_read_result(reply, ret_status);
}

static int on_exited(sd_bus_message *signal, void *data, sd_bus_error *ret_error)
{
        Client *client = data;

        if (client->path && strcmp(sd_bus_message_get_path(signal), client->path) == 0) {
                client->path = NULL;
                client->status = -1;
                calls_read_result(signal, &client->status);
        }
        return 0;
}

static int await_signal(Client *client, const char *path, int *ret_status)
{
        int r = 0;

        client->path = path;
        while (client->path && r >= 0)
                if ((r = sd_bus_process(client->bus, NULL)) == 0)
                        r = sd_bus_wait(client->bus, CALL_TIMEOUT_USEC);
        *ret_status = client->status;
        return r;
}

/* What others have been told of since the last time is not this run's burden. */
static void drain(Client *client)
{
        while (sd_bus_process(client->bus, NULL) > 0)
                ;
}

static Sample run(size_t order, void *data)
{
        Client *client = data;
        g_autoptr(sd_bus_message) reply = NULL;
        Sample sample = {.status = -1};
        int ends[2] = {-1, -1};
        const char *path;
        char buffer[4096];

        drain(client);
        uint64_t begin = now_nsec();
        if (client->spawn && pipe2(ends, O_CLOEXEC) < 0)
                return sample;
        int r = start(client, &client->orders.list[order], ends[1], &reply);
        if (client->spawn)
                close(ends[1]);
        if (r >= 0 && (r = sd_bus_message_read(reply, "o", &path)) >= 0)
                r = client->by_signal ? await_signal(client, path, &sample.status)
                                      : await(client, path, &sample.status);
        while (client->spawn && r >= 0 && read(ends[0], buffer, sizeof buffer) > 0)
                ;
        if (client->spawn)
                close(ends[0]);
        sample.nsec = now_nsec() - begin;
        return sample;
}

/* The start and the end come by the pipe alone; the answer is taken from the bus later. */
static Sample run_told(size_t order, void *data)
{
        Client *client = data;
        g_autoptr(sd_bus_message) message = NULL;
        Sample sample = {.status = -1};
        char lines[4096];
        size_t n = 0;
        ssize_t more;
        int ends[2];

        drain(client);
        uint64_t begin = now_nsec();
        if (pipe2(ends, O_CLOEXEC) < 0)
                return sample;
        int r = calls_spawn_told(client->bus, &client->orders.list[order], ends[1], &message);
        if (r >= 0 && (r = sd_bus_send(client->bus, message, NULL)) >= 0)
                r = sd_bus_flush(client->bus);
        message = sd_bus_message_unref(message);
        close(ends[1]);
        *lines = '\0';
        while (r >= 0 && !strstr(lines, "\"stopped\"") &&
               (more = read(ends[0], lines + n, sizeof lines - 1 - n)) > 0)
                lines[n += (size_t) more] = '\0';
        close(ends[0]);
        if (strstr(lines, "\"result\":\"success\""))
                sample.status = 0;
        sample.nsec = now_nsec() - begin;
        return sample;
}

static Sample run_batch(size_t n, size_t first, void *data)
{
        const Client *client = data;

        return flight_run(&client->flight, n, first);
}

static int count_list(sd_bus_message *reply, size_t *ret_n)
{
        const char *id, *state, *path;
        uint64_t created;
        uint32_t owner;
        int r = sd_bus_message_enter_container(reply, 'a', "(ssuto)");

        while (r >= 0 && (r = sd_bus_message_read(reply, "(ssuto)", &id, &state, &owner, &created,
                                                  &path)) > 0)
                ++*ret_n;
        return r;
}

/* Until the reply is there; what a client does with it is not the service's work. */
static Sample list(size_t order, void *data)
{
        Client *client = data;
        g_autoptr(sd_bus_message) message = NULL, reply = NULL;
        Sample sample = {.status = -1};
        size_t n = 0;
        uint64_t begin = now_nsec();
        int r = sd_bus_message_new_method_call(client->bus, &message, BUS_NAME, MANAGER_PATH,
                                               INTERFACE_MANAGER, "ListContainers");

        if (r >= 0 && (r = sd_bus_message_append(message, "a{sv}", 0)) >= 0)
                r = call(client, message, &reply);
        sample.nsec = now_nsec() - begin;
        if (r >= 0 && count_list(reply, &n) >= 0)
                sample.status = n < client->list_min;
        return sample;
}

static void become(uid_t uid)
{
        if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
                err(1, "cannot become user %u", (unsigned) uid);
}

static _Noreturn void usage(void)
{
        fprintf(stderr, "usage: client [--uid UID] [--spawn | --status | --signal | --list MIN | "
                        "--in-flight N "
                        "[--delete | --hold]] ADDRESS ORDERS\n");
        exit(2);
}

static void parse(Client *client, int argc, char **argv)
{
        static const struct option options[] = {{"uid", required_argument, NULL, 'u'},
                                                {"spawn", no_argument, NULL, 's'},
                                                {"signal", no_argument, NULL, 'e'},
                                                {"status", no_argument, NULL, 't'},
                                                {"list", required_argument, NULL, 'l'},
                                                {"in-flight", required_argument, NULL, 'n'},
                                                {"delete", no_argument, NULL, 'd'},
                                                {"hold", no_argument, NULL, 'h'},
                                                {0}};
        long uid = -1;
        int option;

        while ((option = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
                if (option == '?')
                        usage();
                client->spawn = client->spawn || option == 's';
                client->by_signal = client->by_signal || option == 'e';
                client->told = client->told || option == 't';
                client->flight.remove = client->flight.remove || option == 'd';
                client->flight.hold = client->flight.hold || option == 'h';
                if (option == 'u')
                        uid = strtol(optarg, NULL, 10);
                else if (option == 'l')
                        client->list_min = strtoul(optarg, NULL, 10);
                else if (option == 'n')
                        client->flight.in_flight = strtoul(optarg, NULL, 10);
        }
        if (argc - optind != 2)
                usage();
        client->orders = container_orders_load(argv[optind + 1]);
        if (uid >= 0)
                become((uid_t) uid);
        client->bus = connection_open(argv[optind]);
        if (client->by_signal &&
            sd_bus_match_signal(client->bus, NULL, BUS_NAME, NULL, INTERFACE_CONTAINER, "Exited",
                                on_exited, client) < 0)
                errx(1, "cannot subscribe");
        client->flight.bus = client->bus;
        client->flight.orders = &client->orders;
}

int main(int argc, char **argv)
{
        Client client = {0};
        bool served;

        parse(&client, argc, argv);
        if (client.flight.in_flight > 0)
                served = serve_batches(client.orders.n, run_batch, &client);
        else
                served = serve_rounds(client.orders.n,
                                      client.list_min > 0 ? list
                                      : client.told       ? run_told
                                                          : run,
                                      &client);
        sd_bus_flush_close_unref(client.bus);
        return served ? 0 : 1;
}
