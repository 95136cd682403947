/* The containers' lines, taken by a socket of the test's own instead of the journal. */

#include "service/container/journal.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"

#define OWNER 1000
#define OTHER 1001

typedef struct Fixture {
        char *directory, *path;
        int socket;
        Journal *journal;
        JournalStream *stream;
} Fixture;

static void set_up(Fixture *f, const void *unused)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        f->directory = g_dir_make_tmp("naive-journal-XXXXXX", NULL);
        f->path = g_build_filename(f->directory, "socket", NULL);
        g_strlcpy(address.sun_path, f->path, sizeof address.sun_path);
        f->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        g_assert_cmpint(bind(f->socket, (struct sockaddr *) &address, sizeof address), ==, 0);
        f->journal = journal_new(f->path);
        g_assert_nonnull(f->journal);
        f->stream = journal_stream_new(f->journal, "web", OWNER);
}

static void tear_down(Fixture *f, const void *unused)
{
        journal_stream_free(f->stream);
        journal_free(f->journal);
        fd_close(f->socket);
        unlink(f->path);
        rmdir(f->directory);
        g_free(f->path);
        g_free(f->directory);
}

/* The next entry's message; NULL if there is none. */
static char *get(Fixture *f)
{
        char entry[16384];
        ssize_t n = recv(f->socket, entry, sizeof entry - 1, 0);

        if (n < 0)
                return NULL;
        entry[n] = '\0';
        char *message = strstr(entry, "MESSAGE=");
        g_assert_nonnull(message);
        g_assert_cmpint(entry[n - 1], ==, '\n');
        entry[n - 1] = '\0';
        return g_strdup(message + strlen("MESSAGE="));
}

static void assert_next(Fixture *f, const char *expected)
{
        g_autofree char *message = get(f);

        g_assert_cmpstr(message, ==, expected);
}

static void put(JournalStream *stream, const char *text)
{
        journal_stream_write(stream, (const uint8_t *) text, strlen(text));
}

/* Writes `n` lines, each read as it comes; how many did come. */
static unsigned flood(Fixture *f, JournalStream *stream, unsigned n)
{
        unsigned taken = 0;

        for (unsigned i = 0; i < n; i++) {
                put(stream, "\n");
                for (char *message; (message = get(f)); taken++)
                        g_free(message);
        }
        return taken;
}

/* A line is an entry, whatever pieces it came in; the last one needs no end. */
FIXTURE_TEST(lines)
{
        put(f->stream, "one\ntw");
        put(f->stream, "o\n\nthree");
        assert_next(f, "one");
        assert_next(f, "two");
        assert_next(f, "");
        assert_next(f, NULL);
        journal_stream_free(g_steal_pointer(&f->stream));
        assert_next(f, "three");
        assert_next(f, NULL);
}

/* Whose lines they are stands in fields of their own; what the caller chose is not the identifier.
 */
FIXTURE_TEST(fields)
{
        char entry[4096];

        put(f->stream, "SYSLOG_IDENTIFIER=sudo\n");
        ssize_t n = recv(f->socket, entry, sizeof entry, 0);
        g_autofree char *text = g_strndup(entry, (size_t) MAX(n, 0));
        g_assert_cmpstr(text, ==,
                        "PRIORITY=6\nSYSLOG_IDENTIFIER=naive-runc\nCONTAINER_ID=web\n"
                        "CONTAINER_OWNER_UID=1000\nMESSAGE=SYSLOG_IDENTIFIER=sudo\n");
}

/* A user's containers together may say so much and no more; it is told how much is missing. */
FIXTURE_TEST(share)
{
        JournalStream *second = journal_stream_new(f->journal, "db", OWNER);

        g_assert_cmpuint(flood(f, f->stream, JOURNAL_ENTRIES_MAX - 10), ==,
                         JOURNAL_ENTRIES_MAX - 10);
        g_assert_cmpuint(flood(f, second, 30), ==, 10);
        g_assert_cmpuint(flood(f, f->stream, 5), ==, 0);
        journal_stream_free(second);
        assert_next(f, "(20 lines were not taken)");
        journal_stream_free(g_steal_pointer(&f->stream));
        assert_next(f, "(5 lines were not taken)");
        assert_next(f, NULL);
}

/* What one user prints costs another nothing. */
FIXTURE_TEST(other_users)
{
        JournalStream *other = journal_stream_new(f->journal, "web", OTHER);

        flood(f, f->stream, JOURNAL_ENTRIES_MAX + 1);
        put(other, "heard\n");
        assert_next(f, "heard");
        journal_stream_free(other);
}

/* A journal that is busy is asked once for each piece, not for each of its lines: all that follows
 * is counted, and costs nothing of the share. */
FIXTURE_TEST(full)
{
        g_autofree char *lines = g_strnfill(16384, '\n');
        unsigned taken = 0;

        put(f->stream, lines);
        for (char *message; (message = get(f)); taken++)
                g_free(message);
        g_assert_cmpuint(taken, >, 0);
        if (taken >= JOURNAL_ENTRIES_MAX) {
                g_test_skip("the socket takes as much as a user may send");
                return;
        }
        g_autofree char *note = g_strdup_printf("(%u lines were not taken)", 16384 - taken);
        put(f->stream, "again\n");
        assert_next(f, note);
        assert_next(f, "again");
        /* `taken`, the one that was not, and "again" */
        g_assert_cmpuint(flood(f, f->stream, JOURNAL_ENTRIES_MAX), ==,
                         JOURNAL_ENTRIES_MAX - taken - 2);
}

/* Where no journal listens there is none. */
TEST(none)
{
        g_assert_null(journal_new("/nonexistent/socket"));
}
