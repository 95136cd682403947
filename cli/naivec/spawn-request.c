#include "cli/naivec/spawn-request.h"

#include <errno.h>
#include <string.h>

#include "cli/lib/values.h"
#include "service/util/capability.h"
#include "service/util/size.h"

typedef struct {
        const char *key;
        const char *signature;
        const char *flag;
        const char *metavar;
        const char *help;
} OptionRow;

static const OptionRow rows[N_SPAWN_OPTIONS] = {
#define X(key, signature, flag, metavar, help) {#key, signature, flag, metavar, help},
        SPAWN_OPTIONS(X)
#undef X
};

static const struct {
        SpawnOption option;
        char letter;
} letters[] = {
        {SPAWN_Environment, 'e'}, {SPAWN_MemoryMax, 'm'},        {SPAWN_Mounts, 'v'},
        {SPAWN_Terminal, 't'},    {SPAWN_WorkingDirectory, 'w'},
};

static int flag_id(unsigned option)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(letters); i++)
                if (letters[i].option == option)
                        return letters[i].letter;
        return FLAG_OF_SPAWN + (int) option;
}

const Flag *spawn_flags(Flag storage[SPAWN_FLAGS_SIZE], const Flag *more)
{
        unsigned n = 0;

        for (; n < N_SPAWN_OPTIONS; n++) {
                bool is_bool = !strcmp(rows[n].signature, "b");

                storage[n] = (Flag){
                        .name = rows[n].flag,
                        .metavar = is_bool ? "[=BOOL]" : rows[n].metavar,
                        .help = rows[n].help,
                        .id = flag_id(n),
                };
        }
        while (more->name && n < SPAWN_FLAGS_SIZE - 1)
                storage[n++] = *more++;
        storage[n] = (Flag){0};
        return storage;
}

void spawn_request_init(SpawnRequest *request)
{
        *request = (SpawnRequest){0};
        request->fds = g_array_new(FALSE, FALSE, 2 * sizeof(int));
}

void spawn_request_clear(SpawnRequest *request)
{
        for (unsigned i = 0; i < N_SPAWN_OPTIONS; i++)
                g_clear_pointer(&request->values[i], g_ptr_array_unref);
        g_clear_pointer(&request->fds, g_array_unref);
}

static void add_value(SpawnRequest *request, unsigned option, const char *value)
{
        if (!request->values[option])
                request->values[option] = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(request->values[option], g_strdup(value));
}

void spawn_request_set(SpawnRequest *request, SpawnOption option, const char *value)
{
        g_clear_pointer(&request->values[option], g_ptr_array_unref);
        add_value(request, option, value);
}

bool spawn_request_has(const SpawnRequest *request, SpawnOption option)
{
        return request->values[option] != NULL;
}

static const char *last_value(const SpawnRequest *request, unsigned option)
{
        const GPtrArray *values = request->values[option];

        return values->pdata[values->len - 1];
}

bool spawn_request_is_true(const SpawnRequest *request, SpawnOption option)
{
        bool is_true = false;

        return request->values[option] && value_parse_bool(last_value(request, option), &is_true) &&
               is_true;
}

/* The place of the variable that `assignment` sets, or -1. */
static int find_variable(const GPtrArray *given, const char *assignment)
{
        size_t length = strcspn(assignment, "=") + 1;

        for (unsigned i = 0; given && i < given->len; i++)
                if (!strncmp(given->pdata[i], assignment, length))
                        return (int) i;
        return -1;
}

/* The last of a name counts, as in env(1); the service takes each name once. */
static void set_variable(SpawnRequest *request, const char *assignment)
{
        GPtrArray *given = request->values[SPAWN_Environment];
        int place = find_variable(given, assignment);

        if (place >= 0)
                g_ptr_array_remove_index(given, (unsigned) place);
        add_value(request, SPAWN_Environment, assignment);
}

void spawn_request_default_variable(SpawnRequest *request, const char *name, const char *value)
{
        g_autofree char *assignment = g_strdup_printf("%s=%s", name, value);

        if (find_variable(request->values[SPAWN_Environment], assignment) < 0)
                set_variable(request, assignment);
}

