#pragma once

/* What the beginning of a message, as it lies in the socket, tells of it before it is read: sd-bus
 * tells neither later. The bus has checked the message, but nothing here relies on that. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_HEAD_SIZE 16u /* so much is needed */

typedef struct MessageHead {
        uint8_t type; /* as by sd_bus_message_get_type() */
        bool wants_reply;
        size_t size; /* in bytes, all of it */
        unsigned n_fds;
        char sender[256]; /* empty: none, or it does not stand in `data` */
} MessageHead;

/* `data`: the first `size` bytes, or fewer than MESSAGE_HEAD_SIZE: then false. If they end before
 * it is clear whether the message brings descriptors, it is taken to bring `most_fds`. */
bool message_head_read(const uint8_t *data, size_t size, unsigned most_fds, MessageHead *ret);
