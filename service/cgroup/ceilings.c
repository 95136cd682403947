/* Between our parent directory and the leaves each owner has a directory. Its limits are the
 * owner's ceilings: they bound what all containers of the owner have together. Root has no
 * ceilings, for it could take them away. Of the processors each directory has an equal share where
 * they are all in use, root's too: the kernel's default for a directory of the cpu controller.
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
#include "service/util/fd.h"

CgroupLimits cgroup_ceilings_of(const CgroupTree *tree, uid_t owner)
{
        const CgroupLimits none = {CGROUP_NO_LIMIT, CGROUP_NO_LIMIT, CGROUP_NO_LIMIT};

        return owner == 0 ? none : tree->ceilings;
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

/* `ret_fd` is -1 if the owner has no directory there: then there is nothing to limit yet. */
static bool open_owner(const CgroupTree *tree, CgroupController controller, uid_t owner,
                       int *ret_fd, GError **error)
{
        const CgroupHierarchy *h = &tree->hierarchies[tree->serving[controller]];
        char name[16];

        snprintf(name, sizeof name, "%u", (unsigned) owner);
        *ret_fd = openat(h->parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return *ret_fd >= 0 || errno == ENOENT ||
               error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno, "cannot open %s%s/%s",
                               h->mount_point, h->parent, name);
}

static bool cap_memory(const CgroupTree *tree, uid_t owner, GError **error)
{
        autofd int fd = -1;

        if (tree->ceilings.memory_max == CGROUP_NO_LIMIT || tree->serving[CGROUP_MEMORY] < 0)
                return true;
        return open_owner(tree, CGROUP_MEMORY, owner, &fd, error) &&
               (fd < 0 ||
                (counts_below(fd, error) &&
                 tree->hierarchies[tree->serving[CGROUP_MEMORY]].backend->set_memory(
                         fd, tree->ceilings.memory_max, tree->ceilings.memory_swap_max, error)));
}

static bool cap_tasks(const CgroupTree *tree, uid_t owner, GError **error)
{
        autofd int fd = -1;

        if (tree->ceilings.tasks_max == CGROUP_NO_LIMIT || tree->serving[CGROUP_PIDS] < 0)
                return true;
        return open_owner(tree, CGROUP_PIDS, owner, &fd, error) &&
               (fd < 0 || cgroup_set_tasks(fd, tree->ceilings.tasks_max, error));
}

bool cgroup_cap_owner(CgroupTree *tree, uid_t owner, GError **error)
{
        if (owner == 0 || g_hash_table_contains(tree->capped, GUINT_TO_POINTER(owner)))
                return true;
        if (!cap_memory(tree, owner, error) || !cap_tasks(tree, owner, error)) {
                g_prefix_error(error, "cannot limit the containers of user %u together: ",
                               (unsigned) owner);
                return false;
        }
        g_hash_table_add(tree->capped, GUINT_TO_POINTER(owner));
        return true;
}

static void lift(const CgroupHierarchy *h, const char *owner)
{
        static const char *const files[][2] = {
                {"memory.memsw.limit_in_bytes", "-1"},
                {"memory.limit_in_bytes", "-1"},
                {"memory.swap.max", "max"},
                {"memory.max", "max"},
                {"pids.max", "max"},
        };
        autofd int fd =
                openat(h->parent_fd, owner, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        /* The directory has the files of one version. A limit that stays is noticed when it is set
         * anew. */
        for (size_t i = 0; fd >= 0 && i < G_N_ELEMENTS(files); i++)
                (void) fd_write_file_at(fd, files[i][0], files[i][1]);
}

void cgroup_tree_set_ceilings(CgroupTree *tree, const CgroupLimits *ceilings)
{
        tree->ceilings = *ceilings;
        if (tree->serving[CGROUP_CPU] < 0 && tree->mode != CGROUP_MODE_NONE)
                g_message("a user's containers can take the processors from another's: %s",
                          tree->missing[CGROUP_CPU]);
        g_hash_table_remove_all(tree->capped);
        for (unsigned i = 0; i < tree->n_hierarchies; i++) {
                g_autoptr(GPtrArray) owners = cgroup_list_owners(&tree->hierarchies[i]);
                for (unsigned k = 0; k < owners->len; k++)
                        lift(&tree->hierarchies[i], owners->pdata[k]);
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
                cgroup_tree_set_ceilings(tree->before, ceilings);
}
