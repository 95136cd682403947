#pragma once

/* What a container tells while it runs, beside its state. Plain data, for whoever listens to its
 * hooks. Numbers are sums, so that a notice that nobody could be told is made up for by the next
 * one. */

#include <stdint.h>

typedef enum NoticeKind {
        NOTICE_OUT_OF_MEMORY, /* the word: which limit; the number: kills so far */
        NOTICE_DENIED,        /* the word: the system call; the number: refusals so far */
        NOTICE_PRESSURE,      /* the word: the resource; the number: microseconds so far */
} NoticeKind;

typedef struct Notice {
        NoticeKind kind;
        const char *word;
        uint64_t number;
} Notice;
