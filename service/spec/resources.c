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

bool resources_validate(const Resources *resources, GError **error)
{
        return resources->tasks_max > 0 || error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                                     "TasksMax 0 leaves no room for the command");
}
