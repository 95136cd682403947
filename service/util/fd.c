#include "service/util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

ssize_t fd_receive(int socket, void *record, size_t size, int *ret_fd)
{
        struct iovec iov = {.iov_base = record, .iov_len = size};
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control;
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        ssize_t n;

        *ret_fd = -1;
        do
                n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n >= 0 && message.msg_controllen >= CMSG_LEN(sizeof(int)) &&
            control.header.cmsg_type == SCM_RIGHTS)
                memcpy(ret_fd, CMSG_DATA(&control.header), sizeof *ret_fd);
        return n < 0 ? -errno : n;
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
