#include "service/closers.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define LETTERS_SIZE 65536u /* bytes that are allocated at a time */

#define DROPPERS_MAX    32u /* of the processes, for users who have taken all their room */
#define CLOSE_TICK_USEC 100000
#define DROP_TICK_USEC  200 /* others wait */
#define DROP_SIZE_MAX   4096
#define DROP_TICKS_MAX                                                                             \
        25000 /* the process waits for nothing before; but the machine may be busy                 \
               */

bool closers_watch(const Closers *closers, int fd, uint64_t data)
{
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};

        return epoll_ctl(closers->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* -- letters -- */

void letters_append(Letters *letters, Letter *letter)
{
        letter->next = NULL;
        letter->at = letters->last;
        *letters->last = letter;
        letters->last = &letter->next;
}

void letters_take_out(Letters *letters, Letter *letter)
{
        *letter->at = letter->next;
        if (letter->next)
                letter->next->at = letter->at;
        else
                letters->last = letter->at;
}

Letter *closers_new_letter(Closers *closers)
{
        if (!closers->free.first) {
                char *memory = mmap(NULL, LETTERS_SIZE, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                for (size_t at = 0; memory != MAP_FAILED && at < LETTERS_SIZE; at += LETTER_ALIGN)
                        letters_append(&closers->free, (Letter *) (void *) (memory + at));
        }
        Letter *letter = closers->free.first;
        if (letter)
                letters_take_out(&closers->free, letter);
        return letter;
}

/* -- users -- */

static User *find(User *users, unsigned n, uid_t uid, uint64_t stranger)
{
        User *unused = NULL;

        for (unsigned i = 0; i < n; i++) {
                User *user = &users[i];
                bool is_used = user->n_fds > 0 || user->n_closers > 0 || user->waiting.first;
                if (is_used && user->uid == uid && user->stranger == stranger)
                        return user;
                if (!is_used && !unused)
                        unused = user;
        }
        if (!unused)
                return &users[n];
        unused->uid = uid;
        unused->stranger = stranger;
        return unused;
}

static User *find_user(Closers *closers, uid_t uid, uint64_t stranger)
{
        return stranger ? find(closers->strangers, CLOSING_STRANGERS_MAX, uid, stranger)
                        : find(closers->users, CLOSERS_MAX, uid, 0);
}

/* A user may have an eighth of what is left: so there is always some for another one, however many
 * have taken all that they may. Those of whom it is not known yet who they are may have as much as
 * they leave, together. What was held for them counts as theirs for as long as it is held: else a
 * user could come again and again under another name, and have more than its share. */
bool closers_have_room(Closers *closers, uid_t uid)
{
        unsigned left = closers->fds_max - closers->n_fds;

        if (closers->n_fds >= closers->fds_max)
                return false;
        return uid == (uid_t) -1 ? closers->unknown.n_fds < left
                                 : find_user(closers, uid, 0)->n_fds < left / 8;
}

void closers_hold(Closers *closers, Letter *letter)
{
        letter->holder =
                letter->uid == (uid_t) -1 ? &closers->unknown : find_user(closers, letter->uid, 0);
        letter->holder->n_fds += letter->n;
        closers->n_fds += letter->n;
}

/* -- processes -- */

static void on_tick(int number)
{
}

/* A signal ends the wait for what a socket lingers for, and nothing else. */
static void tick(long usec)
{
        const struct itimerval timer = {.it_interval.tv_usec = usec, .it_value.tv_usec = usec};

        setitimer(ITIMER_REAL, &timer, NULL);
}

/* The child shares the table of fds, for each must be gone from the receiver's table without the
 * receiver's closing it. It works until its socket's other end is closed. A number below 0 is of
 * the bus's socket, and how much is to be read follows: see closers_drop(). */
static _Noreturn void close_what_comes(const Closers *closers, pid_t parent, int socket)
{
        int fds[SPAWN_FDS_MAX];
        sigset_t ticks;
        ssize_t size;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
                _exit(EXIT_FAILURE);
        sigemptyset(&ticks);
        sigaddset(&ticks, SIGALRM);
        sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_tick}, NULL);
        sigprocmask(SIG_UNBLOCK, &ticks, NULL);
        while ((size = recv(socket, fds, sizeof fds, 0)) > 0) {
                tick(fds[0] < 0 ? DROP_TICK_USEC : CLOSE_TICK_USEC);
                if (fds[0] < 0)
                        recv(~fds[0], closers->dropped, (size_t) fds[1], MSG_DONTWAIT);
                for (size_t i = 0; fds[0] >= 0 && i < (size_t) size / sizeof *fds; i++)
                        syscall(SYS_close, fds[i]);
                tick(0);
                send(socket, "", 1, MSG_NOSIGNAL);
        }
        close(socket);
        _exit(EXIT_SUCCESS);
}

