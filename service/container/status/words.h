#pragma once

/* The lines of JSON that a StatusFD is told. No word in them has to be escaped: ids and paths have
 * letters, digits and "_.-/" alone. Owned; each ends with a newline, and has STATUS_LINE_MAX bytes
 * at most. */

#include "service/container/info.h"

char *status_words_created(void);
/* `path`: of the object on the bus, for the reader alone. */
char *status_words_running(const char *path, const char *id, pid_t pid);
char *status_words_stopped(ContainerResult result, int code, LimitHit limit_hit,
                           const CgroupUsage *usage);
