#include "service/util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))

void fd_close(int fd)
{
        int saved = errno;

        if (fd >= 0)
                close(fd);
        errno = saved;
}

void fd_clear(int *fd)
{
        fd_close(*fd);
        *fd = -1;
}

int steal_fd(int *fd)
{
        int taken = *fd;

        *fd = -1;
        return taken;
}

static ssize_t receive_message(int socket, void *record, size_t size, int *ret_fds, size_t *n)
{
        struct iovec iov = {.iov_base = record, .iov_len = size};
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(FD_MESSAGE_MAX * sizeof(int))];
        } control;
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = CMSG_LEN(*n * sizeof(int))};
        ssize_t length;

        *n = 0;
        do
                length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        while (length < 0 && errno == EINTR);
        if (length >= 0 && message.msg_controllen >= CMSG_LEN(sizeof(int)) &&
            control.header.cmsg_type == SCM_RIGHTS) {
                *n = (control.header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
                memcpy(ret_fds, CMSG_DATA(&control.header), *n * sizeof(int));
        }
        return length < 0 ? -errno : length;
}

ssize_t fd_receive_all(int socket, void *record, size_t size, int *ret_fds, size_t *n)
{
        size_t room = *n, came;
        ssize_t length;
        char more;

        *n = MIN_OF(room, FD_MESSAGE_MAX);
        length = receive_message(socket, record, size, ret_fds, n);
        for (came = *n; came == FD_MESSAGE_MAX && *n < room; *n += came) {
                came = MIN_OF(room - *n, FD_MESSAGE_MAX);
                if (receive_message(socket, &more, sizeof more, ret_fds + *n, &came) <= 0)
                        break;
        }
        return length;
}

static bool send_message(int socket, const void *record, size_t size, const int *fds, size_t n)
{
        struct iovec iov = {.iov_base = (void *) record, .iov_len = size};
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(FD_MESSAGE_MAX * sizeof(int))];
        } control = {.space = {0}};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t length;

        if (n > 0) {
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(n * sizeof(int));
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
                memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
        }
        do
                length = sendmsg(socket, &message, MSG_NOSIGNAL);
        while (length < 0 && errno == EINTR);
        return length == (ssize_t) size;
}

bool fd_send_all(int socket, const void *record, size_t size, const int *fds, size_t n)
{
        size_t sent = MIN_OF(n, FD_MESSAGE_MAX), count;

        if (!send_message(socket, record, size, fds, sent))
                return false;
        for (; sent < n; sent += count) {
                count = MIN_OF(n - sent, FD_MESSAGE_MAX);
                if (!send_message(socket, "+", 1, fds + sent, count))
                        return false;
        }
        return true;
}

void fd_close_others(const int *keep, size_t n)
{
        unsigned first = 3;

        for (size_t i = 0; i < n; i++) {
                if ((unsigned) keep[i] > first)
                        close_range(first, (unsigned) keep[i] - 1, 0);
                if (keep[i] >= (int) first)
                        first = (unsigned) keep[i] + 1;
        }
        close_range(first, ~0u, 0);
}

bool fd_open_standard(void)
{
        for (int fd = 0; fd <= 2; fd++)
                if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_NOCTTY) != fd)
                        return false;
        return true;
}

ssize_t fd_receive(int socket, void *record, size_t size, int *ret_fd)
{
        size_t n = 1;

        *ret_fd = -1;
        return fd_receive_all(socket, record, size, ret_fd, &n);
}

ssize_t fd_read_file_at(int dirfd, const char *path, char *buffer, size_t size)
{
        autofd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        size_t length = 0;

        if (fd < 0)
                return -errno;
        while (length < size) {
                ssize_t n = read(fd, buffer + length, size - length);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0) {
                        buffer[length] = '\0';
                        return (ssize_t) length;
                }
                length += (size_t) n;
        }
        return -EFBIG;
}

int fd_write_file_at(int dirfd, const char *path, const char *text)
{
        autofd int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

        if (fd < 0)
                return -errno;
        ssize_t n = write(fd, text, strlen(text));
        if (n < 0)
                return -errno;
        return (size_t) n == strlen(text) ? 0 : -EIO;
}
