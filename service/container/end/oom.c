#include "service/container/end/oom.h"

#include "service/cgroup/hit.h"

/* A quarter more each time: for about a minute in all, as a busy machine may take seconds. */
#define LOOK_MSEC     5u
#define LOOK_MSEC_MAX 1000u
#define LOOKS         80u

/* cgroup v1 has no group kill: the service kills the rest of the group after the first kill. */
static bool end_for_memory(OomWatch *watch)
{
        uint64_t before = *watch->kills;

        *watch->kills = cgroup_oom_kills(watch->cgroup);
        if (*watch->kills == 0 || (watch->spares && *watch->kills <= before))
                return false;
        if (!watch->spares)
                cgroup_kill(watch->cgroup, NULL);
        watch->function(watch->data);
        return true;
}

static void on_oom(int fd, GIOCondition condition, void *data);

static void wait_for_event(OomWatch *watch)
{
        short events = 0;
        int fd = cgroup_oom_fd(watch->cgroup, &events);

        if (fd >= 0)
                watch->watch = watch_new(fd, (GIOCondition) events, on_oom, watch);
}

static gboolean on_look(void *data)
{
        OomWatch *watch = data;

        watch->look = 0;
        bool is_ended = end_for_memory(watch);
        if (is_ended && !watch->spares)
                return G_SOURCE_REMOVE;
        if (is_ended || --watch->looks_left == 0) {
                wait_for_event(watch);
                return G_SOURCE_REMOVE;
        }
        watch->delay = MIN(watch->delay + watch->delay / 4, LOOK_MSEC_MAX);
        watch->look = g_timeout_add(watch->delay, on_look, watch);
        return G_SOURCE_REMOVE;
}

/* cgroup v1 reports the event before the kill is done and counted. So look a few times more; if
 * nothing is counted by then, it was no kill. */
static void on_oom(int fd, GIOCondition condition, void *data)
{
        OomWatch *watch = data;

        bool is_ended = end_for_memory(watch);
        if ((!is_ended || watch->spares) && condition & G_IO_PRI)
                return; /* v2 counts before it reports, and reports mere pressure as well */
        if (is_ended && watch->spares)
                return;
        watch_clear(&watch->watch);
        if (is_ended)
                return;
        watch->looks_left = LOOKS;
        watch->delay = LOOK_MSEC;
        watch->look = g_timeout_add(watch->delay, on_look, watch);
}

void oom_watch_begin(OomWatch *watch, Cgroup *cgroup, uint64_t *kills, bool is_adopted)
{
        *kills = is_adopted ? cgroup_oom_kills(cgroup) : 0;
        cgroup_begin_hits(cgroup, *kills);
        watch->cgroup = cgroup;
        watch->kills = kills;
        wait_for_event(watch);
        if (*kills > 0 && !watch->spares)
                cgroup_kill(cgroup, NULL);
}

void oom_watch_end(OomWatch *watch)
{
        watch_clear(&watch->watch);
        if (watch->look)
                g_source_remove(watch->look);
        watch->look = 0;
}
