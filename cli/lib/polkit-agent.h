#pragma once

/* `pkttyagent` as a child: it asks for passwords on the terminal. If a graphical agent serves the
 * session already, that agent asks instead, because of pkttyagent's option --fallback. Knows no
 * connection. Called by client.c when a call was refused because a password is needed. */

#include <stdbool.h>
#include <sys/types.h>

/* Whether an agent could help: root needs no password, and only a terminal on stdin can give one.
 */
bool polkit_agent_is_possible(void);

/* Starts the agent. Returns its pid once it has registered with polkit, or -errno. */
pid_t polkit_agent_start(void);
void polkit_agent_stop(pid_t pid); /* 0: does nothing */
