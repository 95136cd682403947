#include "dbus/connection/bus-source.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>

/* sd-bus says what to poll for and until when; both change with every message. The poll record is
 * embedded and its event mask rewritten in place. The rejected way, g_source_modify_unix_fd() on
 * every prepare, wakes the context each time: an idle daemon then spins. The fd itself changes
 * rarely (while connecting, and when closed); then the record is taken out and put back, because
 * GLib keeps its records sorted by fd. */

typedef struct BusSource {
        GSource source;
        sd_bus *bus;
        GPollFD pollfd;    /* fd -1: not polled */
        uint64_t deadline; /* absolute, monotonic, usec; UINT64_MAX: none */
        BusTurn turn;
        BusLostFunc lost;
        void *data;
} BusSource;

static void watch_fd(BusSource *self, int fd)
{
        if (self->pollfd.fd == fd)
                return;
        if (self->pollfd.fd >= 0)
                g_source_remove_poll(&self->source, &self->pollfd);
        self->pollfd.fd = fd;
        self->pollfd.revents = 0;
        if (fd >= 0)
                g_source_add_poll(&self->source, &self->pollfd);
}

/* Rounded up: a poll that ends before the deadline would be repeated until it has passed. */
static int usec_to_poll_timeout(uint64_t usec)
{
        uint64_t msec = usec / 1000 + (usec % 1000 != 0);

        return msec > INT_MAX ? INT_MAX : (int) msec;
}

static bool deadline_passed(const BusSource *self, uint64_t *ret_left)
{
        uint64_t now = (uint64_t) g_get_monotonic_time();

        *ret_left = self->deadline > now ? self->deadline - now : 0;
        return *ret_left == 0;
}

static gboolean bus_source_prepare(GSource *source, int *timeout)
{
        BusSource *self = (BusSource *) source;
        int fd = sd_bus_get_fd(self->bus);
        int events = sd_bus_get_events(self->bus);
        uint64_t left;

        if (fd < 0 || events < 0 || sd_bus_get_timeout(self->bus, &self->deadline) < 0) {
                /* Closed, and the fd's number may belong to somebody else already: poll nothing and
                 * let dispatch learn the reason. */
                watch_fd(self, -1);
                self->deadline = 0;
                *timeout = 0;
                return TRUE;
        }
        watch_fd(self, fd);
        self->pollfd.events = (gushort) events;
        if (self->turn.due_at)
                self->deadline = MIN(self->deadline, self->turn.due_at(self->turn.data));
        if (self->deadline == UINT64_MAX) {
                *timeout = -1;
                return FALSE;
        }
        if (deadline_passed(self, &left)) {
                *timeout = 0;
                return TRUE;
        }
        *timeout = usec_to_poll_timeout(left);
        return FALSE;
}

static gboolean bus_source_check(GSource *source)
{
        BusSource *self = (BusSource *) source;
        uint64_t left;

        return (self->pollfd.fd >= 0 && self->pollfd.revents != 0) || deadline_passed(self, &left);
}

/* Not all that there is: what is left comes back as a deadline of 0, behind other sources.
 * A failing handler never makes sd_bus_process() fail, so a negative result is the connection's
 * end. */
static gboolean bus_source_dispatch(GSource *source, GSourceFunc callback, void *data)
{
        BusSource *self = (BusSource *) source;
        int r = self->turn.take ? self->turn.take(self->turn.data)
                                : sd_bus_process(self->bus, NULL);

        /* A bus with two fds processes well but cannot be polled: end it here rather than spin. */
        if (r >= 0 && sd_bus_get_fd(self->bus) == -EPERM)
                r = -EPERM;
        if (r >= 0)
                return G_SOURCE_CONTINUE;

        watch_fd(self, -1);
        if (self->lost)
                self->lost(-r, self->data);
        return G_SOURCE_REMOVE;
}

static void bus_source_finalize(GSource *source)
{
        BusSource *self = (BusSource *) source;

        /* Nobody processes this bus any more: what other owners of a reference still wait for
         * cannot come. */
        sd_bus_close(self->bus);
        sd_bus_unref(self->bus);
}

static GSourceFuncs bus_source_funcs = {
        .prepare = bus_source_prepare,
        .check = bus_source_check,
        .dispatch = bus_source_dispatch,
        .finalize = bus_source_finalize,
};

GSource *bus_source_attach(sd_bus *bus, GMainContext *context, BusLostFunc lost, void *data)
{
        GSource *source = g_source_new(&bus_source_funcs, sizeof(BusSource));
        BusSource *self = (BusSource *) source;

        self->bus = sd_bus_ref(bus);
        self->pollfd.fd = -1;
        self->deadline = UINT64_MAX;
        self->lost = lost;
        self->data = data;
        g_source_set_static_name(source, "sd-bus");
        /* or GLib takes the fd out of the loop during each dispatch and puts it back: four system
         * calls and a turn of the loop for nothing. No handler runs the loop. */
        g_source_set_can_recurse(source, TRUE);
        g_source_attach(source, context);
        return source;
}

void bus_source_set_turn(GSource *source, const BusTurn *turn)
{
        ((BusSource *) source)->turn = *turn;
}
