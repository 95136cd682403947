#pragma once

/* What reaches the user's eyes: messages to stderr, and escapes in everything that others wrote.
 * Hiding text with escape sequences is an old trick (CVE-2023-28101), so nothing foreign is printed
 * raw but a container's own output. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A printable copy: control characters, text direction marks and broken UTF-8 become \xNN or
 * \uNNNN. Newlines and tabs stay where `keeps_lines` says so. */
char *text_escape(const char *text);
char *text_escape_bytes(const char *bytes, size_t length, bool keeps_lines);

/* Microseconds of CLOCK_REALTIME in words, "-" for 0. */
char *text_time(uint64_t usec);
/* A number of bytes in words, "infinity" for UINT64_MAX. */
char *text_size(uint64_t bytes);

/* `PROGRAM: …` (as by g_set_prgname()), escaped, to stderr. hint() is for what helps to go on, and
 * is silent under --quiet. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void hint(const char *format, ...) __attribute__((format(printf, 1, 2)));
void hints_silence(void);
