#pragma once

/* The same service as a child of naivec, on one end of a socketpair: for machines without a system
 * bus and for users without a say there. It has exactly its caller's rights and ends with it. */

#include <sys/types.h>

/* Returns its pid and the connected socket, or -errno with *ret_program naming what did not start.
 */
pid_t embedded_start(int *ret_socket, const char **ret_program);

/* Call after the connection is closed: that is what tells the service to end its containers. */
void embedded_stop(pid_t pid);
