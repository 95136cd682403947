#include <string.h>

#include "dbus/decode/arguments.h"
#include "dbus/decode/decoders.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"

/* 0 is no limit. */
static bool read_limit(sd_bus_message *message, const char *what, uint64_t *max, GError **error)
{
        if (!arguments_read_uint64(message, what, max, error))
                return false;
        if (*max == 0)
                *max = UINT64_MAX;
        return true;
}

bool decode_MemoryMax(sd_bus_message *message, Order *order, GError **error)
{
        order->resources.has_memory_max = true;
        return read_limit(message, "MemoryMax", &order->resources.memory_max, error);
}

DECODE(MemoryHigh, read_limit, resources.memory_high)
DECODE(CPUQuotaPerSecUSec, read_limit, resources.cpu_quota)
DECODE(RuntimeMaxUSec, read_limit, resources.run_time_max)

bool decode_MemorySwapMax(sd_bus_message *message, Order *order, GError **error)
{
        order->resources.has_memory_swap_max = true;
        return arguments_read_uint64(message, "MemorySwapMax", &order->resources.memory_swap_max,
                                     error);
}

bool decode_MemoryLow(sd_bus_message *message, Order *order, GError **error)
{
        order->resources.has_memory_low = true;
        return arguments_read_uint64(message, "MemoryLow", &order->resources.memory_low, error);
}

bool decode_CPUWeight(sd_bus_message *message, Order *order, GError **error)
{
        uint64_t *weight = &order->resources.cpu_weight;

        return arguments_read_uint64(message, "CPUWeight", weight, error) &&
               (*weight > 0 || error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "CPUWeight is 0, not 1 to %u", CPU_WEIGHT_MAX));
}

bool decode_IOWeight(sd_bus_message *message, Order *order, GError **error)
{
        uint64_t *weight = &order->resources.io_weight;

        return arguments_read_uint64(message, "IOWeight", weight, error) &&
               (*weight > 0 || error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "IOWeight is 0, not 1 to %u", CPU_WEIGHT_MAX));
}

/* The kernel takes no spaces. */
bool decode_AllowedCPUs(sd_bus_message *message, Order *order, GError **error)
{
        g_autofree char *text = NULL;
        CpuList list;

        if (!arguments_read_string(message, "AllowedCPUs", &text, error))
                return false;
        if (strlen(text) > CPU_LIST_LENGTH || !cpu_list_parse(text, &list))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "AllowedCPUs is no list of processors, such as 0-3,5, of at most "
                                 "%u bytes",
                                 CPU_LIST_LENGTH);
        g_strlcpy(order->resources.allowed_cpus, g_strdelimit(text, " \n", ','),
                  sizeof order->resources.allowed_cpus);
        return true;
}

bool decode_TasksMax(sd_bus_message *message, Order *order, GError **error)
{
        order->resources.has_tasks_max = true;
        return arguments_read_uint64(message, "TasksMax", &order->resources.tasks_max, error);
}

bool decode_CPUTimeMaxUSec(sd_bus_message *message, Order *order, GError **error)
{
        uint64_t *max = &order->resources.cpu_time_max;

        if (!arguments_read_uint64(message, "CPUTimeMaxUSec", max, error))
                return false;
        if (*max == UINT64_MAX)
                *max = 0;
        return true;
}

DECODE(Force, arguments_read_bool, resources.force)
