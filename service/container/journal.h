#pragma once

/* The containers' output in the journal, a line an entry, with the container's id and owner as
 * fields. By the journal's own datagram protocol and never blocking: sd_journal_send() waits for a
 * journal that is busy, and the service waits for nobody. What the journal does not take, and
 * what is beyond its owner's share, is counted, and said once there is room again or at the end. */

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Journal Journal;

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* NULL where no journal listens. */
Journal *journal_new(const char *path);
void journal_free(Journal *journal);

/* One container's way in: holds what has come of a line. */
typedef struct JournalStream JournalStream;
JournalStream *journal_stream_new(Journal *journal, const char *id, uid_t owner);
void journal_stream_write(JournalStream *stream, const uint8_t *bytes, size_t n);
void journal_stream_free(
        JournalStream *stream); /* writes a last line without its end; NULL is fine */
