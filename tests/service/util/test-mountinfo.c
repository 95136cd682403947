#include "service/util/mountinfo.h"

#include <stdbool.h>
#include <string.h>

#include "tests/lib/case.h"

/* Escapes are undone, tags passed over, and nonsense is left out. */
TEST(parse)
{
        g_autoptr(GPtrArray) mounts = mountinfo_parse(
                "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
                "35 31 0:32 /docker/ab /sys/fs/cgroup/memory rw master:9 - cgroup cgroup "
                "rw,memory\n"
                "41 31 0:38 / /sys/my\\040tree rw shared:1 master:2 - cgroup2  rw\n"
                "42 31 0:39 / /cut\n"
                "\n- - - -\n43 31 0:39 / /cut rw - cgroup");

        g_assert_cmpuint(mounts->len, ==, 3);
        const MountInfo *second = mounts->pdata[1], *third = mounts->pdata[2];
        g_assert_cmpint(second->id, ==, 35);
        g_assert_cmpint(second->parent, ==, 31);
        g_assert_cmpstr(second->root, ==, "/docker/ab");
        g_assert_cmpstr(second->type, ==, "cgroup");
        g_assert_cmpstr(second->options, ==, "rw,memory");
        g_assert_cmpstr(second->device, ==, "0:32");
        g_assert_cmpstr(third->type, ==, "cgroup2");
        g_assert_cmpstr(third->point, ==, "/sys/my tree");
        g_assert_cmpstr(third->options, ==, "rw"); /* a source may be empty */
}

/* Whatever this machine has mounted, a root is among it. */
TEST(read)
{
        g_autoptr(GPtrArray) mounts = mountinfo_read();
        bool has_root = false;

        for (unsigned i = 0; i < mounts->len; i++)
                has_root = has_root || strcmp(((MountInfo *) mounts->pdata[i])->point, "/") == 0;
        g_assert_true(has_root);
}
