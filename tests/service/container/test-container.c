/* One container around a fake child: what it says and how it ends decide the states, hooks and
 * results. No cgroup and no privilege: tests/integration shows the same with the kernel's. */

#include "service/container/container.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/fake-launch.h"
#include "tests/lib/fds.h"
#include "tests/lib/loop.h"
#include "tests/lib/strv.h"

typedef struct Fixture {
        IdRanges *ranges;
        Container *container;
        unsigned n_created, n_started, n_failed, n_exited, n_cleaned;
        GString *order; /* of the hooks, a letter each */
        GError *failure;
        unsigned fds_before;
} Fixture;

static void on_created(Container *container, void *data)
{
        Fixture *f = data;

        g_assert_cmpint(container_info(container)->state, ==, CONTAINER_CREATED);
        f->n_created++;
        g_string_append_c(f->order, 'c');
}

static void on_started(Container *container, void *data)
{
        Fixture *f = data;

        g_assert_cmpint(container_info(container)->state, ==, CONTAINER_RUNNING);
        f->n_started++;
        g_string_append_c(f->order, 's');
}

static void on_failed(Container *container, GError *error, void *data)
{
        Fixture *f = data;

        g_assert_cmpint(container_info(container)->state, ==, CONTAINER_STOPPED);
        g_assert_cmpint(container_info(container)->result, ==, RESULT_SETUP_FAILED);
        g_assert_true(container_is_clean(container)); /* who is told finds nothing left */
        f->failure = g_error_copy(error);
        f->n_failed++;
        g_string_append_c(f->order, 'f');
}

static void on_exited(Container *container, void *data)
{
        Fixture *f = data;

        g_assert_cmpint(container_info(container)->state, ==, CONTAINER_STOPPED);
        g_assert_false(container_is_live(container));
        f->n_exited++;
        g_string_append_c(f->order, 'e');
}

static void on_cleaned(Container *container, void *data)
{
        Fixture *f = data;

        g_assert_true(container_is_clean(container));
        f->n_cleaned++;
        g_string_append_c(f->order, '.');
}

static bool on_noticed(Container *container, const Notice *notice, void *data)
{
        Fixture *f = data;

        g_string_append_c(f->order, 'n');
        return true;
}

static const ContainerHooks hooks = {
        .created = on_created,
        .started = on_started,
        .failed = on_failed,
        .exited = on_exited,
        .cleaned = on_cleaned,
        .noticed = on_noticed,
};

static void make_container(Fixture *f)
{
        ContainerInfo info = {
                .serial = 1, .id = g_strdup("web"), .owner = 1000, .memory_max = UINT64_MAX};
        Order *order = order_new();

        order->tree.rootfs = g_strdup("/tree");
        order->process.argv = strv_pack(g_strsplit("cmd", " ", -1));
        f->container = container_new(&info, order, &hooks, f);
        g_assert_null(info.id); /* consumed */
}

static void set_up(Fixture *f, const void *unused)
{
        fake_launch_reset();
        loop_settle();
        f->fds_before = count_fds();
        f->order = g_string_new(NULL);
        f->ranges = id_ranges_new(0x70000000, ID_RANGE_SIZE);
        make_container(f);
}

/* Whatever happened, no process, fd or range of ids is left. */
static void tear_down(Fixture *f, const void *unused)
{
        g_autoptr(IdMap) map = NULL;
        const Credentials owner = {.uid = 1000};

        container_free(f->container);
        g_assert_true(id_map_new(f->ranges, USER_NAMESPACE_AUTO, &owner, 0, &map, NULL));
        g_clear_pointer(&map, id_map_free);
        id_ranges_free(f->ranges);
        fake_launch_reset();
        loop_settle();
        g_assert_cmpuint(count_fds(), ==, f->fds_before);
        g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
        g_assert_cmpint(errno, ==, ECHILD);
        g_string_free(f->order, TRUE);
        g_clear_error(&f->failure);
}

