#include "cli/lib/nearest.h"

#include <glib.h>
#include <string.h>

#define LENGTH_MAX 32u

/* How many letters have to be added, removed or replaced. */
static unsigned distance(const char *a, const char *b)
{
        unsigned row[LENGTH_MAX + 1];
        size_t n = strlen(b);

        if (strlen(a) > LENGTH_MAX || n > LENGTH_MAX)
                return G_MAXUINT;
        for (unsigned k = 0; k <= n; k++)
                row[k] = k;
        for (unsigned i = 1; *a; a++, i++) {
                unsigned diagonal = row[0];

                row[0] = i;
                for (unsigned k = 1; k <= n; k++) {
                        unsigned replaced = diagonal + (*a != b[k - 1]);
                        diagonal = row[k];
                        row[k] = MIN(replaced, MIN(row[k], row[k - 1]) + 1);
                }
        }
        return row[n];
}

const char *nearest_name(const char *word, const char *const *names)
{
        unsigned best = (unsigned) strlen(word) / 3 + 1;
        const char *found = NULL;

        for (const char *const *name = names; *word && *name; name++)
                if (g_str_has_prefix(*name, word))
                        return *name;
        for (const char *const *name = names; *name; name++) {
                unsigned d = distance(word, *name);

                if (d < best || (d == best && !found)) {
                        best = d;
                        found = *name;
                }
        }
        return found;
}
