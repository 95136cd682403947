#pragma once

/* Lines of the service's log that the journal finds by field: about one container, and of one
 * decision. */

#include <glib.h>
#include <sys/types.h>

#include "service/container/info.h"

/* The journal's MESSAGE_ID: a container is there, has ended; a request was allowed or refused. */
#define LOG_ID_NEW      "be20932581834604aa3f3753cdcde7e4"
#define LOG_ID_ENDED    "652658be4c8f41be885311224cd1f59a"
#define LOG_ID_DECISION "ef63d1bd84a74365a9c115185646e4df"

/* With CONTAINER_ID and CONTAINER_OWNER_UID; `message_id` may be NULL. */
void log_container(const ContainerInfo *info, const char *message_id, const char *format, ...)
        G_GNUC_PRINTF(3, 4);

/* With SENDER_UID, and ACTION where polkit was asked for one (NULL: it was not). `text` holds no
 * control characters. */
void log_decision(uid_t caller, const char *action, const char *text);
