#pragma once

/* How many file descriptors this process has open: for tests that compare the number before and
 * after. The fd by which the directory is read is counted, each time. */

#include <glib.h>

static inline unsigned count_fds(void)
{
        g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
        unsigned n = 0;

        while (g_dir_read_name(dir))
                n++;
        return n;
}
