#include "cli/bwrap/content.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/spec/limits.h"
#include "service/util/fd.h"

char *content_read(int fd, size_t max, GBytes **ret)
{
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        guint8 piece[16384];
        ssize_t n;

        while ((n = read(fd, piece, sizeof piece)) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return g_strdup_printf("cannot read file descriptor %d: %s", fd,
                                               g_strerror(errno));
                if (bytes->len + (size_t) n > max)
                        return g_strdup_printf("file descriptor %d has more than %zu bytes", fd,
                                               max);
                g_byte_array_append(bytes, piece, (guint) n);
        }
        close(fd);
        *ret = g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
        return NULL;
}

char *content_read_words(int fd, unsigned max, char ***ret)
{
        g_autoptr(GBytes) bytes = NULL;
        g_autoptr(GStrvBuilder) words = g_strv_builder_new();
        char *wrong = content_read(fd, ARGV_BYTES_MAX, &bytes);
        size_t left;

        if (wrong)
                return wrong;
        const char *at = g_bytes_get_data(bytes, &left);
        for (unsigned n = 0; left > 0; n++) {
                size_t length = strnlen(at, left), used = MIN(length + 1, left);
                g_autofree char *word = g_strndup(at, length);

                if (n == max)
                        return g_strdup_printf("more than %u arguments", max);
                g_strv_builder_add(words, word);
                at += used;
                left -= used;
        }
        *ret = g_strv_builder_end(words);
        return NULL;
}

/* A path, for a descriptor would be looked up with whose rights? The service looks it up with ours
 * once more. */
char *content_find_path(int fd, char **ret)
{
        g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
        g_autofree char *path = g_file_read_link(link, NULL);
        struct stat open, found;

        if (fstat(fd, &open) < 0)
                return g_strdup_printf("file descriptor %d: %s", fd, g_strerror(errno));
        if (!path || *path != '/' || stat(path, &found) < 0 || open.st_dev != found.st_dev ||
            open.st_ino != found.st_ino)
                return g_strdup_printf("file descriptor %d: what it has open has no path", fd);
        close(fd);
        *ret = g_steal_pointer(&path);
        return NULL;
}
