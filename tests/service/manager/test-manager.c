/* The table of containers around fake children: admission, names, limits, retention, records. */

#include "service/manager/manager.h"
#include "service/spec/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/container/record.h"
#include "service/spec/error.h"
#include "service/util/capability.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/fake-launch.h"
#include "tests/lib/loop.h"
#include "tests/lib/sealed-record.h"
#include "tests/lib/strv.h"

#define ALICE 1000u
#define BOB   1001u

typedef struct Fixture {
        Config config;
        IdRanges *ranges;
        Profile profile;
        Manager *manager;
        char *directory;
        int records;
        unsigned n_added, n_changed, n_exited, n_removed, n_settled, n_answers;
        GString *order;
        Container *answered; /* of the last answer */
        GError *error;
} Fixture;

static void note(Fixture *f, char mark, const Container *container)
{
        g_string_append_printf(f->order, "%c%s ", mark, container_info(container)->id);
}

static void on_added(Container *container, void *data)
{
        Fixture *f = data;

        f->n_added++;
        note(f, '+', container);
}

static void on_changed(Container *container, void *data)
{
        Fixture *f = data;

        f->n_changed++;
        note(f, '~', container);
}

static void on_exited(Container *container, void *data)
{
        Fixture *f = data;

        g_assert_cmpint(container_info(container)->state, ==, CONTAINER_STOPPED);
        f->n_exited++;
        note(f, '!', container);
}

static void on_removed(Container *container, void *data)
{
        Fixture *f = data;

        f->n_removed++;
        note(f, '-', container);
}

static void on_settled(void *data)
{
        Fixture *f = data;

        f->n_settled++;
}

static bool on_noticed(Container *container, const Notice *notice, void *data)
{
        return true;
}

static const ManagerEvents events = {
        .added = on_added,
        .changed = on_changed,
        .exited = on_exited,
        .removed = on_removed,
        .settled = on_settled,
        .noticed = on_noticed,
};

static void on_answer(Container *container, GError *error, void *data)
{
        Fixture *f = data;

        g_assert_true(!container != !error);
        f->n_answers++;
        f->answered = container;
        g_clear_error(&f->error);
        f->error = error ? g_error_copy(error) : NULL;
        g_string_append(f->order, container ? "ok " : "no ");
}

static void begin(Fixture *f)
{
        f->manager = manager_new(
                &(ManagerOptions){
                        .config = &f->config,
                        .cgroups = fake_cgroup_tree(),
                        .profile = &f->profile,
                        .profile_error = "no profile",
                        .records = f->records,
                        .has_id_ranges = true,
                        .ranges = f->ranges,
                        .launch = fake_launch,
                },
                &events, f);
}

static void set_up(Fixture *f, const void *unused)
{
        fake_launch_reset();
        config_init(&f->config);
        f->ranges = id_ranges_new(f->config.id_range_start, f->config.id_range_count);
        f->config.tasks_max = UINT64_MAX; /* there is no cgroup to limit anything in */
        f->order = g_string_new(NULL);
        f->directory = g_dir_make_tmp("test-manager-XXXXXX", NULL);
        f->records = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        begin(f);
}

/* Another manager on the records of the first. */
static void restart(Fixture *f)
{
        g_clear_pointer(&f->manager, manager_free);
        begin(f);
        manager_restore(f->manager);
}

static void tear_down(Fixture *f, const void *unused)
{
        manager_free(f->manager);
        id_ranges_free(f->ranges);
        fake_launch_reset();
        loop_settle();
        g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
        g_assert_cmpint(errno, ==, ECHILD);
        GDir *dir = g_dir_open(f->directory, 0, NULL);
        for (const char *name; (name = g_dir_read_name(dir));)
                unlinkat(f->records, name, 0);
        g_dir_close(dir);
        fd_close(f->records);
        g_rmdir(f->directory);
        g_free(f->directory);
        g_string_free(f->order, TRUE);
        g_clear_error(&f->error);
}

static unsigned count_files(const Fixture *f)
{
        g_autoptr(GDir) dir = g_dir_open(f->directory, 0, NULL);
        unsigned n = 0;

        while (g_dir_read_name(dir))
                n++;
        return n;
}

static Order *new_spec(const char *id)
{
        Order *order = order_new();

        order->tree.rootfs = g_strdup("/tree");
        order->process.argv = strv_pack(g_strsplit("cmd", " ", -1));
        order->id = g_strdup(id);
        return order;
}

