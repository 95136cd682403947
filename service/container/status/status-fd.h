#pragma once

/* What callers pass as StatusFD, as the service has it: a number, and a line for each step that it
 * hands to the teller of its user, which has the descriptor (teller.h). Nothing here waits,
 * whatever was passed. A teller that takes no more is given up: who reads then sees the end of the
 * file. Knows no container and no words. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/container/status/fd-keeper.h"
#include "service/spec/order.h"

typedef struct Tellers Tellers;
typedef struct StatusFd StatusFd;
typedef void (*StatusFdFunc)(void *data);

Tellers *tellers_new(const FdKeeper *keeper); /* borrows what is behind it */
/* Those whose socket is kept go on, with what was released to a successor. */
void tellers_free(Tellers *tellers);
/* Call this when status_fd_adopt() was called for all that goes on: closes what a predecessor's
 * tellers have beside. */
void tellers_sweep(Tellers *tellers);

/* Takes the StatusFD of an order whose owner is known; *ret is NULL if it has none. `number` is
 * nobody else's. Busy: too many tellers of this user are held up. */
bool status_fd_take(Tellers *tellers, Order *order, uint64_t number, StatusFd **ret,
                    GError **error);
/* That of a predecessor; NULL: nothing of this user's was kept. That there ever was one, the teller
 * alone knows. */
StatusFd *status_fd_adopt(Tellers *tellers, uid_t uid, uint64_t number);
/* Called once from the loop when nobody reads any more, if the order has WatchFD. */
void status_fd_watch(StatusFd *status, StatusFdFunc gone, void *data);
void status_fd_free(StatusFd *status);    /* closes it without another word; NULL is fine */
void status_fd_release(StatusFd *status); /* a successor goes on; NULL is fine */

/* Writes `line`, at most STATUS_LINE_MAX bytes, or has it kept until there is room. */
void status_fd_say(StatusFd *status, const char *line);
/* The last line: `status` is consumed. It is closed once the line is written, or there was no room
 * for it in STATUS_WAIT_MSEC. */
void status_fd_finish(StatusFd *status, const char *line);
