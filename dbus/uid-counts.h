#pragma once

/* How many of something each user has: a table uid → count, without rows for 0. */

#include <glib.h>
#include <sys/types.h>

/* Adds `change` (0 to ask) to the count of `uid`, and returns the count. */
static inline unsigned uid_count(GHashTable *counts, uid_t uid, int change)
{
        unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, GUINT_TO_POINTER(uid))) +
                     (unsigned) change;

        if (n > 0)
                g_hash_table_insert(counts, GUINT_TO_POINTER(uid), GUINT_TO_POINTER(n));
        else
                g_hash_table_remove(counts, GUINT_TO_POINTER(uid));
        return n;
}