/* NAME alone passes on our own value. */
static char *take_variable(SpawnRequest *request, const char *text)
{
        const char *value = g_getenv(text);
        g_autofree char *assignment = NULL;

        if (*text == '=' || !*text)
                return g_strdup("--env= needs a name");
        if (strchr(text, '=')) {
                set_variable(request, text);
                return NULL;
        }
        if (!value)
                return g_strdup_printf("--env=%s: no such variable here to pass on", text);
        assignment = g_strdup_printf("%s=%s", text, value);
        set_variable(request, assignment);
        return NULL;
}

/* One name, with or without "CAP_", in upper or lower case; or "all". */
static char *take_capability(SpawnRequest *request, const char *text)
{
        g_autofree char *upper = g_ascii_strup(text, -1);
        g_autofree char *name = g_str_has_prefix(upper, "CAP_") ? g_strdup(upper)
                                                                : g_strconcat("CAP_", upper, NULL);
        uint64_t bit;

        if (g_str_equal(upper, "ALL")) {
                for (unsigned i = 0; capability_name(i); i++)
                        add_value(request, SPAWN_Capabilities, capability_name(i));
                return NULL;
        }
        if (!capability_from_name(name, &bit))
                return g_strdup_printf("--cap-add=%s: there is no such capability", text);
        add_value(request, SPAWN_Capabilities, name);
        return NULL;
}

/* Kept as two values: SRC, absolute, which may have a colon in it then, and DST[:OPTIONS]; the SRC
 * of a tmpfs is empty. */
char *spawn_request_add_bind(SpawnRequest *request, const char *text)
{
        const char *target = strchr(text, ':');
        g_autofree char *source = target ? g_strndup(text, (size_t) (target - text)) : NULL;
        g_autofree char *path = source ? value_absolute_path(source) : NULL;

        if (!path || !target[1] || target[1] == ':')
                return g_strdup_printf("--volume=%s: it takes SRC:DST or SRC:DST:OPTIONS", text);
        add_value(request, SPAWN_Mounts, path);
        add_value(request, SPAWN_Mounts, target + 1);
        return NULL;
}

char *spawn_request_add_tmpfs(SpawnRequest *request, const char *text)
{
        if (*text != '/')
                return g_strdup_printf("--tmpfs=%s: it takes DST or DST:OPTIONS", text);
        add_value(request, SPAWN_Mounts, "");
        add_value(request, SPAWN_Mounts, text);
        return NULL;
}

static const char *wrong_value(const OptionRow *row, const char *value)
{
        uint64_t number;
        bool truth;

        switch (row->signature[0]) {
        case 'b':
                return value_parse_bool(value, &truth) ? NULL : "'yes' or 'no'";
        case 't':
                return size_parse(value, &number)
                               ? NULL
                               : "a number, with K, M, G or T after it, or 'infinity'";
        case 's':
                return g_utf8_validate(value, -1, NULL) ? NULL : "valid UTF-8";
        default:
                return NULL;
        }
}

char *spawn_request_take(SpawnRequest *request, int id, const char *value)
{
        unsigned option = 0;
        const char *wanted;

        while (option < N_SPAWN_OPTIONS && flag_id(option) != id)
                option++;
        g_assert(option < N_SPAWN_OPTIONS);
        if (option == SPAWN_Environment)
                return take_variable(request, value);
        if (option == SPAWN_Capabilities)
                return take_capability(request, value);
        if (option == SPAWN_Mounts)
                return spawn_request_add_bind(request, value);
        if (!value)
                value = "yes";
        wanted = wrong_value(&rows[option], value);
        if (wanted)
                return g_strdup_printf("--%s=%s: it takes %s", rows[option].flag, value, wanted);
        if (!strcmp(rows[option].signature, "aay"))
                add_value(request, option, value);
        else
                spawn_request_set(request, option, value);
        return NULL;
}

void spawn_request_add_fd(SpawnRequest *request, int fd, int number)
{
        int pair[2] = {fd, number};

        g_array_append_val(request->fds, pair);
}

static int append_bytes(sd_bus_message *call, const char *text)
{
        return sd_bus_message_append_array(call, 'y', text, strlen(text));
}

