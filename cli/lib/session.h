#pragma once

/* One container watched to its end: the reply of Wait, the signals that naivec gets meanwhile, and
 * the terminal if there is one. The only loop of naivec. It learns the result from Wait's reply
 * alone. */

#include <stdbool.h>
#include <stdint.h>

#include "cli/lib/client.h"

/* Exit statuses of `run`, as in docker, podman and env(1). */
enum {
        EXIT_RUNTIME_FAILED = 125,
        EXIT_NOT_EXECUTABLE = 126,
        EXIT_NOT_FOUND = 127,
        EXIT_SIGNAL_BASE = 128,
};

typedef struct Session Session;

/* From here on signals wait for session_run(). `path` must outlive the session. */
Session *session_new(Client *client, const char *path);
/* Gives the terminal back, and the signals. */
void session_free(Session *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Session, session_free)

/* Signals go to the container's main process; otherwise they end the session. */
void session_forward_signals(Session *session);

typedef struct {
        bool is_read_only;
        bool has_detach_keys;
        bool sends_eof;
} TerminalOptions;

/* Attaches our stdin and stdout to the container's terminal. 0, or an exit status after a
 * complaint. */
int session_attach(Session *session, TerminalOptions options);

/* Sends Wait, then Start if `starts`, and returns the exit status: the container's, or one of ours.
 */
int session_run(Session *session, bool starts);

/* The exit status for a result as Wait gives it, and for an error. */
int session_status_of(const char *result, int code);
int session_status_of_error(const sd_bus_error *error);
