#pragma once

/* Decodes a JSON object by a table: a row for each member that is known, with the function that
 * takes its value and the place that it goes to. Members without a row are ignored, as the OCI
 * demands, and null is as good as absent. An error names the path of its value
 * ("process.rlimits[2].soft"). Knows no config: the tables are in the files beside. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct json_object json_object;

typedef struct Decoder {
        GString *path; /* of the value that is looked at */
        GError **error;
} Decoder;

/* Objects in a list: an item of three bytes may become a struct of hundreds. */
#define DECODE_ITEMS_MAX 65536u

typedef struct DecodeField DecodeField;
typedef bool (*DecodeFunc)(Decoder *decoder, const DecodeField *field, json_object *value,
                           void *target);

struct DecodeField {
        const char *name;
        DecodeFunc decode;
        size_t offset;   /* of what it goes to */
        size_t n_offset; /* of the list's length */
        const void *of;  /* a DecodeObject, DecodeWords or DecodeRange */
};

typedef struct DecodeObject {
        const DecodeField *fields;
        size_t n;
        size_t size; /* of an item, in a list */
        /* The members were taken: judges them together. May be NULL. */
        bool (*finish)(Decoder *decoder, void *target);
} DecodeObject;

typedef struct DecodeWord {
        const char *word;
        uint64_t value;
} DecodeWord;

typedef struct DecodeWords {
        const DecodeWord *words;
        size_t n;
} DecodeWords;

typedef struct DecodeRange {
        int64_t least;
        uint64_t most;
} DecodeRange;

#define DECODE(json_name, function, type, member)                                                  \
        {                                                                                          \
                .name = json_name, .decode = function, .offset = offsetof(type, member)            \
        }
#define DECODE_AS(json_name, function, type, member, ...)                                          \
        {                                                                                          \
                .name = json_name, .decode = function, .offset = offsetof(type, member),           \
                .of = __VA_ARGS__                                                                  \
        }
/* Members that go to the same struct as their object's. */
#define DECODE_FLAT(json_name, object)                                                             \
        {                                                                                          \
                .name = json_name, .decode = decode_object, .of = object                           \
        }
#define DECODE_LIST(json_name, type, member, count, object)                                        \
        {                                                                                          \
                .name = json_name, .decode = decode_list, .offset = offsetof(type, member),        \
                .n_offset = offsetof(type, count), .of = object                                    \
        }
#define DECODE_NO(json_name)                                                                       \
        {                                                                                          \
                .name = json_name, .decode = decode_unsupported                                    \
        }
#define DECODE_MEMBERS(table) .fields = table, .n = G_N_ELEMENTS(table)
#define DECODE_WORDS(table)                                                                        \
        &(const DecodeWords)                                                                       \
        {                                                                                          \
                table, G_N_ELEMENTS(table)                                                         \
        }

/* Returns false, with an error that begins with the path. */
bool decode_fail(Decoder *decoder, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The same for a member of the value that is looked at. */
bool decode_fail_at(Decoder *decoder, const char *member, const char *format, ...)
        G_GNUC_PRINTF(3, 4);
/* The path goes on by ".name" or "[index]", and back to `length`. */
size_t decode_enter(Decoder *decoder, const char *name);
size_t decode_enter_index(Decoder *decoder, size_t index);
void decode_leave(Decoder *decoder, size_t length);

/* What DecodeFields name; the type of the target behind each. */
bool decode_object(Decoder *, const DecodeField *, json_object *, void *);
bool decode_list(Decoder *, const DecodeField *, json_object *, void *);    /* T * and size_t */
bool decode_string(Decoder *, const DecodeField *, json_object *, void *);  /* char * */
bool decode_strings(Decoder *, const DecodeField *, json_object *, void *); /* char ** */
bool decode_pairs(Decoder *, const DecodeField *, json_object *, void *);   /* OciPairs */
bool decode_bool(Decoder *, const DecodeField *, json_object *, void *);
bool decode_maybe_bool(Decoder *, const DecodeField *, json_object *, void *);     /* OciBool */
bool decode_maybe_signed(Decoder *, const DecodeField *, json_object *, void *);   /* OciSigned */
bool decode_maybe_unsigned(Decoder *, const DecodeField *, json_object *, void *); /* OciUnsigned */
bool decode_uint16(Decoder *, const DecodeField *, json_object *, void *);
bool decode_uint32(Decoder *, const DecodeField *, json_object *, void *);
bool decode_int64(Decoder *, const DecodeField *, json_object *, void *);
bool decode_uint64(Decoder *, const DecodeField *, json_object *, void *);
bool decode_word(Decoder *, const DecodeField *, json_object *, void *);      /* 32 bits */
bool decode_word_bits(Decoder *, const DecodeField *, json_object *, void *); /* list; 64 bits */
bool decode_ignored(Decoder *, const DecodeField *, json_object *, void *);
bool decode_unsupported(Decoder *, const DecodeField *, json_object *, void *);

bool decode_text(Decoder *decoder, json_object *value, const char **ret); /* borrowed */
bool decode_find_word(Decoder *decoder, const DecodeWords *words, json_object *value,
                      uint64_t *ret);
