#pragma once

/* Long output into a pager, as systemctl does: $NAIVEC_PAGER, $PAGER or less, on a terminal alone.
 */

#include <stdbool.h>

/* Prints `text`; through a pager if the user `wants_pager` and the text is longer than the
 * terminal. */
void pager_print(const char *text, bool wants_pager);
