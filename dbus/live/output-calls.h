#pragma once

/* What the methods do that a container and a process in it have alike: Attach, OpenLog, ReadLog,
 * ResizeTerminal, and the checks of arguments. Each answers the message, or sets `error`. */

#include "dbus/server.h"

typedef struct OutputCall {
        Output *output;  /* borrowed, as is `of` */
        const char *of;  /* the container's id, for errors and the log */
        unsigned number; /* of the process that has joined it; 0: the container itself */
        uid_t owner;
        bool is_live; /* has a process */
} OutputCall;

bool output_call_attach(Server *server, const OutputCall *call, sd_bus_message *message,
                        GError **error);
bool output_call_open_log(Server *server, const OutputCall *call, sd_bus_message *message,
                          GError **error);
bool output_call_read_log(const OutputCall *call, sd_bus_message *message, GError **error);
bool output_call_resize(Output *output, sd_bus_message *message, GError **error);

bool call_bad_arguments(GError **error, int r); /* r: sd-bus's; returns false */
bool call_check_signal(int signal, GError **error);
