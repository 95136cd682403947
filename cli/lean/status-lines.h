#pragma once

/* The lines of JSON that a StatusFD of ours is told: that the command runs, and how it has ended.
 * libc alone. Called by run.c. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct StatusLines {
        int fd;          /* the end to read; -1: it has ended */
        pid_t pid;       /* of the command, once it runs; else 0 */
        char path[512];  /* of the container, then */
        char result[32]; /* "": it has not ended, as far as we were told */
        int code;
        size_t n_unread;
        char unread[4096]; /* the beginning of a line */
} StatusLines;

/* A pipe for the lines: what the service writes to is in *ret_writer, owned by the caller. False
 * with errno. */
bool status_lines_open(StatusLines *lines, int *ret_writer);
/* Takes what has come, and closes at the end. */
void status_lines_read(StatusLines *lines);
/* Takes one line, without its newline. */
void status_lines_take(StatusLines *lines, const char *line);
void status_lines_close(StatusLines *lines);
