#include "cli/lean/wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "service/util/fd.h"

#define HEADER_SIZE 16u        /* without the fields */
#define FIELDS_MAX  (1u << 26) /* bytes, as the specification has it */
#define BODY_MAX    (1u << 27)

typedef struct Cursor {
        const uint8_t *bytes;
        size_t at, end;
        bool is_wrong;
} Cursor;

static void cursor_align(Cursor *cursor, size_t alignment)
{
        cursor->at = (cursor->at + alignment - 1) & ~(alignment - 1);
        if (cursor->at > cursor->end) {
                cursor->at = cursor->end;
                cursor->is_wrong = true;
        }
}

static uint32_t take_u32(Cursor *cursor)
{
        uint32_t value = 0;

        cursor_align(cursor, sizeof value);
        if (cursor->end - cursor->at < sizeof value) {
                cursor->is_wrong = true;
                return 0;
        }
        memcpy(&value, cursor->bytes + cursor->at, sizeof value);
        cursor->at += sizeof value;
        return value;
}

/* `length` bytes and a zero. */
static const char *take_text(Cursor *cursor, size_t length)
{
        const char *text = (const char *) cursor->bytes + cursor->at;

        if (length >= cursor->end - cursor->at || text[length]) {
                cursor->is_wrong = true;
                return "";
        }
        cursor->at += length + 1;
        return text;
}

static const char *take_string(Cursor *cursor)
{
        uint32_t length = take_u32(cursor);

        return take_text(cursor, length);
}

static const char *take_signature(Cursor *cursor)
{
        if (cursor->at >= cursor->end) {
                cursor->is_wrong = true;
                return "";
        }
        uint8_t length = cursor->bytes[cursor->at++];
        return take_text(cursor, length);
}

static bool is_text(const char *signature)
{
        return (*signature == 's' || *signature == 'o') && !signature[1];
}

static void take_field(Cursor *cursor, WireReply *reply, const char **body_signature)
{
        cursor_align(cursor, 8);
        uint8_t code = cursor->at < cursor->end ? cursor->bytes[cursor->at++] : 0;
        const char *signature = take_signature(cursor);

        if (is_text(signature)) {
                const char *text = take_string(cursor);
                if (code == WIRE_ERROR_NAME)
                        reply->error = text;
        } else if (!strcmp(signature, "u")) {
                uint32_t value = take_u32(cursor);
                if (code == WIRE_REPLY_SERIAL)
                        reply->serial = value;
        } else if (!strcmp(signature, "g")) {
                const char *text = take_signature(cursor);
                if (code == WIRE_SIGNATURE)
                        *body_signature = text;
        } else {
                cursor->is_wrong = true;
        }
}

static uint32_t u32_at(const uint8_t *bytes, size_t at)
{
        uint32_t value;

        memcpy(&value, bytes + at, sizeof value);
        return value;
}

static uint64_t align_8(uint64_t n)
{
        return (n + 7) & ~UINT64_C(7);
}

/* Of the message that begins so; 0: that is none. */
static uint64_t size_of(const uint8_t *bytes)
{
        uint32_t body = u32_at(bytes, 4), fields = u32_at(bytes, 12);

        if (bytes[0] != WIRE_ENDIAN || bytes[3] != 1 || body > BODY_MAX || fields > FIELDS_MAX)
                return 0;
        return HEADER_SIZE + align_8(fields) + body;
}

static bool parse(const uint8_t *bytes, size_t size, WireReply *ret)
{
        Cursor cursor = {bytes, HEADER_SIZE, HEADER_SIZE + u32_at(bytes, 12), false};
        const char *signature = "";

        *ret = (WireReply){.type = (WireType) bytes[1], .error = "", .text = ""};
        while (!cursor.is_wrong && cursor.at < cursor.end)
                take_field(&cursor, ret, &signature);
        cursor.at = align_8(cursor.end);
        cursor.end = size;
        if (*signature == 's' || *signature == 'o')
                ret->text = take_string(&cursor);
        if (!strcmp(signature, "si"))
                ret->number = (int32_t) take_u32(&cursor);
        return !cursor.is_wrong && ret->serial != 0;
}

void wire_drop(Wire *wire, size_t n)
{
        wire->n -= n;
        memmove(wire->bytes, wire->bytes + n, wire->n);
}

static void drop_taken(Wire *wire)
{
        size_t skipped = wire->skip < wire->n ? (size_t) wire->skip : wire->n;

        wire_drop(wire, wire->taken);
        wire->taken = 0;
        wire_drop(wire, skipped);
        wire->skip -= skipped;
}

/* What is no answer, a signal perhaps, anybody on the bus can send us: it is not looked into. */
bool wire_next(Wire *wire, WireReply *ret)
{
        for (;;) {
                drop_taken(wire);
                if (wire->skip > 0 || wire->n < HEADER_SIZE)
                        return false;
                uint64_t size = size_of(wire->bytes);
                bool is_answer = wire->bytes[1] == WIRE_RETURN || wire->bytes[1] == WIRE_ERROR;
                if (size > sizeof wire->bytes) {
                        wire->skip = size;
                        continue;
                }
                if (size > 0 && wire->n < size)
                        return false;
                wire->taken = (size_t) size;
                if (size == 0 || (is_answer && !parse(wire->bytes, (size_t) size, ret))) {
                        wire_close(wire);
                        wire->n = wire->taken = 0;
                        return false;
                }
                if (is_answer)
                        return true;
        }
}

void wire_receive(Wire *wire)
{
        ssize_t n = TEMP_FAILURE_RETRY(
                read(wire->fd, wire->bytes + wire->n, sizeof wire->bytes - wire->n));

        if (n <= 0)
                wire_close(wire);
        else
                wire->n += (size_t) n;
}

void wire_close(Wire *wire)
{
        fd_clear(&wire->fd);
}
