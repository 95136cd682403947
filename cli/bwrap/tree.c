#include "cli/bwrap/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/bwrap/content.h"
#include "cli/lib/values.h"

/* Content that one request takes. */
#define DATA_BYTES_MAX (1024u * 1024)
#define MODE_OF_FILE   0666
#define MODE_OF_DATA   0600
#define MODE_OF_TREE   0755
#define MODE_OF_POINT  0444 /* a file to mount on */

typedef struct TreeMount {
        const char *type;
        GBytes *source;
        char *host; /* of a bind, the path on the host */
        char *target;
        bool read_only, is_optional;
        int mode; /* -1: the type has none */
        uint64_t size;
} TreeMount;

static void mount_free(void *data)
{
        TreeMount *mount = data;

        g_clear_pointer(&mount->source, g_bytes_unref);
        g_free(mount->host);
        g_free(mount->target);
        g_free(mount);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TreeMount, mount_free)

void tree_init(Tree *tree)
{
        *tree = (Tree){.mounts = g_ptr_array_new_with_free_func(mount_free)};
}

void tree_clear(Tree *tree)
{
        g_clear_pointer(&tree->mounts, g_ptr_array_unref);
}

/* -- paths inside -- */

/* The path as the service takes it. bubblewrap takes it relative to the new root. */
static char *find_path(const char *option, const char *text, char **ret)
{
        g_auto(GStrv) parts = g_strsplit(text, "/", -1);
        GString *path;

        if (!*text)
                return g_strdup_printf("%s: the path is empty", option);
        for (char **part = parts; *part; part++)
                if (strcmp(*part, "..") == 0)
                        return g_strdup_printf("%s: '..' in '%s' is refused: say where it leads",
                                               option, text);
        path = g_string_new(NULL);
        for (char **part = parts; *part; part++)
                if (**part && strcmp(*part, ".") != 0)
                        g_string_append_printf(path, "/%s", *part);
        if (!path->len)
                g_string_append_c(path, '/');
        *ret = g_string_free(path, FALSE);
        return NULL;
}

/* What follows in `path` behind the directory `above`: "" if they are the same; NULL if it is not
 * there or below. */
static const char *rest_of(const char *path, const char *above)
{
        size_t length = strlen(above);

        if (strcmp(above, "/") == 0)
                return strcmp(path, "/") == 0 ? "" : path;
        if (strncmp(path, above, length) != 0 || (path[length] && path[length] != '/'))
                return NULL;
        return path + length;
}

static bool is_below(const char *path, const char *above)
{
        const char *rest = rest_of(path, above);

        return rest && *rest;
}

static TreeMount *mount_at(const Tree *tree, unsigned i)
{
        return tree->mounts->pdata[i];
}

/* The last mount on the path, or on a directory above it. */
static TreeMount *find_cover(const Tree *tree, const char *path)
{
        for (unsigned i = tree->mounts->len; i > 0; i--)
                if (rest_of(path, mount_at(tree, i - 1)->target) &&
                    strcmp(mount_at(tree, i - 1)->type, "dir") != 0)
                        return mount_at(tree, i - 1);
        return NULL;
}

static TreeMount *find_made(const Tree *tree, const char *path)
{
        for (unsigned i = tree->mounts->len; i > 0; i--)
                if (strcmp(mount_at(tree, i - 1)->target, path) == 0)
                        return mount_at(tree, i - 1);
        return NULL;
}

char *tree_find_host_path(const Tree *tree, const char *text)
{
        g_autofree char *path = NULL, *wrong = find_path("", text, &path);
        const TreeMount *cover = wrong ? NULL : find_cover(tree, path);

        return cover && cover->host ? g_strconcat(cover->host, rest_of(path, cover->target), NULL)
                                    : NULL;
}

bool tree_has_directory(const Tree *tree, const char *text)
{
        static const char *const files[] = {"data", "symlink", NULL};
        g_autofree char *path = NULL, *wrong = find_path("", text, &path);

        if (wrong)
                return false;
        for (unsigned i = tree->mounts->len; i > 0; i--) {
                const TreeMount *mount = mount_at(tree, i - 1);
                const char *rest = rest_of(path, mount->target);
                if (is_below(mount->target, path))
                        return true;
                if (rest && mount->host) {
                        g_autofree char *host = g_strconcat(mount->host, rest, NULL);
                        return g_file_test(host, G_FILE_TEST_IS_DIR);
                }
                if (rest && (!*rest || strcmp(mount->type, "dir") != 0))
                        return !*rest && !g_strv_contains(files, mount->type);
        }
        return strcmp(path, "/") == 0;
}

