#include "cli/naivec/more-flags.h"

#include <string.h>

#include "cli/lib/values.h"
#include "service/util/capability.h"

char *more_flags_take_detach_keys(DetachKeys *keys, const char *text)
{
        return detach_keys_parse(keys, text)
                       ? NULL
                       : g_strdup_printf(
                                 "--detach-keys=%s: it takes up to %d keys joined by commas, "
                                 "each a character or ctrl- with a letter or one of @[\\]^_",
                                 text, DETACH_KEYS_MAX);
}

static bool parse_limit(const char *text, uint64_t *ret)
{
        if (g_str_equal(text, "-1") || g_str_equal(text, "unlimited")) {
                *ret = UINT64_MAX;
                return true;
        }
        return value_parse_number(text, 0, UINT64_MAX, ret);
}

char *more_flags_take_ulimit(SpawnRequest *request, const char *text)
{
        static const struct {
                const char *name;
                SpawnOption option;
        } limits[] = {
                {"core", SPAWN_LimitCORE},       {"fsize", SPAWN_LimitFSIZE},
                {"memlock", SPAWN_LimitMEMLOCK}, {"nofile", SPAWN_LimitNOFILE},
                {"nproc", SPAWN_LimitNPROC},     {"stack", SPAWN_LimitSTACK},
        };
        g_auto(GStrv) halves = g_strsplit(text, "=", 2);
        g_auto(GStrv) values = g_strsplit(halves[0] && halves[1] ? halves[1] : "", ":", 2);
        uint64_t soft, hard;

        for (unsigned i = 0; halves[0] && i < G_N_ELEMENTS(limits); i++) {
                if (strcmp(halves[0], limits[i].name) != 0)
                        continue;
                if (!values[0] || !parse_limit(values[0], &soft) ||
                    !parse_limit(values[1] ? values[1] : values[0], &hard))
                        return g_strdup_printf("--ulimit=%s: it takes NAME=SOFT or NAME=SOFT:HARD, "
                                               "numbers or -1 for no limit",
                                               text);
                spawn_request_set_pair(request, limits[i].option, soft, hard);
                return NULL;
        }
        return g_strdup_printf(
                "--ulimit=%s: NAME is one of core, fsize, memlock, nofile, nproc, stack", text);
}

/* -- --mount -- */

typedef struct MountWords {
        const char *type, *source, *target;
        GString *options;
} MountWords;

static void add_option(MountWords *words, const char *option, const char *value)
{
        g_string_append_printf(words->options, "%s%s%s", words->options->len ? "," : "", option,
                               value);
}

/* False: there is no such word. A value that is left out is "true". */
static bool take_mount_word(MountWords *words, const char *key, const char *value)
{
        static const char *const plain[] = {"bind", "nodev", "noexec", "nosuid", "rbind", NULL};
        bool is_true = true;

        if (g_str_equal(key, "type")) {
                words->type = value;
        } else if (g_str_equal(key, "source") || g_str_equal(key, "src")) {
                words->source = value;
        } else if (g_str_equal(key, "target") || g_str_equal(key, "destination") ||
                   g_str_equal(key, "dst")) {
                words->target = value;
        } else if (g_str_equal(key, "tmpfs-size")) {
                add_option(words, "size=", value);
        } else if (g_str_equal(key, "tmpfs-mode")) {
                add_option(words, "mode=", value);
        } else if (g_str_equal(key, "ro") || g_str_equal(key, "readonly") ||
                   g_str_equal(key, "rw")) {
                if (!value_parse_bool(value, &is_true))
                        return false;
                add_option(words, is_true == !g_str_equal(key, "rw") ? "ro" : "rw", "");
        } else if (g_strv_contains(plain, key) && g_str_equal(value, "true")) {
                add_option(words, key, "");
        } else {
                return false;
        }
        return true;
}

static char *settle_mount(const MountWords *words, SpawnRequest *request, const char *text)
{
        bool is_bind = g_strcmp0(words->type, "bind") == 0;
        g_autofree char *source =
                is_bind && words->source ? value_absolute_path(words->source) : NULL;
        g_autofree char *target =
                g_strconcat(words->target ? words->target : "", ":", words->options->str, NULL);

        if (!is_bind && g_strcmp0(words->type, "tmpfs") != 0)
                return g_strdup_printf("--mount=%s: the types are bind and tmpfs", text);
        if (!words->target || *words->target != '/' || strchr(words->target, ':'))
                return g_strdup_printf("--mount=%s: it needs a target, an absolute path without "
                                       "colons",
                                       text);
        if (is_bind ? !source : words->source != NULL)
                return g_strdup_printf("--mount=%s: a bind needs a source, a tmpfs has none", text);
        if (!words->options->len)
                target[strlen(target) - 1] = '\0';
        spawn_request_add_mount(request, is_bind ? source : "", target);
        return NULL;
}

