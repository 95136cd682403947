#include "dbus/decode/arguments.h"
#include "dbus/decode/decoders.h"

bool decode_MemoryMax(sd_bus_message *message, Order *order, GError **error)
{
        uint64_t *max = &order->resources.memory_max;

        if (!arguments_read_uint64(message, "MemoryMax", max, error))
                return false;
        if (*max == 0)
                *max = UINT64_MAX;
        return true;
}

bool decode_MemorySwapMax(sd_bus_message *message, Order *order, GError **error)
{
        order->resources.has_memory_swap_max = true;
        return arguments_read_uint64(message, "MemorySwapMax", &order->resources.memory_swap_max,
                                     error);
}

bool decode_TasksMax(sd_bus_message *message, Order *order, GError **error)
{
        order->resources.has_tasks_max = true;
        return arguments_read_uint64(message, "TasksMax", &order->resources.tasks_max, error);
}
