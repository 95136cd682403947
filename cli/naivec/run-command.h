#pragma once

/* The command line of `run`, `create` and `exec`, checked and turned into a request to the service.
 * Knows no connection. Called by verbs/run.c and verbs/exec.c. */

#include "cli/lib/session.h"
#include "cli/lib/spawn-request.h"
#include "cli/naivec/more-flags.h"
#include "cli/naivec/spawn-flags.h"
#include "cli/naivec/standard-streams.h"

typedef struct {
        SpawnRequest request;
        CapDrop cap_drop;
        GPtrArray *file_variables; /* of --env-file */
        bool is_detached;
        DetachKeys detach_keys;
        bool is_host_usr;
        bool is_auto; /* the user namespace, unless a flag says more */
        StandardStreams streams;
        char *rootfs;          /* absolute; NULL for `exec` */
        const char *container; /* for `exec` */
        const char *const *argv;
} RunCommand;

const Flag *run_command_flags(Flag storage[SPAWN_FLAGS_SIZE]);
const Flag *run_command_create_flags(Flag storage[SPAWN_FLAGS_SIZE]);
const Flag *run_command_exec_flags(Flag storage[SPAWN_FLAGS_SIZE]);

/* False after a complaint or a help text; the exit status is then in the invocation. */
bool run_command_parse(RunCommand *command, Invocation *invocation);
bool run_command_parse_exec(RunCommand *command, Invocation *invocation);
void run_command_clear(RunCommand *command);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunCommand, run_command_clear)

/* For `run` and `exec` without --detach: the command gets our terminal or our stdio, and ends with
 * us. */
void run_command_attach(RunCommand *command);
bool run_command_has_terminal(const RunCommand *command);
/* How our terminal is attached to that of the command. */
TerminalOptions run_command_terminal_options(const RunCommand *command);

/* Complains, and returns false, if there are more fds than a bus message carries. */
bool run_command_check_fds(const RunCommand *command, Invocation *invocation);
