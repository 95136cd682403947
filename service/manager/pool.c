#include "service/manager/pool.h"

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/watch.h"

#define HURRY_USEC   10000
#define PUT_OFF_USEC G_USEC_PER_SEC

typedef struct User {
        uid_t uid;
        /* Group of the user's root trees: a guess. If it is right, no namespace has to be made for
         * the id-mapped mount. */
        gid_t gid;
} User;

typedef struct Entry {
        Pool *pool;
        uid_t uid;
        Prepared prepared;
        gint64 made;  /* when */
        Watch *watch; /* the sandbox speaks only if it fails or ends */
} Entry;

struct Pool {
        PoolOptions options;
        GQueue ready;   /* Entry, the oldest first */
        GArray *wanted; /* User: those for whom a sandbox is still to be asked for */
        guint ask;
        Maker *maker;
        gint64 maker_begun;
        GSource *release; /* ends all sandboxes; each run puts it off */
        gint64 put_off;   /* time when a run did that last */
        gint64 last_use;
};

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
        bool any = pool->ready.length > 0 || (pool->maker && maker_count(pool->maker) > 0);

        g_clear_pointer(&pool->maker, maker_free);
        while (pool->ready.head)
                entry_drop(pool->ready.head->data);
        g_array_set_size(pool->wanted, 0);
        if (pool->ask)
                g_source_remove(pool->ask);
        pool->ask = 0;
        return any;
}

static gboolean on_release(void *data);

static void release_in(Pool *pool, guint msec)
{
        pool->release = g_timeout_source_new(msec);
        g_source_set_callback(pool->release, on_release, pool, NULL);
        g_source_attach(pool->release, NULL);
}

/* Ends one sandbox in a turn of the loop, since this waits for the sandbox's end. */
static gboolean on_release(void *data)
{
        Pool *pool = data;

        g_clear_pointer(&pool->release, g_source_unref);
        if (pool->ready.length > 1) {
                entry_drop(pool->ready.head->data);
                release_in(pool, 1);
        } else
                pool_clear(pool); /* ends the maker, too */
        return G_SOURCE_REMOVE;
}

/* Drops a sandbox of a user who runs nothing any more, while others do. Each run has another one
 * made for its user, so a user's newest sandbox is as old as that user's last run. */
static void drop_forgotten(Pool *pool)
{
        Entry *oldest = pool->ready.head ? pool->ready.head->data : NULL;

        if (oldest &&
            g_get_monotonic_time() - oldest->made > PREPARED_HOLD_MSEC * G_TIME_SPAN_MILLISECOND)
                entry_drop(oldest);
}

/* -- making -- */

static void on_made(const Prepared *prepared, uid_t uid, void *data)
{
        Pool *pool = data;
        Entry *entry = g_new0(Entry, 1);

        entry->pool = pool;
        entry->uid = uid;
        entry->prepared = *prepared;
        entry->made = g_get_monotonic_time();
        entry->watch = watch_new(prepared->sandbox->sync_fd, G_IO_IN, on_word, entry);
        g_queue_push_tail(&pool->ready, entry);
        if (pool->ready.length > pool->options.size)
                entry_drop(pool->ready.head->data);
}

static void on_maker_end(void *data)
{
        Pool *pool = data;

        g_debug("the maker of sandboxes has ended");
        g_clear_pointer(&pool->maker, maker_free);
}

/* A maker that ends again and again is not begun again and again. Without a maker, each run makes
 * its own sandbox. */
static bool begin_maker(Pool *pool, GError **error)
{
        const MakerOptions options = {.profile = pool->options.profile,
                                      .cgroups = pool->options.cgroups,
                                      .made = on_made,
                                      .ended = on_maker_end,
                                      .data = pool};
        gint64 now = g_get_monotonic_time();

        if (pool->maker)
                return true;
        if (pool->maker_begun != 0 && now - pool->maker_begun < MAKER_PAUSE_MSEC * 1000)
                return error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                                 "the last maker was begun just now");
        pool->maker_begun = now;
        return maker_new(&options, &pool->maker, error);
}

static bool ask(Pool *pool, const User *user, GError **error)
{
        IdMap *map;

        return begin_maker(pool, error) &&
               id_map_prepare(pool->options.ranges, user->uid, user->gid, &map, error) &&
               maker_ask(pool->maker, (*pool->options.next_serial)++, user->uid, user->gid, map,
                         error);
}

static gboolean on_ask(void *data)
{
        Pool *pool = data;
        g_autoptr(GError) error = NULL;

        for (guint i = 0; i < pool->wanted->len && !error; i++)
                ask(pool, &g_array_index(pool->wanted, User, i), &error);
        if (error)
                g_debug("cannot prepare a sandbox: %s", error->message);
        g_array_set_size(pool->wanted, 0);
        pool->ask = 0;
        drop_forgotten(pool);
        return G_SOURCE_REMOVE;
}

/* Making another sandbox costs as much as a run, so it begins when the run is likely to be over.
 * When runs follow each other without a pause, it begins as soon as this run is on its way, and
 * goes on beside it. */
static void ask_soon(Pool *pool, bool hurry)
{
        if (pool->ask)
                g_source_remove(pool->ask);
        pool->ask = hurry ? g_idle_add_full(G_PRIORITY_HIGH, on_ask, pool, NULL)
                          : g_timeout_add(PREPARE_DELAY_MSEC, on_ask, pool);
}

/* When many runs follow each other, most leave the time as it is: setting it wakes the loop. */
static void put_off_release(Pool *pool, gint64 now)
{
        if (pool->release && now - pool->put_off < PUT_OFF_USEC)
                return;
        pool->put_off = now;
        if (pool->release)
                g_source_set_ready_time(pool->release, now + PREPARED_HOLD_MSEC * 1000);
        else
                release_in(pool, PREPARED_HOLD_MSEC);
}

/* Notes that `user` needs another sandbox. True: the last run came only just before. */
static bool want(Pool *pool, const User *user)
{
        gint64 now = g_get_monotonic_time();
        bool hurry = now - pool->last_use < HURRY_USEC;

        pool->last_use = now;
        put_off_release(pool, now);
        if (pool->maker && maker_is_stuck(pool->maker))
                g_clear_pointer(&pool->maker, maker_free);
        if (pool->wanted->len + (pool->maker ? maker_count(pool->maker) : 0) < pool->options.size)
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
        ask_soon(pool, hurry);
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
                g_source_destroy(pool->release);
        g_clear_pointer(&pool->release, g_source_unref);
        g_array_free(pool->wanted, TRUE);
        g_free(pool);
}

unsigned pool_count(const Pool *pool)
{
        return pool->ready.length;
}