/* Asks, without waiting for the answer. */
static void ask(Fixture *f, uid_t uid, Order *order, FakeScript script, bool execute)
{
        order->owner = credentials_copy(&(Credentials){.uid = uid});
        order->execute = execute;
        fake_launch_how.script = script;
        manager_create(f->manager, order, on_answer, f);
}

static bool admit(Manager *manager, Order *order, uid_t uid, GError **error)
{
        credentials_free(order->owner);
        order->owner = credentials_copy(&(Credentials){.uid = uid});
        return manager_admit(manager, order, error);
}

static void await_answer(Fixture *f, unsigned n)
{
        g_assert_true(loop_until(&f->n_answers, n, 5000));
}

/* A running or created container, answered. */
static Container *make(Fixture *f, uid_t uid, const char *id, FakeScript script, bool execute)
{
        unsigned before = f->n_answers;

        ask(f, uid, new_spec(id), script, execute);
        await_answer(f, before + 1);
        g_assert_no_error(f->error);
        return f->answered;
}

/* One that has ended and is kept. */
static void make_stopped(Fixture *f, uid_t uid, const char *id)
{
        unsigned before = f->n_exited;

        make(f, uid, id, FAKE_OUTPUT, true);
        g_assert_true(loop_until(&f->n_exited, before + 1, 5000));
}

static void assert_refused(Fixture *f, uid_t uid, const char *id, RuntimeError code)
{
        unsigned before = f->n_answers, launches = fake_launch_how.n_launches;

        ask(f, uid, new_spec(id), FAKE_LIVE, true);
        g_assert_cmpuint(f->n_answers, ==, before + 1); /* from inside */
        g_assert_error(f->error, RUNTIME_ERROR, (int) code);
        g_assert_cmpuint(fake_launch_how.n_launches, ==, launches);
}

static void kill_and_wait(Fixture *f, Container *container)
{
        unsigned before = f->n_exited;

        g_assert_true(container_kill(container, true, SIGKILL, NULL));
        g_assert_true(loop_until(&f->n_exited, before + 1, 5000));
}

/* -- one container -- */

/* Created: the answer first, then everybody is told; started, ended and deleted likewise. */
FIXTURE_TEST(life)
{
        Container *container = make(f, ALICE, "web", FAKE_LIVE, false);

        g_assert_cmpint(container_info(container)->state, ==, CONTAINER_CREATED);
        g_assert_false(manager_is_idle(f->manager));
        manager_start(f->manager, container, on_answer, f);
        await_answer(f, 2);
        g_assert_no_error(f->error);
        kill_and_wait(f, container);
        g_assert_true(manager_is_idle(f->manager));
        g_assert_true(manager_delete(f->manager, container, NULL));
        g_assert_cmpstr(f->order->str, ==, "ok +web ok ~web !web -web ");
}

/* A Run is answered when its command has been executed, and is new to everybody then. */
FIXTURE_TEST(run)
{
        Container *container = make(f, ALICE, "web", FAKE_LIVE, true);

        g_assert_cmpint(container_info(container)->state, ==, CONTAINER_RUNNING);
        g_assert_cmpstr(f->order->str, ==, "ok +web ");
        g_assert_true(manager_find(f->manager, ALICE, "web") == container);
}

/* A Run that fails is answered with the reason, and nobody ever saw a container. */
FIXTURE_TEST(run_fails)
{
        fake_launch_how.error = ENOENT;
        ask(f, ALICE, new_spec("web"), FAKE_FAIL_EXEC, true);
        await_answer(f, 1);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_COMMAND_NOT_FOUND);
        loop_for(20);
        g_assert_cmpstr(f->order->str, ==, "no ");
        g_assert_cmpuint(manager_count(f->manager), ==, 0);
        g_assert_true(manager_is_idle(f->manager));
        g_assert_cmpuint(count_files(f), ==, 0);
        make(f, ALICE, "web", FAKE_LIVE, true); /* and the name is free */
}

/* A launch that fails is answered from inside, and leaves nothing. */
FIXTURE_TEST(launch_fails)
{
        ask(f, ALICE, new_spec("web"), FAKE_NO_CHILD, true);
        g_assert_cmpuint(f->n_answers, ==, 1);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_NOT_SUPPORTED);
        g_assert_true(manager_is_idle(f->manager));
        g_assert_null(manager_find(f->manager, ALICE, "web"));
        make(f, ALICE, "web", FAKE_LIVE, true);
}

