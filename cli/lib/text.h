#pragma once

/* Text for the user: messages on stderr, times and sizes in words, and escapes in all text that
 * others have written. Escape sequences can hide text on a terminal (CVE-2023-28101), so only the
 * output of one's own containers is printed as it is. Called by everything that prints. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A printable copy: control characters, text direction marks and invalid UTF-8 become \xNN or
 * \uNNNN. With `keeps_lines`, newlines and tabs stay. */
char *text_escape(const char *text);
char *text_escape_bytes(const char *bytes, size_t length, bool keeps_lines);

/* Microseconds of CLOCK_REALTIME in words, "-" for 0. */
char *text_time(uint64_t usec);
/* A number of bytes in words, "infinity" for UINT64_MAX. */
char *text_size(uint64_t bytes);

/* Prints a message to stderr, escaped: complain() what went wrong, behind the program's name
 * (g_set_prgname()); hint() what the user could do about it, unless --quiet is given. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void hint(const char *format, ...) __attribute__((format(printf, 1, 2)));
void hints_silence(void);
