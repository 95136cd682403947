#pragma once

/* The ids of the actions in org.naive.Runc.policy, one for each decision that a person is asked to
 * make, and the keys of the details that a rule can use and a prompt shows. */

#define ACTION_SANDBOX        "org.naive.Runc.sandbox"
#define ACTION_RUN            "org.naive.Runc.run"
#define ACTION_RUN_PRIVILEGED "org.naive.Runc.run-privileged"
#define ACTION_MANAGE         "org.naive.Runc.manage"
#define ACTION_INSPECT        "org.naive.Runc.inspect"
#define ACTION_EXEC           "org.naive.Runc.exec"

/* polkit shows an absent detail as "$(key)" in its prompt, so give every key that the action's
 * message names: run and sandbox: rootfs, command_line; run-privileged: those and deviations;
 * manage, inspect: id, owner; exec: those and command_line. */
#define DETAIL_EXECUTABLE   "executable"
#define DETAIL_UNIT         "unit"
#define DETAIL_LABEL        "label"
#define DETAIL_ROOTFS       "rootfs"
#define DETAIL_COMMAND_LINE "command_line"
#define DETAIL_MEMORY_MAX   "memory_max"
#define DETAIL_MOUNTS       "mounts"
#define DETAIL_DEVIATIONS   "deviations"
#define DETAIL_ID           "id"
#define DETAIL_OWNER        "owner"
#define DETAIL_VERB         "verb"
