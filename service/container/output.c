#include "service/container/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/watch.h"

#define CHUNK (16u * 1024)
#define BEHIND_MAX                                                                                 \
        (64u * 1024) /* how far a reader that holds may be behind before reading stops             \
                      */
#define DRAIN_MAX            (1024u * 1024) /* for what somebody outside still writes at the end */
#define LINGER_SEC           30  /* for readers that are behind when the container is gone */
#define REOPEN_INTERVAL_MSEC 500 /* a terminal that nobody inside has open just now */

typedef struct Reader {
        Output *output;
        int fd;
        OutputReader how;
        uint64_t end; /* of what is there now, for who does not follow */
        Watch *in_watch, *out_watch;
        char pending[4096]; /* typed, not yet taken by the terminal */
        size_t n_pending;
} Reader;

struct Output {
        OutputLog log;
        int source;
        bool terminal, finished, released;
        bool is_cut; /* the service ends before the command does: this is no end of the output */
        Watch *source_watch, *write_watch;
        guint timer;
        GPtrArray *readers;
        OutputFunc sink;
        void *sink_data;
};

static void source_start(Output *output);
static void reader_serve(Reader *reader);
static void readers_changed(Output *output);

static void timer_clear(guint *timer)
{
        if (*timer)
                g_source_remove(*timer);
        *timer = 0;
}

static void output_destroy(Output *output)
{
        timer_clear(&output->timer);
        watch_clear(&output->source_watch);
        watch_clear(&output->write_watch);
        fd_close(output->source);
        g_ptr_array_free(output->readers, TRUE);
        output_log_clear(&output->log);
        g_free(output);
}

static void reader_free(void *data)
{
        Reader *reader = data;

        watch_clear(&reader->in_watch);
        watch_clear(&reader->out_watch);
        fd_close(reader->fd);
        g_free(reader);
}

/* -- from the container -- */

static bool is_held_back(const Output *output)
{
        for (guint i = 0; i < output->readers->len; i++) {
                const Reader *reader = output->readers->pdata[i];
                if (reader->how.holds &&
                    output_log_end(&output->log) > reader->how.offset + BEHIND_MAX)
                        return true;
        }
        return false;
}

static void take(Output *output, const uint8_t *bytes, size_t n)
{
        output_log_append(&output->log, bytes, n);
        if (output->sink)
                output->sink(bytes, n, output->sink_data);
}

static void serve_all(Output *output)
{
        /* backwards: a reader that is gone is removed */
        for (guint i = output->readers->len; i-- > 0;)
                reader_serve(output->readers->pdata[i]);
}

static gboolean on_reopen(void *data)
{
        Output *output = data;

        output->timer = 0;
        source_start(output);
        return G_SOURCE_REMOVE;
}

static void on_source(int fd, GIOCondition condition, void *data)
{
        Output *output = data;
        uint8_t buffer[CHUNK];
        ssize_t n = read(fd, buffer, sizeof buffer);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0) {
                take(output, buffer, (size_t) n);
                serve_all(output);
                if (!is_held_back(output))
                        return;
        } else if (n < 0 && errno == EIO && output->terminal) {
                /* nobody has the terminal open; somebody may open it again */
                output->timer = g_timeout_add(REOPEN_INTERVAL_MSEC, on_reopen, output);
        }
        watch_clear(&output->source_watch);
}

static void source_start(Output *output)
{
        if (output->source >= 0 && !output->source_watch && !output->timer && !is_held_back(output))
                output->source_watch = watch_new(output->source, G_IO_IN, on_source, output);
}

/* -- to the container -- */

static void on_source_writable(int fd, GIOCondition condition, void *data);

/* Writes to the terminal what was typed. What the terminal does not take stays pending, and until
 * then nothing more is read from that reader. */
static void reader_type(Reader *reader)
{
        Output *output = reader->output;

        while (reader->n_pending > 0 && output->source >= 0) {
                ssize_t n = write(output->source, reader->pending, reader->n_pending);
                if (n < 0 && errno == EAGAIN && !output->write_watch)
                        output->write_watch =
                                watch_new(output->source, G_IO_OUT, on_source_writable, output);
                if (n <= 0)
                        return;
                reader->n_pending -= (size_t) n;
                memmove(reader->pending, reader->pending + n, reader->n_pending);
        }
        reader->n_pending = 0;
}

