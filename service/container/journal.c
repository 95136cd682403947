#include "service/container/journal.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service/spec/limits.h"
#include "service/util/fd.h"

#define LINE_MAX_ 8192u /* a longer line becomes several entries */

struct Journal {
        int socket;
        GHashTable *shares; /* uid → Share, owned */
};

/* How much of its share a user has spent. A line costs the service a system call, and its writer as
 * little as one byte; and all containers share with the service's own messages what the journal
 * takes of one unit. */
typedef struct Share {
        uint64_t since; /* microseconds, monotonic */
        unsigned entries;
} Share;

struct JournalStream {
        Journal *journal;
        Share *share;
        char *fields; /* the same for every entry */
        GString *line;
        uint64_t dropped;
        bool is_full; /* the socket is full: the rest of the chunk is only counted */
};

Journal *journal_new(const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        autofd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        g_strlcpy(address.sun_path, path, sizeof address.sun_path);
        if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof address) < 0)
                return NULL;
        Journal *journal = g_new0(Journal, 1);
        journal->socket = steal_fd(&fd);
        journal->shares = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        return journal;
}

void journal_free(Journal *journal)
{
        if (!journal)
                return;
        fd_close(journal->socket);
        g_hash_table_destroy(journal->shares);
        g_free(journal);
}

static Share *share_of(Journal *journal, uid_t owner)
{
        Share *share = g_hash_table_lookup(journal->shares, GUINT_TO_POINTER(owner));

        if (!share) {
                share = g_new0(Share, 1);
                g_hash_table_insert(journal->shares, GUINT_TO_POINTER(owner), share);
        }
        return share;
}

JournalStream *journal_stream_new(Journal *journal, const char *id, uid_t owner)
{
        JournalStream *stream = g_new0(JournalStream, 1);

        stream->journal = journal;
        stream->share = share_of(journal, owner);
        /* An id has no line ends, so it cannot end its field. It does not become SYSLOG_IDENTIFIER:
         * a container named "sudo" would look like that program of root's. */
        stream->fields = g_strdup_printf("PRIORITY=6\nSYSLOG_IDENTIFIER=naive-runc\n"
                                         "CONTAINER_ID=%s\nCONTAINER_OWNER_UID=%u\nMESSAGE=",
                                         id, owner);
        stream->line = g_string_new(NULL);
        return stream;
}

static bool send_entry(JournalStream *stream, const char *text, size_t n)
{
        struct iovec parts[] = {
                {stream->fields, strlen(stream->fields)},
                {(char *) text, n},
                {(char *) "\n", 1},
        };
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = G_N_ELEMENTS(parts)};

        return sendmsg(stream->journal->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static bool may_send(Share *share)
{
        uint64_t now = (uint64_t) g_get_monotonic_time();

        if (share->entries == 0 || now - share->since > JOURNAL_USEC)
                *share = (Share){.since = now};
        return share->entries < JOURNAL_ENTRIES_MAX;
}

static bool say_dropped(JournalStream *stream)
{
        if (stream->dropped == 0)
                return true;
        g_autofree char *text =
                g_strdup_printf("(%" G_GUINT64_FORMAT " lines were not taken)", stream->dropped);
        if (!send_entry(stream, text, strlen(text)))
                return false;
        stream->dropped = 0;
        return true;
}

static void flush(JournalStream *stream)
{
        if (stream->is_full || !may_send(stream->share))
                stream->dropped++;
        else {
                stream->share->entries++;
                stream->is_full = !say_dropped(stream) ||
                                  !send_entry(stream, stream->line->str, stream->line->len);
                stream->dropped += stream->is_full;
        }
        g_string_truncate(stream->line, 0);
}

void journal_stream_write(JournalStream *stream, const uint8_t *bytes, size_t n)
{
        stream->is_full = false;
        while (n > 0) {
                const uint8_t *end = memchr(bytes, '\n', n);
                size_t rest = end ? (size_t) (end - bytes) : n;
                size_t room = LINE_MAX_ - stream->line->len;
                size_t taken = MIN(rest, room);
                g_string_append_len(stream->line, (const char *) bytes, (gssize) taken);
                bytes += taken;
                n -= taken;
                if (taken < rest)
                        flush(stream);
                else if (end) {
                        flush(stream);
                        bytes++;
                        n--;
                }
        }
}

void journal_stream_free(JournalStream *stream)
{
        if (!stream)
                return;
        stream->is_full = false;
        if (stream->line->len > 0)
                flush(stream);
        say_dropped(stream);
        g_string_free(stream->line, TRUE);
        g_free(stream->fields);
        g_free(stream);
}
