#pragma once

/* Method calls that wait, a line for each client, and whose turn it is: of the users whose calls
 * wait, the one whose calls cost the service the least time lately, and of that user's clients each
 * in turn. A client is a stranger until it is known whose it is: its line waits. What waits is
 * bounded for each user (a stranger counts as a user of its own) and in all. Knows nothing of the
 * bus: a call is only kept and handed out. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "service/spec/credentials.h"

typedef struct CallQueue CallQueue;

CallQueue *call_queue_new(void);
void call_queue_free(CallQueue *queue);
bool call_queue_is_empty(const CallQueue *queue);
unsigned call_queue_n_due(const CallQueue *queue); /* users who are known, and whose calls wait */
/* From when on a call may be handed out: microseconds of the monotonic clock, UINT64_MAX: no call.
 * A user whose calls have cost much lately rests after each, while there are others to be served.
 */
uint64_t call_queue_due_at(const CallQueue *queue);

bool call_queue_is_full(const CallQueue *queue, uid_t uid); /* so many calls of the user wait */

/* Keeps a reference to `message`, of `size` bytes. False: there is no room for it. Its sender is a
 * stranger if `caller` is NULL, and then for all its calls until call_queue_meet(). `usec`: the
 * time that taking it has cost so far. */
bool call_queue_push(CallQueue *queue, sd_bus_message *message, const Credentials *caller,
                     size_t size, uint64_t usec);

/* A call that leaves the queue without having been served. */
typedef void (*CallQueueFunc)(sd_bus_message *message, void *data);
/* It is known who the stranger is: the calls for which that user has no room go to `refused`. */
void call_queue_meet(CallQueue *queue, const char *sender, const Credentials *caller,
                     CallQueueFunc refused, void *data);
/* The sender's calls go; `function` may be NULL. */
void call_queue_drop(CallQueue *queue, const char *sender, CallQueueFunc function, void *data);
void call_queue_drop_all(CallQueue *queue, CallQueueFunc function, void *data);

/* The call whose turn it is, a reference of the caller's own, and the user to be charged for it.
 * NULL: no call is due. */
sd_bus_message *call_queue_next(CallQueue *queue, uid_t *ret_uid);
void call_queue_charge(CallQueue *queue, uid_t uid, uint64_t usec);
