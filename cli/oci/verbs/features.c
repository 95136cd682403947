#include <seccomp.h>
#include <sys/prctl.h>

#include "cli/lib/json.h"
#include "cli/oci/decode/tables.h"
#include "cli/oci/verbs/verbs.h"
#include "service/util/capability.h"

static void write_words(Json *json, const char *key, const DecodeWords *words)
{
        json_key(json, key);
        json_open(json, '[');
        for (size_t i = 0; i < words->n; i++)
                json_string(json, words->words[i].word);
        json_close(json, ']');
}

static void write_list(Json *json, const char *key, const char *const *words)
{
        json_key(json, key);
        json_open(json, '[');
        for (size_t i = 0; words[i]; i++)
                json_string(json, words[i]);
        json_close(json, ']');
}

static void write_bool(Json *json, const char *key, bool value)
{
        json_key(json, key);
        json_bool(json, value);
}

static void write_enabled(Json *json, const char *key, bool value)
{
        json_key(json, key);
        json_open(json, '{');
        write_bool(json, "enabled", value);
        json_close(json, '}');
}

static void write_capabilities(Json *json)
{
        json_key(json, "capabilities");
        json_open(json, '[');
        for (unsigned i = 0; capability_name(i) && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
                json_string(json, capability_name(i));
        json_close(json, ']');
}

static void write_cgroup(Json *json)
{
        json_key(json, "cgroup");
        json_open(json, '{');
        write_bool(json, "v1", true);
        write_bool(json, "v2", true);
        write_bool(json, "systemd", false);
        write_bool(json, "systemdUser", false);
        write_bool(json, "rdma", true);
        json_close(json, '}');
}

static void write_seccomp(Json *json)
{
        static const char *const architectures[] = {
                "SCMP_ARCH_X86",   "SCMP_ARCH_X86_64",  "SCMP_ARCH_X32",
                "SCMP_ARCH_ARM",   "SCMP_ARCH_AARCH64", "SCMP_ARCH_PPC64LE",
                "SCMP_ARCH_S390X", "SCMP_ARCH_RISCV64", NULL};
        static const char *const flags[] = {"SECCOMP_FILTER_FLAG_LOG",
                                            "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                            "SECCOMP_FILTER_FLAG_TSYNC", NULL};

        json_key(json, "seccomp");
        json_open(json, '{');
        write_bool(json, "enabled", true);
        write_words(json, "actions", &decode_seccomp_actions);
        write_words(json, "operators", &decode_seccomp_operators);
        write_list(json, "archs", architectures);
        write_list(json, "knownFlags", flags);
        write_list(json, "supportedFlags", flags);
        json_close(json, '}');
}

static void write_linux(Json *json)
{
        json_key(json, "linux");
        json_open(json, '{');
        write_words(json, "namespaces", &decode_namespaces);
        write_capabilities(json);
        write_cgroup(json);
        write_seccomp(json);
        write_enabled(json, "apparmor", true);
        write_enabled(json, "selinux", false);
        write_enabled(json, "intelRdt", false);
        json_key(json, "mountExtensions");
        json_open(json, '{');
        write_enabled(json, "idmap", true);
        json_close(json, '}');
        write_enabled(json, "netDevices", false);
        json_close(json, '}');
}

bool oci_verb_features(const OciCall *call, int *ret_status, GError **error)
{
        static const char *const hooks[] = {"prestart",
                                            "createRuntime",
                                            "createContainer",
                                            "startContainer",
                                            "poststart",
                                            "poststop",
                                            NULL};
        g_auto(GStrv) options = decode_list_mount_options();
        Json json;

        json_init(&json, true);
        json_open(&json, '{');
        json_key(&json, "ociVersionMin");
        json_string(&json, "1.0.0");
        json_key(&json, "ociVersionMax");
        json_string(&json, "1.3.0");
        write_list(&json, "hooks", hooks);
        write_list(&json, "mountOptions", (const char *const *) options);
        write_linux(&json);
        json_close(&json, '}');
        g_autofree char *text = json_finish(&json);
        fputs(text, stdout);
        return true;
}
