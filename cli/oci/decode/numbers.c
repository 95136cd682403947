/* Numbers, truth and words of the decoder. */

#include <json-c/json_object.h>

#include "cli/oci/decode/decoder.h"
#include "cli/oci/spec/values.h"

/* The number, as 64 bits of whichever sign. */
static bool decode_number(Decoder *decoder, const DecodeField *field, json_object *value,
                          DecodeRange range, uint64_t *ret)
{
        const DecodeRange *narrower = field->of;

        if (!json_object_is_type(value, json_type_int))
                return decode_fail(decoder, "is not an integer");
        if (narrower)
                range = *narrower;
        int64_t as_signed = json_object_get_int64(value);
        uint64_t as_unsigned = json_object_get_uint64(value);
        bool is_negative = as_signed < 0;

        if ((is_negative && as_signed < range.least) ||
            (!is_negative && as_unsigned > range.most) ||
            (!is_negative && range.least > 0 && as_unsigned < (uint64_t) range.least))
                return decode_fail(decoder, "%s is not within %" PRId64 " and %" PRIu64,
                                   json_object_to_json_string(value), range.least, range.most);
        *ret = is_negative ? (uint64_t) as_signed : as_unsigned;
        return true;
}

/* A function for numbers of one type. */
#define DECODE_NUMBER(name, type, least, most)                                                     \
        bool decode_##name(Decoder *decoder, const DecodeField *field, json_object *value,         \
                           void *target)                                                           \
        {                                                                                          \
                uint64_t number;                                                                   \
                                                                                                   \
                if (!decode_number(decoder, field, value, (DecodeRange){least, most}, &number))    \
                        return false;                                                              \
                *(type *) target = (type) number;                                                  \
                return true;                                                                       \
        }

DECODE_NUMBER(uint16, uint16_t, 0, UINT16_MAX)
DECODE_NUMBER(uint32, uint32_t, 0, UINT32_MAX)
DECODE_NUMBER(int64, int64_t, INT64_MIN, INT64_MAX)
DECODE_NUMBER(uint64, uint64_t, 0, UINT64_MAX)

bool decode_maybe_signed(Decoder *decoder, const DecodeField *field, json_object *value,
                         void *target)
{
        OciSigned *number = target;

        number->is_given = true;
        return decode_int64(decoder, field, value, &number->value);
}

bool decode_maybe_unsigned(Decoder *decoder, const DecodeField *field, json_object *value,
                           void *target)
{
        OciUnsigned *number = target;

        number->is_given = true;
        return decode_uint64(decoder, field, value, &number->value);
}

bool decode_bool(Decoder *decoder, const DecodeField *field, json_object *value, void *target)
{
        if (!json_object_is_type(value, json_type_boolean))
                return decode_fail(decoder, "is neither true nor false");
        *(bool *) target = json_object_get_boolean(value);
        return true;
}

bool decode_maybe_bool(Decoder *decoder, const DecodeField *field, json_object *value, void *target)
{
        OciBool *truth = target;

        truth->is_given = true;
        return decode_bool(decoder, field, value, &truth->value);
}

bool decode_find_word(Decoder *decoder, const DecodeWords *words, json_object *value, uint64_t *ret)
{
        const char *text;

        if (!decode_text(decoder, value, &text))
                return false;
        for (size_t i = 0; i < words->n; i++) {
                if (g_str_equal(words->words[i].word, text)) {
                        *ret = words->words[i].value;
                        return true;
                }
        }
        g_autofree char *escaped = g_strescape(text, NULL);
        return decode_fail(decoder, "\"%.256s\" is not supported", escaped);
}

bool decode_word(Decoder *decoder, const DecodeField *field, json_object *value, void *target)
{
        uint64_t number;

        if (!decode_find_word(decoder, field->of, value, &number))
                return false;
        *(uint32_t *) target = (uint32_t) number;
        return true;
}

bool decode_word_bits(Decoder *decoder, const DecodeField *field, json_object *value, void *target)
{
        uint64_t bits = 0, bit;

        if (!json_object_is_type(value, json_type_array))
                return decode_fail(decoder, "is not a list");
        for (size_t i = 0; i < json_object_array_length(value); i++) {
                size_t back = decode_enter_index(decoder, i);

                if (!decode_find_word(decoder, field->of, json_object_array_get_idx(value, i),
                                      &bit))
                        return false;
                bits |= bit;
                decode_leave(decoder, back);
        }
        *(uint64_t *) target = bits;
        return true;
}
