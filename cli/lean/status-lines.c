#include "cli/lean/status-lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/util/fd.h"

bool status_lines_open(StatusLines *lines, int *ret_writer)
{
        int ends[2];

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return false;
        memset(lines, 0, sizeof *lines);
        lines->fd = ends[0];
        *ret_writer = ends[1];
        return true;
}

void status_lines_close(StatusLines *lines)
{
        fd_clear(&lines->fd);
}

static const char *find_value(const char *line, const char *key)
{
        const char *found = strstr(line, key);

        return found ? found + strlen(key) : NULL;
}

/* No word in the lines is escaped. One that does not fit is none. */
static void take_word(const char *line, const char *key, char *ret, size_t size)
{
        const char *word = find_value(line, key);
        size_t length = word ? strcspn(word, "\"") : 0;

        if (length >= size)
                return;
        if (word)
                memcpy(ret, word, length);
        ret[length] = '\0';
}

static int number_of(const char *line, const char *key)
{
        const char *digits = find_value(line, key);

        return digits ? (int) strtol(digits, NULL, 10) : 0;
}

void status_lines_take(StatusLines *lines, const char *line)
{
        if (strstr(line, "\"state\":\"running\"")) {
                take_word(line, "\"path\":\"", lines->path, sizeof lines->path);
                lines->pid = number_of(line, "\"pid\":");
        } else if (strstr(line, "\"state\":\"stopped\"")) {
                take_word(line, "\"result\":\"", lines->result, sizeof lines->result);
                lines->code = number_of(line, "\"code\":");
        }
}

static void take_all(StatusLines *lines)
{
        char *line = lines->unread, *end;

        while ((end = memchr(line, '\n', lines->n_unread))) {
                *end = '\0';
                status_lines_take(lines, line);
                lines->n_unread -= (size_t) (end + 1 - line);
                line = end + 1;
        }
        memmove(lines->unread, line, lines->n_unread);
}

void status_lines_read(StatusLines *lines)
{
        size_t room = sizeof lines->unread - lines->n_unread;
        ssize_t n = read(lines->fd, lines->unread + lines->n_unread, room);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) { /* or a line that is longer than any */
                status_lines_close(lines);
                return;
        }
        lines->n_unread += (size_t) n;
        take_all(lines);
}
