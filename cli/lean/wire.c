#include "cli/lean/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dbus/names.h"
#include "service/util/fd.h"

#define AUTH_MSEC 30000

/* -- to write -- */

static void add(WireBody *body, const void *bytes, size_t n)
{
        if (n > sizeof body->bytes - body->n) {
                body->is_full = true;
                return;
        }
        memcpy(body->bytes + body->n, bytes, n);
        body->n += n;
}

void wire_align(WireBody *body, size_t alignment)
{
        static const uint8_t zeros[8];

        add(body, zeros, -body->n & (alignment - 1));
}

void wire_add_u32(WireBody *body, uint32_t value)
{
        wire_align(body, sizeof value);
        add(body, &value, sizeof value);
}

void wire_add_u64(WireBody *body, uint64_t value)
{
        wire_align(body, sizeof value);
        add(body, &value, sizeof value);
}

void wire_add_string(WireBody *body, const char *text)
{
        wire_add_u32(body, (uint32_t) strlen(text));
        add(body, text, strlen(text) + 1);
}

void wire_add_signature(WireBody *body, const char *text)
{
        uint8_t length = (uint8_t) strlen(text);

        add(body, &length, 1);
        add(body, text, length + 1u);
}

void wire_add_bytes(WireBody *body, const char *text)
{
        add(body, text, strlen(text));
}

void wire_add_byte_string(WireBody *body, const char *text)
{
        wire_add_u32(body, (uint32_t) strlen(text));
        wire_add_bytes(body, text);
}

void wire_add_fd(WireBody *body, int fd)
{
        wire_add_u32(body, body->n_fds);
        if (body->n_fds < WIRE_FDS_MAX)
                body->fds[body->n_fds++] = fd;
        else
                body->is_full = true;
}

size_t wire_open_array(WireBody *body, size_t alignment)
{
        wire_add_u32(body, 0);
        size_t array = body->n - sizeof(uint32_t);
        wire_align(body, alignment);
        return array;
}

void wire_close_array(WireBody *body, size_t array, size_t alignment)
{
        size_t first = (array + sizeof(uint32_t) + alignment - 1) & ~(alignment - 1);
        uint32_t length = (uint32_t) (body->n - first);

        if (!body->is_full)
                memcpy(body->bytes + array, &length, sizeof length);
}

static void add_field(WireBody *header, uint8_t code, const char *signature, const char *text)
{
        wire_align(header, 8);
        add(header, &code, 1);
        wire_add_signature(header, signature);
        if (*signature == 'g')
                wire_add_signature(header, text);
        else
                wire_add_string(header, text);
}

static void add_header(WireBody *header, const WireCall *call, const WireBody *body,
                       uint32_t serial)
{
        bool is_ours = strcmp(call->interface, "org.freedesktop.DBus") != 0;
        const uint8_t first[] = {WIRE_ENDIAN, WIRE_CALL, 0, 1};

        header->n = 0;
        header->is_full = false;
        add(header, first, sizeof first);
        wire_add_u32(header, body ? (uint32_t) body->n : 0);
        wire_add_u32(header, serial);
        size_t fields = wire_open_array(header, 8);
        add_field(header, WIRE_PATH, "o", call->path);
        add_field(header, WIRE_DESTINATION, "s", is_ours ? BUS_NAME : "org.freedesktop.DBus");
        add_field(header, WIRE_INTERFACE, "s", call->interface);
        add_field(header, WIRE_MEMBER, "s", call->member);
        if (*call->signature)
                add_field(header, WIRE_SIGNATURE, "g", call->signature);
        if (body && body->n_fds > 0) {
                wire_align(header, 8);
                add(header, &(uint8_t){WIRE_UNIX_FDS}, 1);
                wire_add_signature(header, "u");
                wire_add_u32(header, body->n_fds);
        }
        wire_close_array(header, fields, 8);
        wire_align(header, 8);
}

/* -- to send -- */

static void append_fds(struct msghdr *message, const int *fds, unsigned n)
{
        struct cmsghdr *control = message->msg_control;

        message->msg_controllen = CMSG_SPACE(n * sizeof(int));
        *control = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                    .cmsg_type = SCM_RIGHTS,
                                    .cmsg_len = CMSG_LEN(n * sizeof(int))};
        memcpy(CMSG_DATA(control), fds, n * sizeof(int));
}