/* -- steps -- */

static TreeMount *new_mount(const char *type, char **target)
{
        TreeMount *mount = g_new0(TreeMount, 1);

        mount->type = type;
        mount->mode = -1;
        mount->target = g_steal_pointer(target);
        return mount;
}

/* A target in a directory of the host's that is bound to be written to is made there, as bubblewrap
 * does it: with the caller's rights. The service makes nothing in what is not the container's. */
static char *make_target(const Tree *tree, const char *option, const char *target,
                         bool is_directory)
{
        const TreeMount *cover = find_cover(tree, target);
        g_autofree char *path = NULL, *above = NULL;
        int file = -1;

        if (!cover || !cover->host || cover->read_only)
                return NULL;
        path = g_strconcat(cover->host, rest_of(target, cover->target), NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS))
                return NULL;
        above = g_path_get_dirname(path);
        if (g_mkdir_with_parents(is_directory ? path : above, MODE_OF_TREE) < 0 ||
            (!is_directory &&
             (file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE_OF_POINT)) < 0))
                return g_strdup_printf("%s: cannot make '%s' to mount on: %s", option, path,
                                       g_strerror(errno));
        if (file >= 0)
                close(file);
        return NULL;
}

static char *add_bind(Tree *tree, const BwrapStep *step, char **target)
{
        g_autofree char *host = NULL;

        if (step->fd >= 0) {
                char *wrong = content_find_path(step->fd, &host);
                if (wrong)
                        return wrong;
        } else if (!(host = value_absolute_path(step->source))) {
                return g_strdup_printf("%s: no source '%s'", step->option, step->source);
        }
        char *wrong = g_file_test(host, G_FILE_TEST_EXISTS)
                              ? make_target(tree, step->option, *target,
                                            g_file_test(host, G_FILE_TEST_IS_DIR))
                              : NULL;
        if (wrong)
                return wrong;
        TreeMount *mount = new_mount("bind", target);
        mount->source = g_bytes_new(host, strlen(host));
        mount->host = g_steal_pointer(&host);
        mount->read_only = step->kind == STEP_RO_BIND || step->kind == STEP_RO_BIND_TRY ||
                           step->kind == STEP_RO_BIND_FD;
        mount->is_optional = step->kind == STEP_BIND_TRY || step->kind == STEP_RO_BIND_TRY;
        g_ptr_array_add(tree->mounts, mount);
        return NULL;
}

/* Only what is there already, because --dev has made it. */
static char *add_device(const Tree *tree, const BwrapStep *step, const char *target)
{
        static const char *const made[] = {"/full", "/null",  "/ptmx", "/pts",    "/random",
                                           "/shm",  "/stdin", "/tty",  "/stdout", "/urandom",
                                           "/zero", "/fd",    NULL};
        const TreeMount *cover = find_cover(tree, target);
        const char *name = rest_of(step->source, "/dev");

        if (cover && strcmp(cover->type, "dev") == 0 && name && g_strv_contains(made, name) &&
            strcmp(rest_of(target, cover->target), name) == 0)
                return NULL;
        return g_strdup_printf("%s %s is refused: no container gets devices of the host; files "
                               "there take --bind, and --dev makes null, zero, full, random, "
                               "urandom, tty and pts",
                               step->option, step->source);
}

/* A directory above that is not there gets no more rights for others than what is made in it. */
static void add_parents(Tree *tree, const char *target, int mode)
{
        int parent = MODE_OF_TREE & ~(mode & 070 ? 0 : 070) & ~(mode & 07 ? 0 : 07);

        if (parent == MODE_OF_TREE)
                return;
        for (const char *end = strchr(target + 1, '/'); end; end = strchr(end + 1, '/')) {
                g_autofree char *path = g_strndup(target, (size_t) (end - target));
                const TreeMount *cover = find_cover(tree, path);
                if (tree_has_directory(tree, path) || (cover && cover->host))
                        continue;
                TreeMount *mount = new_mount("dir", &path);
                mount->mode = parent;
                g_ptr_array_add(tree->mounts, mount);
        }
}

static char *add_file(Tree *tree, const BwrapStep *step, char **target)
{
        int usual = step->kind == STEP_FILE ? MODE_OF_FILE : MODE_OF_DATA;
        g_autoptr(GBytes) content = NULL;
        char *wrong = content_read(step->fd, DATA_BYTES_MAX - tree->data_size, &content);

        if (wrong)
                return wrong;
        tree->data_size += g_bytes_get_size(content);
        int mode = step->mode < 0 ? usual : step->mode;
        add_parents(tree, *target, mode);
        TreeMount *mount = new_mount("data", target);
        mount->source = g_steal_pointer(&content);
        mount->read_only = step->kind == STEP_RO_BIND_DATA;
        mount->mode = mode;
        g_ptr_array_add(tree->mounts, mount);
        return NULL;
}

