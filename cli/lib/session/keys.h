#pragma once

/* The keys by which a user leaves a terminal and lets the command go on (--detach-keys), and
 * whether they were typed. Knows no terminal. Called by terminal.c, and by the verbs that attach.
 */

#include <stdbool.h>
#include <stddef.h>

#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

enum { DETACH_KEYS_MAX = 16 };

typedef struct {
        char keys[DETACH_KEYS_MAX];
        size_t n;      /* 0: none, nothing detaches */
        size_t n_held; /* of them were typed, and are held back until the next key shows why */
} DetachKeys;

/* As podman and docker spell it: single characters, and ctrl- with a letter or one of @[\]^_,
 * joined by commas. "": none. */
bool detach_keys_parse(DetachKeys *keys, const char *text);
/* "Ctrl-P Ctrl-Q"; owned. */
char *detach_keys_describe(const DetachKeys *keys);

/* Takes a key that was typed. What is not held back is added at `to`, which has room for
 * DETACH_KEYS_MAX, and counted in *n. True: these were the keys. */
bool detach_keys_type(DetachKeys *keys, char key, char *to, size_t *n);
