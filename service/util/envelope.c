#include "service/util/envelope.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "service/util/fd.h"

static bool expected;

void envelope_expect(void)
{
        expected = true;
}

/* By the name that the kernel gives to such a file. A file that somebody can name has a path, which
 * begins otherwise. */
static bool is_pidfd(int fd, mode_t type)
{
        static const char *const names[] = {"anon_inode:[pidfd]", "pidfd:["};
        char path[32], name[32] = "";

        if (type != 0 && type != S_IFREG) /* 0: before Linux 6.9 */
                return false;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        return readlink(path, name, sizeof name - 1) > 0 &&
               (strcmp(name, names[0]) == 0 || strncmp(name, names[1], strlen(names[1])) == 0);
}

EnvelopeNote envelope_note(int fd)
{
        EnvelopeNote note = {.status = fcntl(fd, F_GETFL)};
        struct statx status;

        if (note.status < 0 ||
            statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) < 0)
                return (EnvelopeNote){.error = errno};
        note.mode = status.stx_mode & S_IFMT;
        note.device = makedev(status.stx_dev_major, status.stx_dev_minor);
        note.is_pidfd = is_pidfd(fd, note.mode);
        if (S_ISSOCK(note.mode))
                getsockopt(fd, SOL_SOCKET, SO_TYPE, &note.socket, &(socklen_t){sizeof note.socket});
        return note;
}

int envelope_make(int fd, const EnvelopeNote *note, int *ret_end)
{
        int sockets[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return -1;
        if (!fd_send_all(sockets[1], note, sizeof *note, &fd, 1)) {
                fd_close(sockets[0]);
                fd_close(sockets[1]);
                return -1;
        }
        *ret_end = sockets[1];
        return sockets[0];
}

int envelope_make_empty(void)
{
        const EnvelopeNote note = {.error = ENVELOPE_EMPTY};
        int sockets[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return -1;
        bool is_sent = fd_send_all(sockets[1], &note, sizeof note, NULL, 0);
        fd_close(sockets[1]); /* what is in the queue can still be read */
        if (!is_sent)
                fd_clear(&sockets[0]);
        return sockets[0];
}

/* Callers' own sockets come in envelopes, so a socket is an envelope. */
static bool is_envelope(int fd)
{
        int type;

        return expected &&
               getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) == 0;
}

bool envelope_read(int fd, EnvelopeNote *ret)
{
        if (!is_envelope(fd))
                return false;
        /* without room for control data, the descriptor stays inside */
        if (recv(fd, ret, sizeof *ret, MSG_PEEK | MSG_DONTWAIT) != (ssize_t) sizeof *ret)
                *ret = (EnvelopeNote){.error = EBADF};
        return true;
}

int envelope_open(int fd)
{
        EnvelopeNote note;
        struct iovec iov = {.iov_base = &note, .iov_len = sizeof note};
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control;
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        int inside = -1;

        if (!is_envelope(fd))
                return fd;
        errno = EBADF;
        if (recvmsg(fd, &message, MSG_PEEK | MSG_CMSG_CLOEXEC | MSG_DONTWAIT) > 0 &&
            message.msg_controllen >= CMSG_LEN(sizeof(int)))
                memcpy(&inside, CMSG_DATA(&control.header), sizeof inside);
        return inside;
}
