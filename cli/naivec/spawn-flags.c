#include "cli/naivec/spawn-flags.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cli/lib/values.h"
#include "service/util/capability.h"
#include "service/util/fd.h"
#include "service/util/shares.h"
#include "service/util/size.h"

static const struct {
        const char *key;
        const char *signature;
        const char *flag;
        const char *metavar;
        const char *help;
} rows[N_SPAWN_OPTIONS] = {
#define X(key, signature, flag, metavar, help) {#key, signature, flag, metavar, help},
        SPAWN_OPTIONS(X)
#undef X
};

static char *refusal(SpawnOption option, const char *text, const char *wanted)
{
        return g_strdup_printf("--%s=%s: it takes %s", rows[option].flag, text, wanted);
}

/* -- values that only their type decides about -- */

static bool is_truth(const char *text)
{
        bool truth;

        return value_parse_bool(text, &truth);
}

static bool is_size(const char *text)
{
        uint64_t size;

        return size_parse(text, &size);
}

static bool is_utf8(const char *text)
{
        return g_utf8_validate(text, -1, NULL);
}

static const struct {
        const char *signature;
        bool (*accepts)(const char *text);
        const char *wanted;
} types[] = {
        {"b", is_truth, "'yes' or 'no'"},
        {"t", is_size, "a number, such as 64M or 1.5G, or 'infinity'"},
        {"s", is_utf8, "valid UTF-8"},
};

static char *take_value(SpawnRequest *request, SpawnOption option, const char *text)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
                if (!strcmp(types[i].signature, rows[option].signature) && !types[i].accepts(text))
                        return refusal(option, text, types[i].wanted);
        spawn_request_set(request, option, text);
        return NULL;
}

/* -- values that need a function of their own -- */

/* -1 means no limit, as in podman. */
static char *take_swap(SpawnRequest *request, SpawnOption option, const char *text)
{
        return take_value(request, option, g_str_equal(text, "-1") ? "infinity" : text);
}

/* So does 0. */
static char *take_limit(SpawnRequest *request, SpawnOption option, const char *text)
{
        uint64_t limit;

        return take_swap(request, option, size_parse(text, &limit) && !limit ? "-1" : text);
}

/* 0 means no limit. */
static char *take_time(SpawnRequest *request, SpawnOption option, const char *text)
{
        uint64_t usec = 0;
        char number[24];

        if (!value_parse_seconds(text, &usec))
                return refusal(option, text, "seconds, or '2min 30s'");
        g_snprintf(number, sizeof number, "%" G_GUINT64_FORMAT, usec);
        return take_limit(request, option, number);
}

/* Shares as podman and docker have them. */
static char *take_shares(SpawnRequest *request, SpawnOption option, const char *text)
{
        uint64_t shares;
        char number[24];

        if (!value_parse_number(text, 1, 262144, &shares))
                return refusal(option, text, "a number from 1 to 262144");
        g_snprintf(number, sizeof number, "%" G_GUINT64_FORMAT, shares_to_weight(shares));
        spawn_request_set(request, option, number);
        return NULL;
}

static char *take_disk_shares(SpawnRequest *request, SpawnOption option, const char *text)
{
        uint64_t shares;
        char number[24];

        if (!value_parse_number(text, 10, 1000, &shares))
                return refusal(option, text, "a number from 10 to 1000");
        g_snprintf(number, sizeof number, "%" G_GUINT64_FORMAT, shares_of_podman_disk(shares));
        spawn_request_set(request, option, number);
        return NULL;
}

/* A number of processors, perhaps with a fraction; 0 is no limit, as in podman. */
static char *take_processors(SpawnRequest *request, SpawnOption option, const char *text)
{
        char number[24], *end;
        double processors = g_ascii_strtod(text, &end);

        if (!g_ascii_isdigit(*text) || *end || !(processors == 0 || processors >= 0.001) ||
            processors > 1e6)
                return refusal(option, text, "a number of processors, such as 0.5, from 0.001 on");
        g_snprintf(number, sizeof number, "%" G_GUINT64_FORMAT,
                   (guint64) (processors * G_USEC_PER_SEC + 0.5));
        spawn_request_set(request, option, number);
        return NULL;
}

/* NAME=VALUE, or NAME to pass on the value that the variable has here, if it is set. */
static char *take_variable(SpawnRequest *request, SpawnOption option, const char *text)
{
        const char *value = g_getenv(text);
        g_autofree char *assignment = NULL;

        if (*text == '=' || !*text)
                return g_strdup("--env= needs a name");
        if (strchr(text, '=')) {
                spawn_request_set_variable(request, text);
                return NULL;
        }
        if (!value) /* as with docker and podman: scripts say -e HTTP_PROXY everywhere */
                return NULL;
        assignment = g_strdup_printf("%s=%s", text, value);
        spawn_request_set_variable(request, assignment);
        return NULL;
}

