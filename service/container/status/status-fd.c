#include "service/container/status/status-fd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/container/status/teller.h"
#include "service/sandbox/memory.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/watch.h"

#define ORDERS_MAX 256u   /* that wait for a teller: then it is held up, and given up */
#define HOLD_MSEC  15000u /* since a user's last StatusFD, until the teller ends */

struct Tellers {
        FdKeeper keeper;
        GHashTable *all;    /* uid → Teller, borrowed */
        GHashTable *open;   /* number → StatusFd, borrowed: each belongs to who has it */
        GPtrArray *leaving; /* Tellers that were let go and have not ended, owned */
};

typedef struct Teller {
        Tellers *tellers;
        uid_t uid;
        int socket; /* -1: let go */
        int pidfd;  /* -1: a predecessor's, no child of ours */
        Watch *watch;
        GQueue unsent;   /* Letter, owned */
        unsigned n_open; /* StatusFds */
        bool is_left;    /* some were released to a successor */
        guint hold, end; /* sources */
} Teller;

struct StatusFd {
        Tellers *tellers;
        Teller *teller; /* NULL: it was given up, or has ended */
        uint64_t number;
        StatusFdFunc gone;
        void *data;
};

/* What the teller is still to be told. */
typedef struct Letter {
        TellerOrder order;
        size_t size;
        int fd; /* owned; -1: none */
} Letter;

static void letter_free(void *data)
{
        Letter *letter = data;

        fd_close(letter->fd);
        g_free(letter);
}

static char *name_of(uid_t uid)
{
        return g_strdup_printf("status-%u", uid);
}

/* -- the end of a teller -- */

static void teller_free(void *data)
{
        Teller *teller = data;

        if (teller->end)
                g_source_remove(teller->end);
        fd_close(teller->pidfd);
        g_free(teller);
}

static gboolean on_end(int pidfd, GIOCondition condition, void *data)
{
        Teller *teller = data;

        waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0}, WEXITED);
        teller->end = 0;
        g_ptr_array_remove_fast(teller->tellers->leaving, teller);
        return G_SOURCE_REMOVE;
}

static void forget_statuses(const Teller *teller)
{
        GHashTableIter iterator;
        void *value;

        g_hash_table_iter_init(&iterator, teller->tellers->open);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                StatusFd *status = value;
                if (status->teller == teller)
                        status->teller = NULL;
        }
}

/* It ends by itself once it has closed all and is not held up. */
static void let_go(Teller *teller, bool keeps_name)
{
        Tellers *tellers = teller->tellers;
        g_autofree char *name = name_of(teller->uid);

        forget_statuses(teller);
        g_hash_table_remove(tellers->all, GUINT_TO_POINTER(teller->uid));
        if (teller->hold)
                g_source_remove(teller->hold);
        watch_clear(&teller->watch);
        fd_clear(&teller->socket);
        g_queue_clear_full(&teller->unsent, letter_free);
        if (!keeps_name && tellers->keeper.drop)
                tellers->keeper.drop(name, tellers->keeper.data);
        if (teller->pidfd < 0) {
                teller_free(teller);
                return;
        }
        g_ptr_array_add(tellers->leaving, teller);
        teller->end = (guint) g_unix_fd_add(teller->pidfd, G_IO_IN, on_end, teller);
}

static gboolean on_hold_over(void *data)
{
        Teller *teller = data;

        teller->hold = 0;
        let_go(teller, false);
        return G_SOURCE_REMOVE;
}

/* -- telling -- */

