#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/oci/verbs/verbs.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

#define CAPABILITIES "[\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"]"

/* What runc's has, with the same words: scripts change it by name. */
static const char config[] =
        "{\n"
        "        \"ociVersion\": \"1.3.0\",\n"
        "        \"process\": {\n"
        "                \"terminal\": true,\n"
        "                \"user\": {\"uid\": 0, \"gid\": 0},\n"
        "                \"args\": [\"sh\"],\n"
        "                \"env\": "
        "[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\", "
        "\"TERM=xterm\"],\n"
        "                \"cwd\": \"/\",\n"
        "                \"capabilities\": {\n"
        "                        \"bounding\": " CAPABILITIES ",\n"
        "                        \"effective\": " CAPABILITIES ",\n"
        "                        \"permitted\": " CAPABILITIES "\n"
        "                },\n"
        "                \"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"hard\": 1024, \"soft\": "
        "1024}],\n"
        "                \"noNewPrivileges\": true\n"
        "        },\n"
        "        \"root\": {\"path\": \"rootfs\", \"readonly\": true},\n"
        "        \"hostname\": \"naive-oci\",\n"
        "        \"mounts\": [\n"
        "                {\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"},\n"
        "                {\"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\",\n"
        "                 \"options\": [\"nosuid\", \"strictatime\", \"mode=755\", "
        "\"size=65536k\"]},\n"
        "                {\"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": "
        "\"devpts\",\n"
        "                 \"options\": [\"nosuid\", \"noexec\", \"newinstance\", "
        "\"ptmxmode=0666\", "
        "\"mode=0620\", \"gid=5\"]},\n"
        "                {\"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": "
        "\"shm\",\n"
        "                 \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", "
        "\"size=65536k\"]},\n"
        "                {\"destination\": \"/dev/mqueue\", \"type\": \"mqueue\", \"source\": "
        "\"mqueue\",\n"
        "                 \"options\": [\"nosuid\", \"noexec\", \"nodev\"]},\n"
        "                {\"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\",\n"
        "                 \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"ro\"]},\n"
        "                {\"destination\": \"/sys/fs/cgroup\", \"type\": \"cgroup\", \"source\": "
        "\"cgroup\",\n"
        "                 \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"relatime\", \"ro\"]}\n"
        "        ],\n"
        "        \"linux\": {\n"
        "                \"resources\": {\"devices\": [{\"allow\": false, \"access\": \"rwm\"}]},\n"
        "                \"namespaces\": [\n"
        "                        {\"type\": \"pid\"}, {\"type\": \"network\"}, {\"type\": "
        "\"ipc\"},\n"
        "                        {\"type\": \"uts\"}, {\"type\": \"mount\"}, {\"type\": "
        "\"cgroup\"}\n"
        "                ],\n"
        "                \"maskedPaths\": [\"/proc/acpi\", \"/proc/asound\", \"/proc/kcore\", "
        "\"/proc/keys\",\n"
        "                                \"/proc/latency_stats\", \"/proc/timer_list\", "
        "\"/proc/timer_stats\",\n"
        "                                \"/proc/sched_debug\", \"/sys/firmware\", "
        "\"/proc/scsi\"],\n"
        "                \"readonlyPaths\": [\"/proc/bus\", \"/proc/fs\", \"/proc/irq\", "
        "\"/proc/sys\",\n"
        "                                  \"/proc/sysrq-trigger\"]\n"
        "        }\n"
        "}\n";

bool oci_verb_spec(const OciCall *call, int *ret_status, GError **error)
{
        const char *bundle = call->options->bundle ? call->options->bundle : ".";
        g_autofree char *path = g_build_filename(bundle, "config.json", NULL);
        autofd int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

        if (file < 0 || write(file, config, strlen(config)) != (ssize_t) strlen(config))
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot write %s", path);
        return true;
}
