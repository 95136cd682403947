#pragma once

/* What of its memory a copy of the service hands on to its own children. */

/* From now on each child gets only what it takes to walk through sandbox-child.c: the program,
 * libc, its loader, the stack, and what belongs to the one thread. Nothing of what the service has
 * handled, none of its libraries: they are not copied, and exec has less to take apart. If it
 * cannot be told what that is (a sanitizer takes part), a child gets all. */
void memory_hide_from_children(void);
