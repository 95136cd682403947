/* What the first bytes of a message tell of it, of whole messages and of nonsense. */

#include "dbus/connection/message-head.h"

#include <string.h>
#include <systemd/sd-bus-protocol.h>

#include "tests/lib/case.h"

#define MOST 16u

typedef struct Fixture {
        uint8_t data[256];
        size_t size;
        MessageHead head;
} Fixture;

static void align(Fixture *f, size_t to)
{
        f->size = (f->size + to - 1) / to * to;
}

static void add_number(Fixture *f, uint32_t number)
{
        uint32_t little = GUINT32_TO_LE(number);

        align(f, 4);
        memcpy(f->data + f->size, &little, sizeof little);
        f->size += sizeof little;
}

static void add_field(Fixture *f, uint8_t code, char type)
{
        align(f, 8);
        f->data[f->size++] = code;
        f->data[f->size++] = 1;
        f->data[f->size++] = (uint8_t) type;
        f->data[f->size++] = 0;
}

static void add_text(Fixture *f, uint8_t code, char type, const char *text)
{
        add_field(f, code, type);
        if (type == 'g')
                f->data[f->size++] = (uint8_t) strlen(text);
        else
                add_number(f, (uint32_t) strlen(text));
        memcpy(f->data + f->size, text, strlen(text) + 1);
        f->size += strlen(text) + 1;
}

static void end_fields(Fixture *f)
{
        uint32_t little = GUINT32_TO_LE((uint32_t) f->size - MESSAGE_HEAD_SIZE);

        memcpy(f->data + 12, &little, sizeof little);
        align(f, 8);
}

/* A call with a body of 1,000 bytes; the fields are to be added. */
static void set_up(Fixture *f, const void *unused)
{
        memcpy(f->data, "l\1\0\1", 4);
        f->size = 4;
        add_number(f, 1000);
        add_number(f, 77);
        add_number(f, 0);
        add_text(f, 1, 'o', "/org/naive/Runc");
        add_text(f, 8, 'g', "stas");
        add_text(f, 7, 's', ":1.42");
}

static void tear_down(Fixture *f, const void *unused)
{
}

static void read_head(Fixture *f, size_t size)
{
        g_autofree uint8_t *copy = g_memdup2(f->data, size); /* of that size: valgrind sees more */

        g_assert_true(message_head_read(copy, size, MOST, &f->head));
}

/* Type, sender and size are told, and that no descriptors come. */
FIXTURE_TEST(plain)
{
        end_fields(f);
        read_head(f, f->size);
        g_assert_cmpuint(f->head.type, ==, SD_BUS_MESSAGE_METHOD_CALL);
        g_assert_true(f->head.wants_reply);
        g_assert_cmpuint(f->head.size, ==, f->size + 1000);
        g_assert_cmpstr(f->head.sender, ==, ":1.42");
        g_assert_cmpuint(f->head.n_fds, ==, 0);
}

/* So is that no answer is wanted. */
FIXTURE_TEST(no_reply)
{
        f->data[2] = 1;
        end_fields(f);
        read_head(f, f->size);
        g_assert_false(f->head.wants_reply);
}

/* So are the descriptors, wherever among the fields their number stands. */
FIXTURE_TEST(descriptors)
{
        add_field(f, 9, 'u');
        add_number(f, 3);
        add_text(f, 3, 's', "Spawn");
        end_fields(f);
        read_head(f, f->size);
        g_assert_cmpuint(f->head.n_fds, ==, 3);
}

/* Too many descriptors are as many as there can be. */
FIXTURE_TEST(many_descriptors)
{
        add_field(f, 9, 'u');
        add_number(f, 4000000000u);
        end_fields(f);
        read_head(f, f->size);
        g_assert_cmpuint(f->head.n_fds, ==, MOST);
}

/* Where only a part of the fields is there, descriptors may come. */
FIXTURE_TEST(cut_off)
{
        end_fields(f);
        for (size_t size = MESSAGE_HEAD_SIZE; size + 8 < f->size; size++) {
                read_head(f, size);
                g_assert_cmpuint(f->head.n_fds, ==, MOST);
        }
        g_assert_false(message_head_read(f->data, MESSAGE_HEAD_SIZE - 1, MOST, &f->head));
}

/* A field of an unknown form may hide them. */
FIXTURE_TEST(unknown_form)
{
        add_field(f, 99, 'v');
        end_fields(f);
        read_head(f, f->size);
        g_assert_cmpuint(f->head.n_fds, ==, MOST);
}

/* Both orders of bytes are understood. */
FIXTURE_TEST(big_endian)
{
        static const uint8_t head[] = "B\1\0\1\0\0\2\0\0\0\0\1\0\0\0\10\11\1u\0\0\0\0\5";

        g_assert_true(message_head_read(head, sizeof head - 1, MOST, &f->head));
        g_assert_cmpuint(f->head.size, ==, 16 + 8 + 512);
        g_assert_cmpuint(f->head.n_fds, ==, 5);
}

/* Whatever the bytes are, none beyond them is read, and the answer has bounds. */
FIXTURE_TEST(nonsense)
{
        g_autoptr(GRand) random = g_rand_new_with_seed(7);

        for (unsigned i = 0; i < 100000; i++) {
                size_t size = (size_t) g_rand_int_range(random, MESSAGE_HEAD_SIZE, 100);
                for (size_t k = 0; k < size; k++)
                        f->data[k] = (uint8_t) g_rand_int_range(random, 0, i % 2 ? 256 : 12);
                f->data[15] = (uint8_t) g_rand_int_range(random, 0, 256);
                read_head(f, size);
                g_assert_cmpuint(f->head.n_fds, <=, MOST);
                g_assert_nonnull(memchr(f->head.sender, '\0', sizeof f->head.sender));
                g_assert_cmpuint(f->head.size, <=, 128u * 1024 * 1024);
        }
}