/* A Start whose exec fails is answered with the reason; the container is seen to end, and is kept.
 */
FIXTURE_TEST(start_fails)
{
        fake_launch_how.error = ENOENT;
        Container *container = make(f, ALICE, "web", FAKE_FAIL_EXEC, false);
        manager_start(f->manager, container, on_answer, f);
        await_answer(f, 2);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_COMMAND_NOT_FOUND);
        g_assert_cmpstr(f->order->str, ==, "ok +web no !web ");
        g_assert_cmpint(container_info(container)->result, ==, RESULT_SETUP_FAILED);
        g_assert_true(manager_find(f->manager, ALICE, "web") == container);
}

/* A second Start is InvalidState, and the first is answered all the same. */
FIXTURE_TEST(second_start)
{
        Container *container = make(f, ALICE, "web", FAKE_LIVE, false);

        manager_start(f->manager, container, on_answer, f);
        manager_start(f->manager, container, on_answer, f);
        g_assert_cmpuint(f->n_answers, ==, 2);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_STATE);
        await_answer(f, 3);
        g_assert_no_error(f->error);
        manager_start(f->manager, container, on_answer, f);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_STATE);
}

/* Start of one that has ended is InvalidState. */
FIXTURE_TEST(start_stopped)
{
        Container *container = make(f, ALICE, "web", FAKE_EXIT, true);

        g_assert_true(loop_until(&f->n_exited, 1, 5000));
        manager_start(f->manager, container, on_answer, f);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_STATE);
}

/* One that is being created is unknown, unlisted, and yet holds its name and counts. */
FIXTURE_TEST(creating_is_unknown)
{
        ask(f, ALICE, new_spec("web"), FAKE_LIVE, true);
        g_assert_cmpuint(f->n_answers, ==, 0);
        g_assert_null(manager_find(f->manager, ALICE, "web"));
        g_assert_cmpuint(manager_count(f->manager), ==, 0);
        g_assert_false(manager_is_idle(f->manager));
        assert_refused(f, ALICE, "web", RUNTIME_ERROR_CONTAINER_EXISTS);
        await_answer(f, 2);
        g_assert_nonnull(manager_find(f->manager, ALICE, "web"));
}

/* What runs when the manager goes is left running for its successor, and its record tells of it;
 * what has not run yet is ended. Nobody is told of either. */
FIXTURE_TEST(free_with_live)
{
        pid_t running = container_info(make(f, ALICE, "one", FAKE_STUBBORN, true))->pid;
        pid_t created = container_info(make(f, ALICE, "two", FAKE_LIVE, false))->pid;
        ask(f, ALICE, new_spec("three"), FAKE_LIVE, true);
        pid_t creating = fake_launch_how.last_pid;
        g_string_truncate(f->order, 0);
        g_clear_pointer(&f->manager, manager_free);
        g_assert_cmpstr(f->order->str, ==, "");
        g_assert_cmpint(waitpid(running, NULL, WNOHANG), ==, 0);
        g_assert_cmpint(waitpid(created, NULL, WNOHANG), ==, -1);
        g_assert_cmpint(waitpid(creating, NULL, WNOHANG), ==, -1);
        loop_for(3 * SAVE_DELAY_MSEC);
        g_assert_cmpuint(count_files(f), >=, 1);
}

/* Without records there is no successor: all of it ends with the manager. */
FIXTURE_TEST(free_without_records)
{
        g_clear_pointer(&f->manager, manager_free);
        fd_clear(&f->records);
        begin(f);
        pid_t pid = container_info(make(f, ALICE, "one", FAKE_STUBBORN, true))->pid;
        g_clear_pointer(&f->manager, manager_free);
        g_assert_cmpint(waitpid(pid, NULL, WNOHANG), ==, -1);
}

/* A process that only has the number of the one in the record is not taken over, nor touched: the
 * container has ended, nobody knows how. */
