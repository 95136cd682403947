#pragma once

/* Asks for passwords on the terminal: `pkttyagent` as a child while a call may need one. Where a
 * graphical agent serves the session already, --fallback lets that one ask. */

#include <stdbool.h>
#include <sys/types.h>

/* Whether an agent of ours could help: not for root, and only with a terminal on stdin. */
bool polkit_agent_is_possible(void);

/* Returns its pid once it is registered with polkit, or -errno. */
pid_t polkit_agent_start(void);
void polkit_agent_stop(pid_t pid); /* 0 is fine */
