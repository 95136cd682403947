#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "cli/oci/engine/build.h"
#include "service/spec/error.h"

static const OciDevice usual[] = {
        {.path = (char *) "/dev/null", .type = S_IFCHR, .major = 1, .minor = 3, .mode = 0666},
        {.path = (char *) "/dev/zero", .type = S_IFCHR, .major = 1, .minor = 5, .mode = 0666},
        {.path = (char *) "/dev/full", .type = S_IFCHR, .major = 1, .minor = 7, .mode = 0666},
        {.path = (char *) "/dev/random", .type = S_IFCHR, .major = 1, .minor = 8, .mode = 0666},
        {.path = (char *) "/dev/urandom", .type = S_IFCHR, .major = 1, .minor = 9, .mode = 0666},
        {.path = (char *) "/dev/tty", .type = S_IFCHR, .major = 5, .minor = 0, .mode = 0666},
};

static const struct {
        const char *path, *text;
} links[] = {
        {"/dev/fd", "/proc/self/fd"},       {"/dev/stdin", "/proc/self/fd/0"},
        {"/dev/stdout", "/proc/self/fd/1"}, {"/dev/stderr", "/proc/self/fd/2"},
        {"/dev/core", "/proc/kcore"},       {"/dev/ptmx", "pts/ptmx"},
};

/* Where no device can be made, the host's own is bound. */
static bool add_device(Build *build, const OciDevice *device, const char *label, GError **error)
{
        OciStep *step = build_add_step(build, OCI_STEP_NODE, device->path, label);

        step->mode = device->type | device->mode;
        /* as the kernel's new_encode_dev() */
        step->device = (device->minor & 0xff) | device->major << 8 | (device->minor & ~0xffu) << 12;
        step->uid = device->uid;
        step->gid = device->gid;
        if (!build->is_nested || device->type == S_IFIFO)
                return true;
        int tree = (int) syscall(SYS_open_tree, AT_FDCWD, device->path,
                                 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (tree < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "%s: cannot open the host's '%s'", label, device->path);
        step->fd = build_own_fd(build, tree);
        return true;
}

/* The /dev of a bundle that binds one is left alone. */
static bool has_own_dev(const OciSpec *spec)
{
        for (size_t i = 0; i < spec->n_mounts; i++) {
                const OciMount *mount = &spec->mounts[i];
                g_autofree char *path = g_canonicalize_filename(mount->destination, "/");
                if ((mount->bind || mount->bind_recursive) && strcmp(path, "/dev") == 0)
                        return false;
        }
        return true;
}

bool build_devices(Build *build, GError **error)
{
        const OciSpec *spec = build->input->spec;

        if (!has_own_dev(spec))
                return true;
        for (size_t i = 0; i < spec->n_devices; i++) {
                g_autofree char *label =
                        g_strdup_printf("linux.devices[%zu] ('%s')", i, spec->devices[i].path);
                if (!add_device(build, &spec->devices[i], label, error))
                        return false;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(usual); i++) {
                bool is_given = false;
                for (size_t k = 0; k < spec->n_devices; k++)
                        is_given = is_given || strcmp(spec->devices[k].path, usual[i].path) == 0;
                if (!is_given && !add_device(build, &usual[i], usual[i].path, error))
                        return false;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(links); i++)
                build_add_step(build, OCI_STEP_LINK, links[i].path, links[i].path)->text =
                        links[i].text;
        return true;
}