FIXTURE_TEST(restore_number_reused)
{
        pid_t pid = container_info(make(f, ALICE, "one", FAKE_STUBBORN, true))->pid;

        g_clear_pointer(&f->manager, manager_free);
        /* the same number, another start: as if the machine had gone round once */
        g_autofree char *path = g_build_filename(f->directory, "1.conf", NULL);
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_assert_true(g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL));
        g_key_file_set_uint64(file, "Container", "StartTime", 1);
        g_autofree char *text = g_key_file_to_data(file, NULL, NULL);
        g_autofree char *sealed = sealed_record("1.conf", text, strlen(text));
        g_assert_true(g_file_set_contents(path, sealed, -1, NULL));
        begin(f);
        g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*one*cannot be taken over*");
        manager_restore(f->manager);
        g_test_assert_expected_messages();
        Container *container = manager_find(f->manager, ALICE, "one");
        g_assert_nonnull(container);
        g_assert_cmpint(container_info(container)->state, ==, CONTAINER_STOPPED);
        g_assert_cmpint(container_info(container)->result, ==, RESULT_UNKNOWN);
        g_assert_false(container_is_live(container));
        g_assert_cmpint(waitpid(pid, NULL, WNOHANG), ==, 0);
}

/* -- deletion -- */

/* A running one is not deleted: it has to be stopped first. */
FIXTURE_TEST(delete_running)
{
        g_autoptr(GError) error = NULL;
        Container *container = make(f, ALICE, "web", FAKE_LIVE, true);

        g_assert_false(manager_delete(f->manager, container, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_STATE);
        g_assert_nonnull(strstr(error->message, "running"));
        g_assert_true(container_is_live(container));
}

/* A created one is ended, and gone when its end has been told. */
FIXTURE_TEST(delete_created)
{
        Container *container = make(f, ALICE, "web", FAKE_EXIT, false);

        g_assert_true(manager_delete(f->manager, container, NULL));
        g_assert_true(loop_until(&f->n_removed, 1, 5000));
        g_assert_cmpstr(f->order->str, ==, "ok +web !web -web ");
        g_assert_null(manager_find(f->manager, ALICE, "web"));
        g_assert_cmpuint(count_files(f), ==, 0);
}

/* One that is being started when it is deleted: the Start is answered too, and it is gone. */
FIXTURE_TEST(delete_starting)
{
        Container *container = make(f, ALICE, "web", FAKE_LIVE, false);

        kill(container_info(container)->pid, SIGSTOP);
        manager_start(f->manager, container, on_answer, f);
        g_assert_true(manager_delete(f->manager, container, NULL));
        g_assert_true(loop_until(&f->n_removed, 1, 5000));
        g_assert_cmpuint(f->n_answers, ==, 2);
        g_assert_null(manager_find(f->manager, ALICE, "web"));
}

/* A stopped one is gone at once, with its record and its log. */
FIXTURE_TEST(delete_stopped)
{
        make_stopped(f, ALICE, "web");
        loop_for(3 * SAVE_DELAY_MSEC);
        g_assert_cmpuint(count_files(f), ==, 2);
        g_assert_true(manager_delete(f->manager, manager_find(f->manager, ALICE, "web"), NULL));
        g_assert_cmpuint(f->n_removed, ==, 1);
        g_assert_cmpuint(count_files(f), ==, 0);
        g_assert_cmpuint(manager_count(f->manager), ==, 0);
        make(f, ALICE, "web", FAKE_LIVE, true); /* the name is free */
}

/* With Remove it is gone after its end has been told, and leaves no record. */
FIXTURE_TEST(remove)
{
        Order *order = new_spec("web");

        order->remove = true;
        ask(f, ALICE, order, FAKE_EXIT, true);
        g_assert_true(loop_until(&f->n_removed, 1, 5000));
        g_assert_cmpstr(f->order->str, ==, "ok +web !web -web ");
        g_assert_cmpuint(manager_count(f->manager), ==, 0);
        g_assert_cmpuint(count_files(f), ==, 0);
}

/* -- names -- */

/* Without an id the owner's containers are container-1, container-2, …, each owner's on their own.
 */
FIXTURE_TEST(generated_ids)
{
        make(f, ALICE, NULL, FAKE_LIVE, true);
        make(f, ALICE, NULL, FAKE_LIVE, true);
        make(f, BOB, NULL, FAKE_LIVE, true);
        g_assert_cmpstr(f->order->str, ==, "ok +container-1 ok +container-2 ok +container-1 ");
        g_assert_cmpstr(fake_launch_how.last_hostname, ==, "container-1");
}

/* A generated id goes round those that are taken. */
FIXTURE_TEST(generated_id_taken)
{
        make(f, ALICE, "container-1", FAKE_LIVE, true);
        make(f, ALICE, "container-2", FAKE_LIVE, true);
        Container *container = make(f, ALICE, NULL, FAKE_LIVE, true);
        g_assert_cmpstr(container_info(container)->id, ==, "container-3");
}

/* An id is its owner's alone: two owners may both have "web", one owner may not, live or ended. */
FIXTURE_TEST(exists)
{
        Container *container = make(f, ALICE, "web", FAKE_LIVE, true);

        assert_refused(f, ALICE, "web", RUNTIME_ERROR_CONTAINER_EXISTS);
        g_assert_true(make(f, BOB, "web", FAKE_LIVE, true) != container);
        kill_and_wait(f, container);
        assert_refused(f, ALICE, "web", RUNTIME_ERROR_CONTAINER_EXISTS);
}

/* A name that looks like another owner's path finds nobody's container. */
FIXTURE_TEST(names_do_not_mix)
{
        make(f, ALICE, "web", FAKE_LIVE, true);
        g_assert_null(manager_find(f->manager, BOB, "web"));
        g_assert_null(manager_find(f->manager, 100, "0/web"));
        g_assert_null(manager_find(f->manager, ALICE, ""));
        g_assert_null(manager_find(f->manager, ALICE, "WEB"));
}

/* Lists are in the order of creation, of one owner or of all. */
FIXTURE_TEST(list)
{
        static const char *const ids[] = {"z", "a", "m", "b"};

        for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
                make(f, i % 2 ? BOB : ALICE, ids[i], FAKE_LIVE, true);
        g_autoptr(GPtrArray) all = manager_list(f->manager, UID_ANY),
                             bobs = manager_list(f->manager, BOB),
                             none = manager_list(f->manager, 7);
        g_assert_cmpuint(all->len, ==, 4);
        for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
                g_assert_cmpstr(container_info(all->pdata[i])->id, ==, ids[i]);
        g_assert_cmpuint(bobs->len, ==, 2);
        g_assert_cmpstr(container_info(bobs->pdata[1])->id, ==, "b");
        g_assert_cmpuint(none->len, ==, 0);
        g_assert_cmpuint(manager_count(f->manager), ==, 4);
}

/* -- limits -- */

/* A user has ContainersPerUserMax live ones and not one more; one that ends makes room. */
FIXTURE_TEST(per_user_limit)
{
        Container *first = NULL;

        f->config.containers_per_user_max = 3;
        for (int i = 0; i < 3; i++) {
                Container *container = make(f, ALICE, NULL, FAKE_LIVE, true);
                first = first ? first : container;
        }
        assert_refused(f, ALICE, NULL, RUNTIME_ERROR_LIMITS_EXCEEDED);
        make(f, BOB, NULL, FAKE_LIVE, true); /* a limit of each user's own */
        kill_and_wait(f, first);
        make(f, ALICE, NULL, FAKE_LIVE, true);
        assert_refused(f, ALICE, NULL, RUNTIME_ERROR_LIMITS_EXCEEDED);
}

/* Root has no limit of its own. */
FIXTURE_TEST(root_is_exempt)
{
        f->config.containers_per_user_max = 1;
        make(f, 0, NULL, FAKE_LIVE, true);
        make(f, 0, NULL, FAKE_LIVE, true);
}

/* All together have ContainersMax live ones and not one more, root included; those being made
 * count. */
FIXTURE_TEST(total_limit)
{
        f->config.containers_max = 3;
        make(f, 0, NULL, FAKE_LIVE, true);
        make(f, ALICE, NULL, FAKE_LIVE, false);
        ask(f, BOB, new_spec(NULL), FAKE_LIVE, true);
        assert_refused(f, ALICE, NULL, RUNTIME_ERROR_LIMITS_EXCEEDED);
        assert_refused(f, 0, NULL, RUNTIME_ERROR_LIMITS_EXCEEDED);
}

/* What has ended does not count as live, and what failed is given back. */
FIXTURE_TEST(ended_do_not_count)
{
        f->config.containers_per_user_max = 1;
        for (int i = 0; i < 3; i++) {
                unsigned before = f->n_exited;
                make(f, ALICE, NULL, FAKE_EXIT, true);
                g_assert_true(loop_until(&f->n_exited, before + 1, 5000));
                ask(f, ALICE, new_spec(NULL), FAKE_VANISH, true);
                await_answer(f, f->n_answers + 1);
                g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_SETUP_FAILED);
                ask(f, ALICE, new_spec(NULL), FAKE_NO_CHILD, true);
                g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_NOT_SUPPORTED);
        }
}

