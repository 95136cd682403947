#include "cli/oci/decode/decoder.h"

#include <json-c/json_object.h>
#include <json-c/linkhash.h>
#include <string.h>

#include "cli/oci/spec/values.h"
#include "service/spec/error.h"

G_GNUC_PRINTF(3, 0)
static bool fail(Decoder *decoder, const char *member, const char *format, va_list args)
{
        g_autofree char *what = g_strdup_vprintf(format, args);

        return error_set(decoder->error, RUNTIME_ERROR_INVALID_ARGS, "%s%s%s: %s",
                         decoder->path->str, member && decoder->path->len ? "." : "",
                         member ? member : "", what);
}

bool decode_fail(Decoder *decoder, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        (void) fail(decoder, NULL, format, args);
        va_end(args);
        return false;
}

bool decode_fail_at(Decoder *decoder, const char *member, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        (void) fail(decoder, member, format, args);
        va_end(args);
        return false;
}

size_t decode_enter(Decoder *decoder, const char *name)
{
        size_t length = decoder->path->len;
        g_autofree char *escaped = g_strescape(name, NULL);

        g_string_append_printf(decoder->path, "%s%.256s", length > 0 ? "." : "", escaped);
        return length;
}

size_t decode_enter_index(Decoder *decoder, size_t index)
{
        size_t length = decoder->path->len;

        g_string_append_printf(decoder->path, "[%zu]", index);
        return length;
}

void decode_leave(Decoder *decoder, size_t length)
{
        g_string_truncate(decoder->path, length);
}

static bool expect(Decoder *decoder, json_object *value, enum json_type type, const char *what)
{
        return json_object_is_type(value, type) || decode_fail(decoder, "is not %s", what);
}

static bool decode_field(Decoder *decoder, const DecodeField *field, json_object *object,
                         void *target)
{
        json_object *value;

        if (!json_object_object_get_ex(object, field->name, &value) || !value)
                return true;
        size_t length = decode_enter(decoder, field->name);
        if (!field->decode(decoder, field, value, (char *) target + field->offset))
                return false;
        decode_leave(decoder, length);
        return true;
}

static bool decode_members(Decoder *decoder, const DecodeObject *of, json_object *value,
                           void *target)
{
        if (!expect(decoder, value, json_type_object, "an object"))
                return false;
        for (size_t i = 0; i < of->n; i++) {
                if (!decode_field(decoder, &of->fields[i], value, target))
                        return false;
        }
        return !of->finish || of->finish(decoder, target);
}

bool decode_object(Decoder *decoder, const DecodeField *field, json_object *value, void *target)
{
        return decode_members(decoder, field->of, value, target);
}

bool decode_list(Decoder *decoder, const DecodeField *field, json_object *value, void *target)
{
        const DecodeObject *of = field->of;
        size_t *n = (size_t *) (void *) ((char *) target - field->offset + field->n_offset);

        if (!expect(decoder, value, json_type_array, "a list"))
                return false;
        size_t length = json_object_array_length(value);
        if (length > DECODE_ITEMS_MAX)
                return decode_fail(decoder, "has more than %u items", DECODE_ITEMS_MAX);
        char *items = g_malloc0_n(MAX(length, 1), of->size);
        /* From here on its owner frees the list, whole or not: it is all zeros. */
        *(void **) target = items;
        *n = length;
        for (size_t i = 0; i < length; i++) {
                size_t back = decode_enter_index(decoder, i);

                if (!decode_members(decoder, of, json_object_array_get_idx(value, i),
                                    items + i * of->size))
                        return false;
                decode_leave(decoder, back);
        }
        return true;
}

bool decode_text(Decoder *decoder, json_object *value, const char **ret)
{
        if (!expect(decoder, value, json_type_string, "a string"))
                return false;
        *ret = json_object_get_string(value);
        return true;
}

bool decode_string(Decoder *decoder, const DecodeField *field, json_object *value, void *target)
{
        char **place = target;
        const char *text;

        if (!decode_text(decoder, value, &text))
                return false;
        *place = *text ? g_strdup(text) : NULL;
        return true;
}

bool decode_strings(Decoder *decoder, const DecodeField *field, json_object *value, void *target)
{
        g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
        char ***place = target;

        if (!expect(decoder, value, json_type_array, "a list"))
                return false;
        for (size_t i = 0; i < json_object_array_length(value); i++) {
                size_t back = decode_enter_index(decoder, i);
                const char *text;

                if (!decode_text(decoder, json_object_array_get_idx(value, i), &text))
                        return false;
                g_ptr_array_add(strings, g_strdup(text));
                decode_leave(decoder, back);
        }
        g_ptr_array_add(strings, NULL);
        g_strfreev(*place);
        *place = (char **) g_ptr_array_free(g_steal_pointer(&strings), FALSE);
        return true;
}

bool decode_pairs(Decoder *decoder, const DecodeField *field, json_object *value, void *target)
{
        OciPairs *pairs = target;

        if (!expect(decoder, value, json_type_object, "an object"))
                return false;
        pairs->items = g_new0(OciPair, (size_t) json_object_object_length(value) + 1);
        for (const struct lh_entry *entry = json_object_get_object(value)->head; entry;
             entry = entry->next) {
                const char *key = lh_entry_k(entry);
                json_object *member = (json_object *) lh_entry_v(entry);
                size_t back = decode_enter(decoder, key);
                const char *text;

                if (!*key)
                        return decode_fail(decoder, "a key is empty");
                if (!decode_text(decoder, member, &text))
                        return false;
                pairs->items[pairs->n++] = (OciPair){g_strdup(key), g_strdup(text)};
                decode_leave(decoder, back);
        }
        return true;
}

bool decode_ignored(Decoder *decoder, const DecodeField *field, json_object *value, void *target)
{
        return true;
}

bool decode_unsupported(Decoder *decoder, const DecodeField *field, json_object *value,
                        void *target)
{
        bool is_empty = (json_object_is_type(value, json_type_string) &&
                         json_object_get_string_len(value) == 0) ||
                        (json_object_is_type(value, json_type_array) &&
                         json_object_array_length(value) == 0) ||
                        (json_object_is_type(value, json_type_object) &&
                         json_object_object_length(value) == 0);

        return is_empty || decode_fail(decoder, "is not supported");
}
