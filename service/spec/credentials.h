#pragma once

/* Who asks, as the bus daemon or the kernel's socket says: never what a caller says of itself. Only
 * what takes rights away is read from /proc. Plain data, and a copy has groups of its own. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Credentials {
        uid_t uid;
        gid_t *groups; /* primary and supplementary, in no particular order; may be empty */
        size_t n_groups;
        /* Which of the groups is the primary one, where somebody had to be asked: see lookup.h. */
        bool has_primary;
        gid_t primary;  /* (gid_t) -1: nobody knows the user */
        bool is_inside; /* in a container, or perhaps: a stranger to all containers, as root too */
        /* The process that has connected, by its number and its start in clock ticks; 0: not known.
         * From a bus that gives no pidfd it may be another that had the number later. */
        pid_t pid;
        uint64_t start_time;
        bool has_process_fd; /* the bus gave one: it is that process */
} Credentials;

static inline Credentials *credentials_copy(const Credentials *credentials)
{
        Credentials *copy = g_memdup2(credentials, sizeof *credentials);

        copy->groups = g_memdup2(credentials->groups, credentials->n_groups * sizeof(gid_t));
        return copy;
}

static inline void credentials_free(Credentials *credentials)
{
        if (!credentials)
                return;
        g_free(credentials->groups);
        g_free(credentials);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Credentials, credentials_free)

static inline bool credentials_has_group(const Credentials *credentials, gid_t gid)
{
        for (size_t i = 0; i < credentials->n_groups; i++)
                if (credentials->groups[i] == gid)
                        return true;
        return false;
}