/* 0 or -errno. */
static int send_letter(const Teller *teller, const Letter *letter)
{
        struct iovec iov = {.iov_base = (void *) &letter->order, .iov_len = letter->size};
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = {.space = {0}};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

        if (letter->fd >= 0) {
                message.msg_control = &control;
                message.msg_controllen = sizeof control;
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.header), &letter->fd, sizeof(int));
        }
        return sendmsg(teller->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void on_teller(int fd, GIOCondition condition, void *data);

static void watch(Teller *teller)
{
        GIOCondition events = teller->unsent.length > 0 ? G_IO_IN | G_IO_OUT : G_IO_IN;

        watch_clear(&teller->watch);
        teller->watch = watch_new(teller->socket, events, on_teller, teller);
}

static void send_unsent(Teller *teller)
{
        Letter *letter;

        while ((letter = g_queue_peek_head(&teller->unsent)) &&
               send_letter(teller, letter) != -EAGAIN)
                letter_free(g_queue_pop_head(&teller->unsent));
        if (!letter)
                watch(teller);
}

/* Consumes the letter. A teller that has ended is told of by its socket. */
static void post(Teller *teller, Letter *letter)
{
        if (teller->unsent.length == 0 && send_letter(teller, letter) != -EAGAIN) {
                letter_free(letter);
                return;
        }
        g_queue_push_tail(&teller->unsent, letter);
        if (teller->unsent.length == 1)
                watch(teller);
        if (teller->unsent.length <= ORDERS_MAX)
                return;
        g_warning("what user %u has passed as StatusFD holds up who writes to it: given up",
                  teller->uid);
        if (teller->pidfd >= 0)
                syscall(SYS_pidfd_send_signal, teller->pidfd, SIGKILL, NULL, 0);
        let_go(teller, false);
}

static Letter *letter_new(TellerVerb verb, uint64_t number, const char *text)
{
        Letter *letter = g_new(Letter, 1);
        size_t length = MIN(strlen(text), sizeof letter->order.text);

        letter->order.number = number;
        letter->order.verb = verb;
        letter->order.watches = false;
        memcpy(letter->order.text, text, length);
        letter->size = offsetof(TellerOrder, text) + length;
        letter->fd = -1;
        return letter;
}

static void on_gone(Tellers *tellers, uint64_t number)
{
        StatusFd *status = g_hash_table_lookup(tellers->open, &number);
        StatusFdFunc gone = status ? status->gone : NULL;

        if (!gone)
                return;
        status->gone = NULL;
        gone(status->data); /* ends the container, which goes on to say so to nobody */
}

static void on_teller(int fd, GIOCondition condition, void *data)
{
        Teller *teller = data;
        uint64_t number;

        if (condition & G_IO_OUT)
                send_unsent(teller);
        if (!(condition & (G_IO_IN | G_IO_HUP | G_IO_ERR)))
                return;
        ssize_t length = recv(fd, &number, sizeof number, MSG_DONTWAIT);
        if (length == (ssize_t) sizeof number)
                on_gone(teller->tellers, number);
        else if (length >= 0 || errno != EAGAIN)
                let_go(teller, false); /* it was killed */
}

/* -- the beginning of one -- */

static Teller *add_teller(Tellers *tellers, uid_t uid, int socket, int pidfd)
{
        Teller *teller = g_new0(Teller, 1);

        teller->tellers = tellers;
        teller->uid = uid;
        teller->socket = socket;
        teller->pidfd = pidfd;
        g_queue_init(&teller->unsent);
        g_hash_table_insert(tellers->all, GUINT_TO_POINTER(uid), teller);
        watch(teller);
        return teller;
}

static unsigned count_leaving(const Tellers *tellers, uid_t uid)
{
        unsigned n = 0;

        for (guint i = 0; i < tellers->leaving->len; i++)
                n += ((Teller *) tellers->leaving->pdata[i])->uid == uid;
        return n;
}

static Teller *begin_teller(Tellers *tellers, uid_t uid, GError **error)
{
        int pidfd = -1, sockets[2];
        struct clone_args args = {.flags = CLONE_PIDFD,
                                  .exit_signal = SIGCHLD,
                                  .pidfd = (uint64_t) (uintptr_t) &pidfd};
        g_autofree char *name = name_of(uid);

        if (count_leaving(tellers, uid) + 1 >= TELLERS_PER_UID_MAX) {
                error_set(error, RUNTIME_ERROR_BUSY,
                          "what you have passed as StatusFD before holds up those who write to it");
                return NULL;
        }
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) {
                error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                "cannot make a socket for StatusFD");
                return NULL;
        }
        pid_t service = getpid();
        memory_hide_heap(true);
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                teller_work(service, sockets[1]);
        memory_hide_heap(false);
        fd_close(sockets[1]);
        if (pid < 0) {
                fd_close(sockets[0]);
                error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                "cannot start a process for StatusFD");
                return NULL;
        }
        if (tellers->keeper.keep)
                tellers->keeper.keep(name, sockets[0], tellers->keeper.data);
        return add_teller(tellers, uid, sockets[0], pidfd);
}

