/* Records in a directory of the test's own. What is in a file may be anything: a crash of the
 * machine, a full disk, a version to come. Those in records-v2 were written by a service of the
 * version before, which ran both containers. */

#include "service/container/record.h"
#include "service/spec/order.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/proc.h"
#include "tests/lib/case.h"
#include "tests/lib/sealed-record.h"

typedef struct Fixture {
        char *path;
        int fd;
        GPtrArray *loaded; /* ContainerInfo, owned */
} Fixture;

static void info_free(void *data)
{
        container_info_clear(data);
        g_free(data);
}

static void set_up(Fixture *f, const void *unused)
{
        f->path = g_dir_make_tmp("test-record-XXXXXX", NULL);
        f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        g_assert_cmpint(f->fd, >=, 0);
        f->loaded = g_ptr_array_new_with_free_func(info_free);
}

static GPtrArray *list(const Fixture *f)
{
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
        GDir *dir = g_dir_open(f->path, 0, NULL);

        for (const char *name; (name = g_dir_read_name(dir));)
                g_ptr_array_add(names, g_strdup(name));
        g_dir_close(dir);
        return names;
}

static void empty(const Fixture *f)
{
        g_autoptr(GPtrArray) names = list(f);

        for (guint i = 0; i < names->len; i++)
                unlinkat(f->fd, names->pdata[i], 0);
}

static void tear_down(Fixture *f, const void *unused)
{
        empty(f);
        fd_close(f->fd);
        g_rmdir(f->path);
        g_free(f->path);
        g_ptr_array_unref(f->loaded);
}