/* Of the stopped ones StoppedPerUserMax are kept, and the oldest goes first, with its record. */
FIXTURE_TEST(retention)
{
        f->config.stopped_per_user_max = 2;
        make_stopped(f, BOB, "bobs");
        make_stopped(f, ALICE, "a");
        make_stopped(f, ALICE, "b");
        g_assert_cmpuint(f->n_removed, ==, 0);
        make_stopped(f, ALICE, "c");
        g_assert_cmpuint(f->n_removed, ==, 1);
        g_assert_null(manager_find(f->manager, ALICE, "a"));
        g_assert_nonnull(manager_find(f->manager, ALICE, "b"));
        g_assert_nonnull(manager_find(f->manager, ALICE, "c"));
        g_assert_nonnull(manager_find(f->manager, BOB, "bobs"));
        loop_for(3 * SAVE_DELAY_MSEC);
        g_assert_cmpuint(count_files(f), ==, 6);
}

/* With 0 none is kept: it is gone as soon as its end has been told. */
FIXTURE_TEST(retention_none)
{
        f->config.stopped_per_user_max = 0;
        make_stopped(f, ALICE, "a");
        g_assert_cmpuint(f->n_removed, ==, 1);
        g_assert_cmpuint(manager_count(f->manager), ==, 0);
        g_assert_cmpuint(count_files(f), ==, 0);
}

