#include "cli/oci/decode/config.h"

#include "cli/oci/decode/document.h"
#include "cli/oci/decode/tables.h"
#include "cli/oci/spec/validate.h"

static bool decode(const char *text, size_t length, const char *name, const DecodeField *field,
                   OciSpec **ret, GError **error)
{
        g_autoptr(OciSpec) spec = oci_spec_new();
        g_autoptr(GString) path = g_string_new(NULL);
        g_autoptr(json_object) tree = NULL;
        Decoder decoder = {path, error};

        if (!document_parse(text, length, name, &tree, error) ||
            !decode_object(&decoder, field, tree, (char *) spec + field->offset))
                return false;
        *ret = g_steal_pointer(&spec);
        return true;
}

bool config_decode(const char *text, size_t length, OciSpec **ret, GError **error)
{
        static const DecodeField field = {.of = &decode_spec_object};
        g_autoptr(OciSpec) spec = NULL;

        if (!decode(text, length, "config.json", &field, &spec, error) ||
            !oci_spec_validate(spec, error))
                return false;
        *ret = g_steal_pointer(&spec);
        return true;
}

bool config_decode_process(const char *text, size_t length, OciSpec **ret, GError **error)
{
        static const DecodeField field = {.offset = offsetof(OciSpec, process),
                                          .of = &decode_process_object};

        return decode(text, length, "process.json", &field, ret, error);
}

bool config_decode_resources(const char *text, size_t length, OciSpec **ret, GError **error)
{
        static const DecodeField field = {.offset = offsetof(OciSpec, resources),
                                          .of = &decode_resources_object};

        return decode(text, length, "resources", &field, ret, error);
}
