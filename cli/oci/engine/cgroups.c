#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "cli/oci/engine/build.h"
#include "service/spec/error.h"

static bool has_cgroup_namespace(const OciSpec *spec)
{
        return oci_spec_find_namespace(spec, CLONE_NEWCGROUP) != NULL;
}

/* A file system of that hierarchy, rooted by the cgroup namespace. */
static OciStep *add_hierarchy(Build *build, const EngineHierarchy *hierarchy, const char *target,
                              const char *label)
{
        OciStep *step = build_add_step(build, OCI_STEP_NEW, target, label);
        bool is_named = strcmp(hierarchy->name, "systemd") == 0;
        GArray *options = g_array_new(FALSE, FALSE, sizeof(OciOption));

        step->type = "cgroup";
        if (strcmp(hierarchy->name, "") == 0 || strcmp(hierarchy->name, "unified") == 0)
                step->type = "cgroup2";
        else if (is_named)
                g_array_append_vals(options, &(OciOption){"name", "systemd"}, 1);
        else {
                char **controllers = g_strsplit(hierarchy->name, ",", -1);
                for (char **name = controllers; *name; name++)
                        g_array_append_vals(options, &(OciOption){build_own(build, *name), NULL},
                                            1);
                g_free(controllers);
        }
        step->n_options = options->len;
        step->options = build_own(build, g_array_free(options, FALSE));
        return step;
}

/* The container's cgroup alone, where it has no namespace that would hide what is above. */
static OciStep *add_leaf(Build *build, const EngineHierarchy *hierarchy, const char *target,
                         const char *label, const OciMount *mount, GError **error)
{
        const struct mount_attr attributes = {.attr_set = mount->set, .attr_clr = mount->clear},
                                slave = {.propagation = MS_SLAVE};
        int tree = (int) syscall(SYS_open_tree, AT_FDCWD, hierarchy->directory,
                                 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        OciStep *step;

        build_own_fd(build, tree);
        if (tree < 0 ||
            syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) <
                    0 ||
            syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &slave, sizeof slave) < 0) {
                error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                "cannot bind the cgroup '%s'", hierarchy->directory);
                return NULL;
        }
        step = build_add_step(build, OCI_STEP_TREE, target, label);
        step->fd = tree;
        return step;
}

static bool add_one(Build *build, const EngineHierarchy *hierarchy, const char *target,
                    const char *label, const OciMount *mount, GError **error)
{
        OciStep *step = has_cgroup_namespace(build->input->spec)
                                ? add_hierarchy(build, hierarchy, target, label)
                                : add_leaf(build, hierarchy, target, label, mount, error);

        if (!step)
                return false;
        step->is_directory = true;
        step->set = mount->set;
        step->clear = mount->clear;
        return true;
}

static void add_links(Build *build, const EngineHierarchy *hierarchy, const OciMount *mount,
                      const char *label)
{
        char **names;

        if (!strchr(hierarchy->name, ','))
                return;
        names = g_strsplit(hierarchy->name, ",", -1);
        for (char **name = names; *name; name++) {
                char *path = g_build_filename(mount->destination, *name, NULL);
                build_add_step(build, OCI_STEP_LINK, build_own(build, path), label)->text =
                        hierarchy->name;
        }
        g_strfreev(names);
}

/* v2 is one mount. Else it is a tmpfs with a directory for each hierarchy, as on the host. */
bool build_cgroup_mount(Build *build, const OciMount *mount, const char *label, GError **error)
{
        const EngineInput *input = build->input;
        OciMount room = *mount;
        char *no_data[] = {(char *) "mode=755", NULL};
        OciStep *step;

        if (input->n_hierarchies == 1 && strcmp(input->hierarchies[0].name, "") == 0)
                return add_one(build, &input->hierarchies[0], mount->destination, label, mount,
                               error);
        room.type = (char *) "tmpfs";
        room.source = (char *) "tmpfs";
        room.data = no_data;
        build_new_mount(build, &room, label, &step);
        for (size_t i = 0; i < input->n_hierarchies; i++) {
                const EngineHierarchy *hierarchy = &input->hierarchies[i];
                char *path = g_build_filename(mount->destination, hierarchy->name, NULL);
                if (!add_one(build, hierarchy, build_own(build, path), label, mount, error))
                        return false;
                add_links(build, hierarchy, mount, label);
        }
        return true;
}
