#pragma once

/* What the receiver (receiver.h) holds of callers' descriptors, a letter for each message, and the
 * processes that let go of them: whatever a close waits for, it is such a process that waits. They
 * are counted, and so is what a user makes the receiver hold. Knows nothing of the bus, nor of
 * envelopes. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/spec/limits.h"

/* Senders that left before it was known who they are: each has one closer. */
#define CLOSING_STRANGERS_MAX 64u

/* The number of a letter's part is in the lower bits of the part's address as events have it. */
#define LETTER_ALIGN 256u

typedef struct User User;

/* The descriptors of one message. */
typedef struct Letter {
        struct Letter *next, **at; /* in a list; `at`: what points at it */
        User *holder;              /* on whose account it is held */
        uint64_t stranger;         /* whose it is, until the uid is known; 0: it is known */
        uid_t uid;
        unsigned n, n_open; /* n_open: of those in envelopes that somebody still has */
        struct {
                int fd, end; /* end: see envelope_make() */
        } parts[SPAWN_FDS_MAX];
} Letter;
_Static_assert(sizeof(Letter) <= LETTER_ALIGN, "a letter fits in");

typedef struct Letters {
        Letter *first, **last;
} Letters;

void letters_append(Letters *letters, Letter *letter);
void letters_take_out(Letters *letters, Letter *letter);

/* Whose letters are held, are being closed, or are to be. */
struct User {
        uid_t uid;
        uint64_t stranger; /* whose uid nobody can tell any more; 0: `uid` is it */
        unsigned n_fds, n_closers;
        Letters waiting;
};

typedef struct Closer {
        int socket; /* to it; -1: there is none */
        User *user; /* NULL: it waits for work */
} Closer;

typedef struct Closers {
        int epoll;
        Letters free;
        unsigned n_fds, fds_max;    /* that are held */
        unsigned n_closers, n_idle; /* n_idle: of them, 0 or 1 */
        Closer closers[CLOSERS_MAX];
        User users[CLOSERS_MAX + 1],
                strangers[CLOSING_STRANGERS_MAX + 1]; /* the last: all others */
        User unknown;                                 /* holds only */
        User droppers;                                /* has closers only */
        char *dropped; /* what was read last; shared with the processes */
        bool has_waiting;
} Closers;

/* `fds_max`: how many may be held. Events that are watched have the number of a closer, from 1 on.
 */
bool closers_begin(Closers *closers, int epoll, unsigned fds_max);
bool closers_watch(const Closers *closers, int fd, uint64_t data);

/* Whether a message of that user still finds room. uid -1: it is not known yet whose it is. */
bool closers_have_room(Closers *closers, uid_t uid);
/* NULL: no memory. It holds nothing until closers_hold(). */
Letter *closers_new_letter(Closers *closers);
void closers_hold(Closers *closers, Letter *letter);
/* Of no further use to anybody: it is closed as soon as it is its user's turn. */
void closers_close(Closers *closers, Letter *letter);

/* Reads from the bus's socket, but what descriptors come along: there is no room for them, so the
 * kernel lets go of them. Returns how much was read, 0 if there is no process that could do so, or
 * -errno. */
int closers_drop(Closers *closers, int bus, char *data, size_t size);

void closers_on_event(Closers *closers, uint64_t number);
/* Between events; true: there is more to be done, but not now. */
bool closers_turn(Closers *closers);
bool closers_are_idle(const Closers *closers); /* nothing is held, and nobody is at work */
