#include "service/spec/mount-spec.h"

#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/size.h"

/* The options that a type takes. `nosuid` and `nodev` hold in any case. */
enum {
        TAKES_ACCESS = 1 << 0, /* ro, rw */
        TAKES_NOEXEC = 1 << 1,
        TAKES_SIZE = 1 << 2,
        TAKES_MODE = 1 << 3,
        TAKES_TRY = 1 << 4,
        TAKES_BIND = 1 << 5,  /* bind: the word that mount(8) has for it */
        TAKES_RBIND = 1 << 6, /* rbind */
};

static const struct {
        const char *name;
        unsigned options;
} types[_MOUNT_TYPE_MAX] = {
        [MOUNT_TYPE_BIND] = {"bind",
                             TAKES_ACCESS | TAKES_NOEXEC | TAKES_TRY | TAKES_BIND | TAKES_RBIND},
        [MOUNT_TYPE_BIND_ONE] = {"bind-one", TAKES_ACCESS | TAKES_NOEXEC | TAKES_TRY | TAKES_BIND},
        [MOUNT_TYPE_TMPFS] = {"tmpfs", TAKES_ACCESS | TAKES_NOEXEC | TAKES_SIZE | TAKES_MODE},
        [MOUNT_TYPE_DIR] = {"dir", TAKES_MODE},
        [MOUNT_TYPE_SYMLINK] = {"symlink", 0},
        [MOUNT_TYPE_DATA] = {"data", TAKES_ACCESS | TAKES_MODE},
        [MOUNT_TYPE_DATA_FD] = {"data-fd", TAKES_ACCESS | TAKES_MODE},
        [MOUNT_TYPE_PROC] = {"proc", 0},
        [MOUNT_TYPE_DEV] = {"dev", 0},
        [MOUNT_TYPE_MQUEUE] = {"mqueue", 0},
};

const char *mount_spec_type_name(const MountSpec *mount)
{
        return types[mount->type].name;
}

void mount_spec_init(MountSpec *mount)
{
        *mount = (MountSpec){.type = MOUNT_TYPE_TMPFS, .place.fd = -1};
}

void mount_spec_clear(MountSpec *mount)
{
        g_free(mount->source);
        g_free(mount->data);
        g_free(mount->target);
        g_free(mount->size);
        g_free(mount->mode);
        fd_close(mount->place.fd);
        mount_spec_init(mount);
}

/* -- sources -- */

static bool take_path(MountSpec *mount, const char *source, GError **error)
{
        if (*source != '/' || strlen(source) > ROOTFS_PATH_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "mount source '%s' is not an absolute path of at most %u bytes",
                                 source, ROOTFS_PATH_MAX);
        mount->source = g_strdup(source);
        return true;
}

static bool take_link(MountSpec *mount, const char *source, GError **error)
{
        size_t length = strlen(source);

        if (length == 0 || length > ROOTFS_PATH_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "mount source of the symbolic link '%s' has %zu bytes, not 1 to "
                                 "%u",
                                 mount->target, length, ROOTFS_PATH_MAX);
        mount->source = g_strdup(source);
        return true;
}

static bool take_fd(MountSpec *mount, const char *source, GError **error)
{
        guint64 number;

        if (!g_ascii_string_to_unsigned(source, 10, 0, SPAWN_FD_NUMBER_MAX, &number, NULL))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "mount source '%s' of '%s' is not the number of one of the fds",
                                 source, mount->target);
        mount->fd = (unsigned) number;
        return true;
}

static bool take_nothing(MountSpec *mount, const char *source, GError **error)
{
        const char *name = mount_spec_type_name(mount);

        return !*source || strcmp(source, name) == 0 ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "mount source '%s': a %s has an empty one, or '%s'", source, name, name);
}

static bool take_data(MountSpec *mount, const MountWords *words, GError **error)
{
        if (words->source_size > MOUNT_FILES_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "the content of '%s' has more than the %u bytes allowed",
                                 mount->target, MOUNT_FILES_MAX);
        mount->data = g_malloc(words->source_size + 1);
        if (words->source_size > 0)
                memcpy(mount->data, words->source, words->source_size);
        mount->data[words->source_size] = '\0';
        mount->data_size = words->source_size;
        return true;
}

/* GLib's byte strings carry a NUL at the end. */
static char *as_text(const MountWords *words, GError **error)
{
        size_t size = words->source_size;

        if (size > 0 && words->source[size - 1] == '\0')
                size--;
        if (size > 0 && memchr(words->source, 0, size)) {
                error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                          "the mount source of '%s' contains a NUL byte", words->target);
                return NULL;
        }
        return g_strndup(size ? words->source : "", size);
}

