#include "service/spec/mount-spec.h"

#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/size.h"

void mount_spec_init(MountSpec *mount)
{
        *mount = (MountSpec){.place.fd = -1};
}

void mount_spec_clear(MountSpec *mount)
{
        g_free(mount->source);
        g_free(mount->target);
        g_free(mount->size);
        g_free(mount->mode);
        fd_close(mount->place.fd);
        mount_spec_init(mount);
}

static bool check_source(const char *source, bool is_bind, GError **error)
{
        if (!is_bind)
                return !*source || strcmp(source, "tmpfs") == 0 ||
                       error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "mount source '%s': a tmpfs has an empty one, or 'tmpfs'", source);
        if (*source != '/' || strlen(source) > ROOTFS_PATH_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "mount source '%s' is not an absolute path of at most %u bytes",
                                 source, ROOTFS_PATH_MAX);
        return true;
}

/* Is the target "/", one of the service's own mounts, or below one? */
static bool is_ours(const char *target)
{
        static const char *const ours[] = {"/proc", "/sys", "/dev"};

        for (size_t i = 0; i < G_N_ELEMENTS(ours); i++) {
                size_t length = strlen(ours[i]);
                if (strncmp(target, ours[i], length) == 0 &&
                    (target[length] == '/' || target[length] == '\0'))
                        return true;
        }
        return target[1] == '\0';
}

static bool check_target(const char *target, GError **error)
{
        if (*target != '/' || strlen(target) > ROOTFS_PATH_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "mount target '%s' is not an absolute path of at most %u bytes",
                                 target, ROOTFS_PATH_MAX);
        if (is_ours(target))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "mount target '%s': '/', '/proc', '/sys' and '/dev' are the "
                                 "service's to mount",
                                 target);
        g_auto(GStrv) parts = g_strsplit(target + 1, "/", -1);
        for (char **part = parts; *part; part++)
                if (!**part || strcmp(*part, ".") == 0 || strcmp(*part, "..") == 0)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "mount target '%s' has an empty part, '.' or '..' in it",
                                         target);
        return true;
}

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
        if (strcmp(option, "ro") == 0)
                mount->read_only = true;
        else if (strcmp(option, "rw") == 0)
                mount->read_only = false;
        else if (strcmp(option, "noexec") == 0)
                mount->no_exec = true;
        else if (!mount->source && g_str_has_prefix(option, "size="))
                return take_size(mount, option + strlen("size="));
        else if (!mount->source && g_str_has_prefix(option, "mode="))
                return take_mode(mount, option + strlen("mode="));
        else /* Allowed, because these hold in any case. A bind always has what is mounted below it,
                or it would uncover what those mounts hide. */
                return strcmp(option, "nosuid") == 0 || strcmp(option, "nodev") == 0 ||
                       (mount->source &&
                        (strcmp(option, "bind") == 0 || strcmp(option, "rbind") == 0));
        return true;
}

bool mount_spec_parse(const MountWords *words, MountSpec *ret, GError **error)
{
        bool is_bind = strcmp(words->type, "bind") == 0;

        if (!is_bind && strcmp(words->type, "tmpfs") != 0)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "mount type '%s' of '%s' is not 'bind' or 'tmpfs'", words->type,
                                 words->target);
        if (!check_source(words->source, is_bind, error))
                return false;
        ret->target = g_strdup(words->target);
        for (size_t end = strlen(ret->target); end > 1 && ret->target[end - 1] == '/'; end--)
                ret->target[end - 1] = '\0';
        if (!check_target(ret->target, error))
                return false;
        ret->source = is_bind ? g_strdup(words->source) : NULL;
        for (char *const *option = words->options; *option; option++)
                if (!take_option(ret, *option))
                        return error_set(
                                error, RUNTIME_ERROR_INVALID_ARGS,
                                "mount option '%s' of '%s' is unknown or has a wrong value",
                                *option, words->target);
        return true;
}
