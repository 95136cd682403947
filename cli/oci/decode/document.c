#include "cli/oci/decode/document.h"

#include <errno.h>
#include <json-c/json_object.h>
#include <json-c/json_tokener.h>
#include <string.h>
#include <unistd.h>

#include "service/spec/error.h"

void document_free(json_object *document)
{
        json_object_put(document);
}

static bool refuse_at(const char *text, const char *at, const char *name, const char *what,
                      GError **error)
{
        unsigned line = 1;

        for (const char *p = text; p < at; p++)
                line += *p == '\n';
        return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s: line %u: %s", name, line, what);
}

/* Is the integer at `*p` one of 64 bits? Moves `*p` behind it. Fractions have no bound here: they
 * are refused wherever a number is wanted. */
static bool number_fits(const char **p)
{
        const char *digits = *p + (**p == '-');
        bool is_negative = **p == '-';
        char *end;

        errno = 0;
        guint64 value = g_ascii_strtoull(digits, &end, 10);
        *p = MAX(end, digits);
        if (**p == '.' || **p == 'e' || **p == 'E') {
                *p += strspn(*p, "0123456789.eE+-");
                return true;
        }
        return errno != ERANGE && !(is_negative && value > (guint64) G_MAXINT64 + 1);
}

/* Moves `*p` behind the string that begins there; false for a NUL in it, or an open end, which is
 * the parser's to tell. */
static bool string_has_no_nul(const char **p)
{
        for ((*p)++; **p && **p != '"'; (*p)++) {
                if (**p != '\\')
                        continue;
                (*p)++;
                if (!**p)
                        break;
                if (g_str_has_prefix(*p, "u0000"))
                        return false;
        }
        if (**p)
                (*p)++;
        return true;
}

/* What json-c does not tell. Strings and numbers are found without its help: outside of strings,
 * a digit stands in numbers alone, in any text that the parser takes. */
static bool scan(const char *text, const char *name, GError **error)
{
        for (const char *p = text; *p;) {
                const char *start = p;

                if (*p == '"') {
                        if (!string_has_no_nul(&p))
                                return refuse_at(text, start, name, "a string contains a NUL",
                                                 error);
                } else if (*p == '-' || g_ascii_isdigit(*p)) {
                        if (!number_fits(&p))
                                return refuse_at(text, start, name,
                                                 "the number has more than 64 bits", error);
                } else if (*p == '\'') { /* the parser takes it around a key, strict or not */
                        return refuse_at(text, start, name, "a string begins with '", error);
                } else {
                        p++;
                }
        }
        return true;
}

bool document_parse(const char *text, size_t length, const char *name, json_object **ret,
                    GError **error)
{
        if (length > DOCUMENT_SIZE_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s: longer than %u bytes",
                                 name, DOCUMENT_SIZE_MAX);
        if (strlen(text) != length)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s: contains a NUL byte",
                                 name);
        json_tokener *tokener = json_tokener_new_ex(DOCUMENT_DEPTH_MAX);
        if (!tokener)
                return error_set(error, RUNTIME_ERROR_NO_MEMORY, "%s: no memory", name);
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        g_autoptr(json_object) tree = json_tokener_parse_ex(tokener, text, (int) length);
        enum json_tokener_error result = json_tokener_get_error(tokener);
        size_t at = MIN(json_tokener_get_parse_end(tokener), length);
        json_tokener_free(tokener);

        if (result == json_tokener_continue)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s: the JSON has no end",
                                 name);
        if (result != json_tokener_success)
                return refuse_at(text, text + at, name, json_tokener_error_desc(result), error);
        if (!json_object_is_type(tree, json_type_object))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s: not a JSON object", name);
        if (!scan(text, name, error))
                return false;
        *ret = g_steal_pointer(&tree);
        return true;
}

bool document_read(int fd, const char *name, char **ret_text, size_t *ret_length, GError **error)
{
        g_autoptr(GString) text = g_string_new(NULL);
        char buffer[65536];
        ssize_t n;

        while ((n = TEMP_FAILURE_RETRY(read(fd, buffer, sizeof buffer))) > 0) {
                if (text->len + (size_t) n > DOCUMENT_SIZE_MAX)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "%s: longer than %u bytes", name, DOCUMENT_SIZE_MAX);
                g_string_append_len(text, buffer, n);
        }
        if (n < 0)
                return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, errno, "cannot read %s",
                                       name);
        *ret_length = text->len;
        *ret_text = g_string_free(g_steal_pointer(&text), FALSE);
        return true;
}