static bool exists(const Fixture *f, const char *name)
{
        struct stat status;

        return fstatat(f->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static char *deviations[] = {(char *) "Network=host", (char *) "Capabilities=+CAP_BPF,+CAP_LEASE",
                             NULL};

static ContainerInfo make_info(uint64_t serial, const char *id)
{
        return (ContainerInfo){
                .serial = serial,
                .id = (char *) id,
                .owner = 1000,
                .control_group = (char *) "/system.slice/naive-runc.service/1000/7",
                .state = CONTAINER_STOPPED,
                .created_usec = UINT64_C(1700000000000001),
                .started_usec = UINT64_C(1700000000000002),
                .exited_usec = UINT64_C(1700000000000003),
                .result = RESULT_SIGNAL,
                .code = 15,
                .limit_hit = LIMIT_HIT_MEMORY_OWNER,
                .oom_kills = 3,
                .memory_max = UINT64_MAX,
                .deviations = deviations,
                .usage = {.known = UINT64_C(1) << CGROUP_FIGURE_MemoryPeak |
                                   UINT64_C(1) << CGROUP_FIGURE_WallUSec,
                          .values = {[CGROUP_FIGURE_MemoryPeak] = UINT64_MAX,
                                     [CGROUP_FIGURE_WallUSec] = 1}},
        };
}

static char *labels[] = {(char *) "app", (char *) "a;b=\n", (char *) "x/y", (char *) "", NULL};

static ContainerInfo make_live(uint64_t serial, const char *id)
{
        ContainerInfo info = make_info(serial, id);

        info.state = CONTAINER_RUNNING;
        info.result = RESULT_NONE;
        info.exited_usec = 0;
        info.code = 0;
        info.pid = 4711;
        info.deadline_usec = UINT64_C(1700000000000004);
        info.cpu_time_max = 45;
        info.start_time = 42;
        info.pipe = 43;
        info.id_base = 0x70000000;
        info.terminal = info.remove = info.is_sandbox = info.has_session = true;
        info.watcher = (char *) ":1.7";
        info.has_rights = true;
        info.rights = (Rights){.capabilities = UINT64_C(0x8000000000000001),
                               .filter = RIGHTS_FILTER_DEFAULT,
                               .filter_capabilities = 6,
                               .no_new_privileges = true,
                               .has_user_namespace = true,
                               .user_capabilities = 2,
                               .uid = 1000,
                               .gid = UINT32_MAX - 1,
                               .groups = {7, 0},
                               .n_groups = 2};
        return info;
}

static void save(const Fixture *f, const ContainerInfo *info, const char *output)
{
        g_auto(OutputLog) log = {0};
        g_autoptr(GError) error = NULL;

        output_log_init(&log);
        output_log_append(&log, (const uint8_t *) output, strlen(output));
        g_assert_true(record_save(f->fd, info, &log, &error));
        g_assert_no_error(error);
}

static void on_record(ContainerInfo *info, void *data)
{
        Fixture *f = data;

        g_ptr_array_add(f->loaded, g_memdup2(info, sizeof *info));
        *info = (ContainerInfo){0};
}

static guint load(Fixture *f)
{
        g_ptr_array_set_size(f->loaded, 0);
        record_load_all(f->fd, on_record, f);
        return f->loaded->len;
}

static char *read_text(const Fixture *f, const char *name)
{
        g_autofree char *path = g_build_filename(f->path, name, NULL);
        char *text = NULL;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        return text;
}

static void write_bytes(const Fixture *f, const char *name, const void *bytes, size_t n)
{
        autofd int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(write(fd, bytes, n), ==, (ssize_t) n);
}

static void write_text(const Fixture *f, const char *name, const char *text)
{
        write_bytes(f, name, text, strlen(text));
}

/* What a record says, without the line that vouches for it. */
static const char *body_of(const char *text)
{
        return strchr(text, '\n') + 1;
}

static void write_sealed(const Fixture *f, const char *name, const char *text)
{
        g_autofree char *sealed = sealed_record(name, text, strlen(text));

        write_text(f, name, sealed);
}

#define SET_ASIDE "record *set aside*"

/* `n` records, and a warning. */
static void load_warned(Fixture *f, guint n, const char *warning)
{
        g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, warning);
        g_assert_cmpuint(load(f), ==, n);
        g_test_assert_expected_messages();
}

/* What can come of a file is a stopped container with a valid id, or nothing. */
static void assert_sane(const ContainerInfo *info)
{
        g_assert_true(order_id_is_valid(info->id));
        g_assert_nonnull(info->control_group);
        g_assert_cmpint(info->state, ==, CONTAINER_STOPPED);
        g_assert_cmpint(info->result, >, RESULT_NONE);
        g_assert_cmpint(info->result, <, _RESULT_MAX);
        g_assert_cmpint(info->code, >=, 0);
        g_assert_cmpint(info->code, <=, 255);
        g_assert_cmpuint(info->owner, !=, UINT32_MAX);
        g_assert_cmpint(info->pid, ==, 0);
}

/* What was saved is what is loaded, output included. */
FIXTURE_TEST(round_trip)
{
        ContainerInfo info = make_info(7, "web");
        g_auto(OutputLog) log = {0};
        const uint8_t *bytes;
        uint64_t offset = 0;

        save(f, &info, "hello\n");
        g_assert_cmpuint(load(f), ==, 1);
        const ContainerInfo *loaded = f->loaded->pdata[0];
        assert_sane(loaded);
        g_assert_cmpuint(loaded->serial, ==, 7);
        g_assert_cmpstr(loaded->id, ==, "web");
        g_assert_cmpuint(loaded->owner, ==, 1000);
        g_assert_cmpstr(loaded->control_group, ==, info.control_group);
        g_assert_cmpuint(loaded->created_usec, ==, info.created_usec);
        g_assert_cmpuint(loaded->started_usec, ==, info.started_usec);
        g_assert_cmpuint(loaded->exited_usec, ==, info.exited_usec);
        g_assert_cmpint(loaded->result, ==, RESULT_SIGNAL);
        g_assert_cmpint(loaded->code, ==, 15);
        g_assert_cmpint(loaded->limit_hit, ==, LIMIT_HIT_MEMORY_OWNER);
        g_assert_cmpuint(loaded->oom_kills, ==, 3);
        g_assert_cmpuint(loaded->memory_max, ==, UINT64_MAX);
        g_assert_cmpmem(&loaded->usage, sizeof loaded->usage, &info.usage, sizeof info.usage);
        g_assert_cmpstrv(loaded->deviations, deviations);
        output_log_init(&log);
        g_assert_true(record_load_log(f->fd, 7, &log, NULL));
        size_t n = output_log_peek(&log, &offset, &bytes);
        g_assert_cmpmem(bytes, n, "hello\n", 6);
}

/* What the caller gave is there again, of one that has ended and of one that lives. */
FIXTURE_TEST(given)
{
        g_autoptr(GVariant) made_with = g_variant_ref_sink(
                g_variant_new_parsed("{'argv': <[b'a', b'\\xff\\n']>, 'TasksMax': <@t 5>}"));
        ContainerInfo infos[] = {make_info(7, "web"), make_live(8, "db")};

        for (size_t i = 0; i < G_N_ELEMENTS(infos); i++) {
                infos[i].labels = labels;
                infos[i].made_with = made_with;
                save(f, &infos[i], "");
        }
        g_assert_cmpuint(load(f), ==, 2);
        for (guint i = 0; i < 2; i++) {
                const ContainerInfo *loaded = f->loaded->pdata[i];
                g_assert_cmpstrv(loaded->labels, labels);
                g_assert_true(g_variant_equal(loaded->made_with, made_with));
        }
}

/* All that may be given has room in a record. */
FIXTURE_TEST(given_much)
{
        g_autofree char *value = g_strnfill(LABELS_BYTES_MAX - 1, '\n');
        g_autofree char *argument = g_strnfill(MADE_WITH_BYTES_MAX, 'x');
        char *much[] = {(char *) "a", value, NULL};
        g_autoptr(GVariant) made_with =
                g_variant_ref_sink(g_variant_new_parsed("{'argv': <[%s]>}", argument));
        ContainerInfo info = make_info(7, "web");

        info.labels = much;
        info.made_with = made_with;
        save(f, &info, "");
        g_assert_cmpuint(load(f), ==, 1);
        const ContainerInfo *loaded = f->loaded->pdata[0];
        g_assert_cmpstrv(loaded->labels, much);
        g_assert_true(g_variant_equal(loaded->made_with, made_with));
}

static const char *const bad_given[] = {"Labels=app;", "MadeWith=AAAA"};

/* Half of a label, or bytes that are no dictionary: set aside, like all that is malformed. */
FIXTURE_TEST(given_bad)
{
        for (size_t i = 0; i < G_N_ELEMENTS(bad_given); i++) {
                ContainerInfo info = make_info(7, "web");
                save(f, &info, "");
                g_autofree char *text = read_text(f, "7.conf");
                g_auto(GStrv) halves = g_strsplit(body_of(text), "Id=web\n", 2);
                g_autofree char *changed =
                        g_strconcat(halves[0], "Id=web\n", bad_given[i], "\n", halves[1], NULL);
                write_sealed(f, "7.conf", changed);
                load_warned(f, 0, SET_ASIDE);
                empty(f);
        }
}

static void assert_same_rights(const Rights *a, const Rights *b)
{
        g_assert_cmpuint(a->capabilities, ==, b->capabilities);
        g_assert_cmpint(a->filter, ==, b->filter);
        g_assert_cmpuint(a->filter_capabilities, ==, b->filter_capabilities);
        g_assert_cmpint(a->no_new_privileges, ==, b->no_new_privileges);
        g_assert_cmpint(a->has_inner_namespace, ==, b->has_inner_namespace);
        g_assert_cmpint(a->has_user_namespace, ==, b->has_user_namespace);
        g_assert_cmpuint(a->user_capabilities, ==, b->user_capabilities);
        g_assert_cmpuint(a->uid, ==, b->uid);
        g_assert_cmpuint(a->gid, ==, b->gid);
        g_assert_cmpmem(a->groups, a->n_groups * sizeof a->groups[0], b->groups,
                        b->n_groups * sizeof b->groups[0]);
}

/* Of a live one, all that its process is known by and what it may do. */
FIXTURE_TEST(live)
{
        ContainerInfo info = make_live(7, "web");

        save(f, &info, "");
        g_assert_cmpuint(load(f), ==, 1);
        const ContainerInfo *loaded = f->loaded->pdata[0];
        g_assert_cmpint(loaded->state, ==, CONTAINER_RUNNING);
        g_assert_cmpint(loaded->result, ==, RESULT_NONE);
        g_assert_cmpint(loaded->pid, ==, 4711);
        g_assert_cmpuint(loaded->deadline_usec, ==, info.deadline_usec);
        g_assert_cmpuint(loaded->cpu_time_max, ==, 45);
        g_assert_cmpuint(loaded->start_time, ==, 42);
        g_assert_cmpuint(loaded->pipe, ==, 43);
        g_assert_cmpuint(loaded->id_base, ==, 0x70000000);
        g_assert_true(loaded->terminal);
        g_assert_true(loaded->remove);
        g_assert_true(loaded->is_sandbox);
        g_assert_true(loaded->has_session);
        g_assert_cmpstr(loaded->watcher, ==, ":1.7");
        g_assert_true(loaded->has_rights);
        assert_same_rights(&loaded->rights, &info.rights);
}

/* Every kind of filter comes back as itself, and so do the other rights. */
FIXTURE_TEST(every_filter)
{
        ContainerInfo info = make_live(7, "web");

        info.rights.no_new_privileges = false;
        info.rights.has_inner_namespace = true;
        info.rights.n_groups = 0;
        for (RightsFilter filter = RIGHTS_FILTER_NONE; filter < _RIGHTS_FILTER_MAX; filter++) {
                info.rights.filter = filter;
                save(f, &info, "");
                g_assert_cmpuint(load(f), ==, 1);
                const ContainerInfo *loaded = f->loaded->pdata[0];
                assert_same_rights(&loaded->rights, &info.rights);
        }
}

/* Every result is saved and comes back as itself. */
FIXTURE_TEST(every_result)
{
        for (ContainerResult result = RESULT_SUCCESS; result < _RESULT_MAX; result++) {
                ContainerInfo info = make_info(1, "a");
                info.result = result;
                save(f, &info, "");
                g_assert_cmpuint(load(f), ==, 1);
                const ContainerInfo *loaded = f->loaded->pdata[0];
                g_assert_cmpint(loaded->result, ==, result);
        }
}

/* Records and output are for nobody but root to read. */
FIXTURE_TEST(mode)
{
        ContainerInfo info = make_info(7, "web");
        struct stat status;

        umask(0);
        save(f, &info, "secret");
        g_assert_cmpint(fstatat(f->fd, "7.conf", &status, 0), ==, 0);
        g_assert_cmpint(status.st_mode & 0777, ==, 0600);
        g_assert_cmpint(fstatat(f->fd, "7.log", &status, 0), ==, 0);
        g_assert_cmpint(status.st_mode & 0777, ==, 0600);
}

/* Deleting leaves no file of that container, and those of the others. */
FIXTURE_TEST(delete)
{
        ContainerInfo one = make_info(7, "one"), other = make_info(8, "other");

        save(f, &one, "");
        save(f, &other, "");
        record_delete(f->fd, 7);
        g_autoptr(GPtrArray) names = list(f);
        g_assert_cmpuint(names->len, ==, 2);
        g_assert_cmpuint(load(f), ==, 1);
        const ContainerInfo *loaded = f->loaded->pdata[0];
        g_assert_cmpstr(loaded->id, ==, "other");
}

/* A text with line ends stays one value: it adds no key and changes none. */
FIXTURE_TEST(newlines)
{
        ContainerInfo info = make_info(7, "web");
        const char *const hostile[] = {"/x\nOwner=0\n",  "/x\n[Container]\nId=other\n",
                                       "  lead",         "trail  ",
                                       "back\\nslash\\", "\r\n",
                                       "tab\t;semi;",    ""};

        for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
                info.control_group = (char *) hostile[i];
                save(f, &info, "");
                g_assert_cmpuint(load(f), ==, 1);
                const ContainerInfo *loaded = f->loaded->pdata[0];
                g_assert_cmpstr(loaded->control_group, ==, hostile[i]);
                g_assert_cmpuint(loaded->owner, ==, 1000);
                g_assert_cmpstr(loaded->id, ==, "web");
        }
}

