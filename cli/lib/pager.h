#pragma once

/* Long output goes through a pager, as with systemctl: $NAIVEC_PAGER, else $PAGER, else less; but
 * only on a terminal. Owns the pager process; knows nothing of the text. Called by the verbs that
 * print lists. */

#include <stdbool.h>

/* Prints `text`; through a pager if the user `wants_pager` and the text is longer than the
 * terminal. */
void pager_print(const char *text, bool wants_pager);
