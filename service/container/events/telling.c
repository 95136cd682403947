/* What a container tells while it runs, beside its state. */

#include "service/cgroup/hit.h"
#include "service/container/internal.h"

static bool tell(Container *container, NoticeKind kind, const char *word, uint64_t number)
{
        const Notice notice = {kind, word, number};

        return container->hooks->noticed(container, &notice, container->data);
}

/* The counter is read here and there; of a command that was not executed the error tells. */
void container_tell_out_of_memory(Container *container)
{
        const ContainerInfo *info = &container->info;

        if (!container_state_is_running(info->state) || info->oom_kills <= container->oom_told)
                return;
        container->oom_told = info->oom_kills;
        LimitHit level = cgroup_limit_hit(container->cgroup, info->oom_kills);
        (void) tell(container, NOTICE_OUT_OF_MEMORY, limit_hit_to_string(level), info->oom_kills);
}

static void on_kills(void *data)
{
        container_tell_out_of_memory(data);
}

static void on_pressure(PressureResource resource, uint64_t some_usec, void *data)
{
        (void) tell(data, NOTICE_PRESSURE, pressure_resource_to_string(resource), some_usec);
}

static bool on_denied(const char *call, uint64_t n, void *data)
{
        return tell(data, NOTICE_DENIED, call, n);
}

void container_take_listener(Container *container, int listener)
{
        denials_listen(&container->denials, &container->info.rights, listener);
}

void container_tell_rest(Container *container)
{
        container_tell_out_of_memory(container);
        denials_tell(&container->denials);
}

void container_begin_telling(Container *container)
{
        container->oom = (OomWatch){.function = on_kills,
                                    .data = container,
                                    .spares = container->info.belongs_to != NULL};
        container->denials = (Denials){.function = on_denied, .data = container};
        container->pressure = (Pressure){.function = on_pressure, .data = container};
}