static void on_reader_gone(int fd, GIOCondition condition, void *data)
{
        Reader *reader = data;
        Output *output = reader->output;

        g_ptr_array_remove_fast(output->readers, reader);
        readers_changed(output);
}

static void on_reader_input(int fd, GIOCondition condition, void *data)
{
        Reader *reader = data;
        ssize_t n = read(fd, reader->pending, sizeof reader->pending);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                on_reader_gone(fd, condition, data);
                return;
        }
        reader->n_pending = (size_t) n;
        reader_type(reader);
        if (reader->n_pending == 0)
                return;
        /* nothing more is read until the terminal has taken this; only the reader's leaving is
         * noticed */
        watch_clear(&reader->in_watch);
        reader->in_watch = watch_new(fd, G_IO_HUP, on_reader_gone, reader);
}

static void on_source_writable(int fd, GIOCondition condition, void *data)
{
        Output *output = data;

        watch_clear(&output->write_watch);
        for (guint i = 0; i < output->readers->len; i++) {
                Reader *reader = output->readers->pdata[i];
                reader_type(reader);
                if (!reader->how.writes || reader->n_pending > 0)
                        continue;
                watch_clear(&reader->in_watch);
                reader->in_watch = watch_new(reader->fd, G_IO_IN, on_reader_input, reader);
        }
}

/* -- readers -- */

/* A reader is gone or has caught up: goes on with what waited for that. */
static void readers_changed(Output *output)
{
        if (output->released && output->readers->len == 0)
                output_destroy(output);
        else
                source_start(output);
}

static void on_reader_writable(int fd, GIOCondition condition, void *data)
{
        Reader *reader = data;
        Output *output = reader->output;

        watch_clear(&reader->out_watch);
        reader_serve(reader);
        readers_changed(output);
}

static size_t reader_peek(Reader *reader, const uint8_t **ret_bytes)
{
        size_t n = output_log_peek(&reader->output->log, &reader->how.offset, ret_bytes);

        return reader->how.offset >= reader->end ? 0 : MIN(n, reader->end - reader->how.offset);
}

