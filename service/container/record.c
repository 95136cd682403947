#include "service/container/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "service/container/record-rights.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/spec/order.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

#define GROUP          RECORD_GROUP
#define USAGE_GROUP    "Usage"
#define RECORD_VERSION 3
#define RECORD_OLDEST  2 /* the version before is read: an upgrade ends no container */
#define RECORD_MAX     (65536 + 4 * LABELS_BYTES_MAX + 2 * MADE_WITH_BYTES_MAX)

static void log_name(uint64_t serial, char name[32])
{
        g_snprintf(name, 32, "%" G_GUINT64_FORMAT ".log", serial);
}

static void record_name(uint64_t serial, char name[32])
{
        g_snprintf(name, 32, "%" G_GUINT64_FORMAT ".conf", serial);
}

/* A checksum, since one changed byte could make a record another user's container, or name another
 * live process. It covers the file's name, too: the serial in the name decides which cgroup is the
 * record's. */
static char *head_line(const char *name, const char *text, size_t length)
{
        g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);

        g_checksum_update(sum, (const guchar *) name, (gssize) strlen(name));
        g_checksum_update(sum, (const guchar *) text, (gssize) length);
        return g_strconcat("# ", g_checksum_get_string(sum), "\n", NULL);
}

static bool write_file(int dirfd, const char *name, const char *text, size_t length, GError **error)
{
        g_autofree char *temporary = g_strconcat(name, ".new", NULL);
        g_autofree char *head = head_line(name, text, length);
        struct iovec parts[] = {{head, strlen(head)}, {(char *) text, length}};
        ssize_t size = (ssize_t) (parts[0].iov_len + parts[1].iov_len);
        autofd int fd = openat(dirfd, temporary,
                               O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0 || writev(fd, parts, G_N_ELEMENTS(parts)) != size ||
            renameat(dirfd, temporary, dirfd, name) < 0) {
                int errnum = errno;
                unlinkat(dirfd, temporary, 0);
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errnum,
                                       "cannot write record '%s'", name);
        }
        return true;
}

/* What a successor must know to recognise what runs, and to go on with it. */
static void add_live(GKeyFile *file, const ContainerInfo *info)
{
        char boot[BOOT_ID_SIZE];

        g_key_file_set_string(file, GROUP, "State", container_state_to_string(info->state));
        g_key_file_set_string(file, GROUP, "BootId", proc_boot_id(boot) ? boot : "");
        g_key_file_set_uint64(file, GROUP, "Pid", (uint64_t) info->pid);
        g_key_file_set_uint64(file, GROUP, "StartTime", info->start_time);
        g_key_file_set_uint64(file, GROUP, "Pipe", info->pipe);
        g_key_file_set_uint64(file, GROUP, "IdBase", info->id_base);
        g_key_file_set_boolean(file, GROUP, "Terminal", info->terminal);
        g_key_file_set_boolean(file, GROUP, "Remove", info->remove);
        if (info->is_sandbox)
                g_key_file_set_boolean(file, GROUP, "Sandbox", true);
        if (info->has_session)
                g_key_file_set_boolean(file, GROUP, "Session", true);
        if (info->deadline_usec)
                g_key_file_set_uint64(file, GROUP, "DeadlineUSec", info->deadline_usec);
        if (info->cpu_time_max)
                g_key_file_set_uint64(file, GROUP, "CPUTimeMaxUSec", info->cpu_time_max);
        if (info->watcher)
                g_key_file_set_string(file, GROUP, "Watcher", info->watcher);
        if (info->has_rights)
                record_add_rights(file, &info->rights);
        record_add_filters(file, &info->filters);
}

static void add_usage(GKeyFile *file, const CgroupUsage *usage)
{
        for (CgroupFigure i = 0; i < _CGROUP_USAGE_MAX; i++)
                if (usage->known & UINT64_C(1) << i)
                        g_key_file_set_uint64(file, USAGE_GROUP, cgroup_figure_name(i),
                                              usage->values[i]);
}

static void add_given(GKeyFile *file, const ContainerInfo *info)
{
        if (info->labels)
                g_key_file_set_string_list(file, GROUP, "Labels",
                                           (const char *const *) info->labels,
                                           g_strv_length(info->labels));
        if (!info->made_with)
                return;
        g_autofree char *text = g_base64_encode(g_variant_get_data(info->made_with),
                                                g_variant_get_size(info->made_with));
        g_key_file_set_string(file, GROUP, "MadeWith", text);
}

