#include "tests/lib/private-bus.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/fd.h"

struct PrivateBus {
        pid_t pid; /* 0: killed */
        char *directory;
        char *socket_path;
        char *config_path;
        char *address;
};

static const char config[] =
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
        " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
        "<busconfig>\n"
        "  <type>session</type>\n"
        "  <listen>unix:path=%s</listen>\n"
        "  <auth>EXTERNAL</auth>\n"
        "  <policy context=\"default\">\n"
        "    <allow user=\"*\"/>\n"
        "    <allow own=\"*\"/>\n"
        "    <allow send_destination=\"*\" send_requested_reply=\"false\"/>\n"
        "    <allow receive_requested_reply=\"false\"/>\n"
        "  </policy>\n"
        "</busconfig>\n";

static void become_daemon(const char *config_path, int address_fd, pid_t parent)
{
        g_autofree char *config_argument = g_strdup_printf("--config-file=%s", config_path);
        g_autofree char *fd_argument = g_strdup_printf("--print-address=%d", address_fd);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || fcntl(address_fd, F_SETFD, 0) < 0)
                _exit(1);
        execlp("dbus-daemon", "dbus-daemon", config_argument, "--nofork", fd_argument, NULL);
        _exit(127);
}

/* The daemon prints its address once it listens. */
static void wait_until_it_listens(int fd)
{
        char byte;
        ssize_t n;

        do
                n = read(fd, &byte, 1);
        while (n < 0 && errno == EINTR);
        if (n != 1)
                g_error("dbus-daemon did not start");
}

PrivateBus *private_bus_new(void)
{
        PrivateBus *bus = g_new0(PrivateBus, 1);
        g_autoptr(GError) error = NULL;
        pid_t parent = getpid();
        int fds[2];

        bus->directory = g_dir_make_tmp("private-bus-XXXXXX", &error);
        g_assert_no_error(error);
        g_assert_cmpint(chmod(bus->directory, 0755), ==, 0); /* for clients of other uids */
        bus->socket_path = g_build_filename(bus->directory, "bus", NULL);
        bus->config_path = g_build_filename(bus->directory, "bus.conf", NULL);
        bus->address = g_strdup_printf("unix:path=%s", bus->socket_path);
        g_autofree char *text = g_strdup_printf(config, bus->socket_path);
        g_file_set_contents(bus->config_path, text, -1, &error);
        g_assert_no_error(error);

        g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
        bus->pid = fork();
        g_assert_cmpint(bus->pid, >=, 0);
        if (bus->pid == 0)
                become_daemon(bus->config_path, fds[1], parent);
        fd_close(fds[1]);
        wait_until_it_listens(fds[0]);
        fd_close(fds[0]);
        return bus;
}

void private_bus_stop(PrivateBus *bus)
{
        g_assert_cmpint(bus->pid, >, 0);
        g_assert_cmpint(kill(bus->pid, SIGSTOP), ==, 0);
}

void private_bus_kill(PrivateBus *bus)
{
        if (bus->pid == 0)
                return;
        kill(bus->pid, SIGKILL);
        while (waitpid(bus->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        bus->pid = 0;
}

void private_bus_free(PrivateBus *bus)
{
        if (!bus)
                return;
        private_bus_kill(bus);
        g_unlink(bus->socket_path);
        g_unlink(bus->config_path);
        g_rmdir(bus->directory);
        g_free(bus->directory);
        g_free(bus->socket_path);
        g_free(bus->config_path);
        g_free(bus->address);
        g_free(bus);
}

const char *private_bus_address(const PrivateBus *bus)
{
        return bus->address;
}

const char *private_bus_socket_path(const PrivateBus *bus)
{
        return bus->socket_path;
}

sd_bus *private_bus_connect(const PrivateBus *bus)
{
        g_autoptr(sd_bus) connection = NULL;
        const char *name;

        g_assert_cmpint(sd_bus_new(&connection), >=, 0);
        g_assert_cmpint(sd_bus_set_address(connection, bus->address), >=, 0);
        g_assert_cmpint(sd_bus_set_bus_client(connection, true), >=, 0);
        g_assert_cmpint(sd_bus_start(connection), >=, 0);
        g_assert_cmpint(sd_bus_get_unique_name(connection, &name), >=, 0); /* waits for Hello */
        return g_steal_pointer(&connection);
}
