/* What Update reads: the limits that are named, and no more. */

#include "dbus/decode/spec-decode.h"

#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/bus-auto.h"
#include "tests/lib/case.h"
#include "tests/lib/must.h"
#include "tests/lib/mute-bus.h"

typedef struct Fixture {
        sd_bus *bus; /* never served: a message needs one to belong to */
        sd_bus_message *message;
        Resources resources;
        bool unwatches;
        GError *error;
} Fixture;

static void set_up(Fixture *f, const void *unused)
{
        f->bus = mute_bus_new();
        must(sd_bus_message_new_method_call(f->bus, &f->message, "a.b", "/a", "a.b", "Update"));
        must(sd_bus_message_open_container(f->message, 'a', "{sv}"));
}

static void tear_down(Fixture *f, const void *unused)
{
        sd_bus_message_unref(f->message);
        sd_bus_close_unref(f->bus);
        g_clear_error(&f->error);
}

static void set(Fixture *f, const char *key, uint64_t value)
{
        must(sd_bus_message_append(f->message, "{sv}", key, "t", value));
}

static bool decode(Fixture *f)
{
        must(sd_bus_message_close_container(f->message));
        must(sd_bus_message_seal(f->message, 1, 0));
        must(sd_bus_message_rewind(f->message, true));
        return spec_decode_update(f->message, &f->resources, &f->unwatches, &f->error);
}

static void assert_refused(Fixture *f, const char *word)
{
        f->resources.memory_max = 42;
        g_assert_false(decode(f));
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_ARGS);
        g_assert_nonnull(strstr(f->error->message, word));
        g_assert_cmpuint(f->resources.memory_max, ==, 42); /* untouched */
}

/* What is not named stays as it is: there is a word of each limit for that. */
FIXTURE_TEST(nothing)
{
        g_assert_true(decode(f));
        g_assert_cmpuint(f->resources.memory_max, ==, 0);
        g_assert_cmpuint(f->resources.memory_high, ==, 0);
        g_assert_cmpuint(f->resources.cpu_weight, ==, 0);
        g_assert_cmpuint(f->resources.cpu_quota, ==, 0);
        g_assert_false(f->resources.has_memory_swap_max);
        g_assert_false(f->resources.has_tasks_max);
        g_assert_false(f->resources.has_memory_low);
        g_assert_false(f->resources.force);
}

/* Each key reaches its own field. */
FIXTURE_TEST(every_key)
{
        set(f, "MemoryMax", 1);
        set(f, "MemorySwapMax", 2);
        set(f, "TasksMax", 3);
        set(f, "MemoryHigh", 4);
        set(f, "MemoryLow", 5);
        set(f, "CPUWeight", 6);
        set(f, "CPUQuotaPerSecUSec", CPU_QUOTA_MIN);
        must(sd_bus_message_append(f->message, "{sv}", "Force", "b", 1));
        g_assert_true(decode(f));
        g_assert_cmpuint(f->resources.memory_max, ==, 1);
        g_assert_true(f->resources.has_memory_swap_max);
        g_assert_cmpuint(f->resources.memory_swap_max, ==, 2);
        g_assert_true(f->resources.has_tasks_max);
        g_assert_cmpuint(f->resources.tasks_max, ==, 3);
        g_assert_cmpuint(f->resources.memory_high, ==, 4);
        g_assert_true(f->resources.has_memory_low);
        g_assert_cmpuint(f->resources.memory_low, ==, 5);
        g_assert_cmpuint(f->resources.cpu_weight, ==, 6);
        g_assert_cmpuint(f->resources.cpu_quota, ==, CPU_QUOTA_MIN);
        g_assert_true(f->resources.force);
}

/* 0 takes a limit away: it is not "not named". */
FIXTURE_TEST(no_limit)
{
        set(f, "MemoryMax", 0);
        set(f, "MemoryHigh", 0);
        set(f, "CPUQuotaPerSecUSec", 0);
        g_assert_true(decode(f));
        g_assert_cmpuint(f->resources.memory_max, ==, UINT64_MAX);
        g_assert_cmpuint(f->resources.memory_high, ==, UINT64_MAX);
        g_assert_cmpuint(f->resources.cpu_quota, ==, UINT64_MAX);
}

/* What only a new container can be given is none of its keys. */
FIXTURE_TEST(not_of_spawn)
{
        set(f, "RuntimeMaxUSec", 1);
        assert_refused(f, "unknown option 'RuntimeMaxUSec'");
}

/* Nor is what nobody has. */
FIXTURE_TEST(unknown)
{
        set(f, "MemoryMax ", 1);
        assert_refused(f, "unknown option 'MemoryMax '");
}

/* One value of a key. */
FIXTURE_TEST(twice)
{
        set(f, "TasksMax", 3);
        set(f, "TasksMax", 3);
        assert_refused(f, "TasksMax is given twice");
}

/* In one type. */
FIXTURE_TEST(wrong_type)
{
        must(sd_bus_message_append(f->message, "{sv}", "MemoryMax", "u", 1u));
        assert_refused(f, "MemoryMax has type 'u', not 't'");
}

/* And of those that there are. */
FIXTURE_TEST(no_tasks)
{
        set(f, "TasksMax", 0);
        assert_refused(f, "TasksMax 0");
}

FIXTURE_TEST(no_weight)
{
        set(f, "CPUWeight", 0);
        assert_refused(f, "CPUWeight is 0");
}

FIXTURE_TEST(much_weight)
{
        set(f, "CPUWeight", CPU_WEIGHT_MAX + 1);
        assert_refused(f, "CPUWeight is 10001");
}

FIXTURE_TEST(little_quota)
{
        set(f, "CPUQuotaPerSecUSec", CPU_QUOTA_MIN - 1);
        assert_refused(f, "CPUQuotaPerSecUSec is 9999");
}
