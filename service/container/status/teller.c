/* A copy of the service without its heap: only system calls, and the functions of util/ that make
 * nothing else. */

#include "service/container/status/teller.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "service/spec/limits.h"
#include "service/util/envelope.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

#define TELLER_COMM "naive-runc-tell"

#define PAGE     4096u
#define ROWS_MAX 65536u /* memory is taken for those that are used */

/* What a user has passed as StatusFD. */
typedef struct Row {
        uint64_t number;
        int64_t deadline; /* for the last line, by CLOCK_MONOTONIC in ms */
        char *unwritten;  /* a page; NULL: nothing */
        uint32_t length;
        int fd;
        bool is_used, is_socket, is_polled;
        bool watches, is_last, is_kept;
} Row;

typedef struct Teller {
        int socket, epoll; /* socket -1: the service has let go */
        Row *rows;
        unsigned n_rows; /* that were ever used */
        unsigned n_used, n_last;
} Teller;

static int64_t now_msec(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -- one of them -- */

static void drop_text(Row *row)
{
        if (row->unwritten)
                munmap(row->unwritten, PAGE);
        row->unwritten = NULL;
        row->length = 0;
}

/* An error is reported in any case: nobody reads any more. */
static void poll_for(const Teller *teller, Row *row)
{
        bool is_wanted = row->length > 0 || row->watches;
        struct epoll_event event = {
                .events = (row->length > 0 ? EPOLLOUT : 0u) |
                          (row->watches && row->is_socket ? EPOLLRDHUP : 0u),
                .data.u64 = (uint64_t) (row - teller->rows) + 1,
        };

        if (is_wanted)
                epoll_ctl(teller->epoll, row->is_polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, row->fd,
                          &event);
        else if (row->is_polled)
                epoll_ctl(teller->epoll, EPOLL_CTL_DEL, row->fd, NULL);
        row->is_polled = is_wanted;
}

/* The file behind it is open elsewhere as well, so the epoll instance would not forget it. */
static void close_row(Teller *teller, Row *row)
{
        if (row->is_polled)
                epoll_ctl(teller->epoll, EPOLL_CTL_DEL, row->fd, NULL);
        drop_text(row);
        teller->n_used--;
        teller->n_last -= row->is_last;
        row->is_used = false;
        close(row->fd);
}

/* Takes "do not block" with the call, for the flags of what was passed are its caller's. On a pipe,
 * FIFO or not, vmsplice() alone does; the pipe refers to the page and does not copy it, and so the
 * page is given up. */
static ssize_t write_text(const Row *row)
{
        struct iovec part = {row->unwritten, row->length};

        return row->is_socket
                       ? send(row->fd, row->unwritten, row->length, MSG_DONTWAIT | MSG_NOSIGNAL)
                       : vmsplice(row->fd, &part, 1, SPLICE_F_NONBLOCK);
}

static void flush(Teller *teller, Row *row)
{
        while (row->length > 0) {
                ssize_t n = write_text(row);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        break;
                if (n < 0 || (size_t) n >= row->length) { /* written, or nobody reads */
                        drop_text(row);
                        break;
                }
                row->length -= (uint32_t) n;
                memmove(row->unwritten, row->unwritten + n, row->length);
        }
        if (row->length == 0 && row->is_last)
                close_row(teller, row);
        else
                poll_for(teller, row);
}

static void say(Teller *teller, Row *row, const char *text, size_t length)
{
        if (!row->unwritten) {
                row->unwritten = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (row->unwritten == MAP_FAILED)
                        row->unwritten = NULL;
        }
        if (!row->unwritten || length > PAGE - row->length) {
                close_row(teller, row); /* an end without a last line: "ask Wait" */
                return;
        }
        memcpy(row->unwritten + row->length, text, length);
        row->length += (uint32_t) length;
        flush(teller, row);
}

static void on_row(Teller *teller, Row *row, uint32_t events)
{
        if (!row->is_used)
                return;
        if (row->watches && events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
                row->watches = false;
                send(teller->socket, &row->number, sizeof row->number, MSG_NOSIGNAL);
        }
        flush(teller, row);
}

/* -- all of them -- */

/* Not one whose last line is said: it has no number any more, and a successor of the service may
 * give that to another. */
static Row *find(Teller *teller, uint64_t number)
{
        for (unsigned i = 0; i < teller->n_rows; i++) {
                Row *row = &teller->rows[i];
                if (row->is_used && !row->is_last && row->number == number)
                        return row;
        }
        return NULL;
}

static Row *unused_row(Teller *teller)
{
        for (unsigned i = 0; i < teller->n_rows; i++)
                if (!teller->rows[i].is_used)
                        return &teller->rows[i];
        return teller->n_rows < ROWS_MAX ? &teller->rows[teller->n_rows++] : NULL;
}

static void open_row(Teller *teller, const TellerOrder *order, int fd)
{
        int inside = envelope_open(fd);
        Row *row = inside < 0 ? NULL : unused_row(teller);
        struct stat status;

        if (inside != fd)
                close(fd);
        if (!row || fstat(inside, &status) < 0) {
                fd_close(inside);
                return;
        }
        *row = (Row){
                .number = order->number,
                .fd = inside,
                .is_used = true,
                .is_socket = S_ISSOCK(status.st_mode),
                .watches = order->watches,
        };
        teller->n_used++;
        poll_for(teller, row);
}

/* Those whose last line is said go on: nobody has to keep them. */
static void close_others(Teller *teller)
{
        for (unsigned i = 0; i < teller->n_rows; i++) {
                Row *row = &teller->rows[i];
                if (row->is_used && !row->is_last && !row->is_kept)
                        close_row(teller, row);
                row->is_kept = false;
        }
}

static void tell(Teller *teller, const TellerOrder *order, size_t length)
{
        Row *row = find(teller, order->number);

        if (order->verb == TELLER_SWEEP)
                close_others(teller);
        else if (!row)
                return; /* it could not be opened, or a successor asks for what never was */
        else if (order->verb == TELLER_DROP)
                close_row(teller, row);
        else if (order->verb == TELLER_KEEP)
                row->is_kept = true;
        else {
                row->is_last = order->verb == TELLER_FINISH;
                row->watches = row->watches && !row->is_last;
                teller->n_last += row->is_last;
                row->deadline = now_msec() + STATUS_WAIT_MSEC;
                say(teller, row, order->text, length);
        }
}

static void serve(Teller *teller)
{
        static TellerOrder order;
        int fd;
        ssize_t length = fd_receive(teller->socket, &order, sizeof order, &fd);

        if (length == -EAGAIN)
                return;
        if (length < (ssize_t) offsetof(TellerOrder, text)) {
                close(teller->socket);
                teller->socket = -1;
                close_others(teller);
        } else if (order.verb == TELLER_OPEN)
                open_row(teller, &order, fd);
        else
                tell(teller, &order, (size_t) length - offsetof(TellerOrder, text));
}

/* Closes what has found no room for its last line in time. How long to wait for the next, -1: no
 * last line waits. */
static int expire(Teller *teller)
{
        int64_t next = INT64_MAX, now = teller->n_last > 0 ? now_msec() : 0;

        for (unsigned i = 0; teller->n_last > 0 && i < teller->n_rows; i++) {
                Row *row = &teller->rows[i];
                if (!row->is_used || !row->is_last)
                        continue;
                if (row->deadline <= now)
                        close_row(teller, row);
                else if (row->deadline < next)
                        next = row->deadline;
        }
        return next == INT64_MAX ? -1 : (int) (next - now);
}

static void work(Teller *teller)
{
        struct epoll_event event;

        while (teller->socket >= 0 || teller->n_used > 0) {
                if (epoll_wait(teller->epoll, &event, 1, expire(teller)) != 1)
                        continue;
                if (event.data.u64 == 0)
                        serve(teller);
                else
                        on_row(teller, &teller->rows[event.data.u64 - 1], event.events);
        }
}

_Noreturn void teller_work(pid_t service, int socket)
{
        Teller teller = {.socket = socket};
        struct epoll_event event = {.events = EPOLLIN};

        proc_detach(service, &socket, 1);
        /* the end of the socket tells of the service's end, unless it is kept for a successor */
        prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
        prctl(PR_SET_NAME, TELLER_COMM, 0, 0, 0);
        sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
        proc_drop_rights(); /* what comes in was opened by others */
        teller.epoll = epoll_create1(EPOLL_CLOEXEC);
        teller.rows = mmap(NULL, ROWS_MAX * sizeof *teller.rows, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (teller.epoll < 0 || teller.rows == MAP_FAILED ||
            epoll_ctl(teller.epoll, EPOLL_CTL_ADD, socket, &event) < 0)
                _exit(EXIT_FAILURE);
        work(&teller);
        _exit(EXIT_SUCCESS);
}
