#pragma once

/* Reads single arguments of a message, whose sender may be hostile: types, lengths and counts are
 * checked, `what` names the argument in the error (InvalidArgs). Nothing read is kept of the
 * message. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* "cannot read WHAT: …" for a negative errno of sd-bus; returns false. */
bool arguments_malformed(GError **error, int r, const char *what);

/* `ay` (type 'a') or `s` (type 's') as a C string, owned. One NUL at the end is allowed, for GLib's
 * byte strings carry it. */
bool arguments_read_bytes(sd_bus_message *message, char type, const char *what, char **ret,
                          GError **error);
/* `as` or `aay` (element "s" or "ay"), in one block of memory to be freed by g_free(); at most
 * ARGV_BYTES_MAX bytes, pointers included. */
bool arguments_read_list(sd_bus_message *message, const char *element, const char *what,
                         char ***ret, GError **error);
bool arguments_read_uint64(sd_bus_message *message, const char *what, uint64_t *ret,
                           GError **error);
bool arguments_read_bool(sd_bus_message *message, const char *what, bool *ret, GError **error);
/* An `s` that is one of `words`, NULL-terminated; *ret is its place among them. */
bool arguments_read_word(sd_bus_message *message, const char *what, const char *const *words,
                         unsigned *ret, GError **error);
/* An `h`: borrowed, open as long as the message. */
bool arguments_read_fd(sd_bus_message *message, const char *what, int *ret, GError **error);

/* An `s`, an `ay` and an `aay`, as above; `ret` as a decoder of an option wants it. */
bool arguments_read_string(sd_bus_message *message, const char *what, char **ret, GError **error);
bool arguments_read_path(sd_bus_message *message, const char *what, char **ret, GError **error);
bool arguments_read_byte_strings(sd_bus_message *message, const char *what, char ***ret,
                                 GError **error);
