#pragma once

/* Decides which of their memory the service and its maker hand on to their children. Copying all of
 * it would cost time three times: when the child is cloned, when the parent next writes to it, and
 * when the child execs. If the mappings cannot be told apart (a sanitizer takes part), a child gets
 * all.
 *
 * What it costs without (Linux 6.18, two processors, a client's Run and Wait; two services, with
 * and without, each on a bus of its own, asked in turn; medians of ratios): 17 to 23 % more time
 * where the service itself clones (PreparedSandboxes=0), of which the heap alone makes up some 12
 * and the libraries some 7; none where a sandbox waits, but each waiting sandbox then holds 230 KiB
 * (Pss) in place of 70. And it protects: no waiting sandbox holds what the service has handled for
 * others. */

#include <stdbool.h>

/* For the service, once: from now on no child gets the libraries that no child calls. */
void memory_hide_libraries(void);

/* For the service, before and after it clones a child that walks through child/child.c: hides the
 * heap, with all that the service has handled. Needs memory_hide_libraries() before. */
void memory_hide_heap(bool hidden);

/* For the maker: from now on each child gets only what it needs to walk through child/child.c: the
 * program, libc, the loader, the stack, and what belongs to the one thread. It gets nothing of what
 * the service has handled, and no other library. */
void memory_hide_from_children(void);
