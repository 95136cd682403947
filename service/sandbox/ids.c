#include "service/sandbox/ids.h"

#include <errno.h>
#include <glib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PING_GROUP_MAX 0x7fffffffu

/* The kernel takes only groups that the user namespace has. */
SandboxIds ids_write(const IdMap *map)
{
        uint32_t uid = id_map_first_uid(map), gid = id_map_first_gid(map), n = id_map_size(map);
        SandboxIds ids;

        g_snprintf(ids.inner_uids, sizeof ids.inner_uids, "%u %u %u", uid, uid, n);
        g_snprintf(ids.inner_gids, sizeof ids.inner_gids, "%u %u %u", gid, gid, n);
        g_snprintf(ids.ping_groups, sizeof ids.ping_groups, "%u %u", gid,
                   n > 0 ? gid + n - 1 : PING_GROUP_MAX);
        return ids;
}

/* Raw calls: libc's wrappers signal other threads, and the maker, a cloned copy, has none. A
 * service that is not root has its caller's groups. */
bool ids_keep_groups(const Credentials *owner)
{
        return !owner || syscall(SYS_setgroups, owner->n_groups, owner->groups) == 0 ||
               (errno == EPERM && geteuid() != 0);
}

void ids_drop_groups(const Credentials *owner)
{
        int saved = errno;

        if (owner && geteuid() == 0 && syscall(SYS_setgroups, 0, NULL) < 0)
                g_error("cannot drop a caller's groups: %s", g_strerror(errno));
        errno = saved;
}
