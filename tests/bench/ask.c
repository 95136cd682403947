/* What one question to polkit costs: asked as the service asks it, by root and about the connection
 * of somebody else, with details of the same kind. Measured is the time from the call until the
 * answer is there, which must be yes. */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "polkit/actions.h"
#include "service/util/bus-auto.h"
#include "tests/bench/connection.h"
#include "tests/bench/rounds.h"

#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

typedef struct Asker {
        ContainerOrders orders;
        sd_bus *bus;
        const char *subject; /* the unique name of the user's connection */
} Asker;

/* Once connected, a user's connection need not be served to be asked about. */
static sd_bus *connect_as(uid_t uid, const char *address, const char **ret_name)
{
        if (seteuid(uid) < 0)
                err(1, "cannot become user %u", (unsigned) uid);
        sd_bus *bus = connection_open(address);
        int r = sd_bus_get_unique_name(bus, ret_name);
        if (r < 0)
                errx(1, "no name on the bus: %s", strerror(-r));
        if (seteuid(0) < 0)
                err(1, "cannot become root again");
        return bus;
}

static int ask(Asker *asker, const ContainerOrder *order, int *ret_yes)
{
        g_autoptr(sd_bus_message) reply = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(asker->bus, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                   "CheckAuthorization", &error, &reply, "(sa{sv})sa{ss}us",
                                   "system-bus-name", 1, "name", "s", asker->subject, ACTION_RUN, 5,
                                   DETAIL_ROOTFS, order->rootfs, DETAIL_COMMAND_LINE,
                                   order->argv[0], DETAIL_MEMORY_MAX, order->memory_text, DETAIL_ID,
                                   order->hostname, DETAIL_VERB, "Run", 0, "");

        if (r < 0)
                warnx("polkit: %s", error.message ? error.message : strerror(-r));
        else
                r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r >= 0)
                r = sd_bus_message_read(reply, "b", ret_yes);
        sd_bus_error_free(&error);
        return r;
}

static Sample run(size_t order, void *data)
{
        Asker *asker = data;
        int yes = 0;
        uint64_t begin = now_nsec();
        int r = ask(asker, &asker->orders.list[order], &yes);

        return (Sample){.nsec = now_nsec() - begin, .status = r < 0 || !yes};
}

int main(int argc, char **argv)
{
        Asker asker = {0};

        if (argc != 4) {
                fprintf(stderr, "usage: ask ADDRESS UID ORDERS\n");
                return 2;
        }
        asker.orders = container_orders_load(argv[3]);
        asker.bus = connection_open(argv[1]);
        sd_bus *user = connect_as((uid_t) strtoul(argv[2], NULL, 10), argv[1], &asker.subject);
        bool served = serve_rounds(asker.orders.n, run, &asker);
        sd_bus_flush_close_unref(user);
        sd_bus_flush_close_unref(asker.bus);
        return served ? 0 : 1;
}
