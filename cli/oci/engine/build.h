#pragma once

/* A plan that is being written, with all that it points to. Owned by create.c and exec.c. */

#include "cli/oci/engine/engine.h"
#include "service/sandbox/child/oci/plan.h"

typedef struct Joined {
        int type, fd;
} Joined;

typedef struct Build {
        const EngineInput *input;
        OciPlan plan;
        GArray *steps, *covers; /* of OciStep */
        GPtrArray *labels;      /* what each step stands for in the config */
        GPtrArray *memory;
        GArray *fds; /* closed at the end */
        Joined joined[8];
        size_t n_joined;
        bool is_nested; /* in a user namespace: no device can be made */
} Build;

void build_init(Build *build, const EngineInput *input);
void build_clear(Build *build);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Build, build_clear)

void *build_own(Build *build, void *memory); /* freed with it */
int build_own_fd(Build *build, int fd);
OciStep *build_add_step(Build *build, OciStepKind kind, const char *target, const char *label);
OciStep *build_add_cover(Build *build, OciStepKind kind, const char *target);
bool build_make_state(Build *build, GError **error);
void build_close_fds(Build *build); /* the child has them */
void build_finish(Build *build);

/* process.c: `root`: where /etc/passwd is looked for */
bool build_process(Build *build, int root, GError **error);
/* mounts.c */
bool build_mounts(Build *build, int root, GError **error);
bool build_new_mount(Build *build, const OciMount *mount, const char *label, OciStep **ret);
/* cgroups.c: a mount of the type "cgroup" */
bool build_cgroup_mount(Build *build, const OciMount *mount, const char *label, GError **error);
/* devices.c */
bool build_devices(Build *build, GError **error);
/* copy-up.c: a new tmpfs with what the root has at the target */
bool build_copy_up(const OciMount *mount, int root, int *ret, GError **error);