static char *add_new(Tree *tree, const BwrapStep *step, char **target)
{
        static const char *const types[] = {
                [STEP_PROC] = "proc",     [STEP_DEV] = "dev", [STEP_TMPFS] = "tmpfs",
                [STEP_MQUEUE] = "mqueue", [STEP_DIR] = "dir", [STEP_SYMLINK] = "symlink"};
        bool has_mode = step->kind == STEP_TMPFS || step->kind == STEP_DIR;
        int mode = step->mode < 0 ? MODE_OF_TREE : step->mode;
        char *wrong =
                step->kind == STEP_SYMLINK ? NULL : make_target(tree, step->option, *target, true);

        if (wrong)
                return wrong;
        if (has_mode)
                add_parents(tree, *target, mode);
        TreeMount *mount = new_mount(types[step->kind], target);
        if (step->kind == STEP_SYMLINK)
                mount->source = g_bytes_new(step->source, strlen(step->source));
        if (has_mode)
                mount->mode = mode;
        mount->size = step->size;
        g_ptr_array_add(tree->mounts, mount);
        return NULL;
}

static char *remount(Tree *tree, const char *target)
{
        static const char *const able[] = {"bind", "tmpfs", "data", NULL};
        TreeMount *mount = find_made(tree, target);

        if (!mount && strcmp(target, "/") == 0)
                tree->root_is_read_only = true;
        else if (!mount || !g_strv_contains(able, mount->type))
                return g_strdup_printf("--remount-ro %s: no bind or tmpfs is mounted there",
                                       target);
        else
                mount->read_only = true;
        return NULL;
}

/* A directory that is only there because others lie in it is made before them. */
static char *change_mode(Tree *tree, const BwrapStep *step, char **target)
{
        TreeMount *made = find_made(tree, *target);
        const TreeMount *cover = find_cover(tree, *target);

        if (made && made->mode >= 0) {
                made->mode = step->mode;
                return NULL;
        }
        for (unsigned i = 0; !made && !(cover && cover->host) && i < tree->mounts->len; i++)
                if (is_below(mount_at(tree, i)->target, *target) && strcmp(*target, "/") != 0) {
                        made = new_mount("dir", target);
                        made->mode = step->mode;
                        g_ptr_array_insert(tree->mounts, (int) i, made);
                        return NULL;
                }
        return g_strdup_printf("--chmod %s is refused: it is for what the line itself has made",
                               *target);
}

char *tree_add(Tree *tree, const BwrapStep *step)
{
        g_autofree char *target = NULL;
        char *wrong = find_path(step->option, step->target, &target);

        if (wrong)
                return wrong;
        switch (step->kind) {
        case STEP_BIND:
        case STEP_RO_BIND:
        case STEP_BIND_TRY:
        case STEP_RO_BIND_TRY:
        case STEP_BIND_FD:
        case STEP_RO_BIND_FD:
                return add_bind(tree, step, &target);
        case STEP_DEV_BIND:
                return add_device(tree, step, target);
        case STEP_FILE:
        case STEP_BIND_DATA:
        case STEP_RO_BIND_DATA:
                return add_file(tree, step, &target);
        case STEP_REMOUNT_RO:
                return remount(tree, target);
        case STEP_CHMOD:
                return change_mode(tree, step, &target);
        case STEP_PROC:
        case STEP_DEV:
        case STEP_TMPFS:
        case STEP_MQUEUE:
        case STEP_DIR:
        case STEP_SYMLINK:
                return add_new(tree, step, &target);
        }
        return NULL;
}

void tree_request(const Tree *tree, SpawnRequest *request)
{
        for (unsigned i = 0; i < tree->mounts->len; i++) {
                const TreeMount *mount = mount_at(tree, i);
                char mode[16], size[32];
                const char *options[5], **next = options;

                g_snprintf(mode, sizeof mode, "mode=%04o", (unsigned) mount->mode & 07777);
                g_snprintf(size, sizeof size, "size=%" G_GUINT64_FORMAT, mount->size);
                if (mount->read_only)
                        *next++ = "ro";
                if (mount->is_optional)
                        *next++ = "try";
                if (mount->mode >= 0)
                        *next++ = mode;
                if (mount->size)
                        *next++ = size;
                *next = NULL;
                spawn_request_add_mount_of(
                        request, &(SpawnMount){mount->type, mount->source, mount->target, options});
        }
}