static void assert_set_aside(Fixture *f)
{
        load_warned(f, 0, SET_ASIDE);
        g_assert_true(exists(f, "7.conf.bad"));
        g_assert_false(exists(f, "7.conf"));
}

/* Cut off at any byte, a record is refused and set aside. */
FIXTURE_TEST(truncated)
{
        ContainerInfo info = make_info(7, "web");

        save(f, &info, "");
        g_autofree char *text = read_text(f, "7.conf");
        for (size_t n = 0; n < strlen(text); n++) {
                write_bytes(f, "7.conf", text, n);
                assert_set_aside(f);
        }
}

/* With any byte changed, a record is refused: never another container, owner or process. */
FIXTURE_TEST(each_byte_flipped)
{
        ContainerInfo info = make_info(7, "web");
        static const uint8_t flips[] = {0x01, 0x02, 0x20, 0x80, 0xff};

        save(f, &info, "");
        g_autofree char *text = read_text(f, "7.conf");
        g_autofree char *damaged = g_strdup(text);
        size_t length = strlen(text);
        for (size_t i = 0; i < length; i++)
                for (size_t k = 0; k < G_N_ELEMENTS(flips); k++) {
                        damaged[i] = (char) (text[i] ^ flips[k]);
                        write_bytes(f, "7.conf", damaged, length);
                        assert_set_aside(f);
                        damaged[i] = text[i];
                }
}

