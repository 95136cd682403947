#include "service/journal.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service/util/fd.h"

#define SOCKET_PATH "/run/systemd/journal/socket"
#define LINE_MAX_   8192u /* a longer line becomes several entries */

struct Journal {
        int socket;
};

struct JournalStream {
        Journal *journal;
        char *fields; /* the same for every entry */
        GString *line;
        uint64_t dropped;
};

Journal *journal_new(void)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET_PATH};
        autofd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof address) < 0)
                return NULL;
        Journal *journal = g_new0(Journal, 1);
        journal->socket = steal_fd(&fd);
        return journal;
}

void journal_free(Journal *journal)
{
        if (!journal)
                return;
        fd_close(journal->socket);
        g_free(journal);
}

JournalStream *journal_stream_new(Journal *journal, const char *id, uid_t owner)
{
        JournalStream *stream = g_new0(JournalStream, 1);

        stream->journal = journal;
        /* an id has no line ends, so it can end no field */
        stream->fields = g_strdup_printf("PRIORITY=6\nSYSLOG_IDENTIFIER=%s\nCONTAINER_ID=%s\n"
                                         "CONTAINER_OWNER_UID=%u\nMESSAGE=",
                                         id, id, owner);
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

static void flush(JournalStream *stream)
{
        if (stream->dropped > 0) {
                g_autofree char *text = g_strdup_printf(
                        "(%" G_GUINT64_FORMAT " lines were not taken)", stream->dropped);
                if (send_entry(stream, text, strlen(text)))
                        stream->dropped = 0;
        }
        if (stream->dropped > 0 || !send_entry(stream, stream->line->str, stream->line->len))
                stream->dropped++;
        g_string_truncate(stream->line, 0);
}

void journal_stream_write(JournalStream *stream, const uint8_t *bytes, size_t n)
{
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
        if (stream->line->len > 0)
                flush(stream);
        g_string_free(stream->line, TRUE);
        g_free(stream->fields);
        g_free(stream);
}
