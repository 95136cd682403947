#pragma once

/* The output of one container: reads its pipe or terminal always, so that nobody attached never
 * blocks the command, into a bounded log, and serves readers from that log, each at its own pace. A
 * writing reader (a person at the terminal) that falls behind stops the reading, as a terminal
 * does; a mere watcher that falls behind loses the oldest bytes. Knows fds and the loop, no
 * containers, no bus. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/container/output-log.h"

typedef struct Output Output;

Output *output_new(void);
/* Stops reading. Readers that are behind still get the rest, but only for a while. */
void output_free(Output *output);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Output, output_free)

/* Makes a pipe for a container's output: first the end to read, non-blocking, then the container's.
 * The container's end can be read as well. So the pipe does not break while no service reads, and a
 * successor finds it by its inode among the container's fds. It belongs to `uid` and `gid`. */
bool output_open_pipe(int ret_ends[2], uid_t uid, gid_t gid, uint64_t *ret_inode, GError **error);

/* Starts reading `fd` (consumed): a pipe's end, which does not block already, or with `terminal` a
 * terminal's master. With `terminal`, an fd that is not a master is closed and not read. */
void output_set_source(Output *output, int fd, bool terminal);

/* Called with each piece of output as it comes, besides the log. */
typedef void (*OutputFunc)(const uint8_t *bytes, size_t n, void *data);
void output_set_sink(Output *output, OutputFunc function, void *data);

/* The command has ended: takes what is still in the source and closes it; readers see the end. */
void output_finish(Output *output);

/* The service ends before the command: as output_finish(), but readers are not told an end. */
void output_release(Output *output);

/* The log itself: to read, to save, or to fill from what was saved. */
OutputLog *output_log(Output *output);

bool output_has_readers(const Output *output);
bool output_is_terminal(const Output *output);
bool output_resize(Output *output, uint16_t rows, uint16_t columns, GError **error);

typedef struct OutputReader {
        uint64_t offset; /* where to begin; moved to the oldest byte kept */
        bool follow;     /* go on until the command ends, not only to what is there now */
        bool writes;     /* what the reader sends goes to the terminal */
        bool holds;      /* the command waits when the reader is behind; else bytes are skipped */
        bool packets; /* each packet begins with the offset of its bytes, so that what was skipped
                       * shows; at the end comes an offset without bytes */
} OutputReader;

/* *ret_fd: a socket (owned by the caller, CLOEXEC), which gives the log and then ends: a stream, or
 * with `packets` SOCK_SEQPACKET. */
bool output_attach(Output *output, const OutputReader *how, int *ret_fd, GError **error);