static bool begin_closer(Closers *closers, Closer *closer)
{
        struct clone_args args = {.flags = CLONE_FILES, .exit_signal = SIGCHLD};
        pid_t pid = -1, self = getpid();
        int sockets[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return false;
        if (closers_watch(closers, sockets[0], (uint64_t) (closer - closers->closers) + 1))
                pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                close_what_comes(closers, self, sockets[1]);
        if (pid < 0) {
                close(sockets[0]);
                close(sockets[1]);
                return false;
        }
        *closer = (Closer){.socket = sockets[0]};
        closers->n_closers++;
        closers->n_idle++;
        return true;
}

/* One that waits for work, if need be a new one. NULL: all are at work, or none can be made. */
static Closer *find_closer(Closers *closers)
{
        Closer *none = NULL;

        for (unsigned i = 0; i < CLOSERS_MAX; i++) {
                Closer *closer = &closers->closers[i];
                if (closer->socket >= 0 && !closer->user)
                        return closer;
                if (closer->socket < 0 && !none)
                        none = closer;
        }
        return none && begin_closer(closers, none) ? none : NULL;
}

static void put_to_work(Closers *closers, Closer *closer, User *user, const int *fds, size_t n)
{
        send(closer->socket, fds, n * sizeof *fds, MSG_NOSIGNAL);
        closer->user = user;
        user->n_closers++;
        closers->n_idle--;
}

/* -- closing -- */

static void hand_over(Closers *closers, Closer *closer, User *user)
{
        Letter *letter = user->waiting.first;
        int fds[SPAWN_FDS_MAX];

        for (unsigned i = 0; i < letter->n; i++)
                fds[i] = letter->parts[i].fd;
        put_to_work(closers, closer, user, fds, letter->n);
        closers->n_fds -= letter->n;
        letter->holder->n_fds -= letter->n;
        letters_take_out(&user->waiting, letter);
        letters_append(&closers->free, letter);
}

static void close_waiting(Closers *closers, User *user, unsigned closers_max, bool *goes_on)
{
        bool may = user->waiting.first && user->n_closers < closers_max;
        Closer *closer = may ? find_closer(closers) : NULL;

        if (closer) {
                hand_over(closers, closer, user);
                *goes_on = true;
        }
        if (may && !closer)
                closers->has_waiting = closers->n_closers < CLOSERS_MAX;
}

/* A letter of each user at a time. What nobody can close now is tried again later: a process could
 * not be made. */
bool closers_turn(Closers *closers)
{
        bool goes_on = closers->has_waiting;

        while (goes_on) {
                goes_on = closers->has_waiting = false;
                for (unsigned i = 0; i <= CLOSERS_MAX; i++)
                        close_waiting(closers, &closers->users[i], CLOSERS_PER_UID_MAX, &goes_on);
                for (unsigned i = 0; i <= CLOSING_STRANGERS_MAX; i++)
                        close_waiting(closers, &closers->strangers[i], 1, &goes_on);
        }
        return closers->has_waiting;
}

/* It goes on with what else waits of its user. If nothing does, one is kept for what comes next: to
 * make one costs more than all the rest of a message. */
void closers_on_event(Closers *closers, uint64_t number)
{
        Closer *closer = &closers->closers[number - 1];
        User *user = closer->user;
        char word;
        bool works = recv(closer->socket, &word, 1, MSG_DONTWAIT) == 1;

        if (user) {
                closer->user = NULL;
                user->n_closers--;
                closers->n_idle++;
                closers->has_waiting = true; /* perhaps */
        }
        if (works && user && user->waiting.first)
                hand_over(closers, closer, user);
        else if (!works || closers->n_idle > 1) {
                close(closer->socket);
                closer->socket = -1;
                closers->n_closers--;
                closers->n_idle--;
        }
}

void closers_close(Closers *closers, Letter *letter)
{
        letters_append(&find_user(closers, letter->uid, letter->stranger)->waiting, letter);
        closers->has_waiting = true;
}

/* What is read without waiting is looked at first, so it is known. The kernel copies it before it
 * lets go of the descriptors, which asks no file system, but may take for ever all the same: then
 * the last byte alone shows that all has been read. */
int closers_drop(Closers *closers, int bus, char *data, size_t size)
{
        Closer *closer = closers->droppers.n_closers < DROPPERS_MAX ? find_closer(closers) : NULL;
        const struct timespec tick = {.tv_nsec = DROP_TICK_USEC * 1000};

        if (!closer)
                return 0;
        ssize_t n = recv(bus, data, size < DROP_SIZE_MAX ? size : DROP_SIZE_MAX,
                         MSG_PEEK | MSG_DONTWAIT);
        if (n <= 0)
                return n == 0 ? -ECONNRESET : -errno;
        volatile char *last = &closers->dropped[n - 1];
        *last = (char) ~data[n - 1];
        put_to_work(closers, closer, &closers->droppers, (int[]){~bus, (int) n}, 2);
        for (unsigned i = 0; i < DROP_TICKS_MAX && *last != data[n - 1]; i++) {
                struct pollfd end = {.fd = closer->socket, .events = POLLIN};
                if (ppoll(&end, 1, &tick, NULL) > 0)
                        break;
        }
        return *last == data[n - 1] ? (int) n : -ECONNRESET;
}

bool closers_are_idle(const Closers *closers)
{
        return closers->n_fds == 0 && closers->n_closers == closers->n_idle;
}

static void begin_users(User *users, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                users[i].waiting.last = &users[i].waiting.first;
}

bool closers_begin(Closers *closers, int epoll, unsigned fds_max)
{
        closers->epoll = epoll;
        closers->fds_max = fds_max;
        closers->free.last = &closers->free.first;
        for (unsigned i = 0; i < CLOSERS_MAX; i++)
                closers->closers[i].socket = -1;
        begin_users(closers->users, CLOSERS_MAX + 1);
        begin_users(closers->strangers, CLOSING_STRANGERS_MAX + 1);
        closers->dropped = mmap(NULL, DROP_SIZE_MAX, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        return closers->dropped != MAP_FAILED;
}
