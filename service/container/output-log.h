#pragma once

/* The last LOG_BYTES_MAX bytes that one container wrote, in memory: a ring that grows by doubling,
 * so that a silent container costs nothing, and forgets the oldest bytes when it is full. A byte is
 * named by its offset since the container's start, which stays true however much is forgotten; a
 * reader keeps an offset and no state here, so any number of them may come and go. Knows no pipe
 * and no caller. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct OutputLog {
        uint8_t *bytes; /* owned; `length` of them, from index `first` on and round the end */
        size_t capacity, first, length;
        uint64_t end; /* offset after the newest byte */
} OutputLog;

void output_log_init(OutputLog *log);
void output_log_clear(OutputLog *log); /* frees; an empty log again, as after init */
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(OutputLog, output_log_clear)

/* What this container wrote so far is lost with a service that was killed. Offsets go on with a
 * number that is beyond all that it can have had, so that no reader takes new bytes for old ones.
 */
void output_log_lose(OutputLog *log);

void output_log_append(OutputLog *log, const uint8_t *data, size_t n);

uint64_t output_log_start(const OutputLog *log); /* offset of the oldest byte kept */
uint64_t output_log_end(const OutputLog *log);   /* where the next byte will be */

/* The longest run in one piece from `*offset` on, not copied: valid until the log next changes. An
 * `*offset` that is forgotten moves up to the oldest kept (the reader sees the gap); otherwise it
 * stays, and the caller adds what it used. 0 at the end and beyond, with `*ret_data` NULL. */
size_t output_log_peek(const OutputLog *log, uint64_t *offset, const uint8_t **ret_data);

/* Copies up to `max` bytes from `*offset` on, moved up likewise, and adds their number to it. */
size_t output_log_read(const OutputLog *log, uint64_t *offset, uint8_t *buffer, size_t max);

/* Keeps the log in a file of mode 0600, for the next service: written beside and renamed, so that
 * there is a whole file or the one before, and not synced, as /run is a tmpfs. Fails with
 * RUNTIME_ERROR_FAILED. */
bool output_log_save(const OutputLog *log, int dirfd, const char *name, GError **error);

/* Replaces the contents of `log`, or leaves them alone and fails with RUNTIME_ERROR_FAILED: no
 * file, a link, not a regular file, or not exactly what output_log_save() wrote under this name,
 * as far as the version that wrote it kept a checksum. */
bool output_log_load(OutputLog *log, int dirfd, const char *name, GError **error);
