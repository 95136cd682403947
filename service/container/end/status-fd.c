#include "service/container/end/status-fd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/watch.h"

#define PAGE 4096u

struct StatusFd {
        int fd;
        Watch *watch;
        GString *unwritten; /* a few lines at most, less than a page */
        StatusFdFunc gone;
        void *data;
        bool is_last; /* nothing more will be said: frees itself */
        guint timer;
};

/* The pipe refers to the page, and does not copy it: so each time it is another one, which nobody
 * writes to afterwards. 0 or -errno. */
static int write_page(int fd, const GString *text)
{
        void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct iovec part = {page, text->len};

        if (page == MAP_FAILED)
                return -errno;
        memcpy(page, text->str, text->len);
        int r = vmsplice(fd, &part, 1, SPLICE_F_NONBLOCK) < 0 ? -errno : 0;
        munmap(page, PAGE);
        return r;
}

static void on_pipe(int fd, GIOCondition condition, void *data);

/* An error is reported in any case: nobody reads any more. */
static void watch_for(StatusFd *status, GIOCondition events)
{
        watch_clear(&status->watch);
        if (events || status->gone)
                status->watch = watch_new(status->fd, events, on_pipe, status);
}

static void flush(StatusFd *status)
{
        int r = status->unwritten->len > 0 ? write_page(status->fd, status->unwritten) : 0;

        if (r == -EAGAIN) {
                watch_for(status, G_IO_OUT);
                return;
        }
        g_string_truncate(status->unwritten, 0);
        if (status->is_last)
                status_fd_free(status);
        else
                watch_for(status, 0);
}

static void on_pipe(int fd, GIOCondition condition, void *data)
{
        StatusFd *status = data;
        StatusFdFunc gone = status->gone;

        if (!(condition & G_IO_ERR)) {
                flush(status);
                return;
        }
        status->gone = NULL;
        if (gone)
                gone(status->data); /* ends the container, which goes on to say so to nobody */
        flush(status);
}

static gboolean on_time_over(void *data)
{
        StatusFd *status = data;

        status->timer = 0;
        status_fd_free(status);
        return G_SOURCE_REMOVE;
}

StatusFd *status_fd_new(int fd, StatusFdFunc gone, void *data)
{
        StatusFd *status = g_new0(StatusFd, 1);

        status->fd = fd;
        status->unwritten = g_string_new(NULL);
        status->gone = gone;
        status->data = data;
        watch_for(status, 0);
        return status;
}

void status_fd_free(StatusFd *status)
{
        if (!status)
                return;
        watch_clear(&status->watch);
        if (status->timer)
                g_source_remove(status->timer);
        fd_close(status->fd);
        g_string_free(status->unwritten, TRUE);
        g_free(status);
}

void status_fd_say(StatusFd *status, const char *line)
{
        g_string_append(status->unwritten, line);
        g_assert(status->unwritten->len <= PAGE);
        flush(status);
}

void status_fd_finish(StatusFd *status, const char *line)
{
        status->gone = NULL;
        status->is_last = true;
        status->timer = g_timeout_add(STATUS_WAIT_MSEC, on_time_over, status);
        status_fd_say(status, line);
}
