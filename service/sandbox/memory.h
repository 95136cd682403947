#pragma once

/* What of their memory the service and its maker hand on to their children. To copy all of it makes
 * up a good part of what it takes to clone, to write to it afterwards, and to exec in the child. If
 * it cannot be told what is what (a sanitizer takes part), a child gets all. */

#include <stdbool.h>

/* For the service, once: from now on no child gets the libraries that none of them calls. */
void memory_hide_libraries(void);

/* For the service, around the clone of one that walks through child/child.c, after the above: the
 * heap, with what it has handled. */
void memory_hide_heap(bool hidden);

/* For the maker: from now on each child gets only what it takes to walk through child/child.c:
 * the program, libc, its loader, the stack, and what belongs to the one thread. Nothing of what the
 * service has handled, none of its libraries. */
void memory_hide_from_children(void);
