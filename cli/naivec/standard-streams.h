#pragma once

/* Lets a command open its standard streams by name as well (/dev/stdout, /proc/self/fd/1). The
 * kernel judges such an open anew, by ids of the container's private range, so neither the pipes
 * nor the files of the caller would let it. Called by `run` and `exec` before the request, and
 * again after the end. */

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
        pid_t carriers[3]; /* of each stream: who carries the command's bytes to it; 0: nobody */
        int pipes[3];      /* the command's ends, if so */
} StandardStreams;

/* Stream `number` as the command is to have it: a pipe may be opened by everybody who can name it,
 * which nobody else can. If `carries`, an output that would not let the command open it gets a pipe
 * of ours before it. Returns the fd to pass: `number`, or a new one above 2. */
int standard_stream_open_up(StandardStreams *streams, int number, bool carries);

/* With no copy of what was passed left. If the command has ended, all output is where it belongs on
 * return; else it is still carried. */
void standard_streams_finish(StandardStreams *streams, bool has_ended);
