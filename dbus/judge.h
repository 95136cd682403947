#pragma once

/* Brings a call of an object that belongs to a container to its handler, once the caller may make
 * it: at once for those who need no permission, else when polkit has said yes. */

#include "dbus/server.h"

typedef struct JudgedCall {
        const char *interface;
        uid_t owner; /* of the container */
        const char *id;
        const char *command_line;       /* for the question; NULL: "" */
        sd_bus_message_handler_t again; /* what led here, for a call that waits for its turn */
        sd_bus_message_handler_t call;  /* the handler; it looks for the object anew */
} JudgedCall;

int judge_call(Server *server, sd_bus_message *message, const JudgedCall *call,
               sd_bus_error *ret_error);
/* "Unknown object", in the words of sd-bus: a stranger is answered so, whatever there is. */
int judge_unknown(sd_bus_message *message, sd_bus_error *ret_error);