/* Ranges of ids go round with the containers that end: a few are enough for many, one after
 * another. */
FIXTURE_TEST(id_ranges)
{
        g_clear_pointer(&f->manager, manager_free);
        id_ranges_free(f->ranges);
        f->ranges = id_ranges_new(f->config.id_range_start, ID_RANGE_SIZE);
        begin(f);
        for (int i = 0; i < 3; i++)
                make_stopped(f, ALICE, NULL);
        make(f, ALICE, NULL, FAKE_LIVE, true);
        ask(f, ALICE, new_spec(NULL), FAKE_LIVE, true);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_LIMITS_EXCEEDED);
        g_assert_nonnull(strstr(f->error->message, "ranges"));
}

/* -- what depends on the service -- */

/* Without a profile nothing is admitted, with the reason why there is none. */
FIXTURE_TEST(no_profile)
{
        g_autoptr(Order) order = new_spec(NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(Manager) manager = manager_new(&(ManagerOptions){.config = &f->config,
                                                                   .profile_error = "no /dev here",
                                                                   .records = -1},
                                                 &events, f);

        g_assert_false(admit(manager, order, ALICE, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NOT_SUPPORTED);
        g_assert_cmpstr(error->message, ==, "no /dev here");
}

/* A service without ranges gives `self` by default, and refuses another to who asked for it by
 * name. */
FIXTURE_TEST(no_ranges)
{
        g_autoptr(Order) order = new_spec(NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(Manager) manager = manager_new(
                &(ManagerOptions){.config = &f->config, .profile = &f->profile, .records = -1},
                &events, f);

        g_assert_true(admit(manager, order, ALICE, NULL));
        g_assert_cmpint(order->tree.user_namespace, ==, USER_NAMESPACE_SELF);
        order->tree.has_user_namespace = true;
        for (unsigned i = 0; i < 2; i++) {
                order->tree.user_namespace = i ? USER_NAMESPACE_AUTO : USER_NAMESPACE_HOST;
                g_assert_false(admit(manager, order, ALICE, &error));
                g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NOT_SUPPORTED);
                g_assert_nonnull(strstr(error->message, i ? "'auto'" : "'host'"));
                g_clear_error(&error);
        }
}

/* A capability that the service lacks can be given in a user namespace only; elsewhere it is named.
 */
FIXTURE_TEST(own_capabilities)
{
        g_autoptr(Order) order = new_spec(NULL);
        g_autoptr(GError) error = NULL;

        f->profile.own_capabilities = CAPABILITY(SYS_ADMIN);
        order->process.capabilities = CAPABILITY(SYS_ADMIN) | CAPABILITY(SYS_TIME);
        g_assert_true(admit(f->manager, order, 0, NULL));
        order->tree.user_namespace = USER_NAMESPACE_HOST;
        g_assert_false(admit(f->manager, order, 0, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NOT_SUPPORTED);
        g_assert_nonnull(strstr(error->message, "CAP_SYS_TIME"));
        order->process.capabilities = CAPABILITY(SYS_ADMIN);
        g_assert_true(admit(f->manager, order, 0, NULL));
}

/* Nobody but root is spared by the OOM killer more than what the service gives without being asked:
 * its own score, if that is above 0. */
FIXTURE_TEST(oom_score)
{
        static const struct {
                int own, asked;
                uid_t uid;
                bool is_admitted;
        } rows[] = {{-500, -1, ALICE, false}, {-500, 0, ALICE, true},  {0, 0, ALICE, true},
                    {300, 299, ALICE, false}, {300, 300, ALICE, true}, {300, 299, 0, true},
                    {-500, -1, 0, true}};
        g_autoptr(Order) order = new_spec(NULL);

        f->profile.oom_score = 300;
        g_assert_true(admit(f->manager, order, ALICE, NULL));
        order->process.attributes.has_oom_score_adjust = true;
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(GError) error = NULL;
                f->profile.oom_score = rows[i].own;
                order->process.attributes.oom_score_adjust = rows[i].asked;
                g_assert_cmpint(admit(f->manager, order, rows[i].uid, &error), ==,
                                rows[i].is_admitted);
                if (error)
                        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_LIMITS_EXCEEDED);
        }
}

/* The configured limit of tasks is the default, not more than that: a caller's own word counts. */
FIXTURE_TEST(tasks_max)
{
        g_autoptr(Order) order = new_spec(NULL), own = new_spec(NULL);

        f->config.tasks_max = 77;
        own->resources.tasks_max = 5;
        own->resources.has_tasks_max = true;
        g_assert_true(admit(f->manager, order, ALICE, NULL));
        g_assert_true(admit(f->manager, own, ALICE, NULL));
        g_assert_cmpuint(order->resources.tasks_max, ==, 77);
        g_assert_cmpuint(own->resources.tasks_max, ==, 5);
}

/* A limit that was asked for and cannot be set is an error, and nothing is left. */
FIXTURE_TEST(limit_without_cgroups)
{
        Order *order = new_spec("web");

        order->resources.memory_max = 10485760;
        ask(f, ALICE, order, FAKE_LIVE, true);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_NOT_SUPPORTED);
        g_assert_null(manager_find(f->manager, ALICE, "web"));
        g_assert_true(manager_is_idle(f->manager));
}