/* The name of a capability, with or without "CAP_", in upper or lower case; or "all". */
static char *take_capability(SpawnRequest *request, SpawnOption option, const char *text)
{
        g_autofree char *upper = g_ascii_strup(text, -1);
        g_autofree char *name = g_str_has_prefix(upper, "CAP_") ? g_strdup(upper)
                                                                : g_strconcat("CAP_", upper, NULL);
        uint64_t bit;

        if (g_str_equal(upper, "ALL")) {
                for (unsigned i = 0; capability_name(i); i++)
                        spawn_request_add(request, option, capability_name(i));
                return NULL;
        }
        if (!capability_from_name(name, &bit))
                return g_strdup_printf("--cap-add=%s: there is no such capability", text);
        spawn_request_add(request, option, name);
        return NULL;
}

/* A mode, in octal digits as chmod(1) takes them. */
static char *take_octal(SpawnRequest *request, SpawnOption option, const char *text)
{
        size_t length = strlen(text);
        char number[16];

        if (length == 0 || length > 4 || strspn(text, "01234567") != length)
                return refusal(option, text, "octal digits, at most 4");
        g_snprintf(number, sizeof number, "%u", (unsigned) g_ascii_strtoull(text, NULL, 8));
        spawn_request_set(request, option, number);
        return NULL;
}

/* No name is looked up, here or in the container's /etc: whoever has made the tree would say who
 * that is. Without a group it is 0, as with podman. */
static char *take_user(SpawnRequest *request, SpawnOption option, const char *text)
{
        g_auto(GStrv) parts = g_strsplit(text, ":", 2);
        uint64_t uid, gid = 0;

        if (!parts[0] || !value_parse_number(parts[0], 0, UINT32_MAX - 1, &uid) ||
            (parts[1] && !value_parse_number(parts[1], 0, UINT32_MAX - 1, &gid)))
                return refusal(option, text, "numbers, UID or UID:GID: names are not looked up");
        spawn_request_set_pair(request, option, uid, gid);
        return NULL;
}

static char *take_group(SpawnRequest *request, SpawnOption option, const char *text)
{
        uint64_t gid;

        if (!value_parse_number(text, 0, UINT32_MAX - 1, &gid))
                return refusal(option, text, "a number: names are not looked up");
        spawn_request_add(request, option, text);
        return NULL;
}

/* KEY=VALUE, or KEY with an empty value, as with podman; the last one of a key counts. */
static char *take_label(SpawnRequest *request, SpawnOption option, const char *text)
{
        if (!*text || *text == '=' || !is_utf8(text))
                return refusal(option, text, "KEY or KEY=VALUE, in UTF-8");
        spawn_request_set_entry(request, option, text);
        return NULL;
}

static char *take_oom_score(SpawnRequest *request, SpawnOption option, const char *text)
{
        uint64_t score;

        if (!value_parse_number(text + (*text == '-'), 0, 1000, &score))
                return refusal(option, text, "a number from -1000 to 1000");
        spawn_request_set(request, option, text);
        return NULL;
}

/* KEY=VALUE; the last value of a key counts. */
static char *take_sysctl(SpawnRequest *request, SpawnOption option, const char *text)
{
        if (!strchr(text, '=') || *text == '=' || !is_utf8(text))
                return refusal(option, text, "KEY=VALUE");
        spawn_request_set_entry(request, option, text);
        return NULL;
}

