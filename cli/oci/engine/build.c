#include "cli/oci/engine/build.h"

#include <errno.h>
#include <sys/mman.h>

#include "service/spec/error.h"
#include "service/util/fd.h"

static void clear_fd(void *fd)
{
        fd_clear(fd);
}

void build_init(Build *build, const EngineInput *input)
{
        *build = (Build){
                .input = input,
                .steps = g_array_new(FALSE, TRUE, sizeof(OciStep)),
                .covers = g_array_new(FALSE, TRUE, sizeof(OciStep)),
                .labels = g_ptr_array_new_with_free_func(g_free),
                .memory = g_ptr_array_new_with_free_func(g_free),
                .fds = g_array_new(FALSE, FALSE, sizeof(int)),
                .plan = {.user_namespace = -1,
                         .pid_namespace = -1,
                         .root = -1,
                         .start = -1,
                         .lock = -1,
                         .personality = UINT64_MAX},
        };
        g_array_set_clear_func(build->fds, clear_fd);
}

void build_clear(Build *build)
{
        g_array_unref(build->steps);
        g_array_unref(build->covers);
        g_ptr_array_unref(build->labels);
        g_ptr_array_unref(build->memory);
        g_array_unref(build->fds);
        if (build->plan.state)
                munmap(build->plan.state, sizeof *build->plan.state);
}

void *build_own(Build *build, void *memory)
{
        g_ptr_array_add(build->memory, memory);
        return memory;
}

int build_own_fd(Build *build, int fd)
{
        if (fd >= 0)
                g_array_append_val(build->fds, fd);
        return fd;
}

static OciStep *add(GArray *list, OciStepKind kind, const char *target)
{
        const OciStep step = {.kind = kind, .target = target, .fd = -1};

        g_array_append_val(list, step);
        return &g_array_index(list, OciStep, list->len - 1);
}

OciStep *build_add_step(Build *build, OciStepKind kind, const char *target, const char *label)
{
        g_ptr_array_add(build->labels, g_strdup(label));
        return add(build->steps, kind, target);
}

OciStep *build_add_cover(Build *build, OciStepKind kind, const char *target)
{
        return add(build->covers, kind, target);
}

bool build_make_state(Build *build, GError **error)
{
        void *memory = mmap(NULL, sizeof *build->plan.state, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (memory == MAP_FAILED)
                return error_set_errno(error, RUNTIME_ERROR_NO_MEMORY, errno, "cannot map memory");
        build->plan.state = memory;
        return true;
}

void build_close_fds(Build *build)
{
        g_array_set_size(build->fds, 0);
}

void build_finish(Build *build)
{
        build->plan.steps = (const OciStep *) (void *) build->steps->data;
        build->plan.n_steps = build->steps->len;
        build->plan.covers = (const OciStep *) (void *) build->covers->data;
        build->plan.n_covers = build->covers->len;
}