char *more_flags_take_mount(SpawnRequest *request, const char *text)
{
        g_auto(GStrv) parts = g_strsplit(text, ",", -1);
        g_autoptr(GString) options = g_string_new(NULL);
        MountWords words = {.options = options};

        for (char **part = parts; *part; part++) {
                char *equals = strchr(*part, '=');
                const char *value = equals ? equals + 1 : "true";
                if (equals)
                        *equals = '\0';
                if (!take_mount_word(&words, *part, value))
                        return g_strdup_printf("--mount=%s: it does not take '%s%s%s'", text, *part,
                                               equals ? "=" : "", equals ? value : "");
        }
        return settle_mount(&words, request, text);
}

/* -- --env-file -- */

/* As podman reads it: nothing is quoted, a line without a value passes on what is set here. */
static void take_env_line(GPtrArray *assignments, const char *line)
{
        line += strspn(line, " \t");
        if (!*line || *line == '#')
                return;
        if (strchr(line, '='))
                g_ptr_array_add(assignments, g_strdup(line));
        else if (g_getenv(line))
                g_ptr_array_add(assignments, g_strdup_printf("%s=%s", line, g_getenv(line)));
}

char *more_flags_take_env_file(GPtrArray *assignments, const char *path)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;
        gsize length;

        if (!g_file_get_contents(path, &text, &length, &error))
                return g_strdup_printf("--env-file=%s: %s", path, error->message);
        if (strlen(text) != length)
                return g_strdup_printf("--env-file=%s: there is a NUL byte in it", path);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (unsigned i = 0; lines[i]; i++) {
                if (lines[i][strspn(lines[i], " \t")] == '=')
                        return g_strdup_printf("--env-file=%s: line %u has no name", path, i + 1);
                take_env_line(assignments, lines[i]);
        }
        return NULL;
}

/* From the last to the first: the last value of a name counts. */
void more_flags_settle_env_files(const GPtrArray *assignments, SpawnRequest *request)
{
        for (unsigned i = assignments->len; i > 0; i--) {
                const char *assignment = assignments->pdata[i - 1];
                g_autofree char *name = g_strndup(assignment, strcspn(assignment, "="));
                spawn_request_default_variable(request, name, strchr(assignment, '=') + 1);
        }
}

char *more_flags_take_cap_drop(CapDrop *drop, const char *text)
{
        g_autofree char *upper = g_ascii_strup(text, -1);
        g_autofree char *name = g_str_has_prefix(upper, "CAP_") ? g_strdup(upper)
                                                                : g_strconcat("CAP_", upper, NULL);
        uint64_t bit = 0;

        if (g_str_equal(upper, "ALL"))
                drop->all = true;
        else if (!capability_from_name(name, &bit))
                return g_strdup_printf("--cap-drop=%s: there is no such capability", text);
        drop->mask |= bit;
        return NULL;
}

static void put_names(SpawnRequest *request, SpawnOption option, uint64_t mask)
{
        spawn_request_set_empty(request, option);
        for (unsigned i = 0; capability_name(i); i++)
                if (mask & UINT64_C(1) << i)
                        spawn_request_add(request, option, capability_name(i));
}

/* As podman combines them: the default set, or with "--cap-add all" all capabilities, or with
 * "--cap-drop all" none; then without what is dropped by name; then with what is added by name. */
char *more_flags_settle_cap_drop(const CapDrop *drop, SpawnRequest *request)
{
        const GPtrArray *names = request->values[SPAWN_Capabilities];
        uint64_t added = 0, every = 0, bit;

        if (!drop->all && !drop->mask)
                return NULL;
        for (unsigned i = 0; capability_name(i); i++)
                every |= UINT64_C(1) << i;
        for (unsigned i = 0; names && i < names->len; i++)
                if (capability_from_name(names->pdata[i], &bit))
                        added |= bit;
        if (added == every) {
                if (drop->all)
                        return g_strdup(
                                "--cap-add and --cap-drop exclude each other: both are all");
                added &= ~drop->mask;
                put_names(request, SPAWN_Capabilities, added);
        } else if (added & drop->mask) {
                return g_strdup_printf(
                        "--cap-add and --cap-drop both name %s",
                        capability_name((unsigned) __builtin_ctzll(added & drop->mask)));
        }
        put_names(request, SPAWN_CapabilityBoundingSet,
                  (drop->all ? 0 : CAPABILITIES_DEFAULT & ~drop->mask) | added);
        return NULL;
}