/* What is missing was not said, or a service before this one did not keep it. */
static bool parse_given(GKeyFile *file, ContainerInfo *info, GError **error)
{
        g_autofree char *text = g_key_file_get_string(file, GROUP, "MadeWith", NULL);
        gsize length;

        info->labels = g_key_file_get_string_list(file, GROUP, "Labels", &length, NULL);
        if (info->labels && length % 2)
                return error_set(error, RUNTIME_ERROR_FAILED, "a key of Labels has no value");
        if (!text)
                return true;
        guchar *bytes = g_base64_decode(text, &length);
        g_autoptr(GBytes) data = g_bytes_new_take(bytes, length);
        info->made_with =
                g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARDICT, data, false));
        return g_variant_is_normal_form(info->made_with) ||
               error_set(error, RUNTIME_ERROR_FAILED, "MadeWith is bad");
}

/* What is missing is not known: a service before this one kept no account. */
static void parse_usage(GKeyFile *file, CgroupUsage *usage)
{
        for (CgroupFigure i = 0; i < _CGROUP_USAGE_MAX; i++) {
                g_autoptr(GError) missing = NULL;
                usage->values[i] =
                        g_key_file_get_uint64(file, USAGE_GROUP, cgroup_figure_name(i), &missing);
                if (!missing)
                        usage->known |= UINT64_C(1) << i;
        }
}

bool record_save_log(int dirfd, uint64_t serial, const OutputLog *log, GError **error)
{
        char name[32];

        log_name(serial, name);
        return output_log_save(log, dirfd, name, error);
}

bool record_save(int dirfd, const ContainerInfo *info, const OutputLog *log, GError **error)
{
        g_autoptr(GKeyFile) file = g_key_file_new();
        char name[32];
        size_t length;

        g_key_file_set_integer(file, GROUP, "Version", RECORD_VERSION);
        g_key_file_set_string(file, GROUP, "Id", info->id);
        g_key_file_set_uint64(file, GROUP, "Owner", info->owner);
        g_key_file_set_string(file, GROUP, "ControlGroup",
                              info->control_group ? info->control_group : "");
        g_key_file_set_string_list(file, GROUP, "Deviations",
                                   (const char *const *) info->deviations,
                                   g_strv_length(info->deviations));
        g_key_file_set_uint64(file, GROUP, "CreatedUSec", info->created_usec);
        g_key_file_set_uint64(file, GROUP, "StartedUSec", info->started_usec);
        g_key_file_set_uint64(file, GROUP, "ExitedUSec", info->exited_usec);
        g_key_file_set_string(file, GROUP, "Result", container_result_to_string(info->result));
        g_key_file_set_integer(file, GROUP, "ExitCode", info->code);
        g_key_file_set_string(file, GROUP, "LimitHit", limit_hit_to_string(info->limit_hit));
        g_key_file_set_uint64(file, GROUP, "OOMKills", info->oom_kills);
        g_key_file_set_uint64(file, GROUP, "MemoryMax", info->memory_max);
        add_given(file, info);
        if (info->state != CONTAINER_STOPPED)
                add_live(file, info);
        else
                add_usage(file, &info->usage);
        g_autofree char *text = g_key_file_to_data(file, &length, NULL);
        /* the log first: a record says that both are there */
        if (log && !record_save_log(dirfd, info->serial, log, error))
                return false;
        record_name(info->serial, name);
        return write_file(dirfd, name, text, length, error);
}

void record_delete_log(int dirfd, uint64_t serial)
{
        char name[32];

        log_name(serial, name);
        unlinkat(dirfd, name, 0);
}

void record_delete(int dirfd, uint64_t serial)
{
        char name[32];

        record_name(serial, name);
        unlinkat(dirfd, name, 0);
        record_delete_log(dirfd, serial);
}

/* Only a running container of this boot is live, and a paused one, which whoever takes it over asks
 * the kernel about. A container that was created and never executed
 * ended with the service that kept it waiting. */