/* The output of one that is set aside goes, as its owner is not known; the others' stays. */
FIXTURE_TEST(set_aside_log)
{
        ContainerInfo bad = make_info(7, "bad"), good = make_info(8, "good");

        save(f, &bad, "secret");
        save(f, &good, "kept");
        write_text(f, "7.conf", "damaged");
        load_warned(f, 1, SET_ASIDE);
        g_assert_false(exists(f, "7.log"));
        g_assert_true(exists(f, "8.log"));
}

/* Every serial that anything is left of counts, whatever it is. */
FIXTURE_TEST(highest)
{
        ContainerInfo info = make_info(7, "web");

        g_assert_cmpuint(record_load_all(f->fd, on_record, f), ==, 0);
        save(f, &info, "");
        g_assert_cmpuint(record_load_all(f->fd, on_record, f), ==, 7);
        write_text(f, "9.log", "");
        g_assert_cmpuint(record_load_all(f->fd, on_record, f), ==, 9);
        write_text(f, "11.conf.bad", "");
        g_assert_cmpuint(record_load_all(f->fd, on_record, f), ==, 11);
        write_text(f, "12.conf", "damaged");
        g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, SET_ASIDE);
        g_assert_cmpuint(record_load_all(f->fd, on_record, f), ==, 12);
        g_test_assert_expected_messages();
}

