#pragma once

/* A connection with nobody at its other end, for tests that make and read messages: each belongs to
 * a connection. */

#include <glib.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "tests/lib/must.h"

static inline sd_bus *mute_bus_new(void)
{
        sd_bus *bus = NULL;
        int ends[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        must(sd_bus_new(&bus));
        must(sd_bus_set_fd(bus, ends[0], ends[0]));
        must(sd_bus_start(bus));
        close(ends[1]);
        return bus;
}
