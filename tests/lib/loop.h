#pragma once

/* Runs the default main context until something has happened. */

#include <stdbool.h>

/* Until *counter >= target; false if that takes longer than `msec`. */
bool loop_until(const unsigned *counter, unsigned target, unsigned msec);

/* Runs the context for `msec`. */
void loop_for(unsigned msec);

/* Until nothing is to be done. From then on the context has the fd that is its own. */
void loop_settle(void);