/* Under another name it is refused: by its serial a record has its cgroup. */
FIXTURE_TEST(renamed)
{
        ContainerInfo info = make_info(7, "web");

        save(f, &info, "");
        g_assert_cmpint(renameat(f->fd, "7.conf", f->fd, "8.conf"), ==, 0);
        load_warned(f, 0, SET_ASIDE);
}

static void assert_refused(Fixture *f, const char *text)
{
        empty(f);
        write_sealed(f, "7.conf", text);
        assert_set_aside(f);
        /* and is not looked at again */
        g_assert_cmpuint(load(f), ==, 0);
}

static char *edit(const char *text, const char *key, const char *value)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++)
                if (g_str_has_prefix(*line, key)) {
                        g_free(*line);
                        *line = g_strdup(value);
                }
        return g_strjoinv("\n", lines);
}

typedef const char *Change[2]; /* the line that begins so becomes this */

static void assert_each_refused(Fixture *f, const ContainerInfo *info, const Change *changes,
                                size_t n)
{
        save(f, info, "");
        g_autofree char *text = read_text(f, "7.conf");
        for (size_t i = 0; i < n; i++) {
                g_autofree char *changed = edit(text, changes[i][0], changes[i][1]);
                g_assert_cmpstr(changed, !=, text);
                g_test_message("'%s' becomes '%s'", changes[i][0], changes[i][1]);
                assert_refused(f, body_of(changed));
        }
}

/* A record of another version, one that lacks a value, and one with a value that cannot be are set
 * aside. */
FIXTURE_TEST(refused)
{
        static const Change changes[] = {
                {"Version=", "Version=1"},
                {"Version=", "Version=4"},
                {"Version=", "Version=0"},
                {"Version=", ""},
                {"Id=", ""},
                {"Id=", "Id="},
                {"Id=", "Id=../../etc"},
                {"Id=", "Id=a b"},
                {"Owner=", ""},
                {"Owner=", "Owner=4294967295"},
                {"Owner=", "Owner=18446744073709551615"},
                {"Owner=", "Owner=-1"},
                {"ControlGroup=", ""},
                {"CreatedUSec=", "CreatedUSec=now"},
                {"StartedUSec=", ""},
                {"Result=", ""},
                {"ExitCode=", "ExitCode=256"},
                {"ExitCode=", "ExitCode=-1"},
                {"OOMKills=", "OOMKills=x"},
                {"MemoryMax=", ""},
                {"Deviations=", ""},
                {"[Container]", "[Containers]"},
        };
        ContainerInfo info = make_info(7, "web");

        assert_each_refused(f, &info, changes, G_N_ELEMENTS(changes));
        assert_refused(f, "");
        assert_refused(f, "\n\n\n");
}

