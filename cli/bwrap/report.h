#pragma once

/* What --info-fd and --json-status-fd are told, in bubblewrap's words. Knows no bus. Called by
 * naive-bwrap.c. */

#include <stdbool.h>
#include <sys/types.h>

/* The command's pid on the host, and its namespaces as far as the caller may see them. False: `fd`
 * cannot be written. */
bool report_child(int fd, pid_t pid, bool in_lines);
void report_exit(int fd, int status);
