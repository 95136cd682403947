/* A copy of the service without its heap: only system calls, and the functions of util/ that make
 * nothing else. It never closes a caller's descriptor itself, so nothing holds it up. */

#include "service/receiver.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/spec/limits.h"
#include "service/util/envelope.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

#define RECEIVER_COMM "naive-runc-recv"

/* What an event is of: an fd of the receiver's own, or a part of a letter. Letters are aligned to
 * pages, so the lower bits have the part's number. */
#define IS_PART   (UINT64_C(1) << 63)
#define PART_MASK UINT64_C(0xff)

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
        unsigned n_closers;
        Letter *first, **last; /* to be closed */
} Receiver;

/* -- closing -- */

static _Noreturn void close_all(const Letter *letter)
{
        for (unsigned i = 0; i < letter->n; i++)
                syscall(SYS_close, letter->parts[i].fd);
        _exit(EXIT_SUCCESS);
}

/* The child shares the table of fds, for each must be gone from the receiver's table without the
 * receiver's closing it. If the child cannot be made, all that waits is tried again later. */
static bool begin_closing(Receiver *receiver, Letter *letter)
{
        int pidfd = -1;
        struct clone_args args = {.flags = CLONE_FILES | CLONE_PIDFD,
                                  .exit_signal = SIGCHLD,
                                  .pidfd = (uint64_t) (uintptr_t) &pidfd};
        struct epoll_event event = {.events = EPOLLIN};
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);

        if (pid == 0)
                close_all(letter);
        if (pid < 0)
                return false;
        event.data.u64 = (uint64_t) pidfd;
        epoll_ctl(receiver->epoll, EPOLL_CTL_ADD, pidfd, &event);
        receiver->n_closers++;
        receiver->n_letters--;
        receiver->n_fds -= letter->n;
        munmap(letter, sizeof *letter);
        return true;
}

static void close_waiting(Receiver *receiver)
{
        while (receiver->first && receiver->n_closers < CLOSERS_MAX) {
                Letter *letter = receiver->first, *next = letter->next;
                if (!begin_closing(receiver, letter))
                        return;
                receiver->first = next;
                if (!next)
                        receiver->last = &receiver->first;
        }
}

static void on_closer_end(Receiver *receiver, int pidfd)
{
        waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0}, WEXITED);
        close(pidfd);
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
                struct epoll_event event = {.data.u64 = IS_PART | (uintptr_t) letter | i};
                EnvelopeNote note = envelope_note(letter->parts[i].fd);
                envelopes[i] = envelope_make(letter->parts[i].fd, &note, &letter->parts[i].end);
                if (envelopes[i] < 0)
                        return i;
                epoll_ctl(receiver->epoll, EPOLL_CTL_ADD, letter->parts[i].end, &event);
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
                on_closer_end(receiver, (int) data);
}

_Noreturn void receiver_work(pid_t service, int socket)
{
        Receiver receiver = {.socket = socket};
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t) socket};
        struct rlimit files = {.rlim_cur = 1024};

        proc_detach(service, &socket, 1);
        /* The end of the socket tells of the service's end. If a signal did, what others have
         * passed would stay open in the table of a child that is stuck. */
        prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
        prctl(PR_SET_NAME, RECEIVER_COMM, 0, 0, 0);
        getrlimit(RLIMIT_NOFILE, &files);
        receiver.fds_max = files.rlim_cur > INT32_MAX ? INT32_MAX : (unsigned) files.rlim_cur;
        receiver.last = &receiver.first;
        receiver.epoll = epoll_create1(EPOLL_CLOEXEC);
        if (receiver.epoll < 0 || epoll_ctl(receiver.epoll, EPOLL_CTL_ADD, socket, &event) < 0)
                _exit(EXIT_FAILURE);
        while (receiver.socket >= 0 || receiver.n_letters > 0) {
                /* the time-out: for a child that could not be made */
                if (epoll_wait(receiver.epoll, &event, 1, receiver.first ? 100 : -1) == 1)
                        take_event(&receiver, event.data.u64);
                close_waiting(&receiver);
        }
        _exit(EXIT_SUCCESS);
}
