#pragma once

/* What is kept of a container in the state directory: of a live one, so that the next service can
 * take it over; of a stopped one, so that its result and output can be read after the service has
 * exited when idle: <serial>.conf, a GLib key file (its escapes keep a caller's text on its line),
 * and <serial>.log. Temporary files are renamed into place. */

#include <glib.h>
#include <stdbool.h>

#include "service/container/info.h"
#include "service/container/output-log.h"

/* `log` NULL: the file of the log stays as it is. */
bool record_save(int dirfd, const ContainerInfo *info, const OutputLog *log, GError **error);
bool record_save_log(int dirfd, uint64_t serial, const OutputLog *log, GError **error);
void record_delete(int dirfd, uint64_t serial);
void record_delete_log(int dirfd, uint64_t serial);

/* Calls back with each record, whose `info` the callee takes over. A container that lived in
 * another boot is stopped, with a result that is unknown. A record of the version before is read as
 * well, and written anew. What is malformed or of any other version is set aside as <name>.bad and
 * told of on the log; its output is deleted, for nobody is known to own it. What a service that
 * was killed has left half-written goes, too. Returns the highest
 * serial in the name of any file, or 0: a new container with a serial that a file has could get the
 * output of another. */
typedef void (*RecordFunc)(ContainerInfo *info, void *data);
uint64_t record_load_all(int dirfd, RecordFunc function, void *data);

bool record_has_log(int dirfd, uint64_t serial); /* damaged or not */
bool record_load_log(int dirfd, uint64_t serial, OutputLog *log, GError **error);