static bool launch_it(Fixture *f, FakeScript script, bool execute, GError **error)
{
        static const Profile profile;
        const CgroupLimits unlimited = {CGROUP_NO_LIMIT, CGROUP_NO_LIMIT, CGROUP_NO_LIMIT};
        const Credentials owner = {.uid = 1000};
        const ContainerEngine engine = {fake_launch, &profile};
        Prepared made = {.serial = 1};

        fake_launch_how.script = script;
        ((Order *) container_order(f->container))->execute = execute;
        g_assert_true(id_map_new(f->ranges, USER_NAMESPACE_AUTO, &owner, 0, &made.map, NULL));
        g_assert_true(cgroup_new(fake_cgroup_tree(), 1000, 1, &unlimited, &made.cgroup, NULL));
        return container_launch(f->container, &engine, &made, error);
}

static void begin(Fixture *f, FakeScript script, bool execute)
{
        g_autoptr(GError) error = NULL;

        g_assert_true(launch_it(f, script, execute, &error));
        g_assert_no_error(error);
        g_assert_cmpint(container_info(f->container)->pid, ==, fake_launch_how.last_pid);
        g_assert_true(container_is_live(f->container));
}

static void create(Fixture *f, FakeScript script)
{
        begin(f, script, false);
        g_assert_true(loop_until(&f->n_created, 1, 5000));
}

static void run(Fixture *f, FakeScript script)
{
        begin(f, script, true);
        g_assert_true(loop_until(&f->n_started, 1, 5000));
}

static void start(Fixture *f)
{
        g_autoptr(GError) error = NULL;

        g_assert_true(container_start(f->container, &error));
        g_assert_no_error(error);
}

static void finish(Fixture *f, const char *order)
{
        g_assert_true(loop_until(&f->n_cleaned, 1, 5000));
        g_assert_cmpstr(f->order->str, ==, order);
        g_assert_cmpint(container_info(f->container)->pid, ==, 0);
        g_assert_cmpint(container_pidfd(f->container), ==, -1);
        g_assert_null(container_order(f->container)); /* it may be large */
}

static void assert_ended(Fixture *f, ContainerResult result, int code)
{
        g_assert_cmpint(container_info(f->container)->result, ==, result);
        g_assert_cmpint(container_info(f->container)->code, ==, code);
}

/* `error` by its address: it is set while the other argument is evaluated. */
static void assert_wrong_state(bool done, GError *const *error, const char *state)
{
        g_assert_false(done);
        g_assert_error(*error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_STATE);
        g_assert_nonnull(strstr((*error)->message, state));
}

/* Created, then started, then ended: each is told once, in this order. */
FIXTURE_TEST(create_start_exit)
{
        create(f, FAKE_EXIT);
        g_assert_cmpuint(container_info(f->container)->started_usec, ==, 0);
        start(f);
        finish(f, "cse.");
        assert_ended(f, RESULT_SUCCESS, 0);
        const ContainerInfo *info = container_info(f->container);
        g_assert_cmpuint(info->started_usec, >, 0);
        g_assert_cmpuint(info->exited_usec, >=, info->started_usec);
}

/* Run goes straight on to exec: nobody sees it created. */
FIXTURE_TEST(run_exit)
{
        fake_launch_how.code = 7;
        begin(f, FAKE_EXIT, true);
        finish(f, "se.");
        assert_ended(f, RESULT_EXIT_CODE, 7);
}

/* A signal that ends the command is its result. */
FIXTURE_TEST(signal_result)
{
        run(f, FAKE_LIVE);
        g_assert_true(container_kill(f->container, false, SIGUSR1, NULL));
        finish(f, "se.");
        assert_ended(f, RESULT_SIGNAL, SIGUSR1);
}

/* Without a leaf, killing the whole ends its first process, and with it all. */
FIXTURE_TEST(kill_whole)
{
        run(f, FAKE_STUBBORN);
        g_assert_true(container_kill(f->container, true, SIGKILL, NULL));
        finish(f, "se.");
        assert_ended(f, RESULT_SIGNAL, SIGKILL);
}