static bool parse_live(GKeyFile *file, ContainerInfo *info, GError **error)
{
        g_autofree char *state = g_key_file_get_string(file, GROUP, "State", NULL);
        g_autofree char *recorded = g_key_file_get_string(file, GROUP, "BootId", NULL);
        uint64_t pid, base;
        char boot[BOOT_ID_SIZE] = "";

        info->result = RESULT_UNKNOWN;
        if (!record_get_uint64(file, "Pid", &pid, error) ||
            !record_get_uint64(file, "StartTime", &info->start_time, error) ||
            !record_get_uint64(file, "Pipe", &info->pipe, error) ||
            !record_get_uint64(file, "IdBase", &base, error) ||
            !record_parse_rights(file, info, error))
                return false;
        if (pid == 0 || pid > INT32_MAX || base > UINT32_MAX)
                return error_set(error, RUNTIME_ERROR_FAILED, "Pid or IdBase is out of range");
        info->id_base = (uint32_t) base;
        info->terminal = g_key_file_get_boolean(file, GROUP, "Terminal", NULL);
        info->remove = g_key_file_get_boolean(file, GROUP, "Remove", NULL);
        info->is_sandbox = g_key_file_get_boolean(file, GROUP, "Sandbox", NULL);
        info->has_session = g_key_file_get_boolean(file, GROUP, "Session", NULL);
        info->watcher = g_key_file_get_string(file, GROUP, "Watcher", NULL);
        info->cpu_time_max = g_key_file_get_uint64(file, GROUP, "CPUTimeMaxUSec", NULL);
        info->deadline_usec = g_key_file_get_uint64(file, GROUP, "DeadlineUSec", NULL);
        if (proc_boot_id(boot) && g_strcmp0(boot, recorded) == 0 &&
            (g_strcmp0(state, container_state_to_string(CONTAINER_RUNNING)) == 0 ||
             g_strcmp0(state, container_state_to_string(CONTAINER_PAUSED)) == 0)) {
                info->state = CONTAINER_RUNNING;
                info->result = RESULT_NONE;
                info->pid = (pid_t) pid;
        }
        return true;
}

static bool parse(GKeyFile *file, ContainerInfo *info, GError **error)
{
        uint64_t owner, code;
        g_autofree char *result = g_key_file_get_string(file, GROUP, "Result", NULL);
        g_autofree char *hit = g_key_file_get_string(file, GROUP, "LimitHit", NULL);

        info->id = g_key_file_get_string(file, GROUP, "Id", NULL);
        info->control_group = g_key_file_get_string(file, GROUP, "ControlGroup", NULL);
        info->deviations = g_key_file_get_string_list(file, GROUP, "Deviations", NULL, NULL);
        if (!info->id || !order_id_is_valid(info->id) || !info->control_group || !result ||
            !info->deviations)
                return error_set(error, RUNTIME_ERROR_FAILED,
                                 "Id, ControlGroup, Result or Deviations is missing or bad");
        if (!record_get_uint64(file, "Owner", &owner, error) ||
            !record_get_uint64(file, "ExitCode", &code, error) ||
            !record_get_uint64(file, "CreatedUSec", &info->created_usec, error) ||
            !record_get_uint64(file, "StartedUSec", &info->started_usec, error) ||
            !record_get_uint64(file, "ExitedUSec", &info->exited_usec, error) ||
            !record_get_uint64(file, "OOMKills", &info->oom_kills, error) ||
            !record_get_uint64(file, "MemoryMax", &info->memory_max, error))
                return false;
        if (owner >= UINT32_MAX || code > 255)
                return error_set(error, RUNTIME_ERROR_FAILED, "Owner or ExitCode is out of range");
        if (!parse_given(file, info, error))
                return false;
        parse_usage(file, &info->usage);
        info->owner = (uid_t) owner;
        info->code = (int) code;
        info->state = CONTAINER_STOPPED;
        info->result = container_result_from_string(result);
        info->limit_hit = limit_hit_from_string(hit);
        return !g_key_file_has_key(file, GROUP, "State", NULL) || parse_live(file, info, error);
}

static bool load(int dirfd, const char *name, ContainerInfo *info, int *ret_version, GError **error)
{
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_autoptr(GError) local = NULL;
        g_autofree char *text = g_malloc(RECORD_MAX);
        struct stat status;

        if (fstatat(dirfd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode))
                return error_set(error, RUNTIME_ERROR_FAILED, "not a regular file");
        ssize_t length = fd_read_file_at(dirfd, name, text, RECORD_MAX);
        if (length < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, (int) -length, "cannot read");
        const char *body = memchr(text, '\n', (size_t) length);
        body = body ? body + 1 : text + length;
        size_t rest = (size_t) (text + length - body);
        /* the version first: another version may have another kind of checksum */
        bool is_file =
                g_key_file_load_from_data(file, text, (gsize) length, G_KEY_FILE_NONE, &local);
        int version = g_key_file_get_integer(file, GROUP, "Version", NULL);
        if (is_file && (version < RECORD_OLDEST || version > RECORD_VERSION))
                return error_set(error, RUNTIME_ERROR_FAILED, "of version %d, not %d or %d",
                                 version, RECORD_OLDEST, RECORD_VERSION);
        g_autofree char *head = head_line(name, body, rest);
        if ((size_t) (body - text) != strlen(head) || memcmp(text, head, strlen(head)) != 0)
                return error_set(error, RUNTIME_ERROR_FAILED, "its checksum is wrong");
        if (!is_file)
                return error_set(error, RUNTIME_ERROR_FAILED, "%s", local->message);
        *ret_version = version;
        return parse(file, info, error);
}

