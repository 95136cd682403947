#include "service/spec/resources.h"

#include "service/spec/error.h"
#include "service/spec/limits.h"

void resources_init(Resources *resources)
{
        *resources = (Resources){
                .memory_max = UINT64_MAX,
                .memory_swap_max = 0,
                .tasks_max = TASKS_MAX_DEFAULT,
                .run_time_max = UINT64_MAX,
        };
}

void resources_init_update(Resources *resources)
{
        resources_init(resources);
        resources->memory_max = 0; /* what a caller means by 0 is "no limit", UINT64_MAX */
}

bool resources_validate(const Resources *resources, GError **error)
{
        if (resources->tasks_max == 0)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "TasksMax 0 leaves no room for the command");
        if (resources->cpu_quota && resources->cpu_quota < CPU_QUOTA_MIN)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "CPUQuotaPerSecUSec is %" G_GUINT64_FORMAT ", the least is %u",
                                 resources->cpu_quota, CPU_QUOTA_MIN);
        if (resources->cpu_weight > CPU_WEIGHT_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "CPUWeight is %" G_GUINT64_FORMAT ", not 1 to %u",
                                 resources->cpu_weight, CPU_WEIGHT_MAX);
        return resources->io_weight <= CPU_WEIGHT_MAX ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "IOWeight is %" G_GUINT64_FORMAT ", not 1 to %u", resources->io_weight,
                         CPU_WEIGHT_MAX);
}
