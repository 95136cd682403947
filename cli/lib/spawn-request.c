#include "cli/lib/spawn-request.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/lib/values.h"
#include "service/util/fd.h"
#include "service/util/size.h"

static const struct {
        const char *key;
        const char *signature;
} rows[N_SPAWN_OPTIONS] = {
#define X(key, signature, flag, metavar, help) {#key, signature},
        SPAWN_OPTIONS(X)
#undef X
};

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

void spawn_request_add(SpawnRequest *request, SpawnOption option, const char *value)
{
        if (!request->values[option])
                request->values[option] = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(request->values[option], g_strdup(value));
}

void spawn_request_add_bytes(SpawnRequest *request, SpawnOption option, GBytes *value)
{
        if (!request->values[option])
                request->values[option] =
                        g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
        g_ptr_array_add(request->values[option], g_bytes_ref(value));
}

void spawn_request_set_empty(SpawnRequest *request, SpawnOption option)
{
        g_clear_pointer(&request->values[option], g_ptr_array_unref);
        request->values[option] = g_ptr_array_new_with_free_func(g_free);
}

void spawn_request_set(SpawnRequest *request, SpawnOption option, const char *value)
{
        g_clear_pointer(&request->values[option], g_ptr_array_unref);
        spawn_request_add(request, option, value);
}

bool spawn_request_has(const SpawnRequest *request, SpawnOption option)
{
        return request->values[option] != NULL;
}

static const char *last_of(const GPtrArray *values)
{
        return values->pdata[values->len - 1];
}

static bool means_yes(const GPtrArray *values)
{
        bool is_true = false;

        return value_parse_bool(last_of(values), &is_true) && is_true;
}

bool spawn_request_is_true(const SpawnRequest *request, SpawnOption option)
{
        return request->values[option] && means_yes(request->values[option]);
}

/* The index of what has the name that stands in `assignment`, or -1. */
static int find_variable(const GPtrArray *given, const char *assignment)
{
        size_t length = strcspn(assignment, "=") + 1;

        for (unsigned i = 0; given && i < given->len; i++)
                if (!strncmp(given->pdata[i], assignment, length))
                        return (int) i;
        return -1;
}

static void set_named(SpawnRequest *request, SpawnOption option, const char *assignment)
{
        GPtrArray *given = request->values[option];
        int place = find_variable(given, assignment);

        if (place >= 0)
                g_ptr_array_remove_index(given, (unsigned) place);
        spawn_request_add(request, option, assignment);
}

void spawn_request_set_variable(SpawnRequest *request, const char *assignment)
{
        set_named(request, SPAWN_Environment, assignment);
}

void spawn_request_set_entry(SpawnRequest *request, SpawnOption option, const char *entry)
{
        g_autofree char *whole =
                strchr(entry, '=') ? g_strdup(entry) : g_strconcat(entry, "=", NULL);

        set_named(request, option, whole);
}

void spawn_request_default_variable(SpawnRequest *request, const char *name, const char *value)
{
        g_autofree char *assignment = g_strdup_printf("%s=%s", name, value);

        if (find_variable(request->values[SPAWN_Environment], assignment) < 0)
                spawn_request_set_variable(request, assignment);
}

void spawn_request_set_pair(SpawnRequest *request, SpawnOption option, uint64_t first,
                            uint64_t second)
{
        g_autofree char *a = g_strdup_printf("%" G_GUINT64_FORMAT, first);
        g_autofree char *b = g_strdup_printf("%" G_GUINT64_FORMAT, second);

        spawn_request_set(request, option, a);
        spawn_request_add(request, option, b);
}

/* -- mounts: the values of `Mounts` are no texts but these -- */

typedef struct Mount {
        char *type, *target;
        GBytes *source;
        char **options;
} Mount;

static void mount_free(void *data)
{
        Mount *mount = data;

        g_free(mount->type);
        g_free(mount->target);
        g_bytes_unref(mount->source);
        g_strfreev(mount->options);
        g_free(mount);
}

void spawn_request_add_mount_of(SpawnRequest *request, const SpawnMount *mount)
{
        static const char *const none[] = {NULL};
        Mount *copy = g_new(Mount, 1);

        *copy = (Mount){
                .type = g_strdup(mount->type),
                .target = g_strdup(mount->target),
                .source = mount->source ? g_bytes_ref(mount->source) : g_bytes_new(NULL, 0),
                .options = g_strdupv((char **) (mount->options ? mount->options : none)),
        };
        if (!request->values[SPAWN_Mounts])
                request->values[SPAWN_Mounts] = g_ptr_array_new_with_free_func(mount_free);
        g_ptr_array_add(request->values[SPAWN_Mounts], copy);
}

