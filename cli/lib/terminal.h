#pragma once

/* The user's terminal: raw mode, its size, and the pump that carries bytes between it and a
 * container's terminal. The pump never blocks and owns no loop: a session polls for it. */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

typedef struct {
        int fd;
        bool is_raw;
        struct termios saved;
} RawMode;

/* Nothing happens where `fd` is no terminal. Entering twice is fine, and so is leaving twice. */
void raw_mode_enter(RawMode *mode, int fd);
void raw_mode_leave(RawMode *mode);

/* The size of the first terminal among stdin, stdout, stderr. */
bool terminal_size(unsigned short *ret_rows, unsigned short *ret_columns);

typedef struct {
        char data[16384];
        size_t start, end;
} Chunk;

typedef struct {
        int input;            /* ours, read; -1 once it ended */
        int output;           /* ours, written */
        int peer;             /* the socket of the container's terminal; -1 once it ended */
        bool has_detach_keys; /* Ctrl-P Ctrl-Q */
        bool sends_eof;       /* the end of a pipe on stdin becomes the terminal's Ctrl-D */
        bool has_sent_eof;
        bool input_is_tty, output_is_tty;
        bool is_paused;  /* nothing is read from our input yet */
        bool is_holding; /* a Ctrl-P that may begin the detach keys */
        bool has_detached, has_hung_up, has_lost_output;
        Chunk up, down;
} Pump;

enum { PUMP_FDS = 3 };

/* Takes over `peer`; -1 as input for a reader. pump_clear() closes what the pump opened. */
void pump_init(Pump *pump, int input, int output, int peer);
void pump_clear(Pump *pump);
void pump_prepare(const Pump *pump, struct pollfd fds[PUMP_FDS]);
void pump_dispatch(Pump *pump, const struct pollfd fds[PUMP_FDS]);
/* The container's side ended, and all that it wrote is out. */
bool pump_is_drained(const Pump *pump);
/* Types the Ctrl-D again: one that came while the line discipline changed its mode is lost. */
void pump_repeat_eof(Pump *pump);
/* Bytes wait for our output to take them. */
bool pump_has_output(const Pump *pump);
