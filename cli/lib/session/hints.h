#pragma once

/* What the user could do about an error that came over the bus. Links with libc alone. Called by
 * client.c, and by the lean client. */

#define CONNECTION_LOST "the connection to the bus was lost"

void hints_of_error(const char *name);
