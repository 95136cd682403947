#include "tests/lib/loop.h"

#include <glib.h>
#include <limits.h>

static gboolean on_time_out(void *data)
{
        bool *timed_out = data;

        *timed_out = true;
        return G_SOURCE_REMOVE;
}

bool loop_until(const unsigned *counter, unsigned target, unsigned msec)
{
        bool timed_out = false;
        GSource *source = g_timeout_source_new(msec);

        g_source_set_callback(source, on_time_out, &timed_out, NULL);
        g_source_attach(source, NULL);
        while (*counter < target && !timed_out)
                g_main_context_iteration(NULL, true);
        g_source_destroy(source);
        g_source_unref(source);
        return *counter >= target;
}

void loop_settle(void)
{
        g_main_context_wakeup(NULL);
        while (g_main_context_iteration(NULL, FALSE))
                ;
}

void loop_for(unsigned msec)
{
        static const unsigned never = 0;

        loop_until(&never, 1, msec);
}