/* What can fail before the command runs, each with its error and its words. */
static const struct Failure {
        const char *name;
        FakeScript script;
        int stage, error, code;
        bool execute; /* Run; else Create, and Start after it */
        RuntimeError expected;
        const char *words;
} failures[] = {
        /* a stage that fails is the error, named, and there is no result but that */
        {"stage", FAKE_FAIL, STAGE_HOSTNAME, EPERM, 0, true, RUNTIME_ERROR_SETUP_FAILED,
         "set the host name"},
        /* an exec that fails is the command's failure, of a Run and of a Start alike */
        {"exec", FAKE_FAIL_EXEC, 0, ENOENT, 0, true, RUNTIME_ERROR_COMMAND_NOT_FOUND, ""},
        {"exec-later", FAKE_FAIL_EXEC, 0, EACCES, 0, false, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE,
         ""},
        /* the end of the stream without a record proves no exec: killed during the set-up */
        {"vanished", FAKE_VANISH, 0, 0, 3, true, RUNTIME_ERROR_SETUP_FAILED, "status 3"},
};

ROW_TEST(fails, failures)
{
        const struct Failure *failure = data;

        fake_launch_how.stage = failure->stage;
        fake_launch_how.error = failure->error;
        fake_launch_how.code = failure->code;
        begin(f, failure->script, failure->execute);
        if (!failure->execute) {
                g_assert_true(loop_until(&f->n_created, 1, 5000));
                start(f);
        }
        finish(f, failure->execute ? "f." : "cf.");
        g_assert_error(f->failure, RUNTIME_ERROR, (int) failure->expected);
        g_assert_nonnull(strstr(f->failure->message, failure->words));
}

/* Every stage can fail, and each error says what the stage's words say, on the rootfs it was for.
 */
TEST(every_stage)
{
        g_autoptr(Order) order = order_new();

        order->tree.rootfs = g_strdup("/tree");
        order->process.working_directory = g_strdup("/work");
        order->process.argv = strv_pack(g_strsplit("cmd", " ", -1));
        for (uint32_t stage = 0; stage < _STAGE_MAX; stage++) {
                g_autoptr(GError) error = NULL;
                const SandboxReport report = {.stage = stage, .error = EPERM};
                launch_report_to_error(&report, order, &error);
                g_assert_nonnull(error);
                g_assert_nonnull(strstr(error->message, "/tree"));
                g_assert_nonnull(strstr(error->message, g_strerror(EPERM)));
        }
}

/* A record of a stage that does not exist is an error as well, not a crash. */
TEST(unknown_stage)
{
        g_autoptr(Order) order = order_new();
        static const uint32_t stages[] = {_STAGE_MAX, 1000, UINT32_MAX};

        order->tree.rootfs = g_strdup("/tree");
        for (size_t i = 0; i < G_N_ELEMENTS(stages); i++) {
                g_autoptr(GError) error = NULL;
                const SandboxReport report = {.stage = stages[i], .error = -5};
                launch_report_to_error(&report, order, &error);
                g_assert_nonnull(error);
        }
}

/* A created one whose process ends unasked has ended, with what that process had for a reason. */
FIXTURE_TEST(vanished_created)
{
        create(f, FAKE_EXIT);
        kill(container_info(f->container)->pid, SIGKILL);
        finish(f, "ce.");
        assert_ended(f, RESULT_SIGNAL, SIGKILL);
}

/* Killed at the moment of exec: it counts as started and ended by that signal, never as a success.
 */
FIXTURE_TEST(vanished_at_exec)
{
        begin(f, FAKE_VANISH_EXEC, true);
        g_assert_true(loop_until(&f->n_cleaned, 1, 5000));
        if (f->n_failed == 0)
                assert_ended(f, RESULT_SIGNAL, SIGKILL);
        else
                g_assert_error(f->failure, RUNTIME_ERROR, RUNTIME_ERROR_SETUP_FAILED);
}

