/* A copy of the service without its heap: only system calls, and the functions of util/ that make
 * nothing else. It never closes a caller's descriptor itself, so nothing holds it up. */

#include "service/receiver.h"

#include <errno.h>
#include <linux/capability.h>
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

#define EVENTS_MAX   64
#define LETTERS_MAX  32768u /* eight times what a user may have waiting (QUEUED_PER_UID_MAX) */
#define LETTERS_SIZE 65536u /* bytes that are allocated at a time */

/* What an event is of: 0, the socket to the service; the number of a closer, from 1 on; or a part
 * of a letter. A letter is aligned so that the lower bits have the part's number. */
#define LETTER_ALIGN 256u

/* The descriptors of one message. */
typedef struct Letter {
        struct Letter *next, **at; /* in a list; `at`: what points at it */
        uint64_t stranger;         /* see ReceiverRequest; 0: `uid` is final */
        uid_t uid;
        unsigned n, n_open; /* n_open: of those in envelopes that somebody still has */
        struct {
                int fd, end; /* end: see envelope_make() */
        } parts[SPAWN_FDS_MAX];
} Letter;
_Static_assert(sizeof(Letter) <= LETTER_ALIGN, "a letter fits in");

typedef struct Letters {
        Letter *first, **last;
} Letters;

/* Whose letters are being closed, or are to be. */
typedef struct User {
        uid_t uid;
        unsigned n_closers;
        Letters waiting;
} User;

typedef struct Closer {
        int socket; /* to it; -1: there is none */
        User *user; /* NULL: it waits for work */
} Closer;

typedef struct Receiver {
        int socket, epoll; /* socket -1: the service has let go */
        unsigned n_letters, n_fds, fds_max;
        Letters free, strangers;
        unsigned n_closers, n_idle; /* n_idle: of them, 0 or 1 */
        Closer closers[CLOSERS_MAX];
        User users[CLOSERS_MAX + 1]; /* the last is of all for whom there is no other left */
        bool has_waiting;
} Receiver;

