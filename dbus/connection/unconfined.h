#pragma once

/* Has who has connected all that its uid may have? Rights by uid say nothing of a filter, of
 * Landlock, of a label or of a mount namespace: who is confined by these must get nothing from the
 * service by its uid alone. It is told by the kernel's word of the process that the bus names, and
 * only takes away: what is not known counts as confined. Knows no request; dbus/spawn.c asks. */

#include <stdbool.h>

#include "service/spec/credentials.h"

/* True: each thread of the process has the caller's ids and groups, the mount and user namespace
 * and the root directory of the service, no label, no filter, and may still gain rights by
 * exec, which Landlock takes from whoever is not root of something. A process of very many threads
 * is not looked through. */
bool caller_is_unconfined(const Credentials *caller);

/* Does a security module's label confine nobody? */
bool label_is_unconfined(const char *label);

/* Who the process is, for those who are asked: each is owned, "" where it is not known. */
typedef struct CallerWords {
        char *executable, *unit, *label;
} CallerWords;
void caller_describe(const Credentials *caller, CallerWords *ret);
void caller_words_clear(CallerWords *words);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CallerWords, caller_words_clear)
