/* What a process gets that joins a container: as much as the first one, or less, and never more. */

#include "service/spec/rights.h"

#include "service/spec/error.h"
#include "service/util/capability.h"
#include "tests/lib/case.h"

static const Rights root = {.capabilities = CAPABILITIES_DEFAULT,
                            .filter = RIGHTS_FILTER_DEFAULT,
                            .no_new_privileges = true,
                            .has_user_namespace = true};
static const Rights user = {.capabilities = CAPABILITIES_DEFAULT,
                            .user_capabilities = CAPABILITY(CHOWN) | CAPABILITY(KILL),
                            .filter = RIGHTS_FILTER_DEFAULT,
                            .has_user_namespace = true,
                            .uid = 1000,
                            .gid = 100,
                            .groups = {7, 8},
                            .n_groups = 2};

static ProcessSpec joining(void)
{
        ProcessSpec spec;

        process_spec_init_join(&spec);
        return spec;
}

static void assert_settled(const Rights *first, ProcessSpec *spec, Rights *ret)
{
        g_autoptr(GError) error = NULL;

        g_assert_true(rights_settle_join(first, 65536, spec, ret, &error));
        g_assert_no_error(error);
}

/* Each error names the option, so that a caller knows which one is too much. */
static void assert_refused(const Rights *first, uint32_t n_ids, ProcessSpec *spec, const char *key)
{
        g_autoptr(GError) error = NULL;
        Rights rights;

        g_assert_false(rights_settle_join(first, n_ids, spec, &rights, &error));
        g_assert_true(g_error_matches(error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_ARGS) ||
                      g_error_matches(error, RUNTIME_ERROR, RUNTIME_ERROR_NOT_SUPPORTED));
        g_assert_nonnull(strstr(error->message, key));
}

/* What is not said is as it is for the first process. */
TEST(like_the_first)
{
        ProcessSpec spec = joining();
        Rights rights;

        assert_settled(&user, &spec, &rights);
        g_assert_cmpmem(&rights, sizeof rights, &user, sizeof user);
        g_assert_cmpuint(spec.attributes.uid, ==, 1000);
        g_assert_cmpuint(spec.attributes.gid, ==, 100);
        g_assert_cmpuint(spec.attributes.user_capabilities, ==, user.user_capabilities);
        g_assert_cmpmem(spec.attributes.groups, 8, user.groups, 8);
        g_assert_cmpuint(spec.attributes.n_groups, ==, 2);
}

/* What the first one cannot gain, is not to be asked for; what it can, may be given up. */
TEST(privileges)
{
        static const bool values[] = {false, true};
        Rights rights;

        for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
                ProcessSpec of_root = joining(), of_user = joining();
                of_root.has_no_new_privileges = of_user.has_no_new_privileges = true;
                of_root.no_new_privileges = of_user.no_new_privileges = values[i];
                if (values[i])
                        assert_settled(&root, &of_root, &rights);
                else
                        assert_refused(&root, 65536, &of_root, "NoNewPrivileges is false");
                assert_settled(&user, &of_user, &rights);
                g_assert_cmpint(rights.no_new_privileges, ==, values[i]);
        }
}

/* Root that can become anybody can let others join, who have no capabilities without being given
 * them, and no groups. */
TEST(others_by_root)
{
        ProcessSpec spec = joining();
        Rights rights;

        spec.attributes.uid = spec.attributes.gid = 1000;
        assert_settled(&root, &spec, &rights);
        g_assert_cmpuint(spec.attributes.user_capabilities, ==, 0);
        g_assert_cmpuint(spec.attributes.n_groups, ==, 0);
        spec.attributes.user_capabilities = CAPABILITY(CHOWN);
        assert_settled(&root, &spec, &rights);
        spec.attributes.user_capabilities = CAPABILITY(SYS_ADMIN);
        assert_refused(&root, 65536, &spec, "Capabilities has CAP_SYS_ADMIN");
}

/* Who cannot become another user, lets none join: not root, nor another group of its own. */
TEST(no_others)
{
        static const struct {
                uint32_t uid, gid;
        } ids[] = {{0, 0}, {1000, 0}, {0, 100}, {1001, 100}};

        for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
                ProcessSpec spec = joining();
                spec.attributes.uid = ids[i].uid;
                spec.attributes.gid = ids[i].gid;
                assert_refused(&user, 65536, &spec, "User is");
        }
}

/* Root without the capability to become somebody else is as bound as a user. */
TEST(no_others_by_weak_root)
{
        for (unsigned i = 0; i < 2; i++) {
                Rights weak = root;
                ProcessSpec spec = joining();
                weak.capabilities &= ~(i ? CAPABILITY(SETUID) : CAPABILITY(SETGID));
                spec.attributes.uid = spec.attributes.gid = 1;
                assert_refused(&weak, 65536, &spec, "User is 1:1");
                spec = joining();
                spec.attributes.n_groups = 1;
                assert_refused(&weak, 65536, &spec, "SupplementaryGroups");
        }
}

/* Neither more groups nor fewer, for a group may have less than others have; the same ones can be
 * said. */
TEST(same_groups)
{
        ProcessSpec spec = joining();
        Rights rights;

        spec.attributes.n_groups = 0;
        assert_refused(&user, 65536, &spec, "SupplementaryGroups");
        spec.attributes.n_groups = 2;
        spec.attributes.groups[0] = 7;
        spec.attributes.groups[1] = 9;
        assert_refused(&user, 65536, &spec, "SupplementaryGroups");
        spec.attributes.groups[1] = 8;
        assert_settled(&user, &spec, &rights);
}

/* A user's capabilities are those of the first process or fewer, though the bounding set has
 * more. */
TEST(user_capabilities)
{
        ProcessSpec spec = joining();
        Rights rights;

        spec.attributes.user_capabilities = CAPABILITY(KILL);
        assert_settled(&user, &spec, &rights);
        spec.attributes.user_capabilities = CAPABILITY(KILL) | CAPABILITY(SETUID);
        assert_refused(&user, 65536, &spec, "Capabilities has CAP_SETUID");
}

/* no_new_privs can be set, and never cleared. */
TEST(no_new_privileges)
{
        Rights rights;

        for (unsigned i = 0; i < 4; i++) {
                ProcessSpec spec = joining();
                Rights first = root;
                first.no_new_privileges = i & 1;
                spec.no_new_privileges = i & 2;
                assert_settled(&first, &spec, &rights);
                g_assert_cmpint(rights.no_new_privileges, ==, i != 0);
        }
}

/* Ids beyond the container's are refused, and groups where it has none. */
TEST(ids_in_range)
{
        ProcessSpec spec = joining();
        Rights rights;

        spec.attributes.uid = 65536;
        spec.attributes.gid = 0;
        assert_refused(&root, 65536, &spec, "User has 65536");
        g_assert_true(rights_settle_join(&root, 0, &spec, &rights, NULL));
        spec = joining();
        spec.attributes.n_groups = 1;
        spec.attributes.groups[0] = 0;
        assert_refused(&root, 1, &spec, "SupplementaryGroups");
        spec.attributes.groups[0] = 65536;
        assert_refused(&root, 65536, &spec, "SupplementaryGroups has 65536");
}
