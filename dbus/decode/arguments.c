#include "dbus/decode/arguments.h"

#include <errno.h>
#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/envelope.h"

bool arguments_malformed(GError **error, int r, const char *what)
{
        return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, -r, "cannot read %s", what);
}

/* A NUL inside would cut the string short behind its caller's back. */
bool arguments_read_bytes(sd_bus_message *message, char type, const char *what, char **ret,
                          GError **error)
{
        const void *bytes;
        size_t size;
        int r;

        if (type == 's') {
                const char *text;
                if ((r = sd_bus_message_read_basic(message, 's', &text)) < 0)
                        return arguments_malformed(error, r, what);
                *ret = g_strdup(text);
                return true;
        }
        if ((r = sd_bus_message_read_array(message, 'y', &bytes, &size)) < 0)
                return arguments_malformed(error, r, what);
        if (size > 0 && ((const char *) bytes)[size - 1] == '\0')
                size--;
        if (size > 0 && memchr(bytes, 0, size))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s contains a NUL byte", what);
        *ret = g_strndup(size ? bytes : "", size);
        return true;
}

/* `bytes`: n strings, each with its NUL. */
static char **make_list(const GByteArray *bytes, size_t n)
{
        char **list = g_malloc((n + 1) * sizeof *list + bytes->len);
        char *at = (char *) (list + n + 1);

        if (bytes->len > 0)
                memcpy(at, bytes->data, bytes->len);
        for (size_t i = 0; i < n; i++) {
                list[i] = at;
                at += strlen(at) + 1;
        }
        list[n] = NULL;
        return list;
}

/* Four million empty strings are read no further than the limit. A string of its own would take
 * four times the memory for each short one. */
bool arguments_read_list(sd_bus_message *message, const char *element, const char *what,
                         char ***ret, GError **error)
{
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        size_t n = 0;
        int r = sd_bus_message_enter_container(message, 'a', element);

        if (r < 0)
                return arguments_malformed(error, r, what);
        while ((r = sd_bus_message_at_end(message, false)) == 0) {
                g_autofree char *string = NULL;
                if (!arguments_read_bytes(message, strcmp(element, "s") == 0 ? 's' : 'a', what,
                                          &string, error))
                        return false;
                size_t size = strlen(string) + 1;
                if (bytes->len + size + ++n * sizeof(char *) > ARGV_BYTES_MAX)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "%s has more than the %u bytes that the kernel takes, "
                                         "a pointer for each string included",
                                         what, ARGV_BYTES_MAX);
                g_byte_array_append(bytes, (const guint8 *) string, (guint) size);
        }
        if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
                return arguments_malformed(error, r, what);
        *ret = make_list(bytes, n);
        return true;
}

bool arguments_read_uint64(sd_bus_message *message, const char *what, uint64_t *ret, GError **error)
{
        int r = sd_bus_message_read_basic(message, 't', ret);

        return r < 0 ? arguments_malformed(error, r, what) : true;
}

bool arguments_read_bool(sd_bus_message *message, const char *what, bool *ret, GError **error)
{
        int value, r = sd_bus_message_read_basic(message, 'b', &value);

        if (r < 0)
                return arguments_malformed(error, r, what);
        *ret = value;
        return true;
}

bool arguments_read_word(sd_bus_message *message, const char *what, const char *const *words,
                         unsigned *ret, GError **error)
{
        g_autofree char *word = NULL, *all = NULL;

        if (!arguments_read_bytes(message, 's', what, &word, error))
                return false;
        for (unsigned i = 0; words[i]; i++)
                if (strcmp(words[i], word) == 0) {
                        *ret = i;
                        return true;
                }
        all = g_strjoinv("', '", (char **) words);
        return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s is '%s', not one of '%s'", what,
                         word, all);
}

bool arguments_read_fd(sd_bus_message *message, const char *what, int *ret, GError **error)
{
        EnvelopeNote note;
        int r = sd_bus_message_read_basic(message, 'h', ret);

        /* The message holds an index into what came with it; many libraries send the index alone.
         */
        if (r == -EBADMSG)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "the descriptor of %s did not come with the message: does your "
                                 "D-Bus library pass file descriptors?",
                                 what);
        if (r < 0)
                return arguments_malformed(error, r, what);
        return !envelope_read(*ret, &note) || note.error != ENVELOPE_EMPTY ||
               error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                         "%s is lost: too many descriptors of yours wait to be closed", what);
}

bool arguments_read_string(sd_bus_message *message, const char *what, char **ret, GError **error)
{
        return arguments_read_bytes(message, 's', what, ret, error);
}

bool arguments_read_path(sd_bus_message *message, const char *what, char **ret, GError **error)
{
        return arguments_read_bytes(message, 'a', what, ret, error);
}

bool arguments_read_byte_strings(sd_bus_message *message, const char *what, char ***ret,
                                 GError **error)
{
        return arguments_read_list(message, "ay", what, ret, error);
}