/* -- records -- */

/* What a predecessor left is there again: results, output, the names it holds, the serials it had.
 */
FIXTURE_TEST(restore)
{
        fake_launch_how.code = 4;
        make_stopped(f, ALICE, "one");
        make_stopped(f, BOB, "two");
        uint64_t created = container_info(manager_find(f->manager, ALICE, "one"))->created_usec;
        restart(f);
        g_assert_cmpuint(manager_count(f->manager), ==, 2);
        g_assert_true(manager_is_idle(f->manager));
        Container *one = manager_find(f->manager, ALICE, "one");
        g_assert_nonnull(one);
        g_assert_cmpint(container_info(one)->state, ==, CONTAINER_STOPPED);
        g_assert_cmpint(container_info(one)->result, ==, RESULT_EXIT_CODE);
        g_assert_cmpint(container_info(one)->code, ==, 4);
        g_assert_cmpuint(container_info(one)->created_usec, ==, created);
        assert_refused(f, ALICE, "one", RUNTIME_ERROR_CONTAINER_EXISTS);
        Container *next = make(f, ALICE, NULL, FAKE_LIVE, true);
        g_assert_cmpuint(container_info(next)->serial, ==, 3);
}

/* The output of one from a record is read when it is asked for, once. */
FIXTURE_TEST(restore_output)
{
        g_autoptr(GError) error = NULL;
        Output *output;
        uint8_t text[64];

        make_stopped(f, ALICE, "one");
        restart(f);
        for (int i = 0; i < 2; i++) {
                uint64_t offset = 0;
                g_assert_true(manager_load_output(
                        f->manager, manager_find(f->manager, ALICE, "one"), &output, &error));
                g_assert_no_error(error);
                size_t n = output_log_read(output_log(output), &offset, text, sizeof text);
                g_assert_cmpmem(text, n, "hello\n", 6);
        }
}

/* One from a record is deleted like any other. */
FIXTURE_TEST(restore_delete)
{
        make_stopped(f, ALICE, "one");
        restart(f);
        g_assert_true(manager_delete(f->manager, manager_find(f->manager, ALICE, "one"), NULL));
        g_assert_cmpuint(count_files(f), ==, 0);
        g_assert_cmpuint(manager_count(f->manager), ==, 0);
}

