#pragma once

/* Sends the containers' output to the journal, a line an entry, with the container's id and owner
 * as fields. Speaks the journal's own datagram protocol and never blocks. Rejected:
 * sd_journal_send(), which waits for a busy journal, while the service must wait for nobody. Lines
 * that the journal does not take, or that are beyond their owner's share, are counted; their number
 * is written once there is room again, or at the end. */

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Journal Journal;

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* NULL where no journal listens. */
Journal *journal_new(const char *path);
void journal_free(Journal *journal);

/* One container's way to the journal; holds the line that has not ended yet. */
typedef struct JournalStream JournalStream;
JournalStream *journal_stream_new(Journal *journal, const char *id, uid_t owner);
void journal_stream_write(JournalStream *stream, const uint8_t *bytes, size_t n);
/* Writes a last line that has no end. NULL is fine. */
void journal_stream_free(JournalStream *stream);
