#pragma once

/* What containers share, made once because nothing of it depends on a call: the seccomp programs,
 * the default capabilities, the paths of /proc and /sys to cover (those that this kernel has), and,
 * among the containers of one owner, the /dev that is cloned read-only for each. */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "service/sandbox/child/plan.h"

/* The file systems that every container has. They are made early, before the call is known. */
enum {
        EARLY_PROC,
        EARLY_SYS,
        EARLY_DEV, /* the profile's, cloned: never made */
        EARLY_PTS,
        EARLY_SHM,
        EARLY_MQUEUE,
        EARLY_TMP,
        _EARLY_MAX,
};
extern const NewMount profile_file_systems[_EARLY_MAX];

/* Where these file systems are mounted, in this order. The number of a step is its index here. */
#define PROFILE_MASKS_MAX 32u
#define PROFILE_STEPS     7u
extern const MountStep profile_steps[PROFILE_STEPS];

typedef struct Profile {
        int dev_fd; /* the directory of the owners' /dev, each named by a uid and to be cloned */
        /* For lack of mknod, dev_fd is the only /dev: a tmpfs in our mount namespace with nodes
         * bound in. */
        bool dev_in_mount_namespace;
        /* The service's own, which each child has, too. If it is below 0, the OOM killer spares the
         * service, and a child's must be put back to 0. */
        int oom_score;
        uint64_t files_soft, files_hard; /* RLIMIT_NOFILE before the service raised its own */
        TitleMemory title;               /* of the service's command line */
        MountStep *masks;                /* what is covered of /proc and /sys; owned */
        size_t n_masks;
        bool masks_late; /* they can be mounted only once /proc and /sys are in place */
        uint64_t capabilities;
        /* Of these, the capabilities that could put rights into a file of the host's root. */
        uint64_t file_capabilities;
        /* The service's own: without a user namespace a container gets no others. */
        uint64_t own_capabilities;
        int last_capability;
        struct SeccompProgram *seccomp;
        struct SeccompProgram *seccomp_set_id; /* the same, and set-id bits are refused */
        struct SeccompProgram *seccomp_strict; /* see SECCOMP_STRICT */
} Profile;

/* `state_dir`: where /dev is made with mknod, or -1: in a mount namespace of our own (already
 * entered), from the host's nodes, for a service without the right to mknod. */
bool profile_new(int state_dir, Profile **ret, GError **error);
void profile_free(Profile *profile);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Profile, profile_free)

/* A detached read-only clone of the owner's /dev for one container. */
bool profile_clone_dev(const Profile *profile, uid_t owner, int *ret_mount, GError **error);
/* A detached read-only sysfs of the host's network, for a container that has it. */
bool profile_make_host_sys(int *ret_mount, GError **error);
