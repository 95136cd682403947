#pragma once

/* What an option of bubblewrap's is taken as: options.h has a kind for each, line.c acts on it. */

typedef enum BwrapTake {
        TAKE_ARGS,
        TAKE_ALWAYS, /* accepted: it is so in any case */
        TAKE_REFUSED,
        TAKE_FLAG,   /* `what` is a BwrapFlag */
        TAKE_NUMBER, /* a BwrapNumber */
        TAKE_FD,     /* a BwrapFD */
        TAKE_TEXT,   /* a BwrapText */
        TAKE_CLEARENV,
        TAKE_SETENV,
        TAKE_UNSETENV,
        TAKE_LOCK_FILE,
        TAKE_FILTER,
        TAKE_CAP_ADD,
        TAKE_CAP_DROP,
        TAKE_PERMS,
        TAKE_SIZE,
        TAKE_STEP, /* a BwrapKind */
} BwrapTake;

typedef enum BwrapFlag {
        FLAG_HELP,
        FLAG_VERSION,
        FLAG_UNSHARE_ALL,
        FLAG_UNSHARE_NET,
        FLAG_SHARE_NET,
        FLAG_UNSHARE_UTS,
        FLAG_NEW_SESSION,
        FLAG_DIE_WITH_PARENT,
        FLAG_AS_PID_1,
        FLAG_LEVEL_PREFIX,
        FLAG_EMBEDDED,
        N_BWRAP_FLAGS,
} BwrapFlag;

typedef enum BwrapNumber { NUMBER_UID, NUMBER_GID, N_BWRAP_NUMBERS } BwrapNumber;

typedef enum BwrapFD { FD_SYNC, FD_BLOCK, FD_INFO, FD_STATUS, FD_FILTER, N_BWRAP_FDS } BwrapFD;

typedef enum BwrapText { TEXT_HOSTNAME, TEXT_CHDIR, N_BWRAP_TEXTS } BwrapText;

/* What is done to the tree, in the order given. */
typedef enum BwrapKind {
        STEP_BIND,
        STEP_RO_BIND,
        STEP_BIND_TRY,
        STEP_RO_BIND_TRY,
        STEP_BIND_FD,
        STEP_RO_BIND_FD,
        STEP_DEV_BIND,
        STEP_REMOUNT_RO,
        STEP_PROC,
        STEP_DEV,
        STEP_TMPFS,
        STEP_MQUEUE,
        STEP_DIR,
        STEP_FILE,
        STEP_BIND_DATA,
        STEP_RO_BIND_DATA,
        STEP_SYMLINK,
        STEP_CHMOD,
} BwrapKind;
