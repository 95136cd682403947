#pragma once

/* What create.c and exec.c do alike with their child. */

#include "cli/oci/engine/build.h"
#include "service/sandbox/child/plan.h"

/* A pair of sockets; the child's end is neither 0, 1, 2 nor one that the process keeps. */
bool child_make_sockets(Build *build, int *ret_own, int *ret_theirs, GError **error);
/* Waits for the next report; 0: the end of the stream. */
ssize_t child_receive(int socket, SandboxReport *ret, int *ret_fd);
bool child_say(int sync_fd, char word);
/* Reads the next report: true if it is the one of that stage, of success. */
bool child_expect(EngineChild *child, const Build *build, SandboxStage stage, GError **error);
/* The child goes between, and ends: from now on it is the process that it has made. */
bool child_await_between(EngineChild *child, const Build *build, GError **error);
/* Once the child is known: what only its parent has the right to. */
bool child_set_oom_score(pid_t pid, const OciProcess *process, GError **error);
bool child_set_scheduling(pid_t pid, const OciProcess *process, GError **error);
bool child_raise_limits(pid_t pid, const OciProcess *process, GError **error);
bool child_hand_over_terminal(EngineChild *child, const char *console_socket, GError **error);
