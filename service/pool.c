#include "service/pool.h"

#include "service/limits.h"
#include "service/util/fd.h"
#include "service/util/watch.h"

#define HURRY_USEC 10000

typedef struct User {
        uid_t uid;
        gid_t gid; /* of its trees: a guess that saves making a namespace for the mount */
} User;

typedef struct Entry {
        Pool *pool;
        uid_t uid;
        Prepared prepared;
        Watch *watch; /* it speaks only to say that it failed, or by its end */
} Entry;

struct Pool {
        PoolOptions options;
        GQueue ready;   /* Entry, the oldest first */
        GArray *wanted; /* User: for whom one is still to be made */
        guint maker;
        guint release;
        gint64 last_use;
};

void prepared_clear(Prepared *prepared)
{
        g_clear_pointer(&prepared->sandbox, sandbox_free);
        if (prepared->cgroup)
                (void) cgroup_remove(prepared->cgroup, NULL); /* its one process is reaped */
        g_clear_pointer(&prepared->cgroup, cgroup_free);
        g_clear_pointer(&prepared->map, id_map_free);
}

static Prepared entry_steal(Entry *entry)
{
        Prepared prepared = entry->prepared;

        g_queue_remove(&entry->pool->ready, entry);
        watch_clear(&entry->watch);
        g_free(entry);
        return prepared;
}

static void entry_drop(Entry *entry)
{
        Prepared prepared = entry_steal(entry);

        prepared_clear(&prepared);
}

static void on_word(int fd, GIOCondition condition, void *data)
{
        g_debug("a prepared sandbox has failed");
        entry_drop(data);
}

/* -- letting go -- */

bool pool_clear(Pool *pool)
{
        bool any = pool->ready.length > 0;

        while (pool->ready.head)
                entry_drop(pool->ready.head->data);
        g_array_set_size(pool->wanted, 0);
        if (pool->maker)
                g_source_remove(pool->maker);
        pool->maker = 0;
        return any;
}

/* One timer for a whole time of use, not one more for every run. */
static gboolean on_release(void *data)
{
        Pool *pool = data;
        gint64 rest = pool->last_use + PREPARED_HOLD_MSEC * 1000 - g_get_monotonic_time();

        pool->release = 0;
        if (rest > 0)
                pool->release = g_timeout_add((guint) (rest / 1000) + 1, on_release, pool);
        else
                pool_clear(pool);
        return G_SOURCE_REMOVE;
}

/* -- making -- */

static bool prepare(Pool *pool, const User *user, Prepared *ret, GError **error)
{
        const PoolOptions *options = &pool->options;
        Prepared made = {.serial = (*options->next_serial)++};
        autofd int mount_namespace = -1;

        if (!id_map_prepare(options->ranges, user->uid, user->gid, &made.map, error) ||
            !cgroup_new(options->cgroups, user->uid, made.serial, NULL, &made.cgroup, error) ||
            !sandbox_new(&(SandboxInput){.profile = options->profile,
                                         .map = made.map,
                                         .waits = true,
                                         .cgroup = made.cgroup},
                         &made.sandbox, error) ||
            /* it stays with the range of ids */
            !id_map_open_mount_namespace(made.map, made.sandbox->pid, &mount_namespace, error)) {
                prepared_clear(&made);
                return false;
        }
        *ret = made;
        return true;
}

static gboolean on_make(void *data);

/* To make another one costs as much as a run: it is begun when the run is likely to be over. Only
 * when runs follow each other without a pause, and none is left, at once. */
static void make_soon(Pool *pool, bool hurry)
{
        if (pool->maker)
                g_source_remove(pool->maker);
        pool->maker = !hurry || pool->ready.length > 0
                              ? g_timeout_add_full(G_PRIORITY_DEFAULT_IDLE, PREPARE_DELAY_MSEC,
                                                   on_make, pool, NULL)
                              : g_idle_add(on_make, pool);
}

/* One a turn: a call that came meanwhile goes first. */
static gboolean on_make(void *data)
{
        Pool *pool = data;
        User user = g_array_index(pool->wanted, User, 0);
        g_autoptr(GError) error = NULL;
        Prepared prepared;

        g_array_remove_index(pool->wanted, 0);
        if (prepare(pool, &user, &prepared, &error)) {
                Entry *entry = g_new0(Entry, 1);
                entry->pool = pool;
                entry->uid = user.uid;
                entry->prepared = prepared;
                entry->watch = watch_new(prepared.sandbox->sync_fd, G_IO_IN, on_word, entry);
                g_queue_push_tail(&pool->ready, entry);
                if (pool->ready.length > pool->options.size)
                        entry_drop(pool->ready.head->data);
        } else
                /* whoever needs one learns the reason on the plain way */
                g_debug("cannot prepare a sandbox: %s", error->message);
        pool->maker = 0;
        if (pool->wanted->len > 0)
                make_soon(pool, false);
        return G_SOURCE_REMOVE;
}

/* True: the last one was wanted only just now. */
static bool want(Pool *pool, const User *user)
{
        gint64 now = g_get_monotonic_time();
        bool hurry = now - pool->last_use < HURRY_USEC;

        pool->last_use = now;
        if (!pool->release)
                pool->release = g_timeout_add(PREPARED_HOLD_MSEC, on_release, pool);
        if (pool->wanted->len < pool->options.size)
                g_array_append_val(pool->wanted, *user);
        return hurry;
}

bool pool_take(Pool *pool, const Credentials *owner, gid_t tree_gid, Prepared *ret)
{
        const User user = {owner->uid, id_map_group(owner, tree_gid)};
        GList *next;
        bool found = false;

        if (pool->options.size == 0)
                return false;
        bool hurry = want(pool, &user);
        for (GList *link = pool->ready.head; link; link = next) {
                Entry *entry = link->data;
                next = link->next;
                if (entry->uid != owner->uid)
                        continue;
                if (!sandbox_is_sound(entry->prepared.sandbox)) {
                        entry_drop(entry);
                        continue;
                }
                *ret = entry_steal(entry);
                id_map_settle(ret->map, owner, tree_gid);
                found = true;
                break;
        }
        make_soon(pool, hurry);
        return found;
}

/* -- life -- */

Pool *pool_new(const PoolOptions *options)
{
        Pool *pool = g_new0(Pool, 1);

        pool->options = *options;
        pool->wanted = g_array_new(FALSE, FALSE, sizeof(User));
        g_queue_init(&pool->ready);
        return pool;
}

void pool_free(Pool *pool)
{
        if (!pool)
                return;
        pool_clear(pool);
        if (pool->release)
                g_source_remove(pool->release);
        g_array_free(pool->wanted, TRUE);
        g_free(pool);
}

unsigned pool_count(const Pool *pool)
{
        return pool->ready.length;
}
