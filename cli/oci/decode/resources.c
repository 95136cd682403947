#include <json-c/json_object.h>
#include <json-c/linkhash.h>
#include <string.h>

#include "cli/oci/decode/tables.h"
#include "cli/oci/spec/resources.h"

static const DecodeRange from_minus_one = {-1, INT64_MAX};
static const DecodeRange whole = {0, INT64_MAX};

static const DecodeWord device_types[] = {{"a", 'a'}, {"b", 'b'}, {"c", 'c'}};

static bool decode_rule_type(Decoder *decoder, const DecodeField *field, json_object *value,
                             void *target)
{
        uint64_t type;

        if (!decode_find_word(decoder, DECODE_WORDS(device_types), value, &type))
                return false;
        *(char *) target = (char) type;
        return true;
}

static bool decode_access(Decoder *decoder, const DecodeField *field, json_object *value,
                          void *target)
{
        OciDeviceRule *rule = target;
        const char *text;

        if (!decode_text(decoder, value, &text))
                return false;
        rule->read = strchr(text, 'r');
        rule->write = strchr(text, 'w');
        rule->mknod = strchr(text, 'm');
        return text[strspn(text, "rwm")] == '\0' ||
               decode_fail(decoder, "has other letters than r, w and m");
}

static bool finish_rule(Decoder *decoder, void *target)
{
        OciDeviceRule *rule = target;

        if (!rule->type)
                rule->type = 'a';
        if (!rule->read && !rule->write && !rule->mknod) {
                if (rule->allow)
                        return decode_fail_at(decoder, "access", "is missing");
                rule->read = rule->write = rule->mknod = true;
        }
        return true;
}

static const DecodeRange device_number = {-1, UINT32_MAX};
static const DecodeField rule_fields[] = {
        DECODE("allow", decode_bool, OciDeviceRule, allow),
        DECODE("type", decode_rule_type, OciDeviceRule, type),
        DECODE_AS("major", decode_maybe_signed, OciDeviceRule, major, &device_number),
        DECODE_AS("minor", decode_maybe_signed, OciDeviceRule, minor, &device_number),
        {.name = "access", .decode = decode_access},
};
static const DecodeObject rule_object = {DECODE_MEMBERS(rule_fields), .size = sizeof(OciDeviceRule),
                                         .finish = finish_rule};

static bool finish_memory(Decoder *decoder, void *target)
{
        const OciMemory *memory = target;
        bool swap_is_bounded = memory->swap.is_given && memory->swap.value > 0;

        if (swap_is_bounded && !(memory->limit.is_given && memory->limit.value > 0))
                return decode_fail_at(decoder, "swap",
                                      "needs a limit of memory: it is of both together");
        if (swap_is_bounded && memory->swap.value < memory->limit.value)
                return decode_fail_at(decoder, "swap",
                                      "is below the limit of memory, of which it is a part");
        return true;
}

static const DecodeField memory_fields[] = {
        DECODE_AS("limit", decode_maybe_signed, OciMemory, limit, &from_minus_one),
        DECODE_AS("reservation", decode_maybe_signed, OciMemory, reservation, &from_minus_one),
        DECODE_AS("swap", decode_maybe_signed, OciMemory, swap, &from_minus_one),
        DECODE_AS("swappiness", decode_maybe_unsigned, OciMemory, swappiness,
                  &(const DecodeRange){0, 100}),
        DECODE("disableOOMKiller", decode_maybe_bool, OciMemory, disable_oom_killer),
        DECODE("checkBeforeUpdate", decode_maybe_bool, OciMemory, check_before_update),
        /* limits that kernels have no more: runc does the same */
        {.name = "kernel", .decode = decode_ignored},
        {.name = "kernelTCP", .decode = decode_ignored},
        {.name = "useHierarchy", .decode = decode_ignored},
};
static const DecodeObject memory_object = {DECODE_MEMBERS(memory_fields), .finish = finish_memory};

