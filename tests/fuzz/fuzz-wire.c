/* The input is what a bus sends that means harm, once as the whole of a connection and once behind
 * the greeting; and what a status pipe says. The connection ends with it, and what it has told lies
 * within the connection's own bytes. */

#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/lean/status-lines.h"
#include "cli/lean/wire.h"
#include "tests/fuzz/target.h"

static void check_text(const Wire *wire, const char *text)
{
        const char *bytes = (const char *) wire->bytes;

        if (!*text)
                return;
        g_assert_true(text > bytes && text < bytes + sizeof wire->bytes);
        g_assert_cmpuint(strnlen(text, sizeof wire->bytes), <,
                         sizeof wire->bytes - (size_t) (text - bytes));
}

static void take_all(Wire *wire)
{
        WireReply reply;

        while (wire->fd >= 0) {
                wire_receive(wire);
                while (wire_next(wire, &reply)) {
                        g_assert_true(reply.type == WIRE_RETURN || reply.type == WIRE_ERROR);
                        g_assert_cmpuint(reply.serial, !=, 0);
                        check_text(wire, reply.error);
                        check_text(wire, reply.text);
                }
        }
}

/* The end of a socket from which the input comes. */
static int open_socket(const uint8_t *data, size_t size, int *ret_other)
{
        int ends[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        g_assert_cmpint(send(ends[1], data, size, MSG_DONTWAIT), ==, size);
        shutdown(ends[1], SHUT_WR);
        *ret_other = ends[1];
        return ends[0];
}

static void read_lines(const uint8_t *data, size_t size)
{
        static StatusLines lines;
        int other;

        lines.n_unread = 0;
        lines.fd = open_socket(data, size, &other);
        while (lines.fd >= 0)
                status_lines_read(&lines);
        close(other);
        g_assert_cmpuint(strnlen(lines.path, sizeof lines.path), <, sizeof lines.path);
        g_assert_cmpuint(strnlen(lines.result, sizeof lines.result), <, sizeof lines.result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static Wire wire;
        int other;

        if (size > 65536)
                return 0;
        if (wire_begin(&wire, open_socket(data, size, &other)))
                take_all(&wire);
        close(other);
        wire = (Wire){.fd = open_socket(data, size, &other)};
        take_all(&wire);
        close(other);
        read_lines(data, size);
        return 0;
}
