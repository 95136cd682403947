#pragma once

/* Every name that crosses the bus, once. */

#include <glib.h>

#include "service/spec/errors.h"

#define BUS_NAME              "org.naive.Runc"
#define MANAGER_PATH          "/org/naive/Runc"
#define CONTAINER_PATH_PREFIX "/org/naive/Runc/container"

#define INTERFACE_RUNC      "org.naive.Runc"
#define INTERFACE_MANAGER   "org.naive.Runc.Manager1"
#define INTERFACE_CONTAINER "org.naive.Runc.Container1"
#define INTERFACE_EXEC      "org.naive.Runc.Exec1"

/* ERROR_NO_SUCH_CONTAINER and its kin */
#define NAME(code, name, meaning) static const char ERROR_##code[] G_GNUC_UNUSED = name;
ERRORS(NAME)
#undef NAME
