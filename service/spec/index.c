#include "service/spec/index.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"

#define GROUP        "Container"
#define SERIAL_FILE  ".serial" /* the last one that was taken */
#define SERIAL_WIDTH 20        /* always as long: written at once, and nothing is left behind it */

void index_entry_clear(IndexEntry *entry)
{
        g_free(entry->id);
        g_free(entry->root);
        g_free(entry->belongs_to);
        g_strfreev(entry->directories);
        *entry = (IndexEntry){0};
}

/* -- the form -- */

char *index_entry_to_text(const IndexEntry *entry)
{
        g_autoptr(GKeyFile) file = g_key_file_new();

        g_key_file_set_string(file, GROUP, "Id", entry->id);
        g_key_file_set_string(file, GROUP, "Root", entry->root);
        g_key_file_set_string(file, GROUP, "BelongsTo", entry->belongs_to);
        g_key_file_set_string_list(file, GROUP, "Cgroups", (const char *const *) entry->directories,
                                   g_strv_length(entry->directories));
        g_key_file_set_uint64(file, GROUP, "Serial", entry->serial);
        g_key_file_set_uint64(file, GROUP, "Pid", (uint64_t) entry->pid);
        g_key_file_set_uint64(file, GROUP, "StartTime", entry->start_time);
        g_key_file_set_uint64(file, GROUP, "CreatedUSec", entry->created_usec);
        g_key_file_set_uint64(file, GROUP, "StartedUSec", entry->started_usec);
        return g_key_file_to_data(file, NULL, NULL);
}

static bool read_numbers(GKeyFile *file, IndexEntry *entry, GError **error)
{
        uint64_t pid = 0;
        const struct {
                const char *key;
                uint64_t *value;
        } rows[] = {
                {"Serial", &entry->serial},
                {"Pid", &pid},
                {"StartTime", &entry->start_time},
                {"CreatedUSec", &entry->created_usec},
                {"StartedUSec", &entry->started_usec},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(GError) bad = NULL;
                *rows[i].value = g_key_file_get_uint64(file, GROUP, rows[i].key, &bad);
                if (bad)
                        return error_set(error, RUNTIME_ERROR_FAILED, "%s", bad->message);
        }
        if (pid == 0 || pid > INT32_MAX)
                return error_set(error, RUNTIME_ERROR_FAILED, "Pid is no process");
        if (entry->serial == 0 || entry->serial > INT64_MAX)
                return error_set(error, RUNTIME_ERROR_FAILED, "Serial is no number of a container");
        entry->pid = (pid_t) pid;
        return true;
}

/* Who reads these tells them on a bus. */
static bool check_word(const char *key, const char *word, GError **error)
{
        if (!word || !*word || strlen(word) >= PATH_MAX || !g_utf8_validate(word, -1, NULL))
                return error_set(error, RUNTIME_ERROR_FAILED, "%s is missing or bad", key);
        for (const char *c = word; *c; c++)
                if (g_ascii_iscntrl(*c))
                        return error_set(error, RUNTIME_ERROR_FAILED, "%s is bad", key);
        return true;
}

bool index_entry_parse(const char *text, IndexEntry *ret, GError **error)
{
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_auto(IndexEntry) entry = {0};
        g_autoptr(GError) bad = NULL;

        if (!g_key_file_load_from_data(file, text, strlen(text), G_KEY_FILE_NONE, &bad))
                return error_set(error, RUNTIME_ERROR_FAILED, "%s", bad->message);
        entry.id = g_key_file_get_string(file, GROUP, "Id", NULL);
        entry.root = g_key_file_get_string(file, GROUP, "Root", NULL);
        entry.belongs_to = g_key_file_get_string(file, GROUP, "BelongsTo", NULL);
        entry.directories = g_key_file_get_string_list(file, GROUP, "Cgroups", NULL, NULL);
        if (!check_word("Id", entry.id, error) || !check_word("Root", entry.root, error) ||
            !check_word("BelongsTo", entry.belongs_to, error) || !read_numbers(file, &entry, error))
                return false;
        if (!entry.directories || !*entry.directories)
                return error_set(error, RUNTIME_ERROR_FAILED, "there is no cgroup");
        *ret = entry;
        entry = (IndexEntry){0};
        return true;
}

/* -- the directory -- */

/* Ours alone, or it is not used. */
static int open_own(int dirfd, const char *path)
{
        struct stat status;

        if (mkdirat(dirfd, path, 0700) < 0 && errno != EEXIST)
                return -1;
        autofd int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &status) < 0)
                return -1;
        if (status.st_uid != 0 || status.st_mode & 077) {
                errno = EPERM;
                return -1;
        }
        return steal_fd(&fd);
}

static int open_index(void)
{
        autofd int state = geteuid() == 0 ? open_own(AT_FDCWD, INDEX_STATE_DIRECTORY) : -1;

        return state < 0 ? -1 : open_own(state, INDEX_DIRECTORY);
}

static char *name_of(const char *root, const char *id)
{
        g_autofree char *both = g_strconcat(root, "\n", id, NULL);

        return g_compute_checksum_for_string(G_CHECKSUM_SHA256, both, -1);
}

static bool write_whole(int dirfd, const char *name, const char *text)
{
        size_t length = strlen(text);
        autofd int fd =
                openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

        return fd >= 0 && write(fd, text, length) == (ssize_t) length;
}

void index_publish(const IndexEntry *entry)
{
        autofd int directory = open_index();
        g_autofree char *text = index_entry_to_text(entry);
        g_autofree char *name = name_of(entry->root, entry->id);
        g_autofree char *temporary = g_strconcat(".", name, NULL);

        if (directory >= 0 && write_whole(directory, temporary, text) &&
            renameat(directory, temporary, directory, name) == 0)
                return;
        g_debug("container %s is not shown to naive-runcd: %s", entry->id, g_strerror(errno));
        if (directory >= 0)
                (void) unlinkat(directory, temporary, 0);
}

/* The first of all finds an empty file; one that makes no sense is not guessed at. */
static bool read_serial(int fd, uint64_t *ret)
{
        char text[SERIAL_WIDTH + 1] = "0";
        ssize_t n = pread(fd, text, SERIAL_WIDTH, 0);

        return (n == 0 || n == SERIAL_WIDTH) &&
               g_ascii_string_to_unsigned(text, 10, 0, INT64_MAX - 1, ret, NULL);
}

uint64_t index_take_serial(void)
{
        autofd int directory = open_index();
        autofd int fd = directory < 0 ? -1
                                      : openat(directory, SERIAL_FILE,
                                               O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        char text[SERIAL_WIDTH + 1];
        uint64_t last;

        /* written down before anybody hears of it: who is killed here has wasted one */
        if (fd < 0 || TEMP_FAILURE_RETRY(flock(fd, LOCK_EX)) < 0 || !read_serial(fd, &last))
                return 0;
        g_snprintf(text, sizeof text, "%0*" G_GUINT64_FORMAT, SERIAL_WIDTH, last + 1);
        return pwrite(fd, text, SERIAL_WIDTH, 0) == SERIAL_WIDTH ? last + 1 : 0;
}

void index_withdraw(const char *root, const char *id)
{
        autofd int state = open(INDEX_STATE_DIRECTORY "/" INDEX_DIRECTORY,
                                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        g_autofree char *name = name_of(root, id);

        if (state >= 0)
                (void) unlinkat(state, name, 0);
}
