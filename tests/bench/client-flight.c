#include "tests/bench/client-flight.h"

#include <err.h>
#include <string.h>

#include "service/util/bus-auto.h"
#include "tests/bench/client-calls.h"

typedef struct Flight {
        const FlightPlan *plan;
        size_t left, next, under_way;
        int status;
} Flight;

/* One container on its way, in a place that the next one takes over. */
typedef struct Place {
        Flight *flight;
        char *path;
} Place;

static void start_next(Place *place);

static void done(Place *place)
{
        g_clear_pointer(&place->path, g_free);
        place->flight->under_way--;
        start_next(place);
}

static bool failed(Place *place, sd_bus_message *reply)
{
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        if (!error)
                return false;
        warnx("%s", error->message ? error->message : error->name);
        place->flight->status = -1;
        done(place);
        return true;
}

static void send_call(Place *place, sd_bus_message *call, sd_bus_message_handler_t handler)
{
        int r = sd_bus_call_async(place->flight->plan->bus, NULL, call, handler, place,
                                  CALL_TIMEOUT_USEC);

        if (r < 0)
                errx(1, "cannot send a call: %s", strerror(-r));
}

static void call_container(Place *place, const char *method, sd_bus_message_handler_t handler)
{
        g_autoptr(sd_bus_message) call = NULL;
        int r = calls_container(place->flight->plan->bus, place->path, method, &call);

        if (r < 0)
                errx(1, "cannot make a call: %s", strerror(-r));
        send_call(place, call, handler);
}

static int on_deleted(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
        if (!failed(data, reply))
                done(data);
        return 1;
}

static int on_ended(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
        Place *place = data;
        int status = -1;

        if (failed(place, reply))
                return 1;
        if (calls_read_result(reply, &status) < 0 || status != 0)
                place->flight->status = status ? status : -1;
        if (place->flight->plan->remove)
                call_container(place, "Delete", on_deleted);
        else
                done(place);
        return 1;
}

static int on_started(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
        Place *place = data;
        const char *path;
        int r;

        if (failed(place, reply))
                return 1;
        if ((r = sd_bus_message_read(reply, "o", &path)) < 0)
                errx(1, "cannot read a reply: %s", strerror(-r));
        place->path = g_strdup(path);
        if (place->flight->plan->hold)
                done(place);
        else
                call_container(place, "Wait", on_ended);
        return 1;
}

static void start_next(Place *place)
{
        Flight *flight = place->flight;
        const FlightPlan *plan = flight->plan;
        g_autoptr(sd_bus_message) call = NULL;

        if (flight->left == 0)
                return;
        const ContainerOrder *order = &plan->orders->list[flight->next % plan->orders->n];
        int r = plan->hold ? calls_spawn(plan->bus, order, -1, true, &call)
                           : calls_run(plan->bus, order, &call);
        if (r < 0)
                errx(1, "cannot make a call: %s", strerror(-r));
        flight->next++;
        flight->left--;
        flight->under_way++;
        send_call(place, call, on_started);
}

Sample flight_run(const FlightPlan *plan, size_t n, size_t first)
{
        Flight flight = {.plan = plan, .left = n, .next = first};
        g_autofree Place *places = g_new0(Place, plan->in_flight);
        uint64_t begin = now_nsec();
        int r = 0;

        for (size_t i = 0; i < plan->in_flight; i++) {
                places[i].flight = &flight;
                start_next(&places[i]);
        }
        while (flight.under_way > 0 && r >= 0)
                if ((r = sd_bus_process(plan->bus, NULL)) == 0)
                        r = sd_bus_wait(plan->bus, UINT64_MAX);
        if (r < 0)
                errx(1, "the bus is lost: %s", strerror(-r));
        return (Sample){.nsec = now_nsec() - begin, .status = flight.status};
}