/* Of more records than are kept, those that ended last stay. */
FIXTURE_TEST(restore_retention)
{
        static const char *const ids[] = {"a", "b", "c", "d"};

        for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
                make_stopped(f, ALICE, ids[i]);
        f->config.stopped_per_user_max = 2;
        restart(f);
        g_assert_null(manager_find(f->manager, ALICE, "a"));
        g_assert_null(manager_find(f->manager, ALICE, "b"));
        g_assert_nonnull(manager_find(f->manager, ALICE, "c"));
        g_assert_nonnull(manager_find(f->manager, ALICE, "d"));
        loop_for(3 * SAVE_DELAY_MSEC);
        g_assert_cmpuint(count_files(f), ==, 4);
}

/* Two records of one name: one of them counts, and the other does no harm. */
FIXTURE_TEST(restore_twice)
{
        g_auto(OutputLog) log = {0};

        char *none = NULL;

        output_log_init(&log);
        for (uint64_t serial = 5; serial < 7; serial++) {
                const ContainerInfo info = {.serial = serial,
                                            .id = (char *) "web",
                                            .owner = ALICE,
                                            .control_group = (char *) "",
                                            .state = CONTAINER_STOPPED,
                                            .result = RESULT_SUCCESS,
                                            .deviations = &none};
                g_assert_true(record_save(f->records, &info, &log, NULL));
        }
        g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*two records*");
        manager_restore(f->manager);
        g_test_assert_expected_messages();
        g_assert_cmpuint(manager_count(f->manager), ==, 1);
        Container *next = make(f, ALICE, NULL, FAKE_LIVE, true);
        g_assert_cmpuint(container_info(next)->serial, ==, 7);
}

/* A record that is set aside keeps its serial from the next container, whose output would else be
 * taken for its own. */
FIXTURE_TEST(restore_damaged)
{
        g_autofree char *record = g_build_filename(f->directory, "5.conf", NULL);
        g_autofree char *log = g_build_filename(f->directory, "5.log", NULL);

        g_assert_true(g_file_set_contents(record, "damaged", -1, NULL));
        g_assert_true(g_file_set_contents(log, "another's", -1, NULL));
        g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*set aside*");
        manager_restore(f->manager);
        g_test_assert_expected_messages();
        g_assert_false(g_file_test(log, G_FILE_TEST_EXISTS));
        Container *next = make(f, ALICE, NULL, FAKE_LIVE, true);
        g_assert_cmpuint(container_info(next)->serial, ==, 6);
}

/* A service that keeps no records works the same, with what it has in memory. */
FIXTURE_TEST(no_records)
{
        Output *output;

        g_clear_pointer(&f->manager, manager_free);
        fd_clear(&f->records);
        begin(f);
        manager_restore(f->manager);
        make_stopped(f, ALICE, "one");
        g_assert_true(manager_load_output(f->manager, manager_find(f->manager, ALICE, "one"),
                                          &output, NULL));
        g_assert_cmpuint(output_log_end(output_log(output)), ==, 6);
        g_assert_cmpuint(count_files(f), ==, 0);
}

/* A record that cannot be written is told of, and the container is known all the same. */
FIXTURE_TEST(record_fails)
{
        autofd int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

        g_clear_pointer(&f->manager, manager_free);
        int kept = f->records;
        f->records = file;
        begin(f);
        f->records = kept;
        g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*container one: cannot *");
        make_stopped(f, ALICE, "one");
        loop_for(3 * SAVE_DELAY_MSEC);
        g_test_assert_expected_messages();
        g_assert_nonnull(manager_find(f->manager, ALICE, "one"));
        g_clear_pointer(&f->manager, manager_free);
}

/* A hundred lives leave no fd and no process. */
FIXTURE_TEST(hundred)
{
        make_stopped(f, ALICE, "first");
        int before = dup(0);
        close(before);
        for (int i = 0; i < 100; i++) {
                Order *order = new_spec(NULL);
                unsigned removed = f->n_removed;
                order->remove = true;
                ask(f, ALICE, order, FAKE_EXIT, true);
                g_assert_true(loop_until(&f->n_removed, removed + 1, 5000));
        }
        int after = dup(0);
        close(after);
        g_assert_cmpint(after, ==, before);
}