static bool watch(const Receiver *receiver, int fd, uint64_t data)
{
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};

        return epoll_ctl(receiver->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* -- letters -- */

static void append(Letters *letters, Letter *letter)
{
        letter->next = NULL;
        letter->at = letters->last;
        *letters->last = letter;
        letters->last = &letter->next;
}

static void take_out(Letters *letters, Letter *letter)
{
        *letter->at = letter->next;
        if (letter->next)
                letter->next->at = letter->at;
        else
                letters->last = letter->at;
}

static Letter *new_letter(Receiver *receiver)
{
        if (!receiver->free.first) {
                char *memory = mmap(NULL, LETTERS_SIZE, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                for (size_t at = 0; memory != MAP_FAILED && at < LETTERS_SIZE; at += LETTER_ALIGN)
                        append(&receiver->free, (Letter *) (void *) (memory + at));
        }
        Letter *letter = receiver->free.first;
        if (letter)
                take_out(&receiver->free, letter);
        return letter;
}

/* -- closing -- */

/* The child shares the table of fds, for each must be gone from the receiver's table without the
 * receiver's closing it. It works until its socket's other end is closed. */
static _Noreturn void close_what_comes(pid_t parent, int socket)
{
        int fds[SPAWN_FDS_MAX];
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

static bool begin_closer(Receiver *receiver, Closer *closer)
{
        struct clone_args args = {.flags = CLONE_FILES, .exit_signal = SIGCHLD};
        pid_t pid = -1, self = getpid();
        int sockets[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return false;
        if (watch(receiver, sockets[0], (uint64_t) (closer - receiver->closers) + 1))
                pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                close_what_comes(self, sockets[1]);
        if (pid < 0) {
                close(sockets[0]);
                close(sockets[1]);
                return false;
        }
        *closer = (Closer){.socket = sockets[0]};
        receiver->n_closers++;
        receiver->n_idle++;
        return true;
}

/* One that waits for work, if need be a new one. NULL: all are at work, or none can be made. */
static Closer *find_closer(Receiver *receiver)
{
        Closer *none = NULL;

        for (unsigned i = 0; i < CLOSERS_MAX; i++) {
                Closer *closer = &receiver->closers[i];
                if (closer->socket >= 0 && !closer->user)
                        return closer;
                if (closer->socket < 0 && !none)
                        none = closer;
        }
        return none && begin_closer(receiver, none) ? none : NULL;
}

static void hand_over(Receiver *receiver, Closer *closer, User *user)
{
        Letter *letter = user->waiting.first;
        int fds[SPAWN_FDS_MAX];

        for (unsigned i = 0; i < letter->n; i++)
                fds[i] = letter->parts[i].fd;
        send(closer->socket, fds, letter->n * sizeof *fds, MSG_NOSIGNAL);
        closer->user = user;
        user->n_closers++;
        receiver->n_idle--;
        receiver->n_letters--;
        receiver->n_fds -= letter->n;
        take_out(&user->waiting, letter);
        append(&receiver->free, letter);
}

/* A letter of each user at a time. What nobody can close now is tried again later. */
static void close_waiting(Receiver *receiver)
{
        bool goes_on = receiver->has_waiting;

        while (goes_on) {
                goes_on = receiver->has_waiting = false;
                for (unsigned i = 0; i <= CLOSERS_MAX; i++) {
                        User *user = &receiver->users[i];
                        bool may = user->waiting.first && user->n_closers < CLOSERS_PER_UID_MAX;
                        Closer *closer = may ? find_closer(receiver) : NULL;
                        if (closer) {
                                hand_over(receiver, closer, user);
                                goes_on = true;
                        }
                        if (may && !closer)
                                receiver->has_waiting = receiver->n_closers < CLOSERS_MAX;
                }
        }
}

/* It goes on with what else waits of its user. If nothing does, one is kept for what comes next: to
 * make one costs more than all the rest of a message. */
static void on_closed(Receiver *receiver, Closer *closer)
{
        User *user = closer->user;
        char word;
        bool works = recv(closer->socket, &word, 1, MSG_DONTWAIT) == 1;

        if (user) {
                closer->user = NULL;
                user->n_closers--;
                receiver->n_idle++;
                receiver->has_waiting = true; /* perhaps */
        }
        if (works && user && user->waiting.first)
                hand_over(receiver, closer, user);
        else if (!works || receiver->n_idle > 1) {
                close(closer->socket);
                closer->socket = -1;
                receiver->n_closers--;
                receiver->n_idle--;
        }
}

static User *find_user(Receiver *receiver, uid_t uid)
{
        User *unused = NULL;

        for (unsigned i = 0; i < CLOSERS_MAX; i++) {
                User *user = &receiver->users[i];
                bool is_used = user->n_closers > 0 || user->waiting.first;
                if (is_used && user->uid == uid)
                        return user;
                if (!is_used && !unused)
                        unused = user;
        }
        if (!unused)
                return &receiver->users[CLOSERS_MAX];
        unused->uid = uid;
        return unused;
}

static void queue(Receiver *receiver, Letter *letter)
{
        if (letter->stranger)
                take_out(&receiver->strangers, letter);
        append(&find_user(receiver, letter->uid)->waiting, letter);
        receiver->has_waiting = true;
}

static void on_envelope_gone(Receiver *receiver, uint64_t data)
{
        Letter *letter = (Letter *) (uintptr_t) (data & ~(uint64_t) (LETTER_ALIGN - 1));

        close(letter->parts[data % LETTER_ALIGN].end);
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
                watch(receiver, letter->parts[i].end, (uintptr_t) letter | i);
                letter->n_open++;
        }
        return letter->n;
}

/* Reads once from the bus. NULL: no descriptors came. Those that have no room, the kernel drops,
 * and does not ask their file systems; but it may wait for what is closed by that. */
static Letter *receive(Receiver *receiver, int bus, const ReceiverRequest *request,
                       ReceiverReply *reply)
{
        Letter *letter = request->drops ? NULL : new_letter(receiver);
        uint32_t size = request->size < RECEIVER_DATA_MAX ? request->size : RECEIVER_DATA_MAX;
        int fds[SPAWN_FDS_MAX];
        size_t n = letter ? SPAWN_FDS_MAX : 0;

        reply->length = (int32_t) fd_receive_all(bus, reply->data, size, fds, &n);
        if (!letter)
                return NULL;
        *letter = (Letter){.stranger = request->stranger, .uid = request->uid, .n = (unsigned) n};
        for (size_t i = 0; i < n; i++)
                letter->parts[i].fd = fds[i];
        if (n == 0)
                append(&receiver->free, letter);
        else if (letter->stranger)
                append(&receiver->strangers, letter);
        return n > 0 ? letter : NULL;
}

static void answer(Receiver *receiver, int bus, const ReceiverRequest *request)
{
        static ReceiverReply reply;
        int envelopes[SPAWN_FDS_MAX];
        Letter *letter = receive(receiver, bus, request, &reply);

        close(bus); /* a child that is stuck would keep it */
        reply.n_fds = 0;
        if (letter) {
                receiver->n_letters++;
                receiver->n_fds += letter->n;
                reply.n_fds = put_in_envelopes(receiver, letter, envelopes);
        }
        reply.is_full = receiver->n_letters >= LETTERS_MAX ||
                        2 * (receiver->n_fds + 2 * SPAWN_FDS_MAX) > receiver->fds_max;
        size_t length =
                offsetof(ReceiverReply, data) + (reply.length > 0 ? (size_t) reply.length : 0);
        fd_send_all(receiver->socket, &reply, length, envelopes, reply.n_fds);
        for (unsigned i = 0; i < reply.n_fds; i++)
                close(envelopes[i]);
        if (letter && letter->n_open == 0)
                queue(receiver, letter);
}

static void meet(Receiver *receiver, const ReceiverRequest *request)
{
        Letter *next;

        for (Letter *letter = receiver->strangers.first; letter; letter = next) {
                next = letter->next;
                if (letter->stranger != request->stranger)
                        continue;
                take_out(&receiver->strangers, letter);
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
                on_closed(receiver, &receiver->closers[data - 1]);
        else
                on_envelope_gone(receiver, data);
}

static void work(Receiver *receiver)
{
        struct epoll_event events[EVENTS_MAX];

        while (receiver->socket >= 0 || receiver->n_letters > 0 ||
               receiver->n_closers > receiver->n_idle) {
                /* has_waiting: a child could not be made */
                int n = epoll_wait(receiver->epoll, events, EVENTS_MAX,
                                   receiver->has_waiting ? 100 : -1);
                for (int i = 0; i < n; i++)
                        take_event(receiver, events[i].data.u64);
                close_waiting(receiver);
        }
}

static void begin(Receiver *receiver, int socket)
{
        struct rlimit files = {.rlim_cur = 1024};

        getrlimit(RLIMIT_NOFILE, &files);
        receiver->fds_max = files.rlim_cur > INT32_MAX ? INT32_MAX : (unsigned) files.rlim_cur;
        receiver->free.last = &receiver->free.first;
        receiver->strangers.last = &receiver->strangers.first;
        for (unsigned i = 0; i < CLOSERS_MAX; i++)
                receiver->closers[i].socket = -1;
        for (unsigned i = 0; i <= CLOSERS_MAX; i++)
                receiver->users[i].waiting.last = &receiver->users[i].waiting.first;
        receiver->socket = socket;
        receiver->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (receiver->epoll < 0 || !watch(receiver, socket, 0))
                _exit(EXIT_FAILURE);
}

/* It needs no right: what comes in was opened by others. */
static void drop_rights(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (syscall(SYS_capset, &header, none) < 0)
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
        drop_rights();
        begin(&receiver, socket);
        work(&receiver);
        _exit(EXIT_SUCCESS);
}
