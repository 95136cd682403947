/* Replays a corpus without libFuzzer: each file of the directories given, and each prefix of the
 * small ones (what is cut off is the commonest damage). Fails as the target does: by an abort. */

#include <glib.h>
#include <stdio.h>

#include "tests/fuzz/target.h"

#define PREFIXES_MAX 512u

static unsigned replay(const char *directory)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GDir) dir = g_dir_open(directory, 0, &error);
        unsigned n = 0;

        g_assert_no_error(error);
        for (const char *name; (name = g_dir_read_name(dir)); n++) {
                g_autofree char *path = g_build_filename(directory, name, NULL), *bytes = NULL;
                gsize length;
                g_assert_true(g_file_get_contents(path, &bytes, &length, NULL));
                for (gsize cut = 0; cut <= length;
                     cut = length > PREFIXES_MAX ? length + 1 : cut + 1) {
                        /* a copy of that very size: a sanitizer sees what is read behind it */
                        g_autofree uint8_t *copy = g_memdup2(bytes, length - cut);
                        LLVMFuzzerTestOneInput(copy ? copy : (const uint8_t *) "", length - cut);
                }
        }
        return n;
}

int main(int argc, char **argv)
{
        unsigned n = 0;

        for (int i = 1; i < argc; i++)
                n += replay(argv[i]);
        LLVMFuzzerTestOneInput((const uint8_t *) "", 0);
        printf("%u inputs\n", n);
        return n > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