/* Descriptors go with the first bytes. */
static bool send_all(int fd, struct iovec *parts, size_t n_parts, const WireBody *body)
{
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(WIRE_FDS_MAX * sizeof(int))];
        } control = {.space = {0}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = n_parts};

        if (body && body->n_fds > 0) {
                message.msg_control = &control;
                append_fds(&message, body->fds, body->n_fds);
        }
        while (message.msg_iovlen > 0) {
                ssize_t n = TEMP_FAILURE_RETRY(sendmsg(fd, &message, MSG_NOSIGNAL));
                if (n < 0)
                        return false;
                message.msg_control = NULL;
                message.msg_controllen = 0;
                while (message.msg_iovlen > 0 && (size_t) n >= message.msg_iov->iov_len) {
                        n -= (ssize_t) message.msg_iov->iov_len;
                        message.msg_iov++;
                        message.msg_iovlen--;
                }
                if (message.msg_iovlen > 0) {
                        message.msg_iov->iov_base = (uint8_t *) message.msg_iov->iov_base + n;
                        message.msg_iov->iov_len -= (size_t) n;
                }
        }
        return true;
}

static uint32_t send_call(Wire *wire, const char *before, size_t n_before, const WireCall *call,
                          const WireBody *body)
{
        static WireBody header;
        uint32_t serial = ++wire->last_serial;

        if (wire->fd < 0)
                return 0;
        add_header(&header, call, body, serial);
        struct iovec parts[] = {
                {(void *) before, n_before},
                {header.bytes, header.n},
                {body ? (void *) body->bytes : NULL, body ? body->n : 0},
        };
        if (header.is_full || (body && body->is_full) || !send_all(wire->fd, parts, 3, body))
                wire_close(wire);
        return wire->fd < 0 ? 0 : serial;
}

uint32_t wire_call(Wire *wire, const WireCall *call, const WireBody *body)
{
        return send_call(wire, NULL, 0, call, body);
}

/* -- to begin -- */

static bool take_line(Wire *wire, const char *beginning)
{
        struct pollfd pollfd = {.fd = wire->fd, .events = POLLIN};
        const uint8_t *end;

        while (!(end = memmem(wire->bytes, wire->n, "\r\n", 2))) {
                if (TEMP_FAILURE_RETRY(poll(&pollfd, 1, AUTH_MSEC)) <= 0)
                        return false;
                wire_receive(wire);
                if (wire->fd < 0)
                        return false;
        }
        size_t length = strlen(beginning);
        bool is_right = wire->n >= length && memcmp(wire->bytes, beginning, length) == 0;
        wire_drop(wire, (size_t) (end + 2 - wire->bytes));
        return is_right;
}

/* Our uid in digits, each in hexadecimal, and the call by which the bus gets to know us. All goes
 * at once, but no descriptor may come before the bus has agreed. */
static bool say_hello(Wire *wire)
{
        static const WireCall hello = {"/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello",
                                       ""};
        char uid[16], hexadecimal[2 * sizeof uid], text[128], *p = hexadecimal;

        snprintf(uid, sizeof uid, "%u", geteuid());
        for (const char *digit = uid; *digit; digit++) {
                *p++ = '3';
                *p++ = *digit;
        }
        int length = snprintf(text, sizeof text,
                              "%cAUTH EXTERNAL %.*s\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n", '\0',
                              (int) (p - hexadecimal), hexadecimal);
        return send_call(wire, text, (size_t) length, &hello, NULL) && take_line(wire, "OK ") &&
               take_line(wire, "AGREE_UNIX_FD\r\n");
}

bool wire_begin(Wire *wire, int fd)
{
        wire->fd = fd;
        wire->last_serial = 0;
        wire->n = wire->taken = 0;
        wire->skip = 0;
        if (!say_hello(wire))
                wire_close(wire);
        return wire->fd >= 0;
}

bool wire_open(Wire *wire, const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || strlen(path) >= sizeof address.sun_path)
                return false;
        memcpy(address.sun_path, path, strlen(path) + 1);
        return connect(fd, (struct sockaddr *) &address, sizeof address) == 0 &&
               wire_begin(wire, steal_fd(&fd));
}
