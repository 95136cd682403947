#include "service/cgroup/hit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "service/cgroup/leaf.h"
#include "service/util/fd.h"

#define NOT_KNOWN UINT64_MAX

static uint64_t read_key(int dirfd, const char *path, const char *key)
{
        char text[512];

        return fd_read_file_at(dirfd, path, text, sizeof text) < 0 ? NOT_KNOWN
                                                                   : cgroup_keyed_value(text, key);
}

/* -- of the levels above the leaf: its owner's, and that of its owner's sandboxes -- */

typedef struct LevelEvents {
        int fd;
        uint64_t count;
} LevelEvents;

static void level_events_free(void *data)
{
        LevelEvents *events = data;

        fd_close(events->fd);
        g_free(events);
}

GHashTable *cgroup_level_events_new(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, level_events_free);
}

/* A NULL value: it cannot be watched. */
static LevelEvents *watch_level(const Cgroup *cgroup, int directory)
{
        autofd int count = -1;
        int event = -1;

        if (directory < 0 || !cgroup_legacy.watch_oom(directory, &count, &event, NULL))
                return NULL;
        LevelEvents *events = g_new0(LevelEvents, 1);
        events->fd = event;
        g_hash_table_insert(cgroup->tree->told, g_strdup(cgroup->level), events);
        return events;
}

/* The lowest level hears of the limits of those above it as well. */
static uint64_t read_level_events(const Cgroup *cgroup, int parent)
{
        LevelEvents *events = g_hash_table_lookup(cgroup->tree->told, cgroup->level);
        uint64_t more;

        if (!events) {
                autofd int directory =
                        openat(parent, cgroup->level, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                events = watch_level(cgroup, directory);
        }
        if (!events)
                return NOT_KNOWN;
        if (read(events->fd, &more, sizeof more) == sizeof more)
                events->count += more;
        return events->count;
}

/* memory.events.local: since Linux 5.2. */
static uint64_t read_local(int parent, const char *level)
{
        g_autofree char *path = g_strconcat(level, "/memory.events.local", NULL);

        return read_key(parent, path, "oom");
}

static uint64_t read_levels(const Cgroup *cgroup, int index)
{
        int parent = cgroup->tree->hierarchies[index].parent_fd;
        char owner[16];

        if (cgroup_is_legacy(cgroup, (unsigned) index))
                return read_level_events(cgroup, parent);
        uint64_t count = read_local(parent, cgroup->level);
        if (!cgroup->is_sandbox || count == NOT_KNOWN)
                return count;
        snprintf(owner, sizeof owner, "%u", (unsigned) cgroup->owner);
        uint64_t above = read_local(parent, owner);
        return above == NOT_KNOWN ? NOT_KNOWN : count + above;
}

/* -- of the leaf -- */

/* The memory hierarchy's index, or -1 if the leaf is in none. */
static int memory_index(const Cgroup *cgroup)
{
        int index = cgroup->tree->serving[CGROUP_MEMORY];

        return index >= 0 && cgroup->leaf_fds[index] >= 0 ? index : -1;
}

static bool has_owner_limit(const Cgroup *cgroup)
{
        const CgroupLimits all = cgroup_ceilings_of(cgroup->tree, cgroup->owner, false),
                           sandboxes = cgroup_ceilings_of(cgroup->tree, cgroup->owner, true);

        return all.memory_max != CGROUP_NO_LIMIT ||
               (cgroup->is_sandbox && sandboxes.memory_max != CGROUP_NO_LIMIT);
}

void cgroup_begin_hits(Cgroup *cgroup, uint64_t oom_kills)
{
        int index = memory_index(cgroup);

        cgroup->owner_hits = 0;
        if (oom_kills > 0) /* whoever watched then has read the events */
                cgroup->owner_hits = NOT_KNOWN;
        else if (index >= 0 && has_owner_limit(cgroup))
                cgroup->owner_hits = read_levels(cgroup, index);
}

/* Of v1, an event of the owner's is one of the leaf's, too. */
static LimitHit memory_hit(const Cgroup *cgroup)
{
        int index = memory_index(cgroup);
        bool is_legacy = index >= 0 && cgroup_is_legacy(cgroup, (unsigned) index);

        if (index < 0 || cgroup->owner_hits == NOT_KNOWN)
                return LIMIT_HIT_MEMORY;
        uint64_t own = is_legacy ? cgroup->oom_events
                                 : read_key(cgroup->leaf_fds[index], "memory.events", "oom");
        uint64_t owner = has_owner_limit(cgroup) ? read_levels(cgroup, index) : 0;
        if (owner == NOT_KNOWN || (own > 0 && !is_legacy))
                return LIMIT_HIT_MEMORY;
        if (owner > cgroup->owner_hits)
                return LIMIT_HIT_MEMORY_OWNER;
        return own > 0 ? LIMIT_HIT_MEMORY : LIMIT_HIT_MEMORY_HOST;
}

LimitHit cgroup_limit_hit(const Cgroup *cgroup, uint64_t oom_kills)
{
        int index = cgroup->tree->serving[CGROUP_PIDS];

        if (oom_kills > 0)
                return memory_hit(cgroup);
        if (index < 0 || cgroup->leaf_fds[index] < 0)
                return LIMIT_HIT_NONE;
        uint64_t refused = read_key(cgroup->leaf_fds[index], "pids.events", "max");
        return refused > 0 && refused != NOT_KNOWN ? LIMIT_HIT_TASKS : LIMIT_HIT_NONE;
}
