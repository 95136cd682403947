/* A connected client, as an application would be one: it has its connection to the bus, and asks
 * for containers by method calls. Measured is the time from the call until the client knows the
 * exit: Run (or Spawn with --spawn, which passes a pipe for the output, read to its end) and then
 * Wait. */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "dbus/names.h"
#include "service/util/bus-auto.h"
#include "tests/bench/rounds.h"

typedef struct Client {
        sd_bus *bus;
        const char *rootfs;
        char **command;
        uint64_t memory;
        bool spawn;
} Client;

static int append_run(const Client *client, sd_bus_message *call)
{
        int r = sd_bus_message_append(call, "st", client->rootfs, client->memory);

        return r < 0 ? r : sd_bus_message_append_strv(call, client->command);
}

static int append_bytes(sd_bus_message *call, const char *text)
{
        return sd_bus_message_append_array(call, 'y', text, strlen(text));
}

static int append_spawn(const Client *client, sd_bus_message *call, int output)
{
        int r = append_bytes(call, client->rootfs);

        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "ay");
        for (char **argument = client->command; r >= 0 && *argument; argument++)
                r = append_bytes(call, *argument);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{uh}", 2, 1, output, 2, output);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", client->memory ? 1 : 0, "MemoryMax", "t",
                                          client->memory);
        return r;
}

/* The container's path in the reply, which the caller frees. */
static int start(Client *client, int output, sd_bus_message **ret)
{
        g_autoptr(sd_bus_message) call = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_message_new_method_call(client->bus, &call, BUS_NAME, MANAGER_PATH,
                                               client->spawn ? INTERFACE_MANAGER : INTERFACE_RUNC,
                                               client->spawn ? "Spawn" : "Run");

        if (r >= 0)
                r = client->spawn ? append_spawn(client, call, output) : append_run(client, call);
        if (r >= 0)
                r = sd_bus_call(client->bus, call, 0, &error, ret);
        if (r < 0)
                warnx("%s: %s", client->spawn ? "Spawn" : "Run",
                      error.message ? error.message : strerror(-r));
        sd_bus_error_free(&error);
        return r;
}

static int await(Client *client, const char *path, int *ret_status)
{
        g_autoptr(sd_bus_message) reply = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *result;
        int code;
        int r = sd_bus_call_method(client->bus, BUS_NAME, path, INTERFACE_CONTAINER, "Wait", &error,
                                   &reply, "");

        if (r >= 0)
                r = sd_bus_message_read(reply, "si", &result, &code);
        if (r < 0)
                warnx("Wait: %s", error.message ? error.message : strerror(-r));
        else
                *ret_status = strcmp(result, "success") == 0 ? 0 : code ? code : -1;
        sd_bus_error_free(&error);
        return r;
}

static Sample run(void *data)
{
        Client *client = data;
        g_autoptr(sd_bus_message) reply = NULL;
        Sample sample = {.status = -1};
        int ends[2] = {-1, -1};
        const char *path;
        char buffer[4096];
        uint64_t begin = now_nsec();

        if (client->spawn && pipe2(ends, O_CLOEXEC) < 0)
                return sample;
        int r = start(client, ends[1], &reply);
        if (client->spawn)
                close(ends[1]);
        if (r >= 0 && (r = sd_bus_message_read(reply, "o", &path)) >= 0)
                r = await(client, path, &sample.status);
        while (client->spawn && r >= 0 && read(ends[0], buffer, sizeof buffer) > 0)
                ;
        if (client->spawn)
                close(ends[0]);
        sample.nsec = now_nsec() - begin;
        return sample;
}

static int connect_bus(const char *address, sd_bus **ret)
{
        int r = sd_bus_new(ret);

        if (!address) {
                sd_bus_unref(*ret);
                return sd_bus_open_system(ret);
        }
        (void) (r >= 0 && (r = sd_bus_set_address(*ret, address)) >= 0 &&
                (r = sd_bus_set_bus_client(*ret, true)) >= 0 &&
                (r = sd_bus_negotiate_fds(*ret, true)) >= 0 && (r = sd_bus_start(*ret)) >= 0);
        return r;
}

static void become(uid_t uid)
{
        if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
                err(1, "cannot become user %u", (unsigned) uid);
}

int main(int argc, char **argv)
{
        static const struct option options[] = {
                {"address", required_argument, NULL, 'a'}, {"memory", required_argument, NULL, 'm'},
                {"uid", required_argument, NULL, 'u'},     {"spawn", no_argument, NULL, 's'},
                {"count", required_argument, NULL, 'n'},   {0}};
        Client client = {.memory = 64 << 20};
        const char *address = NULL;
        long uid = -1, count = 0;
        int option, status = 0;

        while ((option = getopt_long(argc, argv, "+", options, NULL)) >= 0)
                switch (option) {
                case 'a':
                        address = optarg;
                        break;
                case 'm':
                        client.memory = strtoull(optarg, NULL, 10);
                        break;
                case 'u':
                        uid = strtol(optarg, NULL, 10);
                        break;
                case 's':
                        client.spawn = true;
                        break;
                case 'n':
                        count = strtol(optarg, NULL, 10);
                        break;
                default:
                        optind = argc;
                }
        if (argc - optind < 2) {
                fprintf(stderr,
                        "usage: client [--address ADDRESS] [--memory BYTES] [--uid UID] [--spawn] "
                        "[--count N] ROOTFS COMMAND [ARGUMENT…]\n"
                        "without --count it is served rounds on stdin\n");
                return 2;
        }
        client.rootfs = argv[optind];
        client.command = argv + optind + 1;
        if (uid >= 0)
                become((uid_t) uid);
        int r = connect_bus(address, &client.bus);
        if (r < 0)
                errx(1, "cannot connect to the bus: %s", strerror(-r));
        for (long i = 0; i < count; i++) {
                Sample sample = run(&client);
                print_sample(&sample);
                status = sample.status ? 1 : status;
        }
        if (count == 0 && !serve_rounds(run, &client))
                status = 1;
        sd_bus_flush_close_unref(client.bus);
        return status;
}
