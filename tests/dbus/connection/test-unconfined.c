#include "dbus/connection/unconfined.h"

#include <sys/wait.h>
#include <unistd.h>

#include "service/util/proc.h"
#include "tests/lib/case.h"

/* This process itself, as the bus would name it. */
static Credentials *new_self(void)
{
        Credentials *self = g_new0(Credentials, 1);

        self->uid = geteuid();
        self->pid = getpid();
        g_assert_true(proc_start_time(self->pid, &self->start_time));
        return self;
}

/* No label, and what AppArmor and SELinux say of who is not confined; nothing that looks like it.
 */
TEST(label)
{
        static const char *const free[] = {"", "unconfined",
                                           "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023"};
        static const char *const bound[] = {"unconfined//&docker-default (enforce)",
                                            "/usr/bin/man (enforce)",
                                            "unconfined (enforce)",
                                            "unconfined_u:unconfined_r:sandbox_t:s0",
                                            "unconfined_t",
                                            "a:b:unconfined_tt:s0",
                                            "_"};

        for (size_t i = 0; i < G_N_ELEMENTS(free); i++)
                g_assert_true(label_is_unconfined(free[i]));
        for (size_t i = 0; i < G_N_ELEMENTS(bound); i++)
                g_assert_false(label_is_unconfined(bound[i]));
}

/* Who is not known, is in a container, is another by its start, or has ended, counts as confined;
 * and so does who has not got an id of the connection. */
TEST(unknown)
{
        g_autoptr(Credentials) self = new_self();
        gid_t group = 12345;

        self->start_time++;
        g_assert_false(caller_is_unconfined(self));
        self->start_time--;
        self->is_inside = true;
        g_assert_false(caller_is_unconfined(self));
        self->is_inside = false;
        self->uid++;
        g_assert_false(caller_is_unconfined(self));
        self->uid--;
        self->groups = g_memdup2(&group, sizeof group);
        self->n_groups = 1;
        g_assert_false(caller_is_unconfined(self));
        self->pid = 0;
        g_assert_false(caller_is_unconfined(self));

        g_autoptr(Credentials) child = new_self();
        child->pid = fork();
        if (child->pid == 0)
                _exit(0);
        g_assert_true(proc_start_time(child->pid, &child->start_time));
        g_assert_cmpint(waitpid(child->pid, NULL, 0), ==, child->pid);
        g_assert_false(caller_is_unconfined(child));
}

/* What those who are asked are told; of a process that has ended nothing is known. */
TEST(describe)
{
        g_autoptr(Credentials) self = new_self();
        g_auto(CallerWords) words = {0}, none = {0};

        caller_describe(self, &words);
        g_assert_true(g_str_has_suffix(words.executable, "/test-unconfined"));
        self->pid = 0;
        caller_describe(self, &none);
        g_assert_cmpstr(none.executable, ==, "");
        g_assert_cmpstr(none.label, ==, "");
}