/* -- what callers have passed -- */

static StatusFd *add_status(Teller *teller, uint64_t number)
{
        StatusFd *status = g_new0(StatusFd, 1);

        if (teller->hold)
                g_source_remove(teller->hold);
        teller->hold = 0;
        teller->n_open++;
        status->tellers = teller->tellers;
        status->teller = teller;
        status->number = number;
        g_hash_table_insert(teller->tellers->open, &status->number, status);
        return status;
}

bool status_fd_take(Tellers *tellers, Order *order, uint64_t number, StatusFd **ret, GError **error)
{
        uid_t uid = order->owner->uid;

        *ret = NULL;
        if (order->status_fd < 0)
                return true;
        Teller *teller = g_hash_table_lookup(tellers->all, GUINT_TO_POINTER(uid));
        if (!teller && !(teller = begin_teller(tellers, uid, error)))
                return false;
        Letter *letter = letter_new(TELLER_OPEN, number, "");
        letter->order.watches = order->watch_fd;
        letter->fd = steal_fd(&order->status_fd);
        *ret = add_status(teller, number);
        post(teller, letter);
        return true;
}

StatusFd *status_fd_adopt(Tellers *tellers, uid_t uid, uint64_t number)
{
        Teller *teller = g_hash_table_lookup(tellers->all, GUINT_TO_POINTER(uid));
        g_autofree char *name = name_of(uid);

        if (!teller) {
                int fd = tellers->keeper.take ? tellers->keeper.take(name, tellers->keeper.data)
                                              : -1;
                if (fd < 0)
                        return NULL;
                teller = add_teller(tellers, uid, fd, -1);
        }
        StatusFd *status = add_status(teller, number);
        post(teller, letter_new(TELLER_KEEP, number, ""));
        return status;
}

void status_fd_watch(StatusFd *status, StatusFdFunc gone, void *data)
{
        status->gone = gone;
        status->data = data;
}

/* Another one will come soon, perhaps. */
static void drop_status(StatusFd *status)
{
        Teller *teller = status->teller;

        if (teller && --teller->n_open == 0)
                teller->hold = g_timeout_add(HOLD_MSEC, on_hold_over, teller);
        g_hash_table_remove(status->tellers->open, &status->number);
        g_free(status);
}

void status_fd_free(StatusFd *status)
{
        if (!status)
                return;
        if (status->teller)
                post(status->teller, letter_new(TELLER_DROP, status->number, ""));
        drop_status(status);
}

void status_fd_release(StatusFd *status)
{
        if (!status)
                return;
        if (status->teller)
                status->teller->is_left = true;
        drop_status(status);
}

void status_fd_say(StatusFd *status, const char *line)
{
        if (status->teller)
                post(status->teller, letter_new(TELLER_SAY, status->number, line));
}

void status_fd_finish(StatusFd *status, const char *line)
{
        if (status->teller)
                post(status->teller, letter_new(TELLER_FINISH, status->number, line));
        drop_status(status);
}

/* -- all of them -- */

Tellers *tellers_new(const FdKeeper *keeper)
{
        Tellers *tellers = g_new0(Tellers, 1);

        tellers->keeper = *keeper;
        tellers->all = g_hash_table_new(NULL, NULL);
        tellers->open = g_hash_table_new(g_int64_hash, g_int64_equal);
        tellers->leaving = g_ptr_array_new_with_free_func(teller_free);
        return tellers;
}

void tellers_sweep(Tellers *tellers)
{
        g_autoptr(GList) all = g_hash_table_get_values(tellers->all);

        for (GList *link = all; link; link = link->next)
                post(link->data, letter_new(TELLER_SWEEP, 0, ""));
}

void tellers_free(Tellers *tellers)
{
        g_autoptr(GList) all = g_hash_table_get_values(tellers->all);

        for (GList *link = all; link; link = link->next)
                let_go(link->data, ((Teller *) link->data)->is_left);
        g_ptr_array_free(tellers->leaving, TRUE);
        g_hash_table_destroy(tellers->all);
        g_hash_table_destroy(tellers->open);
        g_free(tellers);
}
