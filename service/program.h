#pragma once

/* The service's own program file, which its containers reach as /proc/self/exe until they execute
 * another: through a mount that nobody can write to. Called once, before all else. */

#include <glib.h>
#include <stdbool.h>

/* Executes the program anew if it runs from a mount that can be written to; does not return then.
 * For root only: nobody else could write to a file by it that is not its own anyway. */
bool program_protect(char **argv, GError **error);
