/* Makes a thumbnail of a picture whose maker nobody trusts: in an empty root, with limits of memory
 * and time.
 *
 * usage: thumbnail PICTURE THUMBNAIL.png
 *
 * By GDBus, as any user to whom polkit grants "run". Prints what the program used. To build it:
 *
 *     gdbus-codegen --interface-prefix=org.naive.Runc. --c-namespace=Runc --generate-c-code=runc
 *             --c-generate-autocleanup=all /usr/share/dbus-1/interfaces/org.naive.Runc.Manager1.xml
 *             /usr/share/dbus-1/interfaces/org.naive.Runc.Container1.xml
 *     cc -o thumbnail thumbnail.c runc.c $(pkg-config --cflags --libs gio-unix-2.0)
 */

#include <gio/gunixfdlist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runc.h"

#define NAME "org.naive.Runc"
#define PATH "/org/naive/Runc"

static void add_mount(GVariantBuilder *mounts, const char *type, const char *source,
                      const char *target, const char *option)
{
        const char *options[] = {option, NULL};

        g_variant_builder_add(mounts, "(@ay@ays^as)", g_variant_new_bytestring(source),
                              g_variant_new_bytestring(target), type, options);
}

static GVariant *make_mounts(const char *picture, const char *directory)
{
        GVariantBuilder mounts = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(ayaysas)"));

        add_mount(&mounts, "bind", "/usr", "/usr", "ro");
        add_mount(&mounts, "symlink", "usr/lib", "/lib", NULL);
        add_mount(&mounts, "symlink", "usr/lib64", "/lib64", NULL);
        add_mount(&mounts, "proc", "", "/proc", NULL);
        add_mount(&mounts, "dev", "", "/dev", NULL);
        add_mount(&mounts, "tmpfs", "", "/tmp", NULL);
        add_mount(&mounts, "bind", picture, "/in", "ro");
        add_mount(&mounts, "bind", directory, "/out", NULL);
        return g_variant_builder_end(&mounts);
}

static GVariant *make_options(const char *picture, const char *directory, int status)
{
        GVariantBuilder options = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);

        g_variant_builder_add(&options, "{sv}", "EmptyRoot", g_variant_new_boolean(TRUE));
        g_variant_builder_add(&options, "{sv}", "UserNamespace", g_variant_new_string("keep-id"));
        g_variant_builder_add(&options, "{sv}", "Mounts", make_mounts(picture, directory));
        g_variant_builder_add(&options, "{sv}", "CapabilityBoundingSet",
                              g_variant_new_strv(NULL, 0));
        g_variant_builder_add(&options, "{sv}", "MemoryMax", g_variant_new_uint64(512u << 20));
        g_variant_builder_add(&options, "{sv}", "RuntimeMaxUSec", g_variant_new_uint64(20000000));
        g_variant_builder_add(&options, "{sv}", "StatusFD", g_variant_new_handle(status));
        return g_variant_builder_end(&options);
}

/* The container's object; NULL on error. `writer` is closed here, for the end of what the service
 * writes must be the end of the pipe. */
static char *spawn(const char *picture, const char *thumbnail, int writer, GError **error)
{
        g_autofree char *directory = g_path_get_dirname(thumbnail);
        g_autofree char *name = g_path_get_basename(thumbnail);
        g_autofree char *target = g_build_filename("/out", name, NULL);
        const char *argv[] = {"/usr/bin/gdk-pixbuf-thumbnailer", "-s", "32", "/in", target, NULL};
        g_autoptr(GUnixFDList) fds = g_unix_fd_list_new_from_array(&writer, 1);
        char *container = NULL;
        g_autoptr(RuncManager1) manager = runc_manager1_proxy_new_for_bus_sync(
                G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_NONE, NAME, PATH, NULL, error);

        if (manager)
                runc_manager1_call_spawn_sync(manager, "", argv, g_variant_new("a{uh}", NULL),
                                              make_options(picture, directory, 0), fds, &container,
                                              NULL, NULL, error);
        return container;
}

/* Not among the properties that a proxy reads when it is made. */
static char *read_usage(RuncContainer1 *container, GError **error)
{
        GDBusProxy *proxy = G_DBUS_PROXY(container);
        g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
                g_dbus_proxy_get_connection(proxy), NAME, g_dbus_proxy_get_object_path(proxy),
                "org.freedesktop.DBus.Properties", "Get",
                g_variant_new("(ss)", NAME ".Container1", "Usage"), G_VARIANT_TYPE("(v)"),
                G_DBUS_CALL_FLAGS_NONE, -1, NULL, error);

        return reply ? g_variant_print(reply, FALSE) : NULL;
}

/* What it has used is known when the pipe has ended. The exit status, or -1 on error. */
static int finish(const char *path, GError **error)
{
        g_autofree char *result = NULL, *usage = NULL;
        int code;
        g_autoptr(RuncContainer1) container = runc_container1_proxy_new_for_bus_sync(
                G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_NONE, NAME, path, NULL, error);

        if (!container || !runc_container1_call_wait_sync(container, &result, &code, NULL, error))
                return -1;
        if (!(usage = read_usage(container, error)))
                return -1;
        printf("%s %d %s\n", result, code, usage);
        if (!runc_container1_call_delete_sync(container, NULL, error))
                return -1;
        return strcmp(result, "exit-code") == 0 ? code : strcmp(result, "success") != 0;
}

int main(int argc, char **argv)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *picture = NULL, *thumbnail = NULL, *container = NULL;
        char text[4096];
        int ends[2], status = -1;

        if (argc != 3 || pipe(ends) < 0)
                return 2;
        picture = g_canonicalize_filename(argv[1], NULL);
        thumbnail = g_canonicalize_filename(argv[2], NULL);
        container = spawn(picture, thumbnail, ends[1], &error);
        /* a line of JSON for each step, and then the end */
        while (container && read(ends[0], text, sizeof text) > 0)
                ;
        if (container)
                status = finish(container, &error);
        if (status >= 0)
                return status;
        fprintf(stderr, "%s\n", error->message);
        return EXIT_FAILURE;
}
