/* A copy of the service without its heap: only system calls, and the functions of util/ that make
 * nothing else. It never closes a caller's descriptor itself, so nothing holds it up. */

#include "service/receiver.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/closers.h"
#include "service/spec/limits.h"
#include "service/util/envelope.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

#define RECEIVER_COMM "naive-runc-recv"
#define EVENTS_MAX    64

/* What an event is of: 0, the socket to the service; a closer's number; or a part of a letter, by
 * the letter's address and the part's number. */
typedef struct Receiver {
        int socket, epoll; /* socket -1: the service has let go */
        Letters strangers; /* of whom it is not known yet who they are */
        Closers closers;
} Receiver;

static void let_go(Receiver *receiver, Letter *letter)
{
        if (letter->stranger)
                letters_take_out(&receiver->strangers, letter);
        closers_close(&receiver->closers, letter);
}

static void on_envelope_gone(Receiver *receiver, uint64_t data)
{
        Letter *letter = (Letter *) (uintptr_t) (data & ~(uint64_t) (LETTER_ALIGN - 1));

        close(letter->parts[data % LETTER_ALIGN].end);
        if (--letter->n_open == 0)
                let_go(receiver, letter);
}

/* -- receiving -- */

/* Makes the envelopes. One that could not be made ends the reply, which then has fewer than the
 * message says. */
static unsigned put_in_envelopes(Receiver *receiver, Letter *letter, int *envelopes)
{
        for (unsigned i = 0; i < letter->n; i++) {
                EnvelopeNote note = envelope_note(letter->parts[i].fd);
                envelopes[i] = envelope_make(letter->parts[i].fd, &note, &letter->parts[i].end);
                if (envelopes[i] < 0)
                        return i;
                closers_watch(&receiver->closers, letter->parts[i].end, (uintptr_t) letter | i);
                letter->n_open++;
        }
        return letter->n;
}

static size_t data_size(const ReceiverRequest *request)
{
        return request->size < RECEIVER_DATA_MAX ? request->size : RECEIVER_DATA_MAX;
}

/* Reads once from the bus. NULL: no descriptors came. */
static Letter *receive(Receiver *receiver, int bus, const ReceiverRequest *request,
                       ReceiverReply *reply)
{
        Letter *letter = closers_new_letter(&receiver->closers);
        int fds[SPAWN_FDS_MAX];
        size_t n = letter ? SPAWN_FDS_MAX : 0;

        reply->length = (int32_t) fd_receive_all(bus, reply->data, data_size(request), fds, &n);
        if (!letter)
                return NULL;
        *letter = (Letter){.stranger = request->stranger, .uid = request->uid, .n = (unsigned) n};
        for (size_t i = 0; i < n; i++)
                letter->parts[i].fd = fds[i];
        if (n == 0) {
                letters_append(&receiver->closers.free, letter);
                return NULL;
        }
        closers_hold(&receiver->closers, letter);
        if (letter->stranger)
                letters_append(&receiver->strangers, letter);
        return letter;
}

/* Without room for them, if there is none. */
static bool drop(Receiver *receiver, int bus, const ReceiverRequest *request, ReceiverReply *reply)
{
        if (!request->drops && closers_have_room(&receiver->closers, request->uid))
                return false;
        reply->length = closers_drop(&receiver->closers, bus, reply->data, data_size(request));
        return reply->length != 0;
}

static void answer(Receiver *receiver, int bus, const ReceiverRequest *request)
{
        static ReceiverReply reply;
        int envelopes[SPAWN_FDS_MAX];
        Letter *letter = NULL;

        reply.is_dropped = drop(receiver, bus, request, &reply);
        if (!reply.is_dropped)
                letter = receive(receiver, bus, request, &reply);
        close(bus); /* a child that is stuck would keep it */
        reply.n_fds = letter ? put_in_envelopes(receiver, letter, envelopes) : 0;
        size_t length =
                offsetof(ReceiverReply, data) + (reply.length > 0 ? (size_t) reply.length : 0);
        fd_send_all(receiver->socket, &reply, length, envelopes, reply.n_fds);
        for (unsigned i = 0; i < reply.n_fds; i++)
                close(envelopes[i]);
        if (letter && letter->n_open == 0)
                let_go(receiver, letter);
}

static void meet(Receiver *receiver, const ReceiverRequest *request)
{
        Letter *next;

        for (Letter *letter = receiver->strangers.first; letter; letter = next) {
                next = letter->next;
                if (letter->stranger != request->stranger)
                        continue;
                letters_take_out(&receiver->strangers, letter);
                letter->stranger = 0;
                letter->uid = request->uid;
        }
}

static void serve(Receiver *receiver)
{
        ReceiverRequest request;
        int bus;

        if (fd_receive(receiver->socket, &request, sizeof request, &bus) !=
            (ssize_t) sizeof request) {
                close(receiver->socket);
                receiver->socket = -1;
        } else if (bus >= 0)
                answer(receiver, bus, &request);
        else
                meet(receiver, &request);
}

static void take_event(Receiver *receiver, uint64_t data)
{
        if (data == 0)
                serve(receiver);
        else if (data <= CLOSERS_MAX)
                closers_on_event(&receiver->closers, data);
        else
                on_envelope_gone(receiver, data);
}

static void work(Receiver *receiver)
{
        struct epoll_event events[EVENTS_MAX];
        bool has_more = false;

        while (receiver->socket >= 0 || !closers_are_idle(&receiver->closers)) {
                int n = epoll_wait(receiver->epoll, events, EVENTS_MAX, has_more ? 100 : -1);
                for (int i = 0; i < n; i++)
                        take_event(receiver, events[i].data.u64);
                has_more = closers_turn(&receiver->closers);
        }
}

/* How many descriptors of callers may be held: an envelope is open here, too, as long as somebody
 * has it, and so are the sockets to closers, both ends. */
static unsigned count_places(void)
{
        struct rlimit files = {.rlim_cur = 1024};

        getrlimit(RLIMIT_NOFILE, &files);
        unsigned max = files.rlim_cur > INT32_MAX ? INT32_MAX : (unsigned) files.rlim_cur;
        return max / 2 > 2 * CLOSERS_MAX ? max / 2 - CLOSERS_MAX - 2 * SPAWN_FDS_MAX : max / 4;
}

static void begin(Receiver *receiver, int socket)
{
        receiver->strangers.last = &receiver->strangers.first;
        receiver->socket = socket;
        receiver->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (receiver->epoll < 0 ||
            !closers_begin(&receiver->closers, receiver->epoll, count_places()) ||
            !closers_watch(&receiver->closers, socket, 0))
                _exit(EXIT_FAILURE);
}

_Noreturn void receiver_work(pid_t service, int socket)
{
        static Receiver receiver;

        proc_detach(service, &socket, 1);
        /* The end of the socket tells of the service's end. If a signal did, what others have
         * passed would stay open in the table of a child that is stuck. */
        prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
        prctl(PR_SET_NAME, RECEIVER_COMM, 0, 0, 0);
        /* closers leave nothing to be waited for */
        sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
        proc_drop_rights(); /* what comes in was opened by others */
        begin(&receiver, socket);
        work(&receiver);
        _exit(EXIT_SUCCESS);
}
