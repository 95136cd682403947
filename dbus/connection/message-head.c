#include "dbus/connection/message-head.h"

#include <glib.h>
#include <string.h>

#define FIELD_SENDER   7
#define FIELD_UNIX_FDS 9 /* the number of descriptors that come with the message */
#define NO_REPLY       1 /* a flag */
#define SIZE_MAX_EVER  ((size_t) 128 * 1024 * 1024) /* the protocol's bound */

typedef struct Reader {
        const uint8_t *data;
        size_t position, size;
        bool is_big;
} Reader;

static bool read_byte(Reader *reader, uint8_t *ret)
{
        if (reader->position >= reader->size)
                return false;
        *ret = reader->data[reader->position++];
        return true;
}

static bool read_number(Reader *reader, uint32_t *ret)
{
        size_t at = (reader->position + 3) & ~(size_t) 3;

        if (at + sizeof *ret > reader->size)
                return false;
        memcpy(ret, reader->data + at, sizeof *ret);
        *ret = reader->is_big ? GUINT32_FROM_BE(*ret) : GUINT32_FROM_LE(*ret);
        reader->position = at + sizeof *ret;
        return true;
}

/* A string or a signature, with its NUL. */
static bool skip(Reader *reader, size_t length)
{
        if (length >= reader->size - reader->position)
                return false;
        reader->position += length + 1;
        return true;
}

/* One of the fields that a header has: its code, and a variant of one basic type. */
static bool read_field(Reader *reader, MessageHead *head)
{
        uint8_t code, length, type, end;
        uint32_t number;

        reader->position = (reader->position + 7) & ~(size_t) 7;
        if (!read_byte(reader, &code) || !read_byte(reader, &length) || length != 1 ||
            !read_byte(reader, &type) || !read_byte(reader, &end))
                return false;
        if (type == 'g')
                return read_byte(reader, &length) && skip(reader, length);
        if ((type != 's' && type != 'o' && type != 'u') || !read_number(reader, &number))
                return false;
        size_t at = reader->position;
        if (type == 'u' && code == FIELD_UNIX_FDS)
                head->n_fds = number;
        if (type == 'u')
                return true;
        if (!skip(reader, number))
                return false;
        if (code == FIELD_SENDER && number < sizeof head->sender)
                memcpy(head->sender, reader->data + at, number);
        return true;
}

bool message_head_read(const uint8_t *data, size_t size, unsigned most_fds, MessageHead *ret)
{
        Reader reader = {.data = data, .size = size, .is_big = size > 0 && data[0] == 'B'};
        uint32_t body, serial, fields;

        if (size < MESSAGE_HEAD_SIZE)
                return false;
        reader.position = 4;
        read_number(&reader, &body);
        read_number(&reader, &serial);
        read_number(&reader, &fields);
        size_t end = MESSAGE_HEAD_SIZE + (size_t) fields;
        *ret = (MessageHead){.type = data[1],
                             .wants_reply = !(data[2] & NO_REPLY),
                             .size = MIN(((end + 7) & ~(size_t) 7) + body, SIZE_MAX_EVER)};
        reader.size = MIN(size, end);
        while (reader.position < end)
                if (!read_field(&reader, ret)) {
                        ret->n_fds = most_fds;
                        break;
                }
        ret->n_fds = MIN(ret->n_fds, most_fds);
        return true;
}
