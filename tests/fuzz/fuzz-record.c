/* The input is what a record says, or with a first byte of 'L' its log. What is loaded is a
 * container that can be saved and loaded again as the same, be it stopped or live; what is not, is
 * set aside. */

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/container/record.h"
#include "service/spec/limits.h"
#include "service/spec/order.h"
#include "service/util/fd.h"
#include "tests/fuzz/target.h"
#include "tests/lib/sealed-record.h"

static char *path;
static int directory = -1;

static void remove_directory(void)
{
        static const char *const names[] = {"1.conf", "1.log", "1.conf.bad"};

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
                unlinkat(directory, names[i], 0);
        g_rmdir(path);
        g_free(path);
        fd_close(directory);
}

static void be_silent(const char *domain, GLogLevelFlags level, const char *message, void *data)
{
}

static void prepare(void)
{
        if (directory >= 0)
                return;
        g_log_set_default_handler(be_silent, NULL);
        path = g_dir_make_tmp("fuzz-record-XXXXXX", NULL);
        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        g_assert_cmpint(directory, >=, 0);
        g_assert_cmpint(atexit(remove_directory), ==, 0);
}

static void write_bytes(const char *name, const uint8_t *data, size_t size)
{
        autofd int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        g_assert_cmpint(write(fd, data, size), ==, (ssize_t) size);
}

static void on_record(ContainerInfo *info, void *data)
{
        ContainerInfo *kept = data;

        g_assert_null(kept->id); /* there is one file */
        *kept = *info;
        *info = (ContainerInfo){0};
}

static void save_and_load(const ContainerInfo *info)
{
        g_auto(OutputLog) log = {0};
        ContainerInfo again = {0};

        output_log_init(&log);
        g_assert_true(record_save(directory, info, &log, NULL));
        record_load_all(directory, on_record, &again);
        g_assert_cmpstr(again.id, ==, info->id);
        g_assert_cmpstr(again.control_group, ==, info->control_group);
        g_assert_cmpuint(again.owner, ==, info->owner);
        g_assert_cmpint(again.result, ==, info->result);
        g_assert_cmpint(again.code, ==, info->code);
        g_assert_cmpuint(again.exited_usec, ==, info->exited_usec);
        g_assert_cmpstrv(again.deviations, info->deviations);
        g_assert_cmpint(again.state, ==, info->state);
        if (info->state == CONTAINER_RUNNING) {
                g_assert_cmpuint(again.start_time, ==, info->start_time);
                g_assert_cmpuint(again.id_base, ==, info->id_base);
                g_assert_cmpstr(again.watcher, ==, info->watcher);
                g_assert_true(again.has_rights == info->has_rights);
                g_assert_cmpuint(again.rights.capabilities, ==, info->rights.capabilities);
                g_assert_cmpint(again.rights.filter, ==, info->rights.filter);
                g_assert_true(again.rights.no_new_privileges == info->rights.no_new_privileges);
        }
        container_info_clear(&again);
}

static void load_record(const uint8_t *data, size_t size)
{
        ContainerInfo info = {0};

        g_autofree char *sealed = sealed_record("1.conf", (const char *) data, size);
        write_bytes("1.conf", (const uint8_t *) sealed, strlen(sealed));
        record_load_all(directory, on_record, &info);
        if (info.id) {
                g_assert_true(order_id_is_valid(info.id));
                g_assert_cmpuint(info.serial, ==, 1);
                g_assert_cmpint(info.result, >, RESULT_NONE);
                g_assert_cmpint(info.result, <, _RESULT_MAX);
                g_assert_true(info.code >= 0 && info.code <= 255);
                g_assert_cmpint(info.rights.filter, <, _RIGHTS_FILTER_MAX);
                save_and_load(&info);
                /* no input knows this boot: by itself none is of a container that still runs */
                info.state = CONTAINER_RUNNING;
                info.result = RESULT_NONE;
                info.pid = 1;
                save_and_load(&info);
        } else
                g_assert_cmpint(faccessat(directory, "1.conf", F_OK, 0), <, 0);
        container_info_clear(&info);
}

static void load_log(const uint8_t *data, size_t size)
{
        g_auto(OutputLog) log = {0};
        uint64_t offset = 0;
        g_autofree uint8_t *buffer = g_malloc(LOG_BYTES_MAX);

        output_log_init(&log);
        write_bytes("1.log", data, size);
        if (record_load_log(directory, 1, &log, NULL))
                g_assert_cmpuint(output_log_read(&log, &offset, buffer, LOG_BYTES_MAX), <=, size);
        output_log_append(&log, (const uint8_t *) "more", 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        prepare();
        if (size > 0 && data[0] == 'L')
                load_log(data + 1, size - 1);
        else
                load_record(data, size);
        return 0;
}