static const DecodeField cpu_fields[] = {
        DECODE_AS("shares", decode_maybe_unsigned, OciCpu, shares, &whole),
        DECODE_AS("quota", decode_maybe_signed, OciCpu, quota, &from_minus_one),
        DECODE_AS("period", decode_maybe_unsigned, OciCpu, period, &whole),
        DECODE_AS("burst", decode_maybe_unsigned, OciCpu, burst, &whole),
        DECODE("realtimeRuntime", decode_maybe_signed, OciCpu, realtime_runtime),
        DECODE_AS("realtimePeriod", decode_maybe_unsigned, OciCpu, realtime_period, &whole),
        DECODE("cpus", decode_string, OciCpu, cpus),
        DECODE("mems", decode_string, OciCpu, mems),
        DECODE_AS("idle", decode_maybe_signed, OciCpu, idle, &(const DecodeRange){0, 1}),
};
static const DecodeObject cpu_object = {DECODE_MEMBERS(cpu_fields)};

static const DecodeField pids_fields[] = {
        DECODE("limit", decode_maybe_signed, OciResources, pids),
};
static const DecodeObject pids_object = {DECODE_MEMBERS(pids_fields)};

static const DecodeRange weight = {0, 1000};
static const DecodeField weight_fields[] = {
        DECODE_AS("major", decode_int64, OciDeviceNumber, major, &whole),
        DECODE_AS("minor", decode_int64, OciDeviceNumber, minor, &whole),
        DECODE_AS("weight", decode_uint64, OciDeviceNumber, value, &weight),
        DECODE_AS("leafWeight", decode_maybe_unsigned, OciDeviceNumber, leaf_weight, &weight),
};
static const DecodeObject weight_object = {DECODE_MEMBERS(weight_fields),
                                           .size = sizeof(OciDeviceNumber)};

static const DecodeField throttle_fields[] = {
        DECODE_AS("major", decode_int64, OciDeviceNumber, major, &whole),
        DECODE_AS("minor", decode_int64, OciDeviceNumber, minor, &whole),
        DECODE("rate", decode_uint64, OciDeviceNumber, value),
};
static const DecodeObject throttle_object = {DECODE_MEMBERS(throttle_fields),
                                             .size = sizeof(OciDeviceNumber)};

static const DecodeField block_io_fields[] = {
        DECODE_AS("weight", decode_maybe_unsigned, OciBlockIo, weight, &weight),
        DECODE_AS("leafWeight", decode_maybe_unsigned, OciBlockIo, leaf_weight, &weight),
        DECODE_LIST("weightDevice", OciBlockIo, weights.items, weights.n, &weight_object),
        DECODE_LIST("throttleReadBpsDevice", OciBlockIo, read_bps.items, read_bps.n,
                    &throttle_object),
        DECODE_LIST("throttleWriteBpsDevice", OciBlockIo, write_bps.items, write_bps.n,
                    &throttle_object),
        DECODE_LIST("throttleReadIOPSDevice", OciBlockIo, read_iops.items, read_iops.n,
                    &throttle_object),
        DECODE_LIST("throttleWriteIOPSDevice", OciBlockIo, write_iops.items, write_iops.n,
                    &throttle_object),
};
static const DecodeObject block_io_object = {DECODE_MEMBERS(block_io_fields)};

/* Names that become part of the name of a file. */
static bool is_file_word(const char *word)
{
        return word && *word && !strchr(word, '/') && *word != '.';
}

static bool finish_hugepage(Decoder *decoder, void *target)
{
        const OciHugepageLimit *limit = target;

        return is_file_word(limit->page_size) ||
               decode_fail_at(decoder, "pageSize", "is no size as in \"2MB\"");
}

