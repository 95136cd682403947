/* Between our parent directory and the leaves each owner has a directory. Its limits are the
 * owner's ceilings: they bound what all containers of the owner have together. Root has no
 * ceilings, for it could take them away. Of the processors each directory has an equal share where
 * they are all in use, root's too: the kernel's default for a directory of the cpu controller.
 *
 * Below an owner's directory there is one for the owner's sandboxes, the containers that need no
 * password: it has ceilings of its own beside those of the owner, and yields the processors to the
 * owner's other containers.
 *
 * An owner's directory outlives its last leaf and, with a leaf in it, the service. So each service
 * puts the ceilings of its own configuration there, once, and before that takes away those that an
 * earlier service left: v1 refuses to raise the limit of memory above an old limit of memory and
 * swap together. */

#include "service/cgroup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/shares.h"

CgroupLimits cgroup_ceilings_of(const CgroupTree *tree, uid_t owner, bool of_sandboxes)
{
        const CgroupLimits none = {CGROUP_NO_LIMIT, CGROUP_NO_LIMIT, CGROUP_NO_LIMIT};

        return owner == 0 ? none : of_sandboxes ? tree->sandbox_ceilings : tree->ceilings;
}

/* A cgroup v1 before Linux 5.11 may count a directory apart from those below it (see
 * count_hierarchically()): a ceiling would then limit nothing. */
static bool counts_below(int dirfd, GError **error)
{
        char text[8];

        return fd_read_file_at(dirfd, "memory.use_hierarchy", text, sizeof text) <= 0 ||
               text[0] == '1' ||
               error_set(
                       error, RUNTIME_ERROR_CGROUP_FAILED,
                       "memory of a cgroup's children is not counted (memory.use_hierarchy is 0)");
}

/* `ret_fd` is -1 if there is no such directory: then there is nothing to limit yet. */
static bool open_level(const CgroupTree *tree, CgroupController controller, const char *level,
                       int *ret_fd, GError **error)
{
        const CgroupHierarchy *h = &tree->hierarchies[tree->serving[controller]];

        *ret_fd = openat(h->parent_fd, level, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return *ret_fd >= 0 || errno == ENOENT ||
               error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno, "cannot open %s%s/%s",
                               h->mount_point, h->parent, level);
}

static bool cap_memory(const CgroupTree *tree, const char *level, const CgroupLimits *ceilings,
                       GError **error)
{
        autofd int fd = -1;

        if (ceilings->memory_max == CGROUP_NO_LIMIT || tree->serving[CGROUP_MEMORY] < 0)
                return true;
        return open_level(tree, CGROUP_MEMORY, level, &fd, error) &&
               (fd < 0 || (counts_below(fd, error) &&
                           tree->hierarchies[tree->serving[CGROUP_MEMORY]].backend->set_memory(
                                   fd, ceilings->memory_max, ceilings->memory_swap_max, error)));
}

static bool cap_tasks(const CgroupTree *tree, const char *level, const CgroupLimits *ceilings,
                      GError **error)
{
        autofd int fd = -1;

        if (ceilings->tasks_max == CGROUP_NO_LIMIT || tree->serving[CGROUP_PIDS] < 0)
                return true;
        return open_level(tree, CGROUP_PIDS, level, &fd, error) &&
               (fd < 0 || cgroup_set_tasks(fd, ceilings->tasks_max, error));
}

/* Against the other containers of their owner. */
static bool weigh_sandboxes(const CgroupTree *tree, const char *level, GError **error)
{
        int index = tree->serving[CGROUP_CPU];
        autofd int fd = -1;

        if (index < 0)
                return true;
        bool is_legacy = tree->hierarchies[index].backend == &cgroup_legacy;
        return open_level(tree, CGROUP_CPU, level, &fd, error) &&
               (fd < 0 || cgroup_set_value(fd, is_legacy ? "cpu.shares" : "cpu.weight",
                                           is_legacy ? shares_from_weight(SANDBOXES_CPU_WEIGHT)
                                                     : SANDBOXES_CPU_WEIGHT,
                                           error));
}

static bool cap_sandboxes(const CgroupTree *tree, const char *owner, GError **error)
{
        g_autofree char *level = g_strconcat(owner, "/" CGROUP_SANDBOXES, NULL);

        return cap_memory(tree, level, &tree->sandbox_ceilings, error) &&
               cap_tasks(tree, level, &tree->sandbox_ceilings, error) &&
               weigh_sandboxes(tree, level, error);
}

bool cgroup_cap_owner(CgroupTree *tree, uid_t owner, GError **error)
{
        char level[16];

        if (owner == 0 || g_hash_table_contains(tree->capped, GUINT_TO_POINTER(owner)))
                return true;
        snprintf(level, sizeof level, "%u", (unsigned) owner);
        if (!cap_memory(tree, level, &tree->ceilings, error) ||
            !cap_tasks(tree, level, &tree->ceilings, error) || !cap_sandboxes(tree, level, error)) {
                g_prefix_error(error, "cannot limit the containers of user %u together: ",
                               (unsigned) owner);
                return false;
        }
        g_hash_table_add(tree->capped, GUINT_TO_POINTER(owner));
        return true;
}

static void lift(const CgroupHierarchy *h, const char *level)
{
        static const char *const files[][2] = {
                {"memory.memsw.limit_in_bytes", "-1"},
                {"memory.limit_in_bytes", "-1"},
                {"memory.swap.max", "max"},
                {"memory.max", "max"},
                {"pids.max", "max"},
        };
        autofd int fd =
                openat(h->parent_fd, level, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        /* The directory has the files of one version. A limit that stays is noticed when it is set
         * anew. */
        for (size_t i = 0; fd >= 0 && i < G_N_ELEMENTS(files); i++)
                (void) fd_write_file_at(fd, files[i][0], files[i][1]);
}

static void lift_owner(const CgroupHierarchy *h, const char *owner)
{
        g_autofree char *sandboxes = g_strconcat(owner, "/" CGROUP_SANDBOXES, NULL);

        lift(h, owner);
        lift(h, sandboxes);
}

void cgroup_tree_set_ceilings(CgroupTree *tree, const CgroupLimits *ceilings,
                              const CgroupLimits *of_sandboxes)
{
        tree->ceilings = *ceilings;
        tree->sandbox_ceilings = *of_sandboxes;
        if (tree->serving[CGROUP_CPU] < 0 && tree->mode != CGROUP_MODE_NONE)
                g_message("a user's containers can take the processors from another's: %s",
                          tree->missing[CGROUP_CPU]);
        g_hash_table_remove_all(tree->capped);
        for (unsigned i = 0; i < tree->n_hierarchies; i++) {
                g_autoptr(GPtrArray) owners = cgroup_list_owners(&tree->hierarchies[i]);
                for (unsigned k = 0; k < owners->len; k++)
                        lift_owner(&tree->hierarchies[i], owners->pdata[k]);
        }
        /* At once, for what runs already. Where that fails, the owner's next container is refused,
         * with the reason. */
        for (unsigned i = 0; i < tree->n_hierarchies; i++) {
                g_autoptr(GPtrArray) owners = cgroup_list_owners(&tree->hierarchies[i]);
                for (unsigned k = 0; k < owners->len; k++)
                        (void) cgroup_cap_owner(
                                tree, (uid_t) g_ascii_strtoull(owners->pdata[k], NULL, 10), NULL);
        }
        if (tree->before)
                cgroup_tree_set_ceilings(tree->before, ceilings, of_sandboxes);
}
