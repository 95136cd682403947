/* Flags in podman's spelling, from a text to the values of options. */

#include "cli/naivec/more-flags.h"

#include <string.h>

#include "service/util/capability.h"
#include "tests/lib/case.h"

typedef struct Fixture {
        SpawnRequest request;
        CapDrop drop;
        char *wrong; /* what a flag was refused with */
} Fixture;

static void set_up(Fixture *f, const void *unused)
{
        spawn_request_init(&f->request);
}

static void tear_down(Fixture *f, const void *unused)
{
        spawn_request_clear(&f->request);
        g_free(f->wrong);
}

/* The values of an option, with blanks between; NULL: it is not given. */
static char *values(const Fixture *f, SpawnOption option)
{
        const GPtrArray *list = f->request.values[option];
        GString *text = list ? g_string_new(NULL) : NULL;

        for (unsigned i = 0; list && i < list->len; i++)
                g_string_append_printf(text, "%s%s", i ? " " : "", (char *) list->pdata[i]);
        return text ? g_string_free(text, FALSE) : NULL;
}

static void assert_values(const Fixture *f, SpawnOption option, const char *expected)
{
        g_autofree char *text = values(f, option);

        g_assert_cmpstr(text, ==, expected);
}

static void assert_wrong(Fixture *f, char *wrong, const char *word)
{
        g_free(f->wrong);
        f->wrong = wrong;
        g_assert_nonnull(wrong);
        g_assert_nonnull(strstr(wrong, word));
}

/* -- --ulimit -- */

typedef struct UlimitRow {
        const char *name, *text;
        SpawnOption option;
        const char *values; /* NULL: it is refused */
} UlimitRow;

static const UlimitRow ulimits[] = {
        {"both", "nofile=10:20", SPAWN_LimitNOFILE, "10 20"},
        {"one", "fsize=7", SPAWN_LimitFSIZE, "7 7"},
        {"none", "core=-1", SPAWN_LimitCORE, "18446744073709551615 18446744073709551615"},
        {"unlimited", "memlock=0:unlimited", SPAWN_LimitMEMLOCK, "0 18446744073709551615"},
        {"stack", "stack=1:-1", SPAWN_LimitSTACK, "1 18446744073709551615"},
        {"nproc", "nproc=5:6", SPAWN_LimitNPROC, "5 6"},
        {"empty", "", 0, NULL},
        {"no-value", "nofile", SPAWN_LimitNOFILE, NULL},
        {"empty-value", "nofile=", SPAWN_LimitNOFILE, NULL},
        {"empty-hard", "nofile=1:", SPAWN_LimitNOFILE, NULL},
        {"negative", "nofile=-2", SPAWN_LimitNOFILE, NULL},
        {"suffix", "nofile=1k", SPAWN_LimitNOFILE, NULL},
        {"three", "nofile=1:2:3", SPAWN_LimitNOFILE, NULL},
        {"unknown", "rss=1", 0, NULL},
        {"upper-case", "NOFILE=1", SPAWN_LimitNOFILE, NULL},
};

/* A limit is one number or two, under the names that there are, and nothing else is set. */
ROW_TEST(ulimit, ulimits)
{
        const UlimitRow *row = data;
        unsigned n = 0;

        if (row->values) {
                g_assert_null(more_flags_take_ulimit(&f->request, row->text));
                assert_values(f, row->option, row->values);
        } else
                assert_wrong(f, more_flags_take_ulimit(&f->request, row->text), "--ulimit=");
        for (unsigned i = 0; i < N_SPAWN_OPTIONS; i++)
                n += spawn_request_has(&f->request, i);
        g_assert_cmpuint(n, ==, row->values ? 1 : 0);
}

/* The last one of a name counts. */
FIXTURE_TEST(ulimit_twice)
{
        g_assert_null(more_flags_take_ulimit(&f->request, "nofile=10:20"));
        g_assert_null(more_flags_take_ulimit(&f->request, "nofile=3"));
        assert_values(f, SPAWN_LimitNOFILE, "3 3");
}