/* As podman spells them: "none" has loopback alone, "ns:PATH" is a namespace that there is. */
static char *take_network(SpawnRequest *request, SpawnOption option, const char *text)
{
        if (!g_str_has_prefix(text, "ns:"))
                return take_value(request, option, g_str_equal(text, "none") ? "private" : text);
        autofd int fd = open(text + 3, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return g_strdup_printf("--network=%s: %s", text, g_strerror(errno));
        spawn_request_set(request, SPAWN_NetworkNamespaceFD, text + 3);
        return NULL;
}

/* SRC:DST[:OPTIONS]. SRC and DST are kept apart, for the absolute path of SRC may have a colon in
 * it. */
static char *take_volume(SpawnRequest *request, SpawnOption option, const char *text)
{
        const char *target = strchr(text, ':');
        g_autofree char *source = target ? g_strndup(text, (size_t) (target - text)) : NULL;
        g_autofree char *path = source ? value_absolute_path(source) : NULL;

        if (!path || !target[1] || target[1] == ':')
                return refusal(option, text, "SRC:DST or SRC:DST:OPTIONS");
        spawn_request_add_mount(request, path, target + 1);
        return NULL;
}

char *spawn_flags_take_tmpfs(SpawnRequest *request, const char *text)
{
        if (*text != '/')
                return g_strdup_printf("--tmpfs=%s: it takes DST or DST:OPTIONS", text);
        spawn_request_add_mount(request, "", text);
        return NULL;
}

/* A flag's letter, and the function that takes its value if its type alone does not do. */
static const struct {
        char letter;
        char *(*take)(SpawnRequest *request, SpawnOption option, const char *text);
} extras[N_SPAWN_OPTIONS] = {
        [SPAWN_CPUQuotaPerSecUSec] = {.take = take_processors},
        [SPAWN_CPUWeight] = {.take = take_shares},
        [SPAWN_Capabilities] = {.take = take_capability},
        [SPAWN_Environment] = {.letter = 'e', .take = take_variable},
        [SPAWN_IOWeight] = {.take = take_disk_shares},
        [SPAWN_Labels] = {.letter = 'l', .take = take_label},
        [SPAWN_MemoryMax] = {.letter = 'm', .take = take_limit},
        [SPAWN_MemorySwapMax] = {.take = take_swap},
        [SPAWN_Network] = {.take = take_network},
        [SPAWN_OOMScoreAdjust] = {.take = take_oom_score},
        [SPAWN_Sysctl] = {.take = take_sysctl},
        [SPAWN_SupplementaryGroups] = {.take = take_group},
        [SPAWN_User] = {.letter = 'u', .take = take_user},
        [SPAWN_Mounts] = {.letter = 'v', .take = take_volume},
        [SPAWN_RuntimeMaxUSec] = {.take = take_time},
        [SPAWN_TasksMax] = {.take = take_limit},
        [SPAWN_Terminal] = {.letter = 't'},
        [SPAWN_UMask] = {.take = take_octal},
        [SPAWN_WorkingDirectory] = {.letter = 'w'},
};

static int flag_id(unsigned option)
{
        return extras[option].letter ? extras[option].letter : FLAG_OF_SPAWN + (int) option;
}

static Flag flag_of(unsigned option)
{
        bool is_switch = !strcmp(rows[option].signature, "b");

        return (Flag){
                .name = rows[option].flag,
                .metavar = is_switch ? "[=BOOL]" : rows[option].metavar,
                .help = rows[option].help,
                .id = flag_id(option),
        };
}

static const Flag *flags_of(const char *const *keys, Flag storage[SPAWN_FLAGS_SIZE],
                            const Flag *more)
{
        unsigned n = 0;

        for (unsigned i = 0; i < N_SPAWN_OPTIONS; i++)
                if (g_strv_contains(keys, rows[i].key) && *rows[i].flag)
                        storage[n++] = flag_of(i);
        while (more->name && n < SPAWN_FLAGS_SIZE - 1)
                storage[n++] = *more++;
        storage[n] = (Flag){0};
        return storage;
}

const Flag *spawn_flags_of_update(Flag storage[SPAWN_FLAGS_SIZE], const Flag *more)
{
        static const char *const keys[] = {
#define X(key, signature) #key,
                UPDATE_OPTIONS(X)
#undef X
                        NULL};

        return flags_of(keys, storage, more);
}

const Flag *spawn_flags_of_exec(Flag storage[SPAWN_FLAGS_SIZE], const Flag *more)
{
        static const char *const keys[] = {
#define X(key, signature, flag, metavar, help) #key,
                JOINING_OPTIONS(X)
#undef X
                        NULL};

        return flags_of(keys, storage, more);
}

const Flag *spawn_flags(Flag storage[SPAWN_FLAGS_SIZE], const Flag *more)
{
        unsigned n = 0;

        for (; n < N_SPAWN_OPTIONS; n++)
                storage[n] = flag_of(n);
        while (more->name && n < SPAWN_FLAGS_SIZE - 1)
                storage[n++] = *more++;
        storage[n] = (Flag){0};
        return storage;
}

char *spawn_flags_take(SpawnRequest *request, int id, const char *value)
{
        unsigned option = 0;

        while (option < N_SPAWN_OPTIONS && flag_id(option) != id)
                option++;
        g_assert(option < N_SPAWN_OPTIONS);
        if (!value)
                value = "yes"; /* only a BOOL may be left out */
        return extras[option].take ? extras[option].take(request, option, value)
                                   : take_value(request, option, value);
}
