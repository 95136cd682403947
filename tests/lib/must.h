#pragma once

/* For calls of sd-bus that a test needs to succeed, and does not test. */

#include <glib.h>

static inline void must(int r)
{
        if (r < 0)
                g_error("sd-bus: %s", g_strerror(-r));
}