/* -- --cap-drop -- */

static void take_drop(Fixture *f, const char *text)
{
        g_assert_null(more_flags_take_cap_drop(&f->drop, text));
}

static void add_cap(Fixture *f, const char *name)
{
        spawn_request_add(&f->request, SPAWN_Capabilities, name);
}

static void add_all(Fixture *f)
{
        for (unsigned i = 0; capability_name(i); i++)
                add_cap(f, capability_name(i));
}

static uint64_t mask_of(const Fixture *f, SpawnOption option)
{
        const GPtrArray *list = f->request.values[option];
        uint64_t mask = 0, bit;

        g_assert_nonnull(list);
        for (unsigned i = 0; i < list->len; i++) {
                g_assert_true(capability_from_name(list->pdata[i], &bit));
                mask |= bit;
        }
        return mask;
}

static void settle(Fixture *f)
{
        g_assert_null(more_flags_settle_cap_drop(&f->drop, &f->request));
}

/* Without the flag nothing is said of a bounding set. */
FIXTURE_TEST(no_drop)
{
        add_cap(f, "CAP_SYS_ADMIN");
        settle(f);
        assert_values(f, SPAWN_CapabilityBoundingSet, NULL);
}

/* One by name, in any case and with or without its prefix. */
FIXTURE_TEST(drop_some)
{
        take_drop(f, "chown");
        take_drop(f, "CAP_KILL");
        settle(f);
        g_assert_cmpuint(mask_of(f, SPAWN_CapabilityBoundingSet), ==,
                         CAPABILITIES_DEFAULT & ~(CAPABILITY(CHOWN) | CAPABILITY(KILL)));
        assert_values(f, SPAWN_Capabilities, NULL);
}

/* All: an empty set, which is not the same as none being said. */
FIXTURE_TEST(drop_all)
{
        take_drop(f, "ALL");
        settle(f);
        assert_values(f, SPAWN_CapabilityBoundingSet, "");
}

/* What is added by name stays, whatever is dropped with "all". */
FIXTURE_TEST(drop_all_add_one)
{
        add_cap(f, "CAP_NET_ADMIN");
        take_drop(f, "all");
        settle(f);
        assert_values(f, SPAWN_CapabilityBoundingSet, "CAP_NET_ADMIN");
        assert_values(f, SPAWN_Capabilities, "CAP_NET_ADMIN");
}

/* Of all that is added, what is dropped by name is neither added nor left in the set. */
FIXTURE_TEST(add_all_drop_one)
{
        add_all(f);
        take_drop(f, "sys_admin");
        settle(f);
        g_assert_cmpuint(mask_of(f, SPAWN_Capabilities) & CAPABILITY(SYS_ADMIN), ==, 0);
        g_assert_cmpuint(mask_of(f, SPAWN_CapabilityBoundingSet) & CAPABILITY(SYS_ADMIN), ==, 0);
        g_assert_cmpuint(mask_of(f, SPAWN_CapabilityBoundingSet) & CAPABILITY(BPF), !=, 0);
}

/* Nobody can mean both of these. */
FIXTURE_TEST(both_all)
{
        add_all(f);
        take_drop(f, "all");
        assert_wrong(f, more_flags_settle_cap_drop(&f->drop, &f->request), "both are all");
}

FIXTURE_TEST(both_one)
{
        add_cap(f, "CAP_BPF");
        take_drop(f, "bpf");
        assert_wrong(f, more_flags_settle_cap_drop(&f->drop, &f->request), "both name CAP_BPF");
}

/* A name that is none is refused at once, and drops nothing. */
FIXTURE_TEST(no_such_cap)
{
        assert_wrong(f, more_flags_take_cap_drop(&f->drop, "nonsense"), "no such capability");
        assert_wrong(f, more_flags_take_cap_drop(&f->drop, ""), "no such capability");
        g_assert_cmpuint(f->drop.mask, ==, 0);
        g_assert_false(f->drop.all);
}
