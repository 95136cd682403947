/* What a predecessor, or this service, has left behind: the leaves that are there when the service
 * starts, and the empty directories to remove. */

#include "service/cgroup/internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "service/util/fd.h"

static void collect_leaves(const CgroupHierarchy *h, const char *level, GHashTable *leaves)
{
        autofd int fd =
                openat(h->parent_fd, level, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        g_autoptr(GPtrArray) names = cgroup_list_directories(fd);
        uint64_t serial;

        for (unsigned i = 0; i < names->len; i++) {
                if (!cgroup_parse_number(names->pdata[i], UINT64_MAX, &serial))
                        continue;
                autofd int leaf = openat(fd, names->pdata[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                char *name = g_strconcat(level, "/", (char *) names->pdata[i], NULL);
                bool populated = (leaf >= 0 && h->backend->is_populated(leaf)) ||
                                 g_hash_table_lookup(leaves, name);
                g_hash_table_replace(leaves, name, GINT_TO_POINTER(populated));
        }
}

void cgroup_tree_foreach_leaf(CgroupTree *tree, CgroupLeafFunc function, void *data)
{
        g_autoptr(GHashTable) leaves = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        GHashTableIter iterator;
        void *name, *populated;

        for (unsigned i = 0; i < tree->n_hierarchies; i++) {
                g_autoptr(GPtrArray) owners = cgroup_list_owners(&tree->hierarchies[i]);
                for (unsigned k = 0; k < owners->len; k++) {
                        g_autofree char *sandboxes =
                                g_strconcat(owners->pdata[k], "/" CGROUP_SANDBOXES, NULL);
                        collect_leaves(&tree->hierarchies[i], owners->pdata[k], leaves);
                        collect_leaves(&tree->hierarchies[i], sandboxes, leaves);
                }
        }
        g_hash_table_iter_init(&iterator, leaves);
        while (g_hash_table_iter_next(&iterator, &name, &populated)) {
                const char *serial = strrchr(name, '/') + 1;
                function((uid_t) g_ascii_strtoull(name, NULL, 10),
                         g_ascii_strtoull(serial, NULL, 10), populated != NULL, data);
        }
        if (tree->before)
                cgroup_tree_foreach_leaf(tree->before, function, data);
}

static void remove_if_empty(uid_t owner, uint64_t serial, bool populated, void *data)
{
        CgroupTree *tree = data;
        g_autoptr(Cgroup) cgroup = NULL;

        if (!populated && cgroup_open(tree, owner, serial, &cgroup, NULL))
                (void) cgroup_remove(cgroup, NULL);
}

void cgroup_tree_sweep(CgroupTree *tree)
{
        cgroup_tree_foreach_leaf(tree, remove_if_empty, tree);
        for (unsigned i = 0; i < tree->n_hierarchies; i++) {
                CgroupHierarchy *h = &tree->hierarchies[i];
                g_autoptr(GPtrArray) owners = cgroup_list_owners(h);
                for (unsigned k = 0; k < owners->len; k++) {
                        g_autofree char *sandboxes =
                                g_strconcat(owners->pdata[k], "/" CGROUP_SANDBOXES, NULL);
                        (void) unlinkat(h->parent_fd, sandboxes, AT_REMOVEDIR);
                        (void) unlinkat(h->parent_fd, owners->pdata[k], AT_REMOVEDIR);
                }
                cgroup_hierarchy_remove_parent(h);
        }
        if (tree->before)
                cgroup_tree_sweep(tree->before);
}
