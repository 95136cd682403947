#include "cli/oci/decode/tables.h"
#include "cli/oci/spec/spec.h"

static bool finish_hook(Decoder *decoder, void *target)
{
        OciHook *hook = target;

        if (!hook->path || hook->path[0] != '/')
                return decode_fail_at(decoder, "path", "is not an absolute path");
        if (hook->args && !hook->args[0])
                g_clear_pointer(&hook->args, g_strfreev);
        if (!hook->env)
                hook->env = g_new0(char *, 1);
        return true;
}

static const DecodeField hook_fields[] = {
        DECODE("path", decode_string, OciHook, path),
        DECODE("args", decode_strings, OciHook, args),
        DECODE("env", decode_strings, OciHook, env),
        DECODE_AS("timeout", decode_uint32, OciHook, timeout, &(const DecodeRange){1, INT32_MAX}),
};
static const DecodeObject hook_object = {DECODE_MEMBERS(hook_fields), .size = sizeof(OciHook),
                                         .finish = finish_hook};

#define HOOKS(name, kind) DECODE_LIST(name, OciSpec, hooks[kind].items, hooks[kind].n, &hook_object)
static const DecodeField hooks_fields[] = {
        HOOKS("prestart", OCI_HOOK_PRESTART),
        HOOKS("createRuntime", OCI_HOOK_CREATE_RUNTIME),
        HOOKS("createContainer", OCI_HOOK_CREATE_CONTAINER),
        HOOKS("startContainer", OCI_HOOK_START_CONTAINER),
        HOOKS("poststart", OCI_HOOK_POSTSTART),
        HOOKS("poststop", OCI_HOOK_POSTSTOP),
};
static const DecodeObject hooks_object = {DECODE_MEMBERS(hooks_fields)};

static const DecodeField root_fields[] = {
        DECODE("path", decode_string, OciSpec, root_path),
        DECODE("readonly", decode_bool, OciSpec, root_read_only),
};
static const DecodeObject root_object = {DECODE_MEMBERS(root_fields)};

static const DecodeField spec_fields[] = {
        DECODE("ociVersion", decode_string, OciSpec, version),
        DECODE_FLAT("root", &root_object),
        DECODE_AS("process", decode_object, OciSpec, process, &decode_process_object),
        DECODE("hostname", decode_string, OciSpec, hostname),
        DECODE("domainname", decode_string, OciSpec, domainname),
        DECODE_LIST("mounts", OciSpec, mounts, n_mounts, &decode_mount_object),
        DECODE_FLAT("hooks", &hooks_object),
        DECODE("annotations", decode_pairs, OciSpec, annotations),
        DECODE_FLAT("linux", &decode_linux_object),
};
const DecodeObject decode_spec_object = {DECODE_MEMBERS(spec_fields)};
