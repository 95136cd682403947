#pragma once

/* The pipe of a caller's to which a line is written for each step of a container. Never waits in
 * the loop, and leaves the pipe's flags as they are, for its open file description is the caller's:
 * vmsplice() alone takes "do not block" with each call and works on every pipe, FIFO or not. (A
 * pipe could be opened anew with flags of its own, but a FIFO's file system would be asked, which
 * may hang.) It is a descriptor of the service's, not in an envelope, and so root's alone:
 * whoever writes to a pipe from memory that does not answer holds its lock, and with it everybody
 * who writes to the pipe or closes it. Knows no container and no words. */

#include <stdbool.h>

typedef struct StatusFd StatusFd;
typedef void (*StatusFdFunc)(void *data);

/* Takes over `fd`. `gone`, if not NULL, is called once from the loop when nobody reads any more. */
StatusFd *status_fd_new(int fd, StatusFdFunc gone, void *data);
void status_fd_free(StatusFd *status); /* NULL is fine */

/* Writes `line`, or keeps it until there is room. */
void status_fd_say(StatusFd *status, const char *line);
/* The last line: `status` is consumed, and the pipe closed once the line is written, or there was
 * no room for it in STATUS_WAIT_MSEC. */
void status_fd_finish(StatusFd *status, const char *line);
