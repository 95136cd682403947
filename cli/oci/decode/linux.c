#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>

#include "cli/oci/decode/tables.h"
#include "cli/oci/spec/spec.h"

static const DecodeWord namespace_words[] = {
        {"pid", CLONE_NEWPID},       {"network", CLONE_NEWNET}, {"mount", CLONE_NEWNS},
        {"ipc", CLONE_NEWIPC},       {"uts", CLONE_NEWUTS},     {"user", CLONE_NEWUSER},
        {"cgroup", CLONE_NEWCGROUP},
};
const DecodeWords decode_namespaces = {namespace_words, G_N_ELEMENTS(namespace_words)};

static bool finish_namespace(Decoder *decoder, void *target)
{
        const OciNamespace *namespace = target;

        if (!namespace->type)
                return decode_fail_at(decoder, "type", "is missing");
        if (namespace->path && namespace->path[0] != '/')
                return decode_fail_at(decoder, "path", "is not absolute");
        return true;
}

static const DecodeField namespace_fields[] = {
        DECODE_AS("type", decode_word, OciNamespace, type, &decode_namespaces),
        DECODE("path", decode_string, OciNamespace, path),
};
static const DecodeObject namespace_object = {
        DECODE_MEMBERS(namespace_fields), .size = sizeof(OciNamespace), .finish = finish_namespace};

static const DecodeWord device_words[] = {
        {"c", S_IFCHR}, {"u", S_IFCHR}, {"b", S_IFBLK}, {"p", S_IFIFO}};

#define MODE_IS_GIVEN S_IFREG /* until finish_device() */

/* podman writes the file's type into the mode as well. */
static bool decode_file_mode(Decoder *decoder, const DecodeField *field, json_object *value,
                             void *target)
{
        uint32_t mode;

        if (!decode_uint32(decoder, field, value, &mode))
                return false;
        *(mode_t *) target = (mode & 07777) | MODE_IS_GIVEN;
        return true;
}

static bool finish_device(Decoder *decoder, void *target)
{
        OciDevice *device = target;

        device->mode = device->mode ? device->mode & 07777 : 0666;
        if (!device->path || device->path[0] != '/')
                return decode_fail_at(decoder, "path", "is not an absolute path");
        return device->type || decode_fail_at(decoder, "type", "is missing");
}

static bool decode_device_type(Decoder *decoder, const DecodeField *field, json_object *value,
                               void *target)
{
        OciDevice *device = target;
        uint32_t type;

        if (!decode_word(decoder, field, value, &type))
                return false;
        device->type = type;
        return true;
}

static const DecodeField device_fields[] = {
        DECODE("path", decode_string, OciDevice, path),
        {.name = "type", .decode = decode_device_type, .of = DECODE_WORDS(device_words)},
        DECODE("major", decode_uint32, OciDevice, major),
        DECODE("minor", decode_uint32, OciDevice, minor),
        DECODE("fileMode", decode_file_mode, OciDevice, mode),
        DECODE("uid", decode_uint32, OciDevice, uid),
        DECODE("gid", decode_uint32, OciDevice, gid),
};
static const DecodeObject device_object = {DECODE_MEMBERS(device_fields), .size = sizeof(OciDevice),
                                           .finish = finish_device};

static bool decode_propagation(Decoder *decoder, const DecodeField *field, json_object *value,
                               void *target)
{
        uint64_t *propagation = target;
        const char *word;

        if (!decode_text(decoder, value, &word))
                return false;
        *propagation = *word ? mount_propagation(word) : 0;
        return !*word || *propagation != 0 || decode_fail(decoder, "is none of mount(8)'s");
}

static const DecodeWord personality_words[] = {{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}};

static bool decode_personality_domain(Decoder *decoder, const DecodeField *field,
                                      json_object *value, void *target)
{
        OciSpec *spec = target;

        spec->has_personality = true;
        return decode_find_word(decoder, DECODE_WORDS(personality_words), value,
                                &spec->personality);
}

static const DecodeField personality_fields[] = {
        {.name = "domain", .decode = decode_personality_domain},
        DECODE_NO("flags"), /* the OCI defines none */
};
static const DecodeObject personality_object = {DECODE_MEMBERS(personality_fields)};

static const DecodeField linux_fields[] = {
        DECODE_LIST("namespaces", OciSpec, namespaces, n_namespaces, &namespace_object),
        DECODE_LIST("uidMappings", OciSpec, uid_maps.items, uid_maps.n, &decode_id_map_object),
        DECODE_LIST("gidMappings", OciSpec, gid_maps.items, gid_maps.n, &decode_id_map_object),
        DECODE_NO("timeOffsets"),
        DECODE_LIST("devices", OciSpec, devices, n_devices, &device_object),
        DECODE_NO("netDevices"),
        DECODE("cgroupsPath", decode_string, OciSpec, cgroups_path),
        DECODE_AS("resources", decode_object, OciSpec, resources, &decode_resources_object),
        DECODE("sysctl", decode_pairs, OciSpec, sysctls),
        {.name = "seccomp",
         .decode = decode_seccomp,
         .offset = offsetof(OciSpec, seccomp),
         .of = &decode_seccomp_object},
        DECODE("rootfsPropagation", decode_propagation, OciSpec, root_propagation),
        DECODE("maskedPaths", decode_strings, OciSpec, masked_paths),
        DECODE("readonlyPaths", decode_strings, OciSpec, read_only_paths),
        DECODE_NO("mountLabel"),
        DECODE_NO("intelRdt"),
        DECODE_NO("memoryPolicy"),
        DECODE_FLAT("personality", &personality_object),
};
const DecodeObject decode_linux_object = {DECODE_MEMBERS(linux_fields)};