static const DecodeField hugepage_fields[] = {
        DECODE("pageSize", decode_string, OciHugepageLimit, page_size),
        DECODE("limit", decode_uint64, OciHugepageLimit, limit),
};
static const DecodeObject hugepage_object = {DECODE_MEMBERS(hugepage_fields),
                                             .size = sizeof(OciHugepageLimit),
                                             .finish = finish_hugepage};

static bool finish_priority(Decoder *decoder, void *target)
{
        const OciNetworkPriority *priority = target;

        return priority->interface || decode_fail_at(decoder, "name", "is missing");
}

static const DecodeField priority_fields[] = {
        DECODE("name", decode_string, OciNetworkPriority, interface),
        DECODE("priority", decode_uint32, OciNetworkPriority, priority),
};
static const DecodeObject priority_object = {DECODE_MEMBERS(priority_fields),
                                             .size = sizeof(OciNetworkPriority),
                                             .finish = finish_priority};

static const DecodeField network_fields[] = {
        DECODE_AS("classID", decode_maybe_unsigned, OciResources, class_id,
                  &(const DecodeRange){0, UINT32_MAX}),
        DECODE_LIST("priorities", OciResources, priorities, n_priorities, &priority_object),
};
static const DecodeObject network_object = {DECODE_MEMBERS(network_fields)};

static const DecodeField rdma_fields[] = {
        DECODE_AS("hcaHandles", decode_maybe_unsigned, OciRdma, handles,
                  &(const DecodeRange){0, UINT32_MAX}),
        DECODE_AS("hcaObjects", decode_maybe_unsigned, OciRdma, objects,
                  &(const DecodeRange){0, UINT32_MAX}),
};
static const DecodeObject rdma_object = {DECODE_MEMBERS(rdma_fields)};

/* An object whose keys are names of devices. */
static bool decode_rdma(Decoder *decoder, const DecodeField *field, json_object *value,
                        void *target)
{
        OciResources *resources = target;

        if (!json_object_is_type(value, json_type_object))
                return decode_fail(decoder, "is not an object");
        resources->rdma = g_new0(OciRdma, (size_t) json_object_object_length(value) + 1);
        for (const struct lh_entry *entry = json_object_get_object(value)->head; entry;
             entry = entry->next) {
                const char *key = lh_entry_k(entry);
                json_object *member = (json_object *) lh_entry_v(entry);
                OciRdma *rdma = &resources->rdma[resources->n_rdma++];
                size_t back = decode_enter(decoder, key);

                rdma->device = g_strdup(key);
                if (key[0] == '\0' || strpbrk(key, " \n"))
                        return decode_fail(decoder, "is no name of a device");
                if (!decode_object(decoder, field, member, rdma))
                        return false;
                decode_leave(decoder, back);
        }
        return true;
}

static bool finish_resources(Decoder *decoder, void *target)
{
        const OciResources *resources = target;

        for (size_t i = 0; i < resources->unified.n; i++) {
                const char *key = resources->unified.items[i].key;

                if (!is_file_word(key) || !strchr(key, '.'))
                        return decode_fail_at(
                                decoder, "unified",
                                "a key is no file of a controller, as in \"memory.high\"");
        }
        return true;
}

static const DecodeField resources_fields[] = {
        DECODE_LIST("devices", OciResources, devices, n_devices, &rule_object),
        DECODE_AS("memory", decode_object, OciResources, memory, &memory_object),
        DECODE_AS("cpu", decode_object, OciResources, cpu, &cpu_object),
        DECODE_FLAT("pids", &pids_object),
        DECODE_AS("blockIO", decode_object, OciResources, block_io, &block_io_object),
        DECODE_LIST("hugepageLimits", OciResources, hugepages, n_hugepages, &hugepage_object),
        DECODE_FLAT("network", &network_object),
        {.name = "rdma", .decode = decode_rdma, .of = &rdma_object},
        DECODE("unified", decode_pairs, OciResources, unified),
};
const DecodeObject decode_resources_object = {DECODE_MEMBERS(resources_fields),
                                              .finish = finish_resources};