/* A right that is missing or cannot be read is not taken for one that was given. */
FIXTURE_TEST(rights_refused)
{
        static const Change changes[] = {
                {"Capabilities=", "Capabilities=all"},
                {"Filter=", ""},
                {"Filter=", "Filter=stricter"},
                {"FilterCapabilities=", ""},
                {"NoNewPrivileges=", ""},
                {"NoNewPrivileges=", "NoNewPrivileges=maybe"},
                {"InnerNamespace=", ""},
                {"OwnUsers=", ""},
                {"UserCapabilities=", ""},
                {"User=", "User=1000"},
                {"User=", "User=1000;-1"},
                {"User=", "User=1;2;3"},
                {"Groups=", ""},
                {"Groups=", "Groups=4294967295"},
        };
        ContainerInfo info = make_live(7, "web");

        assert_each_refused(f, &info, changes, G_N_ELEMENTS(changes));
}

/* Programs beside the filter come back as they were, as many as there may be; what does not fit
 * together is not taken for none. */
FIXTURE_TEST(filters)
{
        static const Change changes[] = {
                {"Filters=", ""},
                {"Filters=", "Filters=AAAA"},
                {"FilterLengths=", ""},
                {"FilterLengths=", "FilterLengths=0"},
                {"FilterLengths=", "FilterLengths=1;4095;1"},
                {"FilterLengths=", "FilterLengths=1;1;1;1;1;1;1;1;4088"},
        };
        ContainerInfo info = make_live(7, "web");
        g_autofree uint8_t *code = g_malloc0(FILTERS_LENGTH_MAX * FILTER_INSTRUCTION_SIZE);

        memset(code, 0xa5, 800);
        info.rights.tells_refusals = true;
        g_assert_true(filters_add(&info.filters, code, 8, NULL));
        g_assert_true(filters_add(&info.filters, code, (FILTERS_LENGTH_MAX - 1) * 8, NULL));
        save(f, &info, "");
        g_assert_cmpuint(load(f), ==, 1);
        const ContainerInfo *loaded = f->loaded->pdata[0];
        g_assert_true(loaded->rights.tells_refusals);
        g_assert_cmpuint(loaded->filters.n, ==, 2);
        g_assert_cmpuint(loaded->filters.lengths[1], ==, FILTERS_LENGTH_MAX - 1);
        g_assert_true(g_bytes_equal(loaded->filters.code, info.filters.code));
        assert_each_refused(f, &info, changes, G_N_ELEMENTS(changes));
        filters_clear(&info.filters);
}

/* One that was saved before ids were recorded is taken over, and its rights are unknown. */
FIXTURE_TEST(rights_without_ids)
{
        ContainerInfo info = make_live(7, "web");

        save(f, &info, "");
        g_autofree char *text = read_text(f, "7.conf");
        g_autofree char *changed = edit(text, "User=", "");
        write_sealed(f, "7.conf", body_of(changed));
        g_assert_cmpuint(load(f), ==, 1);
        const ContainerInfo *loaded = f->loaded->pdata[0];
        g_assert_cmpint(loaded->state, ==, CONTAINER_RUNNING);
        g_assert_false(loaded->has_rights);
}

/* What is told of a record of another version is that, whatever it begins with: the first one had
 * no line that vouches for it. */
FIXTURE_TEST(version_told)
{
        write_text(f, "7.conf", "[Container]\nVersion=1\nId=web\nOwner=1000\n");
        load_warned(f, 0, "record 7.conf: of version 1, not 2 or 3; *");
        write_text(f, "7.conf", "# of a later one\n[Container]\nVersion=4\n");
        load_warned(f, 0, "record 7.conf: of version 4, not 2 or 3; *");
        write_text(f, "7.conf", "# of this one\n[Container]\nVersion=3\n");
        load_warned(f, 0, "record 7.conf: its checksum is wrong; *");
}

/* -- the version before -- */

