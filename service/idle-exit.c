/* How no call is lost (tried with 1,500 calls around the moment of the exit):
 *
 * 1. The service releases its name. The bus delivers whatever was sent to the name before it
 * answers the release; if a call was among it, the service takes the name back and goes on.
 * 2. From then on a call makes the bus ask for a start. Without systemd, the bus starts a process,
 * which waits for our lock. systemd, however, takes the unit for running and does nothing. So the
 * service tells systemd STOPPING=1; once systemd has read that (sd_notify_barrier()), it remembers
 * a start until the service is gone. From there no way leads back to "running".
 * 3. Calls that came in between wait in the bus for an owner of the name. The service takes the
 * name once more, which brings these calls, and releases it. It answers them; the next start takes
 * over the containers that they started. For polkit's answer or a container's end they wait no
 * longer than LEAVE_SEC, since nobody else is served meanwhile. */

#include "service/idle-exit.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "dbus/names.h"

#define BARRIER_USEC (5u * G_USEC_PER_SEC)
#define LEAVE_SEC    2u

typedef enum Phase {
        PHASE_SERVING,
        PHASE_RELEASING,  /* step 1 */
        PHASE_COLLECTING, /* step 3: the name is asked for once more */
        PHASE_LEAVING,    /* step 3: the name is released for good; what is pending is answered */
} Phase;

struct IdleExit {
        IdleExitOptions options;
        Phase phase;
        guint timer;
        sd_bus_slot *call;
        uint64_t calls; /* method calls that had come in when the name was released */
};

static bool is_idle(const IdleExit *idle)
{
        return manager_is_idle(idle->options.manager) && server_is_idle(idle->options.server);
}

static void done(IdleExit *idle, int status)
{
        idle->options.done(status, idle->options.data);
}

static void name_call(IdleExit *idle, bool take, sd_bus_message_handler_t answer)
{
        sd_bus *bus = idle->options.bus;

        idle->call = sd_bus_slot_unref(idle->call);
        int r = take ? sd_bus_request_name_async(bus, &idle->call, BUS_NAME, 0, answer, idle)
                     : sd_bus_release_name_async(bus, &idle->call, BUS_NAME, answer, idle);
        if (r < 0)
                done(idle, EXIT_FAILURE);
}

static int on_taken_back(sd_bus_message *reply, void *data, sd_bus_error *error)
{
        IdleExit *idle = data;

        idle->phase = PHASE_SERVING;
        uint32_t answer = 0;
        if (sd_bus_message_is_method_error(reply, NULL) ||
            sd_bus_message_read(reply, "u", &answer) < 0 ||
            (answer != 1 && answer != 4)) { /* 1: owner now; 4: owner already */
                g_warning("cannot take the bus name back");
                done(idle, EXIT_FAILURE);
        } else
                idle_exit_activity(idle);
        return 0;
}

static void leave_when_answered(IdleExit *idle)
{
        if (server_is_idle(idle->options.server))
                done(idle, EXIT_SUCCESS);
}

static gboolean on_leave_timer(void *data)
{
        IdleExit *idle = data;

        idle->timer = 0;
        done(idle, EXIT_SUCCESS);
        return G_SOURCE_REMOVE;
}

static int on_left(sd_bus_message *reply, void *data, sd_bus_error *error)
{
        IdleExit *idle = data;

        idle->phase = PHASE_LEAVING;
        idle->timer = g_timeout_add_seconds(LEAVE_SEC, on_leave_timer, idle);
        leave_when_answered(idle);
        return 0;
}

static int on_collected(sd_bus_message *reply, void *data, sd_bus_error *error)
{
        name_call(data, false, on_left);
        return 0;
}

static int on_released(sd_bus_message *reply, void *data, sd_bus_error *error)
{
        IdleExit *idle = data;

        if (server_calls(idle->options.server) != idle->calls || !is_idle(idle)) {
                name_call(idle, true, on_taken_back);
                return 0;
        }
        if (sd_notify(0, "STOPPING=1") <= 0) {
                done(idle, EXIT_SUCCESS);
                return 0;
        }
        sd_notify_barrier(0, BARRIER_USEC);
        idle->phase = PHASE_COLLECTING;
        name_call(idle, true, on_collected);
        return 0;
}

static gboolean on_timer(void *data)
{
        IdleExit *idle = data;

        if (manager_has_readers(idle->options.manager))
                return G_SOURCE_CONTINUE; /* a reader of a log would be cut off */
        idle->timer = 0;
        idle->phase = PHASE_RELEASING;
        idle->calls = server_calls(idle->options.server);
        name_call(idle, false, on_released);
        return G_SOURCE_REMOVE;
}

void idle_exit_activity(IdleExit *idle)
{
        if (idle->phase == PHASE_LEAVING)
                leave_when_answered(idle);
        if (idle->phase != PHASE_SERVING)
                return;
        if (idle->timer)
                g_source_remove(idle->timer);
        idle->timer = idle->options.timeout_sec > 0 && is_idle(idle)
                              ? g_timeout_add_seconds(idle->options.timeout_sec, on_timer, idle)
                              : 0;
}

IdleExit *idle_exit_new(const IdleExitOptions *options)
{
        IdleExit *idle = g_new0(IdleExit, 1);

        idle->options = *options;
        idle_exit_activity(idle);
        return idle;
}

void idle_exit_free(IdleExit *idle)
{
        if (!idle)
                return;
        if (idle->timer)
                g_source_remove(idle->timer);
        sd_bus_slot_unref(idle->call);
        g_free(idle);
}
