#pragma once

/* The service's program is what its child still is until exec: who runs as the host's root in a
 * container (UserNamespace=host) could have it executed there, as the interpreter of a script, and
 * overwrite it through /proc/self/exe (CVE-2019-5736). So root's service runs from a read-only
 * mount of its directory, that nobody can find or change. */

#include <glib.h>
#include <stdbool.h>

/* Executes itself anew from there, unless it does run read-only, or as an ordinary user, to whom
 * the program does not belong. Before anything else. */
bool own_program_protect(char **argv, GError **error);
