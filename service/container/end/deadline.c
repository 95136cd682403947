#include "service/container/end/deadline.h"

#define ROUND_MSEC (24u * 3600 * 1000) /* a timer of GLib's cannot wait for two months */

static gboolean on_timer(void *data);

static void wait_for_it(Deadline *deadline)
{
        uint64_t now = (uint64_t) g_get_monotonic_time();
        uint64_t msec = deadline->usec > now ? (deadline->usec - now) / 1000 + 1 : 0;

        deadline->timer = g_timeout_add((guint) MIN(msec, ROUND_MSEC), on_timer, deadline);
}

static gboolean on_timer(void *data)
{
        Deadline *deadline = data;

        deadline->timer = 0;
        if ((uint64_t) g_get_monotonic_time() < deadline->usec)
                wait_for_it(deadline);
        else
                deadline->function(deadline->data);
        return G_SOURCE_REMOVE;
}

void deadline_begin(Deadline *deadline, uint64_t usec, DeadlineFunc function, void *data)
{
        deadline_end(deadline);
        *deadline = (Deadline){.usec = usec, .function = function, .data = data};
        if (usec != 0)
                wait_for_it(deadline);
}

void deadline_end(Deadline *deadline)
{
        if (deadline->timer)
                g_source_remove(deadline->timer);
        deadline->timer = 0;
}

uint64_t deadline_after(uint64_t usec)
{
        uint64_t moment;

        if (usec == UINT64_MAX)
                return 0;
        return __builtin_add_overflow((uint64_t) g_get_monotonic_time(), usec, &moment) ? 0
                                                                                        : moment;
}