/* How many of the bytes were sent, -1 on failure. A packet goes as a whole or not at all. */
static ssize_t reader_send(const Reader *reader, const uint8_t *bytes, size_t n)
{
        uint64_t offset = reader->how.offset;
        struct iovec parts[] = {{&offset, sizeof offset}, {(void *) bytes, MIN(n, CHUNK)}};
        struct msghdr packet = {.msg_iov = parts, .msg_iovlen = G_N_ELEMENTS(parts)};

        if (!reader->how.packets)
                return send(reader->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        ssize_t sent = sendmsg(reader->fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
        return sent < 0 ? sent : sent - (ssize_t) sizeof offset;
}

/* Sends what the socket takes. Frees the reader if it has failed, or has all that it asked for. */
static void reader_serve(Reader *reader)
{
        Output *output = reader->output;
        const uint8_t *bytes;
        size_t n;

        /* with packets, once more at the end: the offset alone */
        while ((n = reader_peek(reader, &bytes)) > 0 ||
               (reader->how.packets && !output->is_cut &&
                (output->finished || !reader->how.follow))) {
                ssize_t sent = reader_send(reader, bytes, n);
                if (sent < 0 && errno == EAGAIN) {
                        if (!reader->out_watch)
                                reader->out_watch =
                                        watch_new(reader->fd, G_IO_OUT, on_reader_writable, reader);
                        return;
                }
                if (sent < 0) {
                        g_ptr_array_remove_fast(output->readers, reader);
                        return;
                }
                reader->how.offset += (uint64_t) sent;
                if (n == 0)
                        break;
        }
        if (output->finished || !reader->how.follow)
                g_ptr_array_remove_fast(output->readers, reader);
}

bool output_attach(Output *output, const OutputReader *how, int *ret_fd, GError **error)
{
        int sockets[2];

        if (output->readers->len >= ATTACHMENTS_MAX)
                return error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                                 "%u readers are attached already", ATTACHMENTS_MAX);
        if (socketpair(AF_UNIX, (how->packets ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC, 0,
                       sockets) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot make a socket");
        fcntl(sockets[0], F_SETFL, O_NONBLOCK);
        Reader *reader = g_new0(Reader, 1);
        reader->output = output;
        reader->fd = sockets[0];
        reader->how = *how;
        reader->end = how->follow ? UINT64_MAX : output_log_end(&output->log);
        if (how->writes)
                reader->in_watch = watch_new(reader->fd, G_IO_IN, on_reader_input, reader);
        else {
                shutdown(sockets[1], SHUT_WR);
                reader->in_watch = watch_new(reader->fd, G_IO_HUP, on_reader_gone, reader);
        }
        g_ptr_array_add(output->readers, reader);
        reader_serve(reader);
        *ret_fd = sockets[1];
        return true;
}

/* -- life -- */

Output *output_new(void)
{
        Output *output = g_new0(Output, 1);

        output_log_init(&output->log);
        output->source = -1;
        output->readers = g_ptr_array_new_with_free_func(reader_free);
        return output;
}

static gboolean on_lingered(void *data)
{
        Output *output = data;

        output->timer = 0;
        output_destroy(output);
        return G_SOURCE_REMOVE;
}

void output_free(Output *output)
{
        if (!output)
                return;
        output_release(output);
        output->sink = NULL;
        output->released = true;
        if (output->readers->len == 0)
                output_destroy(output);
        else
                output->timer = g_timeout_add_seconds(LINGER_SEC, on_lingered, output);
}

bool output_open_pipe(int ret_ends[2], uid_t uid, gid_t gid, uint64_t *ret_inode, GError **error)
{
        int ends[2];
        char path[32];
        struct stat status;

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot make a pipe");
        autofd int mine = ends[0], theirs = ends[1], both = -1;
        /* opened anew, this end has flags of its own: it blocks, the service's end does not */
        g_snprintf(path, sizeof path, "/proc/self/fd/%d", theirs);
        both = open(path, O_RDWR | O_CLOEXEC);
        if (both < 0 || fstat(both, &status) < 0 || fchown(both, uid, gid) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot open a pipe");
        *ret_inode = status.st_ino;
        ret_ends[0] = steal_fd(&mine);
        ret_ends[1] = steal_fd(&both);
        return true;
}

void output_set_source(Output *output, int fd, bool terminal)
{
        unsigned number;

        if (terminal && ioctl(fd, TIOCGPTN, &number) < 0) {
                g_warning("a container passed something else as its terminal: not read");
                fd_close(fd);
                return;
        }
        if (terminal)
                fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        output->source = fd;
        output->terminal = terminal;
        source_start(output);
}

void output_finish(Output *output)
{
        uint8_t buffer[CHUNK];
        size_t taken = 0;
        ssize_t n;

        if (output->finished)
                return;
        watch_clear(&output->source_watch);
        watch_clear(&output->write_watch);
        timer_clear(&output->timer);
        while (output->source >= 0 && taken < DRAIN_MAX &&
               ((n = read(output->source, buffer, sizeof buffer)) > 0 ||
                (n < 0 && errno == EINTR))) {
                if (n > 0) {
                        take(output, buffer, (size_t) n);
                        taken += (size_t) n;
                }
        }
        fd_clear(&output->source);
        output->finished = true;
        serve_all(output);
}

void output_release(Output *output)
{
        output->is_cut = output->is_cut || !output->finished;
        output_finish(output);
}

void output_set_sink(Output *output, OutputFunc function, void *data)
{
        output->sink = function;
        output->sink_data = data;
}

OutputLog *output_log(Output *output)
{
        return &output->log;
}

bool output_has_readers(const Output *output)
{
        return output->readers->len > 0;
}

bool output_is_terminal(const Output *output)
{
        return output->terminal;
}

bool output_resize(Output *output, uint16_t rows, uint16_t columns, GError **error)
{
        struct winsize size = {.ws_row = rows, .ws_col = columns};

        if (!output->terminal || output->source < 0)
                return error_set(error, RUNTIME_ERROR_NO_TERMINAL, "the container has no terminal");
        if (ioctl(output->source, TIOCSWINSZ, &size) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot resize the terminal");
        return true;
}
