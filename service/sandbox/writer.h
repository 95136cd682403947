#pragma once

/* Writes a plan into the memory that both halves of a launch share, with the child's addresses in
 * it. For the files that compile a plan. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Writer {
        char *at;
        size_t left;
        uintptr_t shift; /* from our addresses to the child's */
} Writer;

static inline void *theirs(const Writer *writer, void *place)
{
        return (void *) ((uintptr_t) place + writer->shift);
}

/* NULL: there is no room left. */
static inline void *reserve(Writer *writer, size_t size)
{
        void *place = writer->at;

        size = (size + 7) & ~(size_t) 7;
        if (size > writer->left)
                return NULL;
        writer->at += size;
        writer->left -= size;
        return place;
}

static inline bool write_bytes(Writer *writer, const void *bytes, size_t size, void *ret)
{
        void *copy = reserve(writer, size);

        if (!copy)
                return false;
        if (size > 0)
                memcpy(copy, bytes, size);
        *(void **) ret = theirs(writer, copy);
        return true;
}

static inline bool write_string(Writer *writer, const char *text, const char **ret)
{
        return write_bytes(writer, text, strlen(text) + 1, ret);
}
