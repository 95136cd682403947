#include "service/fd-store.h"

#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "service/util/fd.h"

/* What a predecessor's name begins with; any other is nothing of ours. */
static const char *const prefixes[] = {"pty-", "status-"};

struct FdStore {
        GHashTable *kept; /* name → fd + 1 */
};

static bool is_ours(const char *name)
{
        for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++)
                if (g_str_has_prefix(name, prefixes[i]))
                        return true;
        return false;
}

FdStore *fd_store_new(void)
{
        FdStore *store = g_new0(FdStore, 1);
        char **names = NULL;
        int n = sd_listen_fds_with_names(1, &names);

        store->kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        for (int i = 0; i < n; i++) {
                int fd = SD_LISTEN_FDS_START + i;
                if (is_ours(names[i]) && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
                        g_hash_table_insert(store->kept, g_strdup(names[i]),
                                            GINT_TO_POINTER(fd + 1));
                else
                        fd_close(fd);
        }
        for (int i = 0; i < n; i++)
                free(names[i]);
        free(names);
        return store;
}

static void forget(const char *name)
{
        g_autofree char *state = g_strdup_printf("FDSTOREREMOVE=1\nFDNAME=%s", name);

        sd_notify(0, state);
}

static void close_all(FdStore *store, bool forgets)
{
        GHashTableIter iterator;
        void *name, *value;

        g_hash_table_iter_init(&iterator, store->kept);
        while (g_hash_table_iter_next(&iterator, &name, &value)) {
                fd_close(GPOINTER_TO_INT(value) - 1);
                if (forgets)
                        forget(name);
        }
        g_hash_table_remove_all(store->kept);
}

void fd_store_forget_untaken(FdStore *store)
{
        close_all(store, true);
}

void fd_store_free(FdStore *store)
{
        if (!store)
                return;
        close_all(store, false);
        g_hash_table_destroy(store->kept);
        g_free(store);
}

static void keep(const char *name, int fd, void *data)
{
        g_autofree char *state = g_strdup_printf("FDSTORE=1\nFDNAME=%s", name);

        sd_pid_notify_with_fds(0, 0, state, &fd, 1);
}

static int take(const char *name, void *data)
{
        FdStore *store = data;
        int fd = GPOINTER_TO_INT(g_hash_table_lookup(store->kept, name)) - 1;

        g_hash_table_remove(store->kept, name);
        return fd;
}

static void drop(const char *name, void *data)
{
        forget(name);
}

FdKeeper fd_store_keeper(FdStore *store)
{
        return (FdKeeper){.keep = keep, .take = take, .drop = drop, .data = store};
}
