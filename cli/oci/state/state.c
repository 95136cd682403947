#include "cli/oci/state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/lib/json.h"
#include "cli/oci/decode/decoder.h"
#include "cli/oci/decode/document.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

void oci_state_free(OciState *state)
{
        if (!state)
                return;
        g_free(state->id);
        g_free(state->bundle);
        g_free(state->rootfs);
        g_free(state->created);
        g_strfreev(state->cgroups);
        g_free(state);
}

bool oci_state_write_file(int directory, const char *name, const char *text, size_t length,
                          GError **error)
{
        g_autofree char *temporary = g_strdup_printf("%s.tmp", name);
        autofd int file = openat(directory, temporary,
                                 O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        size_t done = 0;

        while (file >= 0 && done < length) {
                ssize_t n = TEMP_FAILURE_RETRY(write(file, text + done, length - done));

                if (n < 0)
                        break;
                done += (size_t) n;
        }
        if (file < 0 || done < length || renameat(directory, temporary, directory, name) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot write %s", name);
        return true;
}

static void write_text(Json *json, const char *key, const char *text)
{
        if (!text)
                return;
        json_key(json, key);
        json_string(json, text);
}

static void write_number(Json *json, const char *key, uint64_t number)
{
        json_key(json, key);
        json_unsigned(json, number);
}

bool oci_state_write(int directory, const OciState *state, GError **error)
{
        Json json;

        json_init(&json, false);
        json_open(&json, '{');
        write_text(&json, "id", state->id);
        write_text(&json, "bundle", state->bundle);
        write_text(&json, "rootfs", state->rootfs);
        write_text(&json, "created", state->created);
        json_key(&json, "cgroups");
        json_open(&json, '[');
        for (size_t i = 0; state->cgroups && state->cgroups[i]; i++)
                json_string(&json, state->cgroups[i]);
        json_close(&json, ']');
        write_number(&json, "pid", (uint64_t) state->pid);
        write_number(&json, "startTime", state->start_time);
        write_number(&json, "serial", state->serial);
        json_key(&json, "hasNoCgroup");
        json_bool(&json, state->has_no_cgroup);
        json_key(&json, "hasPidNamespace");
        json_bool(&json, state->has_pid_namespace);
        json_close(&json, '}');
        g_autofree char *text = json_finish(&json);
        return oci_state_write_file(directory, "state.json", text, strlen(text), error);
}

static const DecodeField state_fields[] = {
        DECODE("bundle", decode_string, OciState, bundle),
        DECODE("rootfs", decode_string, OciState, rootfs),
        DECODE("created", decode_string, OciState, created),
        DECODE("cgroups", decode_strings, OciState, cgroups),
        DECODE_AS("pid", decode_int64, OciState, pid, &(const DecodeRange){0, INT32_MAX}),
        DECODE("startTime", decode_uint64, OciState, start_time),
        DECODE("serial", decode_uint64, OciState, serial),
        DECODE("hasNoCgroup", decode_bool, OciState, has_no_cgroup),
        DECODE("hasPidNamespace", decode_bool, OciState, has_pid_namespace),
};
static const DecodeObject state_object = {DECODE_MEMBERS(state_fields)};

static bool decode_state(int file, OciState *state, GError **error)
{
        static const DecodeField field = {.of = &state_object};
        g_autoptr(GString) path = g_string_new("state.json");
        g_autoptr(json_object) tree = NULL;
        Decoder decoder = {path, error};
        g_autofree char *text = NULL;
        size_t length;

        return document_read(file, "state.json", &text, &length, error) &&
               document_parse(text, length, "state.json", &tree, error) &&
               decode_object(&decoder, &field, tree, state);
}

bool oci_state_read(int directory, const char *id, OciState **ret, GError **error)
{
        g_autoptr(OciState) state = g_new0(OciState, 1);
        autofd int file = openat(directory, "state.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        state->id = g_strdup(id);
        state->cgroups = g_new0(char *, 1);
        if (file < 0 && errno != ENOENT)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot open the state of \"%s\"", id);
        if (file >= 0 && !decode_state(file, state, error))
                return false;
        *ret = g_steal_pointer(&state);
        return true;
}
