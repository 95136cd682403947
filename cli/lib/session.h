#pragma once

/* Waits for the end of a container or of a process in one, in the only event loop on this side of
 * the bus. Meanwhile forwards the signals that the program gets, and carries bytes between the
 * user's terminal and the container's if there is one. The result is taken from the reply of Wait.
 * Called by `run`, `attach`, `exec` and naive-bwrap. */

#include <stdbool.h>
#include <stdint.h>

#include "cli/lib/client.h"
#include "cli/lib/session/keys.h"

/* Exit statuses of `run`, as in docker, podman and env(1). */
enum {
        EXIT_RUNTIME_FAILED = 125,
        EXIT_NOT_EXECUTABLE = 126,
        EXIT_NOT_FOUND = 127,
        EXIT_SIGNAL_BASE = 128,
};

typedef struct Session Session;

/* Of a container, or of a process that has joined one. Blocks the signals until session_run()
 * handles them. `path` and `interface` must outlive the session. */
Session *session_new(Client *client, const char *path, const char *interface);
/* Restores the terminal and the signal mask. */
void session_free(Session *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Session, session_free)

/* From now on signals go to the container's main process. Without this call they end the session.
 */
void session_forward_signals(Session *session);

typedef struct {
        bool is_read_only;
        bool is_watched; /* the command would end with us: to detach is to say that it goes on */
        bool sends_eof;
        DetachKeys detach_keys;
} TerminalOptions;

/* Attaches our stdin and stdout to the container's terminal, and says which keys detach. 0, or an
 * exit status after a complaint. */
int session_attach(Session *session, TerminalOptions options);

/* Sends Wait, and Start if `starts`. Returns the exit status once the container has ended or the
 * user has left. */
int session_run(Session *session, bool starts);

/* Once it has run: is the status how the command has ended? Else it says why there was no such end.
 */
bool session_has_result(const Session *session);

/* The exit status that stands for a result of Wait, or for an error of this name. */
int session_status_of(const char *result, int code);
int session_status_of_error(const char *name);
/* Says what an exit status alone does not tell apart. */
void session_explain(const char *result, int code);