/* A launch that fails leaves an error, no process, and what it was given is given back. */
FIXTURE_TEST(launch_fails)
{
        g_autoptr(GError) error = NULL;

        g_assert_false(launch_it(f, FAKE_NO_CHILD, true, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NOT_SUPPORTED);
        g_assert_false(container_is_live(f->container));
}

/* -- verbs -- */

/* A second Start is InvalidState, while the first is under way and after it. */
FIXTURE_TEST(second_start)
{
        g_autoptr(GError) during = NULL, after = NULL;

        create(f, FAKE_LIVE);
        start(f);
        assert_wrong_state(container_start(f->container, &during), &during, "starting");
        g_assert_true(loop_until(&f->n_started, 1, 5000));
        assert_wrong_state(container_start(f->container, &after), &after, "running");
}

/* What has ended can be neither started, signalled nor stopped. */
FIXTURE_TEST(verbs_after_end)
{
        g_autoptr(GError) a = NULL, b = NULL, c = NULL, d = NULL;

        begin(f, FAKE_EXIT, true);
        finish(f, "se.");
        assert_wrong_state(container_start(f->container, &a), &a, "stopped");
        assert_wrong_state(container_kill(f->container, false, SIGTERM, &b), &b, "stopped");
        assert_wrong_state(container_kill(f->container, true, SIGKILL, &c), &c, "stopped");
        assert_wrong_state(container_stop(f->container, SIGTERM, 1000, &d), &d, "stopped");
}

/* Stop with a command that obeys: the signal's result, at once. */
FIXTURE_TEST(stop_obeyed)
{
        run(f, FAKE_LIVE);
        gint64 start_time = g_get_monotonic_time();
        g_assert_true(container_stop(f->container, SIGTERM, 5000000, NULL));
        finish(f, "se.");
        g_assert_cmpint(g_get_monotonic_time() - start_time, <, 2000000);
        assert_ended(f, RESULT_SIGNAL, SIGTERM);
}

/* Stop with a command that ignores the signal: killed when the grace time is over, and not before.
 */
FIXTURE_TEST(stop_ignored)
{
        run(f, FAKE_STUBBORN);
        gint64 start_time = g_get_monotonic_time();
        g_assert_true(container_stop(f->container, SIGTERM, 60000, NULL));
        finish(f, "se.");
        g_assert_cmpint(g_get_monotonic_time() - start_time, >=, 60000);
        g_assert_cmpint(g_get_monotonic_time() - start_time, <, 2000000);
        assert_ended(f, RESULT_TIMEOUT, SIGKILL);
}

/* Without a grace time it is killed at once; that is no time-out. */
FIXTURE_TEST(stop_now)
{
        run(f, FAKE_STUBBORN);
        g_assert_true(container_stop(f->container, SIGTERM, 0, NULL));
        finish(f, "se.");
        assert_ended(f, RESULT_SIGNAL, SIGKILL);
}

/* Without an end to the grace time it is never killed, until a second Stop is less patient. */
FIXTURE_TEST(stop_again)
{
        run(f, FAKE_STUBBORN);
        g_assert_true(container_stop(f->container, SIGTERM, UINT64_MAX, NULL));
        loop_for(60);
        g_assert_cmpuint(f->n_exited, ==, 0);
        g_assert_true(container_stop(f->container, SIGTERM, 1000, NULL));
        finish(f, "se.");
        assert_ended(f, RESULT_TIMEOUT, SIGKILL);
}

/* A created one has nothing to tidy up: Stop ends it at once, whatever the signal and the time. */
FIXTURE_TEST(stop_created)
{
        create(f, FAKE_EXIT);
        g_assert_true(container_stop(f->container, SIGTERM, UINT64_MAX, NULL));
        finish(f, "ce.");
        assert_ended(f, RESULT_SIGNAL, SIGKILL);
}

/* Killed between Start and exec, the Start has failed: somebody waits for its answer. */
FIXTURE_TEST(kill_starting)
{
        create(f, FAKE_VANISH_EXEC);
        kill(container_info(f->container)->pid, SIGSTOP);
        start(f);
        g_assert_true(container_kill(f->container, true, SIGKILL, NULL));
        g_assert_true(loop_until(&f->n_cleaned, 1, 5000));
        g_assert_cmpuint(f->n_started + f->n_failed, ==, 1);
}

/* -- output -- */

/* What the command wrote is in the log when its end is told, though nobody read before. */
FIXTURE_TEST(output)
{
        uint64_t offset = 0;
        uint8_t text[64];

        begin(f, FAKE_OUTPUT, true);
        g_assert_true(loop_until(&f->n_exited, 1, 5000));
        OutputLog *log = output_log(container_output(f->container));
        size_t n = output_log_read(log, &offset, text, sizeof text);
        g_assert_cmpmem(text, n, "hello\n", 6);
        finish(f, "se.");
}

/* The caller's own stdout and stderr, as many of them. */
static void give_output(Fixture *f, int n)
{
        Order *order = (Order *) container_order(f->container);

        for (int target = 1; target <= n; target++)
                order_add_fd(order, open("/dev/null", O_RDWR | O_CLOEXEC), target);
}

/* A pipe is made unless the caller gave both stdout and stderr. */
FIXTURE_TEST(output_given)
{
        give_output(f, 2);
        begin(f, FAKE_EXIT, true);
        g_assert_cmpint(fake_launch_how.last_output_fd, ==, -1);
        g_assert_cmpuint(fake_launch_how.last_n_fds, ==, 2);
        finish(f, "se.");
}

FIXTURE_TEST(output_half_given)
{
        give_output(f, 1);
        begin(f, FAKE_EXIT, true);
        g_assert_cmpint(fake_launch_how.last_output_fd, >=, 0);
        finish(f, "se.");
}

/* The id is the host name. */
FIXTURE_TEST(hostname)
{
        begin(f, FAKE_EXIT, true);
        g_assert_cmpstr(fake_launch_how.last_hostname, ==, "web");
        finish(f, "se.");
}

/* What its first process may do is known of it, as the launch said. */
FIXTURE_TEST(rights)
{
        g_assert_false(container_info(f->container)->has_rights);
        begin(f, FAKE_EXIT, true);
        const ContainerInfo *info = container_info(f->container);
        g_assert_true(info->has_rights);
        g_assert_cmpuint(info->rights.capabilities, ==, 5);
        g_assert_cmpint(info->rights.filter, ==, RIGHTS_FILTER_DEFAULT);
        finish(f, "se.");
}

/* -- freeing -- */

/* Freed at any point of its life, it takes its process with it, and calls no hook. */
FIXTURE_TEST(free)
{
        static const FakeScript scripts[] = {FAKE_LIVE, FAKE_STUBBORN, FAKE_EXIT, FAKE_VANISH,
                                             FAKE_FAIL};

        for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++)
                for (int execute = 0; execute < 2; execute++) {
                        begin(f, scripts[i], execute);
                        container_free(f->container);
                        make_container(f);
                }
        g_assert_cmpstr(f->order->str, ==, "");
}

FIXTURE_TEST(free_running)
{
        run(f, FAKE_STUBBORN);
        pid_t pid = container_info(f->container)->pid;
        g_clear_pointer(&f->container, container_free);
        g_assert_cmpint(kill(pid, 0), ==, -1);
        g_assert_cmpstr(f->order->str, ==, "s");
}

/* Every word of a state and a result is its own, and a result comes back from its word. */
TEST(words)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        for (ContainerState state = CONTAINER_CREATING; state < _CONTAINER_STATE_MAX; state++)
                g_assert_true(g_hash_table_add(seen, (char *) container_state_to_string(state)));
        for (ContainerResult result = RESULT_NONE; result < _RESULT_MAX; result++)
                g_assert_true(g_hash_table_add(seen, (char *) container_result_to_string(result)));
        for (ContainerResult result = RESULT_SUCCESS; result < _RESULT_MAX; result++)
                g_assert_cmpint(container_result_from_string(container_result_to_string(result)),
                                ==, result);
        g_assert_cmpint(container_result_from_string("?"), ==, RESULT_UNKNOWN);
        g_assert_cmpint(container_result_from_string(""), ==, RESULT_UNKNOWN);
}
