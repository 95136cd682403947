#pragma once

/* A JSON writer that keeps nothing but the text and its depth. The caller opens and closes in
 * order. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { JSON_OFF, JSON_SHORT, JSON_PRETTY } JsonMode;

typedef struct {
        GString *text;
        bool is_pretty;
        unsigned depth;
        bool has_sibling; /* a comma is due before the next value */
} Json;

void json_init(Json *json, bool is_pretty);
/* Hands over the text, with a final newline. */
char *json_finish(Json *json);

void json_open(Json *json, char bracket); /* '[' or '{' */
void json_close(Json *json, char bracket);
void json_key(Json *json, const char *key);

/* Bytes that are no UTF-8 become U+FFFD: JSON has no other way to say them. */
void json_string(Json *json, const char *value);
void json_unsigned(Json *json, uint64_t value);
void json_signed(Json *json, int64_t value);
void json_bool(Json *json, bool value);
