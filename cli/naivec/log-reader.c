#include "cli/naivec/log-reader.h"

#include "service/spec/limits.h"

/* Stop here, or a container that writes fast would keep us reading for ever. The service keeps
 * less, so all that was there at the beginning has been read by then. */
#define READ_BYTES_MAX (2 * (size_t) LOG_BYTES_MAX)

int log_read_available(Client *client, const char *path, uint64_t *offset, GString *text,
                       sd_bus_error *error)
{
        size_t start = text->len;

        while (text->len - start < READ_BYTES_MAX) {
                g_autoptr(sd_bus_message) reply = NULL;
                const void *data;
                size_t length;
                int r = client_call_container(client, path, "ReadLog", error, &reply, "tu", *offset,
                                              (uint32_t) LOG_BYTES_MAX);

                if (r < 0)
                        return r;
                r = sd_bus_message_read(reply, "t", offset);
                if (r >= 0)
                        r = sd_bus_message_read_array(reply, 'y', &data, &length);
                if (r < 0)
                        return sd_bus_error_set_errno(error, r);
                if (length == 0)
                        return 0;
                g_string_append_len(text, data, (gssize) length);
        }
        return 0;
}

size_t log_tail_start(const GString *text, uint64_t n)
{
        size_t i = text->len;

        if (n == 0)
                return text->len;
        /* A newline at the very end ends the last line; no line begins after it. */
        if (i > 0 && text->str[i - 1] == '\n')
                i--;
        for (; i > 0; i--)
                if (text->str[i - 1] == '\n' && --n == 0)
                        return i;
        return 0;
}
