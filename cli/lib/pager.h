#pragma once

/* Long output into a pager, as systemctl does: $NAIVEC_PAGER, $PAGER or less, on a terminal alone.
 */

#include "cli/naivec/invocation.h"

/* Prints `text`; through a pager where one is wanted. */
void pager_print(const Settings *settings, const char *text);
