#pragma once

/* Whether a command could open a standard stream of ours by name (/dev/stdout): the kernel judges
 * such an open anew, by ids of the container's private range. libc alone. Called by
 * standard-streams.c, and by the lean client. */

#include <stdbool.h>
#include <sys/stat.h>

/* Lets everybody who can name a pipe open it, which only its owner, or root, may do, and nobody
 * else can name it. False: it is no pipe, or may not be changed. */
bool stream_open_up(int fd);
/* An output, number `number`, that the command may not open: it is neither its owner nor in its
 * group. Input is left alone: what carries it reads ahead, and a shell's loop over the lines of a
 * file would miss those. */
bool stream_is_closed_to_command(int number, const struct stat *status);
