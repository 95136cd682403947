#include "cli/oci/line/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/lib/json.h"
#include "service/util/fd.h"

char *oci_log_time(void)
{
        struct timespec now;
        struct tm utc;
        char text[32];

        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &utc);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
        return g_strdup_printf("%s.%09ldZ", text, now.tv_nsec);
}

static char *format(const OciOptions *options, const char *message)
{
        g_autofree char *time = oci_log_time();
        Json json;

        if (g_strcmp0(options->log_format, "json") != 0)
                return g_strdup_printf("time=\"%s\" level=error msg=\"%s\"\n", time, message);
        json_init(&json, false);
        json_open(&json, '{');
        json_key(&json, "msg");
        json_string(&json, message);
        json_key(&json, "level");
        json_string(&json, "error");
        json_key(&json, "time");
        json_string(&json, time);
        json_close(&json, '}');
        return json_finish(&json);
}

void oci_log_error(const OciOptions *options, const char *message)
{
        fprintf(stderr, "naive-oci: %s\n", message);
        if (!options->log || !*options->log)
                return;
        g_autofree char *text = format(options, message);
        autofd int log =
                open(options->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
        if (log >= 0 && write(log, text, strlen(text)) < 0)
                fprintf(stderr, "naive-oci: cannot write to the log: %s\n", g_strerror(errno));
}
