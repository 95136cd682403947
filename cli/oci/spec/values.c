#include "cli/oci/spec/values.h"

const char *oci_pairs_find(const OciPairs *pairs, const char *key)
{
        for (size_t i = 0; i < pairs->n; i++)
                if (g_str_equal(pairs->items[i].key, key))
                        return pairs->items[i].value;
        return NULL;
}

void oci_pairs_clear(OciPairs *pairs)
{
        for (size_t i = 0; i < pairs->n; i++) {
                g_free(pairs->items[i].key);
                g_free(pairs->items[i].value);
        }
        g_free(pairs->items);
        *pairs = (OciPairs){0};
}
