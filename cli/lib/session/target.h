#pragma once

/* The object on the bus that a session is about, a container or a process that has joined one, and
 * the calls to it. Knows no loop. Called by session.c. */

#include <stdbool.h>

#include "cli/lib/client.h"

typedef struct Target {
        Client *client;
        const char *path, *interface;
} Target;

int target_new_call(const Target *target, const char *member, sd_bus_message **ret);
/* Sent without asking for a reply: the object may go at any moment. */
void target_tell_signal(const Target *target, int signal);
void target_tell_size(const Target *target, unsigned short rows, unsigned short columns);
/* Lets it go on when we leave the bus. 0, and `on_reply` follows, or -errno. */
int target_unwatch(const Target *target, sd_bus_message_handler_t on_reply, void *data);
/* A socket to its terminal in *ret_fd. 0, or an exit status after a complaint. */
int target_attach(const Target *target, bool is_read_only, int *ret_fd);