void spawn_request_add_mount(SpawnRequest *request, const char *source, const char *target)
{
        g_auto(GStrv) parts = g_strsplit(target, ":", 2);
        g_auto(GStrv) options = g_strsplit(parts[1] ? parts[1] : "", ",", -1);
        g_autoptr(GBytes) bytes = g_bytes_new(source, strlen(source));

        spawn_request_add_mount_of(request, &(SpawnMount){*source ? "bind" : "tmpfs", bytes,
                                                          parts[0], (const char *const *) options});
}

unsigned spawn_request_count_fds(const SpawnRequest *request)
{
        return request->fds->len + spawn_request_has(request, SPAWN_NetworkNamespaceFD);
}

GPtrArray *spawn_request_steal_mounts(SpawnRequest *request)
{
        return g_steal_pointer(&request->values[SPAWN_Mounts]);
}

void spawn_request_add_late_mounts(SpawnRequest *request, GPtrArray *mounts)
{
        if (request->values[SPAWN_Mounts] && mounts)
                g_ptr_array_extend_and_steal(request->values[SPAWN_Mounts], mounts);
        else if (mounts)
                request->values[SPAWN_Mounts] = mounts;
}

/* -- file descriptors -- */

void spawn_request_add_fd(SpawnRequest *request, int fd, int number)
{
        int pair[2] = {fd, number};

        g_array_append_val(request->fds, pair);
}

void spawn_request_yield_fds(const SpawnRequest *request)
{
        const GArray *fds = request->fds;
        autofd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        for (unsigned i = 0; i < fds->len; i++) {
                int fd = g_array_index(fds, int, 2 * i);

                if (fd > STDERR_FILENO)
                        close(fd);
                else if (fd < STDERR_FILENO && null >= 0)
                        dup2(null, fd);
        }
}

/* -- values into the message, by the signature of their option -- */

static int append_bool(sd_bus_message *call, char type, const GPtrArray *values)
{
        return sd_bus_message_append(call, "b", means_yes(values));
}

static int append_string(sd_bus_message *call, char type, const GPtrArray *values)
{
        return sd_bus_message_append(call, "s", last_of(values));
}

static int append_number(sd_bus_message *call, char type, const GPtrArray *values)
{
        uint64_t number;

        if (!size_parse(last_of(values), &number) || (type == 'u' && number > UINT32_MAX))
                return -ERANGE;
        if (type == 'u')
                return sd_bus_message_append(call, "u", (uint32_t) number);
        return sd_bus_message_append(call, "t", number);
}

static int append_pair(sd_bus_message *call, char type, const GPtrArray *values)
{
        uint64_t first = g_ascii_strtoull(values->pdata[0], NULL, 10);
        uint64_t second = g_ascii_strtoull(values->pdata[1], NULL, 10);

        return sd_bus_message_append(call, "(tt)", first, second);
}

static int append_ids(sd_bus_message *call, char type, const GPtrArray *values)
{
        uint32_t first = (uint32_t) g_ascii_strtoull(values->pdata[0], NULL, 10);
        uint32_t second = (uint32_t) g_ascii_strtoull(values->pdata[1], NULL, 10);

        return sd_bus_message_append(call, "(uu)", first, second);
}

