/* A copy of the service without its heap: only system calls, and the functions of util/ that make
 * nothing else. It never closes a caller's descriptor itself, so nothing holds it up. */

#include "service/receiver.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/spec/limits.h"
#include "service/util/envelope.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

#define RECEIVER_COMM "naive-runc-recv"

/* What an event is of: the socket to the service or to a closer, as it is; or a part of a letter.
 * Letters are aligned to pages, so the lower bits have the part's number. */
#define IS_PART   (UINT64_C(1) << 63)
#define PART_MASK UINT64_C(0xff)

#define EVENTS_MAX 16

/* The descriptors of one message, in a page of its own. */
typedef struct Letter {
        struct Letter *next; /* in the queue of those to be closed */
        unsigned n, n_open;  /* n_open: of those in envelopes that somebody still has */
        struct {
                int fd, end; /* end: see envelope_make() */
        } parts[FD_RECEIVE_MAX];
} Letter;

typedef struct Receiver {
        int socket, epoll; /* socket -1: the service has let go */
        unsigned n_letters, n_fds, fds_max;
        unsigned n_closers;    /* processes that close; all but one are at work, or stuck */
        int idle;              /* socket to the one that waits for work; -1: there is none */
        Letter *first, **last; /* to be closed */
} Receiver;

static bool watch(const Receiver *receiver, int fd, uint64_t data)
{
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};

        return epoll_ctl(receiver->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* -- closing -- */

/* The child shares the table of fds, for each must be gone from the receiver's table without the
 * receiver's closing it. It works until its socket's other end is closed. */
static _Noreturn void close_what_comes(pid_t parent, int socket)
{
        int fds[FD_RECEIVE_MAX];
        ssize_t size;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
                _exit(EXIT_FAILURE);
        while ((size = recv(socket, fds, sizeof fds, 0)) > 0) {
                for (size_t i = 0; i < (size_t) size / sizeof *fds; i++)
                        syscall(SYS_close, fds[i]);
                send(socket, "", 1, MSG_NOSIGNAL);
        }
        close(socket);
        _exit(EXIT_SUCCESS);
}

static int begin_closer(Receiver *receiver)
{
        struct clone_args args = {.flags = CLONE_FILES, .exit_signal = SIGCHLD};
        pid_t pid = -1, self = getpid();
        int sockets[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return -1;
        if (watch(receiver, sockets[0], (uint64_t) sockets[0]))
                pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                close_what_comes(self, sockets[1]);
        if (pid < 0) {
                close(sockets[0]);
                close(sockets[1]);
                return -1;
        }
        receiver->n_closers++;
        return sockets[0];
}

static void hand_over(Receiver *receiver, Letter *letter)
{
        int fds[FD_RECEIVE_MAX];

        for (unsigned i = 0; i < letter->n; i++)
                fds[i] = letter->parts[i].fd;
        send(receiver->idle, fds, letter->n * sizeof *fds, MSG_NOSIGNAL);
        receiver->idle = -1;
        receiver->n_letters--;
        receiver->n_fds -= letter->n;
        munmap(letter, sizeof *letter);
}

/* If no closer can be made, all that waits is tried again later. */
static void close_waiting(Receiver *receiver)
{
        while (receiver->first) {
                Letter *letter = receiver->first, *next = letter->next;
                if (receiver->idle < 0 && receiver->n_closers < CLOSERS_MAX)
                        receiver->idle = begin_closer(receiver);
                if (receiver->idle < 0)
                        return;
                hand_over(receiver, letter);
                receiver->first = next;
                if (!next)
                        receiver->last = &receiver->first;
        }
}

/* One is kept for what comes next: to make one costs more than all the rest of a message. */
static void on_closed(Receiver *receiver, int closer)
{
        char word;

        if (receiver->idle < 0 && recv(closer, &word, 1, MSG_DONTWAIT) == 1) {
                receiver->idle = closer;
                return;
        }
        close(closer);
        receiver->n_closers--;
}

static void queue(Receiver *receiver, Letter *letter)
{
        *receiver->last = letter;
        receiver->last = &letter->next;
}

static void on_envelope_gone(Receiver *receiver, uint64_t data)
{
        Letter *letter = (Letter *) (uintptr_t) (data & ~(IS_PART | PART_MASK));

        close(letter->parts[data & PART_MASK].end);
        if (--letter->n_open == 0)
                queue(receiver, letter);
}

/* -- receiving -- */

/* Makes the envelopes. One that could not be made leaves a gap that ends the reply: the message
 * then has fewer descriptors than it says, and sd-bus drops it. */
static unsigned put_in_envelopes(Receiver *receiver, Letter *letter, int *envelopes)
{
        for (unsigned i = 0; i < letter->n; i++) {
                EnvelopeNote note = envelope_note(letter->parts[i].fd);
                envelopes[i] = envelope_make(letter->parts[i].fd, &note, &letter->parts[i].end);
                if (envelopes[i] < 0)
                        return i;
                watch(receiver, letter->parts[i].end, IS_PART | (uintptr_t) letter | i);
                letter->n_open++;
        }
        return letter->n;
}

/* Reads once from the bus. NULL: without descriptors, or not at all. */
static Letter *receive(int bus, uint32_t size, ReceiverReply *reply)
{
        int fds[FD_RECEIVE_MAX];
        size_t n = FD_RECEIVE_MAX;
        Letter *letter = mmap(NULL, sizeof *letter, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        *reply = (ReceiverReply){.length = -ENOMEM};
        if (letter == MAP_FAILED)
                return NULL;
        reply->length = (int32_t) fd_receive_all(
                bus, reply->data, size < RECEIVER_DATA_MAX ? size : RECEIVER_DATA_MAX, fds, &n);
        for (size_t i = 0; i < n; i++)
                letter->parts[i].fd = fds[i];
        letter->n = (unsigned) n;
        if (n > 0)
                return letter;
        munmap(letter, sizeof *letter);
        return NULL;
}

static void serve(Receiver *receiver)
{
        static ReceiverReply reply;
        int envelopes[FD_RECEIVE_MAX];
        ReceiverRequest request;
        int bus;

        if (fd_receive(receiver->socket, &request, sizeof request, &bus) !=
            (ssize_t) sizeof request) {
                close(receiver->socket);
                receiver->socket = -1;
                return;
        }
        Letter *letter = receive(bus, request.size, &reply);
        close(bus); /* a child that is stuck would keep it */
        if (letter) {
                receiver->n_letters++;
                receiver->n_fds += letter->n;
                reply.n_fds = put_in_envelopes(receiver, letter, envelopes);
        }
        reply.is_full = 2 * (receiver->n_fds + 2 * FD_RECEIVE_MAX) > receiver->fds_max;
        size_t length =
                offsetof(ReceiverReply, data) + (reply.length > 0 ? (size_t) reply.length : 0);
        fd_send_all(receiver->socket, &reply, length, envelopes, reply.n_fds);
        for (unsigned i = 0; i < reply.n_fds; i++)
                close(envelopes[i]);
        if (letter && letter->n_open == 0)
                queue(receiver, letter);
}

static void take_event(Receiver *receiver, uint64_t data)
{
        if (data == (uint64_t) receiver->socket)
                serve(receiver);
        else if (data & IS_PART)
                on_envelope_gone(receiver, data);
        else
                on_closed(receiver, (int) data);
}

static void work(Receiver *receiver)
{
        struct epoll_event events[EVENTS_MAX];

        while (receiver->socket >= 0 || receiver->n_letters > 0 ||
               receiver->n_closers > (receiver->idle >= 0 ? 1 : 0)) {
                /* the time-out: for a child that could not be made */
                int n = epoll_wait(receiver->epoll, events, EVENTS_MAX, receiver->first ? 100 : -1);
                for (int i = 0; i < n; i++)
                        take_event(receiver, events[i].data.u64);
                close_waiting(receiver);
        }
}

_Noreturn void receiver_work(pid_t service, int socket)
{
        Receiver receiver = {.socket = socket, .idle = -1};
        struct rlimit files = {.rlim_cur = 1024};

        proc_detach(service, &socket, 1);
        /* The end of the socket tells of the service's end. If a signal did, what others have
         * passed would stay open in the table of a child that is stuck. */
        prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
        prctl(PR_SET_NAME, RECEIVER_COMM, 0, 0, 0);
        /* closers leave nothing to be waited for */
        sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
        getrlimit(RLIMIT_NOFILE, &files);
        receiver.fds_max = files.rlim_cur > INT32_MAX ? INT32_MAX : (unsigned) files.rlim_cur;
        receiver.last = &receiver.first;
        receiver.epoll = epoll_create1(EPOLL_CLOEXEC);
        if (receiver.epoll < 0 || !watch(&receiver, socket, (uint64_t) socket))
                _exit(EXIT_FAILURE);
        work(&receiver);
        _exit(EXIT_SUCCESS);
}