static bool take_source(MountSpec *mount, const MountWords *words, GError **error)
{
        g_autofree char *text = NULL;

        if (mount->type == MOUNT_TYPE_DATA)
                return take_data(mount, words, error);
        if (!(text = as_text(words, error)))
                return false;
        switch (mount->type) {
        case MOUNT_TYPE_BIND:
        case MOUNT_TYPE_BIND_ONE:
                return take_path(mount, text, error);
        case MOUNT_TYPE_SYMLINK:
                return take_link(mount, text, error);
        case MOUNT_TYPE_DATA_FD:
                return take_fd(mount, text, error);
        case MOUNT_TYPE_TMPFS:
        case MOUNT_TYPE_DIR:
        case MOUNT_TYPE_DATA:
        case MOUNT_TYPE_PROC:
        case MOUNT_TYPE_DEV:
        case MOUNT_TYPE_MQUEUE:
        case _MOUNT_TYPE_MAX:
                break;
        }
        return take_nothing(mount, text, error);
}

/* -- targets -- */

static bool check_target(const char *target, GError **error)
{
        if (*target != '/' || strlen(target) > ROOTFS_PATH_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "mount target '%s' is not an absolute path of at most %u bytes",
                                 target, ROOTFS_PATH_MAX);
        g_auto(GStrv) parts = g_strsplit(target + 1, "/", -1);
        for (char **part = parts; *part; part++)
                if (!**part || strcmp(*part, ".") == 0 || strcmp(*part, "..") == 0)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "mount target '%s' has an empty part, '.' or '..' in it",
                                         target);
        return true;
}

static bool take_target(MountSpec *mount, const char *target, GError **error)
{
        mount->target = g_strdup(target);
        for (size_t end = strlen(mount->target); end > 1 && mount->target[end - 1] == '/'; end--)
                mount->target[end - 1] = '\0';
        return check_target(mount->target, error);
}

/* -- options -- */

static bool take_size(MountSpec *mount, const char *text)
{
        uint64_t size;

        /* to the kernel, 0 would mean no limit */
        if (!size_parse(text, &size) || size == 0 || size == UINT64_MAX)
                return false;
        g_free(mount->size);
        mount->size = g_strdup_printf("%" G_GUINT64_FORMAT, size);
        return true;
}

static bool take_mode(MountSpec *mount, const char *text)
{
        size_t length = strlen(text);

        if (length == 0 || length > 5 || strspn(text, "01234567") != length ||
            g_ascii_strtoull(text, NULL, 8) > 01777)
                return false;
        g_free(mount->mode);
        mount->mode = g_strdup(text);
        return true;
}

/* If two options contradict each other, the last one counts, as with mount(8). */
static bool take_option(MountSpec *mount, const char *option)
{
        const unsigned takes = types[mount->type].options;

        if (takes & TAKES_ACCESS && strcmp(option, "ro") == 0)
                mount->read_only = true;
        else if (takes & TAKES_ACCESS && strcmp(option, "rw") == 0)
                mount->read_only = false;
        else if (takes & TAKES_NOEXEC && strcmp(option, "noexec") == 0)
                mount->no_exec = true;
        else if (takes & TAKES_TRY && strcmp(option, "try") == 0)
                mount->is_optional = true;
        else if (takes & TAKES_SIZE && g_str_has_prefix(option, "size="))
                return take_size(mount, option + strlen("size="));
        else if (takes & TAKES_MODE && g_str_has_prefix(option, "mode="))
                return take_mode(mount, option + strlen("mode="));
        else
                return (takes & TAKES_NOEXEC &&
                        (strcmp(option, "nosuid") == 0 || strcmp(option, "nodev") == 0)) ||
                       (takes & TAKES_BIND && strcmp(option, "bind") == 0) ||
                       (takes & TAKES_RBIND && strcmp(option, "rbind") == 0);
        return true;
}

static bool take_type(MountSpec *mount, const MountWords *words, GError **error)
{
        unsigned type = 0;

        while (type < _MOUNT_TYPE_MAX && strcmp(words->type, types[type].name) != 0)
                type++;
        if (type == _MOUNT_TYPE_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "mount type '%s' of '%s' is not one of bind, bind-one, tmpfs, "
                                 "dir, symlink, data, data-fd, proc, dev and mqueue",
                                 words->type, words->target);
        mount->type = (MountType) type;
        return true;
}

bool mount_spec_parse(const MountWords *words, MountSpec *ret, GError **error)
{
        if (!take_type(ret, words, error) || !take_target(ret, words->target, error) ||
            !take_source(ret, words, error))
                return false;
        for (char *const *option = words->options; *option; option++)
                if (!take_option(ret, *option))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "mount option '%s' of '%s' is unknown, has a wrong "
                                         "value, or is not for a %s",
                                         *option, words->target, mount_spec_type_name(ret));
        return true;
}
