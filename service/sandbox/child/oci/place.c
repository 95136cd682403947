#include "service/sandbox/child/oci/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/sandbox/child/root.h"

#define INSIDE    (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
#define PLAIN     (INSIDE | RESOLVE_NO_SYMLINKS)
#define LINKS_MAX 32u
#define TRIES_MAX 32u

typedef struct Way {
        char path[PATH_MAX]; /* what is left to be resolved, rewritten at a link that leads to
                                nothing yet */
        unsigned links;
} Way;

static int open_at(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
        struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags, .resolve = resolve};
        int fd = -1;

        /* EAGAIN: somebody renames meanwhile, in a tree that is shared; bounded, or this race could
         * hold us here */
        for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
                fd = (int) syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof how);
                if (fd >= 0 || errno != EAGAIN)
                        break;
        }
        return fd;
}

static bool fits(size_t length)
{
        errno = ENAMETOOLONG;
        return length < PATH_MAX;
}

/* path := what the link in `path[0..parent)` says + what stands behind the link */
static bool follow(Way *way, size_t parent, size_t end, const char *text, size_t length)
{
        char rest[PATH_MAX];
        size_t rest_length = strlen(way->path + end);

        errno = ELOOP;
        if (++way->links > LINKS_MAX)
                return false;
        memcpy(rest, way->path + end, rest_length + 1);
        if (text[0] == '/')
                parent = 0;
        if (!fits(parent + 1 + length + rest_length))
                return false;
        if (parent > 0)
                way->path[parent++] = '/';
        memcpy(way->path + parent, text, length);
        memcpy(way->path + parent + length, rest, rest_length + 1);
        return true;
}

/* The part of the path that is there, from its begin; `*ret_end` is its length. */
static int open_existing(int root, Way *way, size_t length, uint64_t resolve, size_t *ret_end)
{
        char saved;
        int fd;

        for (;;) {
                saved = way->path[length];
                way->path[length] = '\0';
                fd = open_at(root, way->path, O_DIRECTORY, resolve);
                way->path[length] = saved;
                *ret_end = length;
                if (fd >= 0 || errno != ENOENT || length == 0)
                        return fd;
                while (length > 0 && way->path[length - 1] != '/')
                        length--;
                while (length > 0 && way->path[length - 1] == '/')
                        length--;
        }
}

typedef enum Step { STEP_FAILED, STEP_DONE, STEP_AGAIN } Step;

/* Enters the component of the path that lies between the two ends; it was not there a moment
 * ago. A link in its place leads to nothing: what it leads to is what is to be made. */
static Step enter(Way *way, int *dir, size_t parent, size_t begin, size_t end, uint64_t resolve)
{
        char name[NAME_MAX + 1], text[PATH_MAX];
        int fd = -1;

        errno = ENAMETOOLONG;
        if (end - begin > NAME_MAX)
                return STEP_FAILED;
        memcpy(name, way->path + begin, end - begin);
        name[end - begin] = '\0';
        ssize_t length = syscall(SYS_readlinkat, *dir, name, text, sizeof text);
        if (length > 0 && !(resolve & RESOLVE_NO_SYMLINKS))
                return follow(way, parent, end, text, (size_t) length) ? STEP_AGAIN : STEP_FAILED;
        if (syscall(SYS_mkdirat, *dir, name, 0755) == 0 || errno == EEXIST)
                fd = open_at(*dir, name, O_DIRECTORY, PLAIN);
        root_close(*dir);
        *dir = fd;
        return fd < 0 ? STEP_FAILED : STEP_DONE;
}

/* The directory in which the last component lies, made if missing; `*ret_name` is where that begins
 * in the path. */
static int make_parent(int root, Way *way, uint64_t resolve, size_t *ret_name)
{
        for (;;) {
                size_t length = strlen(way->path), end;
                Step step = STEP_DONE;

                while (length > 0 && way->path[length - 1] == '/')
                        way->path[--length] = '\0';
                while (length > 0 && way->path[length - 1] != '/')
                        length--;
                *ret_name = length;
                while (length > 0 && way->path[length - 1] == '/')
                        length--;
                int dir = open_existing(root, way, length, resolve, &end);
                while (dir >= 0 && step == STEP_DONE && end < length) {
                        size_t parent = end, begin = end;
                        while (way->path[begin] == '/')
                                begin++;
                        for (end = begin; end < length && way->path[end] != '/'; end++)
                                ;
                        step = enter(way, &dir, parent, begin, end, resolve);
                }
                if (step == STEP_DONE)
                        return dir;
                if (dir >= 0)
                        root_close(dir);
                if (step == STEP_FAILED)
                        return -1;
        }
}

static bool begin(Way *way, const char *path)
{
        size_t length = strlen(path);

        way->links = 0;
        if (!fits(length))
                return false;
        memcpy(way->path, path, length + 1);
        return true;
}

int place_open_parent(int root, const char *path, char *name)
{
        size_t at;
        Way way;
        int dir = begin(&way, path) ? make_parent(root, &way, INSIDE, &at) : -1;

        if (dir < 0)
                return -1;
        errno = ENAMETOOLONG;
        if (strlen(way.path + at) > NAME_MAX)
                return -1;
        memcpy(name, way.path + at, strlen(way.path + at) + 1);
        return dir;
}

static bool make(int dir, const char *name, PlaceKind kind)
{
        return (kind == PLACE_DIRECTORY
                        ? syscall(SYS_mkdirat, dir, name, 0755)
                        : syscall(SYS_mknodat, dir, name, S_IFREG | 0644, 0)) == 0 ||
               errno == EEXIST;
}

int place_open(int root, const char *path, PlaceKind kind, bool is_plain)
{
        uint64_t resolve = is_plain ? PLAIN : INSIDE;
        uint64_t flags = kind == PLACE_DIRECTORY ? O_DIRECTORY : 0;
        char text[PATH_MAX];
        size_t at, length;
        Way way;

        if (!begin(&way, path))
                return -1;
        for (;;) {
                int fd = open_at(root, way.path, flags, resolve), dir;
                if (fd >= 0 || errno != ENOENT || kind == PLACE_THERE)
                        return fd;
                if ((dir = make_parent(root, &way, resolve, &at)) < 0)
                        return -1;
                ssize_t link = syscall(SYS_readlinkat, dir, way.path + at, text, sizeof text);
                if (link <= 0 || is_plain) {
                        fd = make(dir, way.path + at, kind)
                                     ? open_at(dir, way.path + at, flags, PLAIN)
                                     : -1;
                        root_close(dir);
                        return fd;
                }
                root_close(dir);
                for (length = at; length > 0 && way.path[length - 1] == '/'; length--)
                        ;
                if (!follow(&way, length, strlen(way.path), text, (size_t) link))
                        return -1;
        }
}
