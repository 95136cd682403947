#pragma once

/* Asks polkit whether a caller may do what it asks for, without ever blocking. It owns its pending
 * questions and a reference to the bus; it knows nothing of containers, and decides nothing by
 * itself. Whatever is not a clear yes is a no: an error, a time-out, a malformed or contradictory
 * answer. */

#include "service/spec/error.h"

#include <stdint.h>
#include <systemd/sd-bus.h>

typedef struct Authority Authority;
typedef struct AuthorityQuery AuthorityQuery;

typedef struct AuthorityRequest {
        const char *sender; /* unique bus name of the caller, as the bus daemon told it */
        const char *action;
        const char *const *details; /* key, value, key, value, NULL; or NULL. Values in any bytes */
        bool interactive;           /* the caller allows a prompt */
} AuthorityRequest;

/* The answer: NULL for authorized, otherwise (borrowed) ACCESS_DENIED,
 * INTERACTIVE_AUTHORIZATION_REQUIRED or AUTHORIZATION_UNAVAILABLE. The query is freed already: do
 * not cancel it. Whatever the callback does is allowed, authority_free() included. */
typedef void (*AuthorityFunc)(GError *error, void *data);

/* `bus` has to be served by a BusSource. `timeout_usec` (not 0) is the time a person has for an
 * answer; a question without a prompt has at most 25 seconds of it. */
Authority *authority_new(sd_bus *bus, uint64_t timeout_usec);

/* Cancels every pending query: no callback comes, pointers to queries are dead. NULL is fine. */
void authority_free(Authority *authority);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Authority, authority_free)

/* Asks. The request is copied; every detail's value passes through authority_escape(), and
 * the characters of markup in it (less, greater, ampersand) become \xNN as well. `func` is
 * called exactly once, from the main loop (failures to send: from the thread-default main context),
 * never from inside this call, unless the query is cancelled before. Never returns NULL. */
AuthorityQuery *authority_check(Authority *authority, const AuthorityRequest *request,
                                AuthorityFunc func, void *data);

/* Frees a pending query without calling back, and has polkit take its prompt off the screen. NULL
 * is fine. */
void authority_query_cancel(AuthorityQuery *query);

/* Any bytes as printable UTF-8 for a prompt, a log or a list: control and invisible characters,
 * those that change the direction of text, invalid bytes and the backslash become \xNN, \u{NNNN}
 * and \\, so that different texts stay different. At most AUTHORITY_TEXT_MAX bytes; what is cut off
 * ends in an ellipsis. */
#define AUTHORITY_TEXT_MAX 4096u
char *authority_escape(const char *bytes);
