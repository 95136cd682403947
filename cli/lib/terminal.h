#pragma once

/* The user's terminal: its raw mode, its size, and the pump that carries bytes between it and a
 * container's terminal. The pump never blocks and has no loop: session.c polls for it. Knows no bus
 * and no container. Called by session.c; pager.c asks for the size. */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "cli/lib/session/keys.h"

typedef struct {
        int fd;
        bool is_raw;
        struct termios saved;
} RawMode;

/* May we read this terminal and change its mode? In the background of a shell, or under timeout(1),
 * a process that does so is stopped. True of what is no terminal. */
bool terminal_is_ours(int fd);

/* Does nothing if `fd` is no terminal, or not ours. May be called twice, as may raw_mode_leave().
 */
void raw_mode_enter(RawMode *mode, int fd);
void raw_mode_leave(RawMode *mode);

/* The size of the first terminal among stdin, stdout, stderr. */
bool terminal_size(unsigned short *ret_rows, unsigned short *ret_columns);

typedef struct {
        char data[16384];
        size_t start, end;
} Chunk;

typedef struct {
        int input;  /* read, our side; -1 once it has ended */
        int output; /* written, our side */
        int peer;   /* the socket of the container's terminal; -1 once it has ended */
        DetachKeys detach_keys;
        bool sends_eof; /* the end of a pipe on stdin becomes the terminal's Ctrl-D */
        bool has_sent_eof;
        bool input_is_tty, output_is_tty;
        bool is_paused;     /* reads nothing from our side yet */
        bool is_background; /* our terminal belongs to others: reads nothing from it */
        bool has_detached, has_hung_up, has_lost_output;
        Chunk up, down;
} Pump;

enum { PUMP_FDS = 3 };

/* Owns `peer` from here on. `input` -1: the user may only watch. pump_clear() closes all that the
 * pump has opened. */
void pump_init(Pump *pump, int input, int output, int peer);
void pump_clear(Pump *pump);
void pump_prepare(const Pump *pump, struct pollfd fds[PUMP_FDS]);
void pump_dispatch(Pump *pump, const struct pollfd fds[PUMP_FDS]);
/* The container's side has ended, and all its output is written. */
bool pump_is_drained(const Pump *pump);
/* Types Ctrl-D again. A Ctrl-D is lost if the container changes the mode of its terminal meanwhile.
 */
void pump_repeat_eof(Pump *pump);
/* Output of the container waits to be written on our side. */
bool pump_has_output(const Pump *pump);
