#include "service/fd-store.h"

#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "service/util/fd.h"

#define PREFIX "pty-"

struct FdStore {
        GHashTable *kept; /* serial as text → fd + 1 */
};

FdStore *fd_store_new(void)
{
        FdStore *store = g_new0(FdStore, 1);
        char **names = NULL;
        int n = sd_listen_fds_with_names(1, &names);

        store->kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        for (int i = 0; i < n; i++) {
                int fd = SD_LISTEN_FDS_START + i;
                if (g_str_has_prefix(names[i], PREFIX) && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
                        g_hash_table_insert(store->kept, g_strdup(names[i] + strlen(PREFIX)),
                                            GINT_TO_POINTER(fd + 1));
                else
                        fd_close(fd);
        }
        for (int i = 0; i < n; i++)
                free(names[i]);
        free(names);
        return store;
}

static void forget(const char *serial)
{
        g_autofree char *state = g_strdup_printf("FDSTOREREMOVE=1\nFDNAME=" PREFIX "%s", serial);

        sd_notify(0, state);
}

static void close_all(FdStore *store, bool forgets)
{
        GHashTableIter iterator;
        void *serial, *value;

        g_hash_table_iter_init(&iterator, store->kept);
        while (g_hash_table_iter_next(&iterator, &serial, &value)) {
                fd_close(GPOINTER_TO_INT(value) - 1);
                if (forgets)
                        forget(serial);
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

static void keep(uint64_t serial, int fd, void *data)
{
        g_autofree char *state =
                g_strdup_printf("FDSTORE=1\nFDNAME=" PREFIX "%" G_GUINT64_FORMAT, serial);

        sd_pid_notify_with_fds(0, 0, state, &fd, 1);
}

static int take(uint64_t serial, void *data)
{
        FdStore *store = data;
        g_autofree char *name = g_strdup_printf("%" G_GUINT64_FORMAT, serial);
        int fd = GPOINTER_TO_INT(g_hash_table_lookup(store->kept, name)) - 1;

        g_hash_table_remove(store->kept, name);
        return fd;
}

static void drop(uint64_t serial, void *data)
{
        g_autofree char *name = g_strdup_printf("%" G_GUINT64_FORMAT, serial);

        forget(name);
}

FdKeeper fd_store_keeper(FdStore *store)
{
        return (FdKeeper){.keep = keep, .take = take, .drop = drop, .data = store};
}
