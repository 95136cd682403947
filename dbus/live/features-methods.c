#include "dbus/live/manager-methods.h"

/* What was found at start, and the methods, options and properties that there are by it. */
static const struct {
        const char *name;
        CgroupAbility ability;
        const char *enables[4];
} cgroup_rows[] = {
        {"cgroup", CGROUP_ABILITY_TRACKING, {"GetStats", "Usage"}},
        {"cgroup-freezer", CGROUP_ABILITY_FREEZER, {"Pause", "Resume"}},
        {"cgroup-memory", CGROUP_ABILITY_MEMORY, {"MemoryMax"}},
        {"cgroup-memory-v2", CGROUP_ABILITY_MEMORY_V2, {"MemoryHigh", "MemoryLow"}},
        {"cgroup-swap", CGROUP_ABILITY_SWAP, {"MemorySwapMax"}},
        {"cgroup-pids", CGROUP_ABILITY_PIDS, {"TasksMax"}},
        {"cgroup-cpu", CGROUP_ABILITY_CPU, {"CPUWeight"}},
        {"cgroup-cpu-quota", CGROUP_ABILITY_CPU_QUOTA, {"CPUQuotaPerSecUSec"}},
        {"cgroup-cpu-time", CGROUP_ABILITY_CPU_TIME, {"CPUTimeMaxUSec"}},
        {"cgroup-cpuset", CGROUP_ABILITY_CPUSET, {"AllowedCPUs"}},
        {"cgroup-io", CGROUP_ABILITY_IO, {"IOWeight"}},
        {"cgroup-pressure", CGROUP_ABILITY_PRESSURE, {"SetPressureTrigger"}},
};

/* {s(bass)}: is it there, what it enables, why it is not. */
static int append_feature(sd_bus_message *reply, const char *name, const char *const *enables,
                          const char *missing)
{
        int r = sd_bus_message_open_container(reply, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 's', name);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'v', "(bass)");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'r', "bass");
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 'b', &(int){!missing});
        if (r >= 0)
                r = sd_bus_message_append_strv(reply, (char **) enables);
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 's', missing ? missing : "");
        for (int i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(reply);
        return r;
}

static int append_features(sd_bus_message *reply, const ServiceFeatures *features)
{
        static const char *const runs[] = {"Run", "Spawn", "Create", NULL};
        static const char *const maps[] = {"UserNamespace=auto", "UserNamespace=host", NULL};
        int r = sd_bus_message_open_container(reply, 'a', "{sv}");

        for (size_t i = 0; i < G_N_ELEMENTS(cgroup_rows) && r >= 0; i++)
                r = append_feature(reply, cgroup_rows[i].name, cgroup_rows[i].enables,
                                   features->cgroups.missing[cgroup_rows[i].ability]);
        if (r >= 0)
                r = append_feature(reply, "id-ranges", maps,
                                   features->has_id_ranges ? NULL
                                                           : "the service does not run as root");
        if (r >= 0)
                r = append_feature(reply, "sandbox", runs, features->no_sandbox);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

int method_get_features(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        Server *server = data;
        sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(message, &reply);

        if (r >= 0)
                r = append_features(reply, &server->options.features);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}
