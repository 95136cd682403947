/* The directories of the containers. */

#include "cli/oci/state/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/oci/line/line.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

char *oci_state_root(const char *root)
{
        const char *runtime = g_getenv("XDG_RUNTIME_DIR");

        if (root && *root)
                return g_canonicalize_filename(root, NULL);
        if (geteuid() != 0 && runtime && *runtime)
                return g_build_filename(runtime, "naive-oci", NULL);
        return g_strdup("/run/naive-oci");
}

static bool lock_directory(int directory, const char *id, GError **error)
{
        if (TEMP_FAILURE_RETRY(flock(directory, LOCK_EX)) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot lock the state of \"%s\"", id);
        return true;
}

/* Who held the lock may have removed it. */
static bool is_there(int directory, const char *id, GError **error)
{
        struct stat status;

        return fstat(directory, &status) < 0 || status.st_nlink > 0 ||
               error_set(error, RUNTIME_ERROR_NO_SUCH_CONTAINER, "container \"%s\" does not exist",
                         id);
}

bool oci_state_make(const char *root, const char *id, int *ret_directory, GError **error)
{
        if (g_mkdir_with_parents(root, 0700) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot make %s", root);
        autofd int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool is_ours = top >= 0 && mkdirat(top, id, 0700) == 0;
        if (!is_ours && errno == EEXIST)
                return error_set(error, RUNTIME_ERROR_CONTAINER_EXISTS,
                                 "container with id \"%s\" exists already", id);
        if (!is_ours)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot make the state of \"%s\" in %s", id, root);
        autofd int directory = openat(top, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (directory < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot open the state of \"%s\"", id);
        if (!lock_directory(directory, id, error) || !is_there(directory, id, error))
                return false;
        *ret_directory = steal_fd(&directory);
        return true;
}

bool oci_state_open(const char *root, const char *id, bool lock, int *ret_directory, GError **error)
{
        autofd int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        autofd int directory =
                top < 0 ? -1 : openat(top, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        if (directory < 0 && errno != ENOENT)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot open the state of \"%s\" in %s", id, root);
        if (directory < 0)
                return error_set(error, RUNTIME_ERROR_NO_SUCH_CONTAINER,
                                 "container \"%s\" does not exist", id);
        if (lock && !lock_directory(directory, id, error))
                return false;
        if (!is_there(directory, id, error))
                return false;
        *ret_directory = steal_fd(&directory);
        return true;
}

bool oci_state_remove(const char *root, const char *id, GError **error)
{
        autofd int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int directory =
                top < 0 ? -1 : openat(top, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        DIR *stream = directory < 0 ? NULL : fdopendir(directory);
        struct dirent *entry;

        if (!stream) {
                fd_close(directory);
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot open the state of \"%s\"", id);
        }
        while ((entry = readdir(stream)))
                if (!g_str_equal(entry->d_name, ".") && !g_str_equal(entry->d_name, ".."))
                        (void) unlinkat(directory, entry->d_name, 0);
        closedir(stream);
        if (unlinkat(top, id, AT_REMOVEDIR) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot remove the state of \"%s\"", id);
        return true;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

char **oci_state_list(const char *root)
{
        GPtrArray *ids = g_ptr_array_new();
        DIR *stream = opendir(root);
        struct dirent *entry;

        while (stream && (entry = readdir(stream)))
                if (oci_id_is_valid(entry->d_name))
                        g_ptr_array_add(ids, g_strdup(entry->d_name));
        if (stream)
                closedir(stream);
        g_ptr_array_sort(ids, compare_names);
        g_ptr_array_add(ids, NULL);
        return (char **) g_ptr_array_free(ids, FALSE);
}
