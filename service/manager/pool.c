#include "service/manager/pool.h"

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/watch.h"

#define HURRY_USEC   10000
#define PUT_OFF_USEC G_USEC_PER_SEC

typedef struct User {
        uid_t uid;
        gid_t gid; /* of its trees: a guess that saves making a namespace for the mount */
} User;

typedef struct Entry {
        Pool *pool;
        uid_t uid;
        Prepared prepared;
        gint64 made;  /* when */
        Watch *watch; /* it speaks only to say that it failed, or by its end */
} Entry;

struct Pool {
        PoolOptions options;
        GQueue ready;   /* Entry, the oldest first */
        GArray *wanted; /* User: for whom one is still to be asked for */
        guint ask;
        Maker *maker;
        gint64 maker_begun;
        GSource *release; /* put off by runs */
        gint64 put_off;   /* when it was, last */
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

/* One a turn, for its end is waited for. */
static gboolean on_release(void *data)
{
        Pool *pool = data;

        g_clear_pointer(&pool->release, g_source_unref);
        if (pool->ready.length > 1) {
                entry_drop(pool->ready.head->data);
                release_in(pool, 1);
        } else
                pool_clear(pool); /* and the maker */
        return G_SOURCE_REMOVE;
}

/* What waits for a user who runs nothing any more, while others do: each run has another one made
 * for its user, so the age of the newest is the time since. */
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

/* One that ends again and again is not begun again and again: without it, runs take the plain way.
 */
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

/* To make another one costs as much as a run: it is begun when the run is likely to be over. When
 * runs follow each other without a pause, at once, beside this one: as soon as that is on its way.
 */
static void ask_soon(Pool *pool, bool hurry)
{
        if (pool->ask)
                g_source_remove(pool->ask);
        pool->ask = hurry ? g_idle_add_full(G_PRIORITY_HIGH, on_ask, pool, NULL)
                          : g_timeout_add(PREPARE_DELAY_MSEC, on_ask, pool);
}

/* Not at each run of many: it wakes the loop. */
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

/* True: the last one was wanted only just now. */
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