static int append_numbers(sd_bus_message *call, char type, const GPtrArray *values)
{
        int r = sd_bus_message_open_container(call, 'a', "u");

        for (unsigned i = 0; r >= 0 && i < values->len; i++)
                r = sd_bus_message_append(call, "u",
                                          (uint32_t) g_ascii_strtoull(values->pdata[i], NULL, 10));
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_signed(sd_bus_message *call, char type, const GPtrArray *values)
{
        return sd_bus_message_append(call, "i", (int) g_ascii_strtoll(last_of(values), NULL, 10));
}

static int append_bytes(sd_bus_message *call, const char *text)
{
        return sd_bus_message_append_array(call, 'y', text, strlen(text));
}

static int append_path(sd_bus_message *call, char type, const GPtrArray *values)
{
        return append_bytes(call, last_of(values));
}

static int append_strings(sd_bus_message *call, char type, const GPtrArray *values)
{
        int r = sd_bus_message_open_container(call, 'a', "s");

        for (unsigned i = 0; r >= 0 && i < values->len; i++)
                r = sd_bus_message_append(call, "s", values->pdata[i]);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_entries(sd_bus_message *call, char type, const GPtrArray *values)
{
        int r = sd_bus_message_open_container(call, 'a', "{ss}");

        for (unsigned i = 0; r >= 0 && i < values->len; i++) {
                g_auto(GStrv) halves = g_strsplit(values->pdata[i], "=", 2);
                r = sd_bus_message_append(call, "{ss}", halves[0], halves[1]);
        }
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_byte_strings(sd_bus_message *call, const void *const *strings, unsigned n)
{
        int r = sd_bus_message_open_container(call, 'a', "ay");

        for (unsigned i = 0; r >= 0 && i < n; i++)
                r = append_bytes(call, strings[i]);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

/* Values of any bytes. */
static int append_bytes_list(sd_bus_message *call, const GPtrArray *values)
{
        int r = sd_bus_message_open_container(call, 'a', "ay");

        for (unsigned i = 0; r >= 0 && i < values->len; i++) {
                size_t size;
                const void *bytes = g_bytes_get_data(values->pdata[i], &size);
                r = sd_bus_message_append_array(call, 'y', bytes, size);
        }
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_variables(sd_bus_message *call, char type, const GPtrArray *values)
{
        return append_byte_strings(call, (const void *const *) values->pdata, values->len);
}

static int append_mount(sd_bus_message *call, const Mount *mount)
{
        size_t size;
        const void *source = g_bytes_get_data(mount->source, &size);
        int r = sd_bus_message_open_container(call, 'r', "ayaysas");

        if (r >= 0)
                r = sd_bus_message_append_array(call, 'y', source, size);
        if (r >= 0)
                r = append_bytes(call, mount->target);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", mount->type);
        if (r >= 0)
                r = sd_bus_message_append_strv(call, mount->options);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_mounts(sd_bus_message *call, char type, const GPtrArray *values)
{
        int r = sd_bus_message_open_container(call, 'a', "(ayaysas)");

        for (unsigned i = 0; r >= 0 && i < values->len; i++)
                r = append_mount(call, values->pdata[i]);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_descriptor(sd_bus_message *call, char type, const GPtrArray *values)
{
        autofd int fd = open(last_of(values), O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -errno : sd_bus_message_append(call, "h", fd);
}

static const struct {
        const char *signature;
        int (*append)(sd_bus_message *call, char type, const GPtrArray *values);
} types[] = {
        {"b", append_bool},        {"s", append_string},          {"t", append_number},
        {"u", append_number},      {"ay", append_path},           {"as", append_strings},
        {"aay", append_variables}, {"a(ayaysas)", append_mounts}, {"i", append_signed},
        {"au", append_numbers},    {"(uu)", append_ids},          {"(tt)", append_pair},
        {"h", append_descriptor},  {"a{ss}", append_entries},
};

static int append_value(sd_bus_message *call, const char *signature, const GPtrArray *values)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
                if (!strcmp(types[i].signature, signature))
                        return types[i].append(call, signature[0], values);
        return -EOPNOTSUPP;
}

static int append_option(sd_bus_message *call, unsigned option, const GPtrArray *values)
{
        int r = sd_bus_message_open_container(call, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append(call, "s", rows[option].key);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', rows[option].signature);
        if (r >= 0)
                r = option == SPAWN_SeccompFilters
                            ? append_bytes_list(call, values)
                            : append_value(call, rows[option].signature, values);
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

int spawn_request_append_options(const SpawnRequest *request, sd_bus_message *call)
{
        int r = 0;

        for (unsigned i = 0; r >= 0 && i < N_SPAWN_OPTIONS; i++)
                if (request->values[i])
                        r = append_option(call, i, request->values[i]);
        return r;
}

int spawn_request_append(const SpawnRequest *request, sd_bus_message *call, const char *rootfs,
                         const char *const *argv)
{
        int r = rootfs ? append_bytes(call, rootfs) : 0;

        if (r >= 0)
                r = append_byte_strings(call, (const void *const *) argv,
                                        g_strv_length((char **) argv));
        if (r >= 0)
                r = append_fds(request, call);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = spawn_request_append_options(request, call);
        return r < 0 ? r : sd_bus_message_close_container(call);
}