static int append_strings(sd_bus_message *call, const GPtrArray *strings)
{
        int r = sd_bus_message_open_container(call, 'a', "s");

        for (unsigned i = 0; r >= 0 && i < strings->len; i++)
                r = sd_bus_message_append(call, "s", strings->pdata[i]);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_byte_strings(sd_bus_message *call, const void *const *strings, unsigned n)
{
        int r = sd_bus_message_open_container(call, 'a', "ay");

        for (unsigned i = 0; r >= 0 && i < n; i++)
                r = append_bytes(call, strings[i]);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_mount(sd_bus_message *call, const char *source, const char *rest)
{
        g_auto(GStrv) parts = g_strsplit(rest, ":", 2);
        g_auto(GStrv) options = g_strsplit(parts[1] ? parts[1] : "", ",", -1);
        int r = sd_bus_message_open_container(call, 'r', "ayaysas");

        if (r >= 0)
                r = append_bytes(call, source);
        if (r >= 0)
                r = append_bytes(call, parts[0]);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", *source ? "bind" : "tmpfs");
        if (r >= 0)
                r = sd_bus_message_append_strv(call, options);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_mounts(sd_bus_message *call, const GPtrArray *mounts)
{
        int r = sd_bus_message_open_container(call, 'a', "(ayaysas)");

        for (unsigned i = 0; r >= 0 && i < mounts->len; i += 2)
                r = append_mount(call, mounts->pdata[i], mounts->pdata[i + 1]);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_number(sd_bus_message *call, unsigned option, const char *text)
{
        uint64_t number = 0;

        if (!size_parse(text, &number))
                return -EINVAL;
        /* "No swap" is a wish; "no memory" and "no tasks" are podman's words for no limit. */
        if (number == 0 && option != SPAWN_MemorySwapMax)
                number = UINT64_MAX;
        return sd_bus_message_append(call, "t", number);
}

static int append_value(const SpawnRequest *request, sd_bus_message *call, unsigned option)
{
        const char *signature = rows[option].signature;
        const char *last = last_value(request, option);

        if (!strcmp(signature, "b"))
                return sd_bus_message_append(call, "b", spawn_request_is_true(request, option));
        if (!strcmp(signature, "t"))
                return append_number(call, option, last);
        if (!strcmp(signature, "s"))
                return sd_bus_message_append(call, "s", last);
        if (!strcmp(signature, "as"))
                return append_strings(call, request->values[option]);
        if (!strcmp(signature, "ay"))
                return append_bytes(call, last);
        if (!strcmp(signature, "aay"))
                return append_byte_strings(call,
                                           (const void *const *) request->values[option]->pdata,
                                           request->values[option]->len);
        if (option == SPAWN_Mounts)
                return append_mounts(call, request->values[option]);
        return -EOPNOTSUPP;
}

static int append_option(const SpawnRequest *request, sd_bus_message *call, unsigned option)
{
        int r = sd_bus_message_open_container(call, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append(call, "s", rows[option].key);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', rows[option].signature);
        if (r >= 0)
                r = append_value(request, call, option);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_fds(const SpawnRequest *request, sd_bus_message *call)
{
        int r = sd_bus_message_open_container(call, 'a', "{uh}");

        for (unsigned i = 0; r >= 0 && i < request->fds->len; i++) {
                const int *pair = &g_array_index(request->fds, int, 2 * i);
                r = sd_bus_message_append(call, "{uh}", (uint32_t) pair[1], pair[0]);
        }
        return r < 0 ? r : sd_bus_message_close_container(call);
}

int spawn_request_append(const SpawnRequest *request, sd_bus_message *call, const char *rootfs,
                         const char *const *argv)
{
        int r = append_bytes(call, rootfs);

        if (r >= 0)
                r = append_byte_strings(call, (const void *const *) argv,
                                        g_strv_length((char **) argv));
        if (r >= 0)
                r = append_fds(request, call);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        for (unsigned i = 0; r >= 0 && i < N_SPAWN_OPTIONS; i++)
                if (request->values[i])
                        r = append_option(request, call, i);
        return r < 0 ? r : sd_bus_message_close_container(call);
}