static void copy_old(const Fixture *f, const char *name)
{
        g_autofree char *path =
                g_test_build_filename(G_TEST_DIST, "service/container/records-v2", name, NULL);
        g_autofree char *bytes = NULL;
        gsize n;

        g_assert_true(g_file_get_contents(path, &bytes, &n, NULL));
        write_bytes(f, name, bytes, n);
}

static void assert_old_stopped(const Fixture *f, const ContainerInfo *info)
{
        g_auto(OutputLog) log = {0};
        uint64_t offset = 0;
        const uint8_t *bytes;

        assert_sane(info);
        g_assert_cmpuint(info->serial, ==, 4);
        g_assert_cmpstr(info->id, ==, "done");
        g_assert_cmpint(info->result, ==, RESULT_EXIT_CODE);
        g_assert_cmpint(info->code, ==, 7);
        g_assert_cmpuint(info->exited_usec, ==, UINT64_C(1796023025652815));
        output_log_init(&log);
        g_assert_true(record_load_log(f->fd, 4, &log, NULL));
        size_t n = output_log_peek(&log, &offset, &bytes);
        g_assert_cmpmem(bytes, n, "kept\n", 5);
}

/* One that had stopped is read with its output, and is of this version afterwards. */
FIXTURE_TEST(old_stopped)
{
        copy_old(f, "4.conf");
        copy_old(f, "4.log");
        for (int i = 0; i < 2; i++) {
                g_assert_cmpuint(load(f), ==, 1);
                assert_old_stopped(f, f->loaded->pdata[0]);
                g_autofree char *text = read_text(f, "4.conf");
                g_assert_nonnull(strstr(text, "\nVersion=3\n"));
        }
}

static void copy_old_live(const Fixture *f, const char *boot)
{
        copy_old(f, "3.conf");
        g_autofree char *then = read_text(f, "3.conf");
        g_autofree char *line = g_strconcat("BootId=", boot, NULL);
        g_autofree char *now = edit(then, "BootId=", line);
        write_sealed(f, "3.conf", body_of(now));
}

/* One that ran on another boot has ended, as with a record of this version. */
FIXTURE_TEST(old_of_another_boot)
{
        copy_old_live(f, "00000000-0000-4000-8000-000000000000");
        g_assert_cmpuint(load(f), ==, 1);
        const ContainerInfo *loaded = f->loaded->pdata[0];
        assert_sane(loaded);
        g_assert_cmpint(loaded->result, ==, RESULT_UNKNOWN);
}

/* One that runs can be taken over: its process is known as ever, what it may do is not. */
FIXTURE_TEST(old_live)
{
        char boot[BOOT_ID_SIZE];
        static const char *const deviations_then[] = {"Network=host", "Capabilities=+CAP_SYS_ADMIN",
                                                      NULL};

        g_assert_true(proc_boot_id(boot));
        copy_old_live(f, boot);
        for (int i = 0; i < 2; i++) {
                g_assert_cmpuint(load(f), ==, 1);
                const ContainerInfo *loaded = f->loaded->pdata[0];
                g_assert_cmpint(loaded->state, ==, CONTAINER_RUNNING);
                g_assert_cmpint(loaded->pid, ==, 81);
                g_assert_cmpuint(loaded->start_time, ==, 167308);
                g_assert_cmpuint(loaded->pipe, ==, 465238);
                g_assert_cmpuint(loaded->id_base, ==, 1879179264);
                g_assert_cmpstrv(loaded->deviations, deviations_then);
                g_assert_false(loaded->is_sandbox || loaded->has_session);
                g_assert_false(loaded->has_rights);
                g_autofree char *text = read_text(f, "3.conf");
                g_assert_nonnull(strstr(text, "\nVersion=3\n"));
        }
}

/* A result that this version does not know is "unknown", not a guess. */
FIXTURE_TEST(unknown_result)
{
        ContainerInfo info = make_info(7, "web");

        save(f, &info, "");
        g_autofree char *text = read_text(f, "7.conf");
        g_autofree char *changed = edit(text, "Result=", "Result=melted");
        write_sealed(f, "7.conf", body_of(changed));
        g_assert_cmpuint(load(f), ==, 1);
        const ContainerInfo *loaded = f->loaded->pdata[0];
        g_assert_cmpint(loaded->result, ==, RESULT_UNKNOWN);
}

/* A file beyond any record's size is not read in. */
FIXTURE_TEST(too_large)
{
        g_autofree char *huge = g_strnfill(1000000, '#');

        write_text(f, "7.conf", huge);
        assert_set_aside(f);
}

