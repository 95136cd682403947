#pragma once

/* A LaunchFunc for tests without privilege: it forks a child that has no sandbox and speaks a
 * sandbox's protocol as it is told. And a cgroup tree without any hierarchy, as on a machine that
 * has none. */

#include "service/cgroup/cgroup.h"
#include "service/sandbox/launch.h"

typedef enum FakeScript {
        FAKE_EXIT,         /* is set up, executes, ends with `code` at once */
        FAKE_LIVE,         /* …, lives until it is signalled */
        FAKE_STUBBORN,     /* …, ignores all signals that can be ignored */
        FAKE_UNTIL_BYTE,   /* …, ends with `code` when told by fake_launch_release() */
        FAKE_OUTPUT,       /* …, writes "hello\n" to its output and ends with `code` */
        FAKE_FAIL,         /* fails at `stage` with `error` before it is set up */
        FAKE_FAIL_EXEC,    /* is set up; exec fails with `error` */
        FAKE_VANISH,       /* ends before it says anything */
        FAKE_VANISH_READY, /* is set up and ends before it is told to execute */
        FAKE_VANISH_EXEC,  /* is set up, may execute, and is killed at that moment: no word */
        FAKE_NO_CHILD,     /* the launch itself fails */
} FakeScript;

typedef struct FakeLaunch {
        FakeScript script;
        int code;
        SandboxStage stage;
        int error;
        unsigned n_launches;
        pid_t last_pid;
        char *last_hostname;
        unsigned last_n_fds;
        int last_output_fd;
} FakeLaunch;

extern FakeLaunch fake_launch_how;
void fake_launch_reset(void);   /* ends all children that are left */
void fake_launch_release(void); /* all that wait in FAKE_UNTIL_BYTE */

bool fake_launch(const LaunchInput *input, Launched *ret, GError **error);

CgroupTree *fake_cgroup_tree(void); /* static */
