/* Disks. v2 has all limits of a disk in one line, v1 a file for each. */

#include "cli/oci/cgroup/write.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/spec/error.h"
#include "service/util/shares.h"

#define WEIGHT_MIN 10u
#define WEIGHT_MAX 1000u

static bool check_weight(uint64_t weight, GError **error)
{
        return (weight >= WEIGHT_MIN && weight <= WEIGHT_MAX) ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "linux.resources.blockIO.weight is %" PRIu64 ", not %u to %u", weight,
                         WEIGHT_MIN, WEIGHT_MAX);
}

/* The scheduler BFQ brings a file of its own, where it does the weighing. */
static bool set_weight(Place *place, const OciUnsigned *weight, GError **error)
{
        const char *bfq = place->is_unified ? "io.bfq.weight" : "blkio.bfq.weight";

        place->key = "blockIO.weight";
        if (!weight->is_given || weight->value == 0)
                return true;
        if (!check_weight(weight->value, error))
                return false;
        if (oci_has_file(place, bfq))
                return oci_write_unsigned(place, bfq, weight->value, error);
        if (place->is_unified)
                return oci_write_unsigned(place, "io.weight", shares_of_podman_disk(weight->value),
                                          error);
        return oci_write_unsigned(place, "blkio.weight", weight->value, error);
}

static bool set_device_weight(Place *place, const OciDeviceNumber *device, GError **error)
{
        const char *bfq = place->is_unified ? "io.bfq.weight" : "blkio.bfq.weight_device";
        const char *plain = place->is_unified ? "io.weight" : "blkio.weight_device";
        bool is_bfq = oci_has_file(place, bfq);
        char text[80];

        place->key = "blockIO.weightDevice";
        if (device->leaf_weight.is_given && device->leaf_weight.value != 0) {
                snprintf(text, sizeof text, "%" PRId64 ":%" PRId64 " %" PRIu64, device->major,
                         device->minor, device->leaf_weight.value);
                if (!oci_only_in(place, false, error) ||
                    !oci_write(place, "blkio.leaf_weight_device", text, error))
                        return false;
        }
        if (device->value == 0)
                return true;
        if (!check_weight(device->value, error))
                return false;
        snprintf(text, sizeof text, "%" PRId64 ":%" PRId64 " %" PRIu64, device->major,
                 device->minor,
                 place->is_unified && !is_bfq ? shares_of_podman_disk(device->value)
                                              : device->value);
        return oci_write(place, is_bfq ? bfq : plain, text, error);
}

static bool set_throttles(Place *place, const OciDeviceNumbers *numbers, const char *legacy,
                          const char *unified, GError **error)
{
        char text[80];

        for (size_t i = 0; i < numbers->n; i++) {
                const OciDeviceNumber *device = &numbers->items[i];
                if (place->is_unified && device->value == 0)
                        snprintf(text, sizeof text, "%" PRId64 ":%" PRId64 " %s=max", device->major,
                                 device->minor, unified);
                else
                        snprintf(text, sizeof text, "%" PRId64 ":%" PRId64 " %s%s%" PRIu64,
                                 device->major, device->minor, place->is_unified ? unified : "",
                                 place->is_unified ? "=" : "", device->value);
                if (!oci_write(place, place->is_unified ? "io.max" : legacy, text, error))
                        return false;
        }
        return true;
}

static bool set_all_throttles(Place *place, const OciBlockIo *io, GError **error)
{
        const struct {
                const char *key;
                const OciDeviceNumbers *numbers;
                const char *legacy, *unified;
        } rows[] = {
                {"blockIO.throttleReadBpsDevice", &io->read_bps, "blkio.throttle.read_bps_device",
                 "rbps"},
                {"blockIO.throttleWriteBpsDevice", &io->write_bps,
                 "blkio.throttle.write_bps_device", "wbps"},
                {"blockIO.throttleReadIOPSDevice", &io->read_iops,
                 "blkio.throttle.read_iops_device", "riops"},
                {"blockIO.throttleWriteIOPSDevice", &io->write_iops,
                 "blkio.throttle.write_iops_device", "wiops"},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                place->key = rows[i].key;
                if (!set_throttles(place, rows[i].numbers, rows[i].legacy, rows[i].unified, error))
                        return false;
        }
        return true;
}

bool oci_set_block_io(const PathCgroup *cgroup, const OciBlockIo *io, GError **error)
{
        bool is_asked = io->weight.value != 0 || io->leaf_weight.value != 0 || io->weights.n ||
                        io->read_bps.n || io->write_bps.n || io->read_iops.n || io->write_iops.n;
        Place place;

        if (!is_asked)
                return true;
        if (!oci_find_place(cgroup, "blkio", "blockIO", &place, error) ||
            !set_weight(&place, &io->weight, error))
                return false;
        place.key = "blockIO.leafWeight";
        if (io->leaf_weight.value != 0 &&
            (!oci_only_in(&place, false, error) ||
             !oci_write_unsigned(&place, "blkio.leaf_weight", io->leaf_weight.value, error)))
                return false;
        for (size_t i = 0; i < io->weights.n; i++)
                if (!set_device_weight(&place, &io->weights.items[i], error))
                        return false;
        return set_all_throttles(&place, io, error);
}
