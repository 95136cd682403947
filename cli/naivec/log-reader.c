#include "cli/naivec/log-reader.h"

#include <errno.h>

#include "service/spec/limits.h"

int log_read(Client *client, const char *path, uint64_t *offset, LogPart *ret, sd_bus_error *error)
{
        g_autoptr(sd_bus_message) reply = NULL;
        const void *data;
        uint64_t next;
        size_t length;
        int r = client_call_container(client, path, "ReadLog", error, &reply, "tu", *offset,
                                      (uint32_t) LOG_BYTES_MAX);

        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "t", &next);
        if (r >= 0)
                r = sd_bus_message_read_array(reply, 'y', &data, &length);
        if (r >= 0 && (next < length || next - length < *offset))
                r = -EBADMSG;
        if (r < 0)
                return sd_bus_error_set_errno(error, r);
        *ret = (LogPart){
                .text = g_string_new_len(data, (gssize) length),
                .n_missed = next - length - *offset,
        };
        *offset = next;
        return 0;
}

void log_part_clear(LogPart *part)
{
        if (part->text)
                g_string_free(part->text, TRUE);
        *part = (LogPart){0};
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