/* Writes a record of the version before anew at once, so that the next version, too, finds no
 * record that is too old for it. */
static void renew(int dirfd, const ContainerInfo *info)
{
        g_autoptr(GError) error = NULL;

        if (!record_save(dirfd, info, NULL, &error))
                g_warning("container %s: %s; it stays as an older version wrote it", info->id,
                          error->message);
}

static void take(int dirfd, const char *name, RecordFunc function, void *data)
{
        ContainerInfo info = {.serial = g_ascii_strtoull(name, NULL, 10)};
        g_autoptr(GError) error = NULL;
        int version = 0;

        if (load(dirfd, name, &info, &version, &error)) {
                if (version != RECORD_VERSION)
                        renew(dirfd, &info);
                function(&info, data);
                return;
        }
        g_autofree char *aside = g_strconcat(name, ".bad", NULL);
        g_warning("record %s: %s; set aside as %s", name, error->message, aside);
        renameat(dirfd, name, dirfd, aside);
        record_delete_log(dirfd, info.serial);
        container_info_clear(&info);
}

/* The names in the directory, each with what becomes of it. */
typedef struct Names {
        GPtrArray *records, *logs, *aside;
} Names;

static void sort_name(int dirfd, const char *name, const char *rest, const Names *names)
{
        if (strcmp(rest, ".conf") == 0)
                g_ptr_array_add(names->records, g_strdup(name));
        else if (strcmp(rest, ".log") == 0)
                g_ptr_array_add(names->logs, g_strdup(name));
        else if (strcmp(rest, ".conf.bad") == 0)
                g_ptr_array_add(names->aside, g_strdup(name));
        else if (g_str_has_suffix(rest, ".new"))
                unlinkat(dirfd, name, 0); /* half-written by a killed service */
}

/* A service that was killed between log and record has left a log that is nobody's. */
static void drop_lone_logs(int dirfd, const GPtrArray *logs)
{
        char record[32];

        for (guint i = 0; i < logs->len; i++) {
                record_name(g_ascii_strtoull(logs->pdata[i], NULL, 10), record);
                if (faccessat(dirfd, record, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                        unlinkat(dirfd, logs->pdata[i], 0);
        }
}

static gint compare_serials(gconstpointer a, gconstpointer b)
{
        uint64_t one = g_ascii_strtoull(*(char *const *) a, NULL, 10);
        uint64_t other = g_ascii_strtoull(*(char *const *) b, NULL, 10);

        return one < other ? -1 : one > other;
}

/* What was set aside is for an administrator to look at, until there is too much of it. */
static void drop_aside(int dirfd, GPtrArray *aside)
{
        g_ptr_array_sort(aside, compare_serials);
        for (guint i = 0; i + RECORDS_ASIDE_MAX < aside->len; i++) {
                g_message("record %s: removed, since %u newer ones are set aside",
                          (char *) aside->pdata[i], RECORDS_ASIDE_MAX);
                unlinkat(dirfd, aside->pdata[i], 0);
        }
}

uint64_t record_load_all(int dirfd, RecordFunc function, void *data)
{
        /* the names first: what is written while a directory is read may be found twice */
        g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GPtrArray) logs = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GPtrArray) aside = g_ptr_array_new_with_free_func(g_free);
        const Names names = {records, logs, aside};
        uint64_t highest = 0;
        int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *directory = copy >= 0 ? fdopendir(copy) : NULL;

        for (struct dirent *entry; directory && (entry = readdir(directory));) {
                char *end;
                uint64_t serial = g_ascii_strtoull(entry->d_name, &end, 10);
                highest = MAX(highest, serial);
                if (end != entry->d_name)
                        sort_name(dirfd, entry->d_name, end, &names);
        }
        if (directory)
                closedir(directory);
        else
                fd_close(copy);
        drop_lone_logs(dirfd, logs);
        drop_aside(dirfd, aside);
        for (guint i = 0; i < records->len; i++)
                take(dirfd, records->pdata[i], function, data);
        return highest;
}

bool record_has_log(int dirfd, uint64_t serial)
{
        char name[32];

        log_name(serial, name);
        return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool record_load_log(int dirfd, uint64_t serial, OutputLog *log, GError **error)
{
        char name[32];

        log_name(serial, name);
        return output_log_load(log, dirfd, name, error);
}
