#include "service/receive.h"

#include <errno.h>
#include <glib-unix.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/receiver.h"
#include "service/sandbox/memory.h"
#include "service/spec/limits.h"
#include "service/util/envelope.h"
#include "service/util/fd.h"

/* One at work, and others that were killed and cannot end for what they held. */
#define RECEIVERS_MAX 4u

#define ANSWER_MSEC 10000 /* the receiver waits for nothing; but the machine may be busy */

static int guarded = -1; /* the bus's socket */
static pid_t service;
static int receiver = -1; /* socket to it */
static unsigned n_receivers;

/* Of the message that comes next. */
typedef struct Sender {
        uid_t uid;
        uint64_t stranger;
        unsigned n_fds; /* that it says to bring */
        bool is_nobody;
} Sender;

static Sender sender = {.uid = (uid_t) -1};
/* Clients of whom descriptors came before it was known who they are: name (owned) → number */
static GHashTable *strangers;

/* -- the receiver's life -- */

static gboolean on_receiver_end(int pidfd, GIOCondition condition, void *data)
{
        waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0}, WEXITED);
        close(pidfd);
        n_receivers--;
        return G_SOURCE_REMOVE;
}

static bool begin_receiver(void)
{
        int pidfd = -1, sockets[2];
        struct clone_args args = {.flags = CLONE_PIDFD,
                                  .exit_signal = SIGCHLD,
                                  .pidfd = (uint64_t) (uintptr_t) &pidfd};

        if (n_receivers >= RECEIVERS_MAX ||
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return false;
        memory_hide_heap(true);
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                receiver_work(service, sockets[1]);
        memory_hide_heap(false);
        fd_close(sockets[1]);
        if (pid < 0) {
                fd_close(sockets[0]);
                return false;
        }
        receiver = sockets[0];
        n_receivers++;
        g_unix_fd_add(pidfd, G_IO_IN, on_receiver_end, NULL);
        return true;
}

void receive_guard(int bus)
{
        guarded = bus;
        service = getpid();
        envelope_expect();
}

void receive_end(void)
{
        guarded = -1;
        fd_clear(&receiver);
        g_clear_pointer(&strangers, g_hash_table_destroy);
}

/* -- whose they are -- */

static uint64_t number_of(const char *name)
{
        static uint64_t last;
        uint64_t *number;

        if (!strangers)
                strangers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        number = g_hash_table_lookup(strangers, name);
        if (!number) {
                number = g_memdup2(&(uint64_t){++last}, sizeof *number);
                g_hash_table_insert(strangers, g_strdup(name), number);
        }
        return *number;
}

void receive_next(const char *name, const Credentials *caller, unsigned n_fds)
{
        bool is_stranger = name && *name && !caller && guarded >= 0;

        sender.uid = caller ? caller->uid : (uid_t) -1;
        sender.stranger = is_stranger ? number_of(name) : 0;
        sender.n_fds = n_fds;
        sender.is_nobody = !name;
}

void receive_learned(const char *name, const Credentials *caller)
{
        const uint64_t *number = strangers ? g_hash_table_lookup(strangers, name) : NULL;

        if (!number)
                return;
        if (caller && receiver >= 0)
                fd_send_all(receiver, &(ReceiverRequest){.uid = caller->uid, .stranger = *number},
                            sizeof(ReceiverRequest), NULL, 0);
        g_hash_table_remove(strangers, name);
}

/* -- a message that brings descriptors -- */

/* Looks at the next byte without taking it: the descriptors of a message come with its first. There
 * is no room for them, so the kernel makes none, and says that something was left out. Returns what
 * recvmsg() does. */
static ssize_t peek(int bus, bool *ret_brings_fds)
{
        char byte;
        struct iovec iov = {&byte, 1};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t n = syscall(SYS_recvmsg, bus, &message, MSG_PEEK | MSG_DONTWAIT);

        *ret_brings_fds = n > 0 && (message.msg_flags & MSG_CTRUNC);
        return n;
}

static bool brings_fds(int bus)
{
        bool brings;

        peek(bus, &brings);
        return brings;
}

/* In place of a receiver that was killed, another one is asked. */
static bool send_request(int bus, const ReceiverRequest *request)
{
        if (receiver < 0 && !begin_receiver())
                return false;
        if (fd_send_all(receiver, request, sizeof *request, &bus, 1))
                return true;
        fd_clear(&receiver);
        return begin_receiver() && fd_send_all(receiver, request, sizeof *request, &bus, 1);
}

/* False: this receiver does not work, or no more. */
static bool ask(int bus, const ReceiverRequest *request, ReceiverReply *reply, int *fds, size_t *n)
{
        struct pollfd answer = {.events = POLLIN};
        ssize_t length;

        if (!send_request(bus, request))
                return false;
        answer.fd = receiver;
        if (poll(&answer, 1, ANSWER_MSEC) != 1)
                return false;
        length = fd_receive_all(receiver, reply, sizeof *reply, fds, n);
        return length >= (ssize_t) offsetof(ReceiverReply, data) && reply->n_fds == *n;
}

static bool has_ended(void)
{
        struct pollfd end = {.fd = receiver};

        return poll(&end, 1, 0) == 1 && (end.revents & POLLHUP);
}

/* Puts empty envelopes in the place of what is missing; returns how many there are. A message with
 * fewer than it says sd-bus drops, and forgets what came with it: then nothing may come. */
static size_t fill(const ReceiverReply *reply, int *fds)
{
        size_t n = reply->n_fds;

        if (reply->length <= 0)
                return n;
        while (n < MIN(sender.n_fds, SPAWN_FDS_MAX) && (fds[n] = envelope_make_empty()) >= 0)
                n++;
        while (n < sender.n_fds && n > 0)
                fd_close(fds[--n]);
        return n;
}

/* Tells the caller of recvmsg() what the receiver got, envelopes in the place of the fds. */
static ssize_t deliver(struct msghdr *message, const ReceiverReply *reply, const int *fds, size_t n)
{
        struct cmsghdr *control = message->msg_control;
        size_t room = message->msg_controllen;

        message->msg_flags = message->msg_namelen = 0;
        message->msg_controllen = 0;
        if (reply->length > 0)
                memcpy(message->msg_iov[0].iov_base, reply->data, (size_t) reply->length);
        if (n > 0 && CMSG_SPACE(n * sizeof(int)) <= room) {
                message->msg_controllen = CMSG_SPACE(n * sizeof(int));
                control->cmsg_level = SOL_SOCKET;
                control->cmsg_type = SCM_RIGHTS;
                control->cmsg_len = CMSG_LEN(n * sizeof(int));
                memcpy(CMSG_DATA(control), fds, n * sizeof(int));
        }
        errno = -reply->length; /* if it is one */
        return reply->length < 0 ? -1 : reply->length;
}

static ssize_t receive(int bus, struct msghdr *message)
{
        ReceiverRequest request = {.size = (uint32_t) MIN(message->msg_iov[0].iov_len, UINT32_MAX),
                                   .drops = sender.is_nobody,
                                   .uid = sender.uid,
                                   .stranger = sender.stranger};
        static ReceiverReply reply;
        int fds[FD_MESSAGE_MAX];
        size_t n = FD_MESSAGE_MAX;

        /* it may have taken the message with it, or still take it, and half a message is none */
        if (!ask(bus, &request, &reply, fds, &n)) {
                bool is_untaken =
                        receiver < 0 ? n_receivers < RECEIVERS_MAX : has_ended() && brings_fds(bus);
                errno = is_untaken ? EAGAIN : ECONNRESET;
                fd_clear(&receiver);
                return -1;
        }
        n = fill(&reply, fds);
        sender = (Sender){.uid = (uid_t) -1};
        return deliver(message, &reply, fds, n);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
        /* in a child of the service the number means something else */
        if (fd == guarded && message->msg_control && getpid() == service) {
                bool brings;

                /* nothing was there: what has come since may bring some */
                if (peek(fd, &brings) < 0)
                        return -1;
                if (brings)
                        return receive(fd, message);
                message->msg_controllen = 0;
        }
        return syscall(SYS_recvmsg, fd, message, flags);
}
