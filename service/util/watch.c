#include "service/util/watch.h"

#include <glib-unix.h>
#include <stdbool.h>
#include <sys/epoll.h>

#include "service/util/fd.h"

/* All watches are in one epoll set, which is one source of the loop. The set exists while anything
 * is watched; it belongs to the process, as the default main context does. Each turn of the loop
 * takes one event and delivers it at once: so no event can be stale, whatever a callback does with
 * its own watch or with others, and no other source has to wait. A descriptor that stays ready goes
 * to the end of the kernel's list. */

struct Watch {
        int fd;
        WatchFunc function;
        void *data;
        guint source; /* GLib's source, for an fd that epoll refuses; else 0 */
};

static int epoll = -1;
static GSource *epoll_source;
static unsigned n_watches;

static gboolean on_ready(int fd, GIOCondition condition, void *data)
{
        struct epoll_event event;

        if (epoll_wait(epoll, &event, 1, 0) == 1) {
                const Watch *watch = event.data.ptr;
                watch->function(watch->fd, (GIOCondition) event.events, watch->data);
        }
        return G_SOURCE_CONTINUE;
}

static gboolean on_refused_ready(int fd, GIOCondition condition, void *data)
{
        const Watch *watch = data;

        watch->function(fd, condition, watch->data);
        return G_SOURCE_CONTINUE;
}

static void epoll_begin(void)
{
        epoll = epoll_create1(EPOLL_CLOEXEC);
        if (epoll < 0)
                return;
        epoll_source = g_unix_fd_source_new(epoll, G_IO_IN);
        g_source_set_callback(epoll_source, G_SOURCE_FUNC(on_ready), NULL, NULL);
        /* Else GLib takes the fd out of the loop during each callback and puts it back: four system
         * calls and a turn of the loop for nothing. */
        g_source_set_can_recurse(epoll_source, TRUE);
        g_source_attach(epoll_source, NULL);
}

G_STATIC_ASSERT((int) G_IO_IN == EPOLLIN && (int) G_IO_PRI == EPOLLPRI);
G_STATIC_ASSERT((int) G_IO_OUT == EPOLLOUT && (int) G_IO_HUP == EPOLLHUP);

static bool epoll_add(Watch *watch, GIOCondition events)
{
        struct epoll_event event = {.events = events, .data.ptr = watch};

        if (epoll < 0)
                epoll_begin();
        return epoll_ctl(epoll, EPOLL_CTL_ADD, watch->fd, &event) == 0;
}

static void epoll_end(void)
{
        if (epoll >= 0)
                g_source_destroy(epoll_source);
        g_clear_pointer(&epoll_source, g_source_unref);
        fd_clear(&epoll);
}

Watch *watch_new(int fd, GIOCondition events, WatchFunc function, void *data)
{
        Watch *watch = g_new0(Watch, 1);

        watch->fd = fd;
        watch->function = function;
        watch->data = data;
        n_watches++;
        if (!epoll_add(watch, events))
                /* epoll refuses a regular file, an fd that is watched already, and one too many for
                 * the user */
                watch->source = g_unix_fd_add(fd, events, on_refused_ready, watch);
        return watch;
}

void watch_clear(Watch **watch)
{
        Watch *ended = g_steal_pointer(watch);

        if (!ended)
                return;
        if (ended->source)
                g_source_remove(ended->source);
        else if (epoll_ctl(epoll, EPOLL_CTL_DEL, ended->fd, NULL) < 0)
                g_error("fd %d was closed while it was watched", ended->fd);
        if (--n_watches == 0)
                epoll_end();
        g_free(ended);
}
