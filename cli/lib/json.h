#pragma once

/* Writes JSON. Owns the text; knows no more of its structure than the depth, so the caller has to
 * close what it opens, in order. Called by table.c and properties.c, and by verbs that print a
 * single object. */

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

/* Invalid UTF-8 becomes U+FFFD, for JSON cannot express it. */
void json_string(Json *json, const char *value);
void json_unsigned(Json *json, uint64_t value);
void json_signed(Json *json, int64_t value);
void json_bool(Json *json, bool value);
