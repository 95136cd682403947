#include "service/spec/labels.h"

#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"

/* Of what the OCI recommends, in letters, digits and few signs: no "=", which parts key and value
 * on command lines. */
static bool is_key(const char *key)
{
        size_t length = strlen(key);

        if (length == 0 || length > LABEL_KEY_MAX || !g_ascii_isalnum(key[0]))
                return false;
        for (const char *c = key; *c; c++)
                if (!g_ascii_isalnum(*c) && !strchr("._-/", *c))
                        return false;
        return true;
}

bool labels_add(GPtrArray *list, const char *key, const char *value, GError **error)
{
        size_t bytes = strlen(key) + strlen(value);

        if (!is_key(key))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "Labels has a key that does not match "
                                 "[a-zA-Z0-9][a-zA-Z0-9._/-]{0,%u}",
                                 LABEL_KEY_MAX - 1);
        for (guint i = 0; i < list->len; i += 2) {
                if (strcmp(list->pdata[i], key) == 0)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "Labels has the key '%s' twice", key);
                bytes += strlen(list->pdata[i]) + strlen(list->pdata[i + 1]);
        }
        if (list->len == 2 * LABELS_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "Labels has more than the %u allowed", LABELS_MAX);
        if (bytes > LABELS_BYTES_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "Labels has more than the %u bytes allowed for all keys and "
                                 "values together",
                                 LABELS_BYTES_MAX);
        g_ptr_array_add(list, g_strdup(key));
        g_ptr_array_add(list, g_strdup(value));
        return true;
}

bool labels_have(char *const *labels, const char *wanted)
{
        const char *equals = strchr(wanted, '=');
        size_t length = equals ? (size_t) (equals - wanted) : strlen(wanted);

        for (; labels && *labels; labels += 2)
                if (strncmp(labels[0], wanted, length) == 0 && labels[0][length] == '\0')
                        return !equals || strcmp(labels[1], equals + 1) == 0;
        return false;
}
