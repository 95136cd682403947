#pragma once

/* File descriptors that have an owner: `autofd int fd = open(...)` is closed at the end of its
 * scope, and only there, unless steal_fd() hands it on. -1 is "none". Also whole small files, read
 * and written by one call. Knows nothing of what the files are for; used by everybody. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

void fd_close(int fd);  /* -1 is fine; errno is kept */
void fd_clear(int *fd); /* closes and sets -1 */
int steal_fd(int *fd);  /* returns *fd and sets -1 */

static inline void fd_cleanup(int *fd)
{
        fd_clear(fd);
}
#define autofd __attribute__((cleanup(fd_cleanup)))

/* Opens /dev/null in place of a closed stdin, stdout or stderr: else the next file that a program
 * opens would get that number, and could be passed to a command. */
bool fd_open_standard(void);

/* Takes one message from a socket, without waiting. Returns its length, -errno (-EAGAIN: no message
 * yet), or 0 at the end of the stream. `ret_fd` gets the one descriptor that may come along, or
 * -1. */
ssize_t fd_receive(int socket, void *record, size_t size, int *ret_fd);

/* The same for up to `*n` descriptors; `*n` is then how many came. What is more than the kernel
 * passes with one message comes with others behind it, of one byte each. */
#define FD_MESSAGE_MAX 253u
ssize_t fd_receive_all(int socket, void *record, size_t size, int *ret_fds, size_t *n);
/* Sends a record and descriptors so; false with errno. */
bool fd_send_all(int socket, const void *record, size_t size, const int *fds, size_t n);

/* Closes all descriptors from 3 on, but those of `keep`, which is sorted. */
void fd_close_others(const int *keep, size_t n);

/* Reads a whole small file (a /proc or cgroup file) relative to `dirfd` into `buffer`,
 * NUL-terminated. Returns its length or -errno; -EFBIG if it does not fit. */
ssize_t fd_read_file_at(int dirfd, const char *path, char *buffer, size_t size);

/* Writes `text` to an existing file relative to `dirfd` in one write(). Returns 0 or -errno. */
int fd_write_file_at(int dirfd, const char *path, const char *text);
