/* The input is a config.json. What is taken can be freed; what is not leaves one error, which names
 * the place. Behind a first byte of 'P' or 'R' it is a process.json or the resources of `update`.
 */

#include <glib.h>
#include <string.h>

#include "cli/oci/decode/config.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char kind = size > 0 ? (char) data[0] : '\0';
        size_t skipped = kind == 'P' || kind == 'R';
        g_autofree char *text = g_malloc(size - skipped + 1);
        g_autoptr(GError) error = NULL;
        g_autoptr(OciSpec) spec = NULL;
        bool is_taken;

        memcpy(text, data + skipped, size - skipped);
        text[size - skipped] = '\0';
        is_taken = kind == 'P'   ? config_decode_process(text, size - skipped, &spec, &error)
                   : kind == 'R' ? config_decode_resources(text, size - skipped, &spec, &error)
                                 : config_decode(text, size - skipped, &spec, &error);
        g_assert_true(is_taken == (spec != NULL));
        g_assert_true(is_taken == (error == NULL));
        if (error)
                g_assert_nonnull(strchr(error->message, ':'));
        return 0;
}