/* A symbolic link in a record's place is not followed, wherever it leads. */
FIXTURE_TEST(symlink)
{
        ContainerInfo info = make_info(7, "web");

        save(f, &info, "");
        g_assert_cmpint(renameat(f->fd, "7.conf", f->fd, "good"), ==, 0);
        g_assert_cmpint(symlinkat("good", f->fd, "7.conf"), ==, 0);
        load_warned(f, 0, SET_ASIDE);
        g_assert_true(exists(f, "good"));
}

/* A fifo or a directory in a record's place neither blocks nor ends the loading. */
FIXTURE_TEST(no_file)
{
        ContainerInfo info = make_info(9, "web");

        g_assert_cmpint(mkfifoat(f->fd, "7.conf", 0600), ==, 0);
        save(f, &info, "");
        load_warned(f, 1, SET_ASIDE);
        g_assert_true(exists(f, "7.conf.bad"));
}

/* A link left in the temporary file's place is not written through. */
FIXTURE_TEST(temporary_symlink)
{
        ContainerInfo info = make_info(7, "web");
        g_auto(OutputLog) log = {0};

        write_text(f, "victim", "untouched");
        g_assert_cmpint(symlinkat("victim", f->fd, "7.conf.new"), ==, 0);
        g_assert_cmpint(symlinkat("victim", f->fd, "7.log.new"), ==, 0);
        output_log_init(&log);
        (void) record_save(f->fd, &info, &log, NULL);
        g_autofree char *text = read_text(f, "victim");
        g_assert_cmpstr(text, ==, "untouched");
        /* and the next try finds the place free */
        save(f, &info, "");
        g_assert_cmpuint(load(f), ==, 1);
}

/* Other names in the directory are not records and stay, but for what a killed service was writing
 * and a log without a record. */
FIXTURE_TEST(other_names)
{
        static const char *const names[] = {"7.conf.bad", "a.log",   "a.conf",
                                            ".conf",      "7.confx", "7"};
        static const char *const strays[] = {"8.conf.new", "9.log.new", "10.log"};

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
                write_text(f, names[i], "[Container]\n");
        for (size_t i = 0; i < G_N_ELEMENTS(strays); i++)
                write_text(f, strays[i], "half");
        g_assert_cmpuint(load(f), ==, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
                g_assert_true(exists(f, names[i]));
        for (size_t i = 0; i < G_N_ELEMENTS(strays); i++)
                g_assert_false(exists(f, strays[i]));
}

/* Of what was set aside the newest RECORDS_ASIDE_MAX stay to be looked at. */
FIXTURE_TEST(much_set_aside)
{
        char name[32];

        for (unsigned i = 1; i <= RECORDS_ASIDE_MAX + 2; i++) {
                g_snprintf(name, sizeof name, "%u.conf.bad", i);
                write_text(f, name, "damaged");
        }
        load(f);
        g_assert_false(exists(f, "1.conf.bad"));
        g_assert_false(exists(f, "2.conf.bad"));
        g_assert_true(exists(f, "3.conf.bad"));
        g_assert_true(exists(f, "18.conf.bad"));
}

/* A directory that takes nothing is an error, and what was there is not damaged. */
FIXTURE_TEST(save_fails)
{
        ContainerInfo info = make_info(7, "web");
        g_auto(OutputLog) log = {0};
        g_autoptr(GError) error = NULL;

        output_log_init(&log);
        save(f, &info, "");
        record_delete(f->fd, 7);
        /* a directory in the place of the record: rename cannot replace it */
        g_assert_cmpint(mkdirat(f->fd, "7.conf", 0700), ==, 0);
        g_assert_false(record_save(f->fd, &info, &log, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_FAILED);
        g_assert_false(exists(f, "7.conf.new"));
        unlinkat(f->fd, "7.conf", AT_REMOVEDIR);
}

/* Loading leaves no file descriptor behind. */
FIXTURE_TEST(no_fd_left)
{
        ContainerInfo info = make_info(7, "web");
        int before = dup(0);

        close(before);
        save(f, &info, "");
        for (int i = 0; i < 3; i++)
                load(f);
        int after = dup(0);
        close(after);
        g_assert_cmpint(after, ==, before);
}
